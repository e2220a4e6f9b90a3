"""Recognise a checkpoint's format and rename its keys by the rules of that format."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from densecorr.convert.sources import SOURCES, Source
from densecorr.utils.suggest import suggest


@dataclass(frozen=True)
class ConvertResult:
    """A converted state dict and what became of every key.

    Attributes:
        state: our names to tensors.
        origin: our names to the names in the file.
        dropped_by_rule: names in the file that the rules drop.
        unknown: names in the file that no rule knows; not in ``state``.
    """

    state: dict[str, Tensor] = field(default_factory=dict)
    origin: dict[str, str] = field(default_factory=dict)
    dropped_by_rule: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)


def tensors_of(content: Any, container: str = '') -> dict[str, Tensor] | None:
    """The named tensors under ``container`` of a file, None where there are none.

    Args:
        content: what :func:`densecorr.utils.checkpoints.read_checkpoint` returns.
        container: key of the file that holds the state dict; ``''`` is the file.
    """
    if container and isinstance(content, Mapping):
        content = content.get(container)
    if not isinstance(content, Mapping):
        return None
    tensors = {
        key: value
        for key, value in content.items()
        if isinstance(key, str) and isinstance(value, Tensor)
    }
    return tensors or None


def recognise(content: Any) -> list[str]:
    """Names of the formats that a file may have, in the order of the table."""
    return [name for name, source in SOURCES.items() if _find(content, source)]


def convert(content: Any, source: str) -> ConvertResult:
    """Rename the keys of a checkpoint to ours: torchvision's or timm's names.

    Args:
        content: the file's content, with its containers.
        source: name of the format, a key of ``SOURCES``.

    Raises:
        KeyError: no such format.
        ValueError: the file does not have this format, or two keys get one name.
    """
    if source not in SOURCES:
        raise KeyError(
            f'{source!r} is not a checkpoint source. {suggest(source, SOURCES)}'
        )
    rules = SOURCES[source]
    state = _find(content, rules)
    if state is None:
        known = recognise(content)
        hint = f'It looks like {" or ".join(known)}.' if known else _first_keys(content)
        raise ValueError(
            f'The checkpoint has no keys of source {source!r}, which needs '
            f'{list(rules.require)} under one of {list(rules.containers)}. {hint}'
        )
    result = ConvertResult()
    for key, tensor in state.items():
        bare = key.removeprefix('module.')
        if _any(rules.drop, bare):
            result.dropped_by_rule.append(key)
            continue
        name = bare
        for pattern, replacement in rules.rename:
            name = re.sub(pattern, replacement, name)
        if rules.keep and not _any(rules.keep, name):
            result.unknown.append(key)
            continue
        if name in result.state:
            raise ValueError(
                f'Source {source!r} gives {result.origin[name]!r} and {key!r} the one '
                f'name {name!r}. Remove one of them from the file.'
            )
        result.state[name], result.origin[name] = tensor, key
    return result


def choose(content: Any) -> tuple[list[str], ConvertResult]:
    """The formats that fit a file, and the conversion on which all of them agree.

    Raises:
        ValueError: no format fits, or several do and differ.
    """
    names = recognise(content)
    if not names:
        raise ValueError(
            'The format of the checkpoint is not recognised. Name it with --source, '
            f'one of {sorted(SOURCES)}. {_first_keys(content)}'
        )
    results = [convert(content, name) for name in names]
    tensors = [{name: id(t) for name, t in r.state.items()} for r in results]
    same = all(t == tensors[0] for t in tensors)
    if not same or any(r.unknown != results[0].unknown for r in results):
        raise ValueError(
            f'The checkpoint may be of {" or ".join(names)}, which give different '
            'weights. Choose one with --source.'
        )
    return names, results[0]


def _find(content: Any, source: Source) -> dict[str, Tensor] | None:
    """The state dict of a file of this format, None if it is not of this format."""
    for container in source.containers:
        state = tensors_of(content, container)
        if state is None:
            continue
        keys = [key.removeprefix('module.') for key in state]
        found = all(any(re.search(r, key) for key in keys) for r in source.require)
        if found and not any(_any(source.forbid, key) for key in keys):
            return state
    return None


def _any(patterns: Iterable[str], key: str) -> bool:
    return any(re.search(pattern, key) for pattern in patterns)


def _first_keys(content: Any) -> str:
    keys = [str(key) for key in content][:6] if isinstance(content, Mapping) else []
    for key in keys:
        inner = content.get(key)
        if isinstance(inner, Mapping):
            keys += [f'{key}: {", ".join(map(str, list(inner)[:4]))}']
    return f'First keys of the file: {keys}.'
