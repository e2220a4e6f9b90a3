"""Recognise a checkpoint's format and rename its keys by the rules of that format."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from densecorr.convert.sources import SOURCES, Layout, Rules, Source
from densecorr.convert.tensor_rules import Part, Parts
from densecorr.utils.suggest import suggest


@dataclass(frozen=True)
class ConvertResult:
    """A converted state dict and what became of every key.

    Attributes:
        state: our names to tensors.
        origin: our names to the names in the file, several joined by ``' + '``.
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
    """Names of the formats that a file may have, in the order of the table.

    A file with a mark of one program is not taken for another's. Formats that are
    told apart by marks alone are not recognised without one.
    """
    marked, others = [], []
    for name, source in SOURCES.items():
        state = _find(content, source.layout)
        if state is None:
            continue
        if _has_mark(content, state, source.layout):
            marked.append(name)
        elif not source.layout.needs_mark:
            others.append(name)
    return marked or others


def fits(content: Any, source: str) -> bool:
    """Whether a file can be read as the format ``source``."""
    return _find(content, SOURCES[source].layout) is not None


def check_source(source: str) -> Source:
    """The format of a name.

    Raises:
        KeyError: no such format; names the nearest ones.
    """
    if source not in SOURCES:
        raise KeyError(
            f'{source!r} is not a checkpoint source. {suggest(source, SOURCES)}'
        )
    return SOURCES[source]


def convert(content: Any, source: str) -> ConvertResult:
    """Rename the keys of a checkpoint to ours: torchvision's or timm's names.

    Args:
        content: the file's content, with its containers.
        source: name of the format, a key of ``SOURCES``.

    Raises:
        KeyError: no such format.
        ValueError: the file does not have this format, two keys get one name, or a
            tensor that a rule needs is missing.
    """
    found = check_source(source)
    layout, rules = found.layout, found.rules
    state = _find(content, layout)
    if state is None:
        known = recognise(content)
        hint = f'It looks like {" or ".join(known)}.' if known else _first_keys(content)
        raise ValueError(
            f'The checkpoint has no keys of source {source!r}, which needs '
            f'{list(layout.require)} under one of {list(layout.containers)}. {hint}'
        )
    result = ConvertResult()
    parts = _renamed(state, rules, source, result)
    for rule in rules.tensors:
        parts = rule(parts)
    for name, part in parts.items():
        if rules.keep and not _any(rules.keep, name):
            result.unknown.append(part.origin)
        else:
            result.state[name], result.origin[name] = part
    return result


def choose(content: Any, expected: str | None = None) -> str:
    """The format of a file that does not say it.

    Args:
        content: the file's content, with its containers.
        expected: the format to take where a file may have several.

    Raises:
        KeyError: ``expected`` is no format.
        ValueError: no format fits, or several do and ``expected`` is none of them.
    """
    if expected is not None:
        check_source(expected)
    names = recognise(content)
    if len(names) == 1:
        return names[0]
    if expected is not None and fits(content, expected):
        return expected
    if names:
        raise ValueError(
            f'The checkpoint may be of {" or ".join(names)}: its keys do not tell '
            'which. Say it with --source, or in the config of the model with '
            f"checkpoint_source = '{names[0]}'."
        )
    raise ValueError(
        'The format of the checkpoint is not recognised. Name it with --source, '
        f'one of {sorted(SOURCES)}. {_first_keys(content)}'
    )


def agreed(content: Any, names: Iterable[str]) -> ConvertResult:
    """The conversion on which several formats of a file agree.

    Raises:
        ValueError: they differ in a tensor or its name.
    """
    names = list(names)
    results = [convert(content, name) for name in names]
    tensors = [{name: id(t) for name, t in r.state.items()} for r in results]
    if any(found != tensors[0] for found in tensors):
        raise ValueError(
            f'The checkpoint may be of {" or ".join(names)}, which give different '
            'weights. Choose one with --source.'
        )
    return results[0]


def _renamed(
    state: Mapping[str, Tensor], rules: Rules, source: str, result: ConvertResult
) -> Parts:
    """Tensors under their new names; those that are dropped go to the result."""
    parts: Parts = {}
    for key, tensor in state.items():
        name = key.removeprefix('module.')
        if _any(rules.drop, name):
            result.dropped_by_rule.append(key)
            continue
        for pattern, replacement in rules.rename:
            name = re.sub(pattern, replacement, name)
        if name in parts:
            raise ValueError(
                f'Source {source!r} gives {parts[name].origin!r} and {key!r} the one '
                f'name {name!r}. Remove one of them from the file.'
            )
        parts[name] = Part(tensor, key)
    return parts


def _find(content: Any, layout: Layout) -> dict[str, Tensor] | None:
    """The state dict of a file of this format, None if it is not of this format."""
    for container in layout.containers:
        state = tensors_of(content, container)
        if state is None:
            continue
        keys = [key.removeprefix('module.') for key in state]
        found = all(any(re.search(r, key) for key in keys) for r in layout.require)
        if found and not any(_any(layout.forbid, key) for key in keys):
            return state
    return None


def _has_mark(content: Any, state: Mapping[str, Tensor], layout: Layout) -> bool:
    keys = [key.removeprefix('module.') for key in state]
    return any(_any(layout.marks, key) for key in [*_names(content), *keys])


def _names(content: Any) -> Iterator[str]:
    yield from (key for key in content if isinstance(key, str))


def _any(patterns: Iterable[str], key: str) -> bool:
    return any(re.search(pattern, key) for pattern in patterns)


def _first_keys(content: Any) -> str:
    keys = [str(key) for key in content][:6] if isinstance(content, Mapping) else []
    for key in keys:
        inner = content.get(key)
        if isinstance(inner, Mapping):
            keys += [f'{key}: {", ".join(map(str, list(inner)[:4]))}']
    return f'First keys of the file: {keys}.'
