"""Load a checkpoint into a backbone: strictly, with a report."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from torch import Tensor, nn

from densecorr.convert.addresses import open_checkpoint
from densecorr.convert.convert import (
    ConvertResult,
    choose,
    convert,
    recognise,
    tensors_of,
)
from densecorr.convert.export import OURS
from densecorr.convert.randomise import SEED, draw_weights
from densecorr.convert.sources import SOURCES, Source

_OPTIONAL = r'(^|\.)num_batches_tracked$'  # absent from old files, unused in eval mode
_PLAIN_DROP = r'^(fc|head|classifier)\.'
_PLAIN = 'names of the model'
_TIMM = 'timm'
_SHOWN = 8  # keys of a list in a report or an error


@dataclass(frozen=True)
class LoadReport:
    """What became of every key of a checkpoint; ``str()`` is the table to print.

    Attributes:
        checkpoint: as it was given.
        source: the format, in words.
        status: ``'verified'`` or ``'unverified'``: whether the names of the format
            were checked against an official list; ``''`` where there is no format.
        note: what every output has to say of these weights, ``''`` if nothing.
        loaded: parameters and buffers of the backbone that were set.
        dropped: names in the file that a rule drops.
        unknown: names in the file that the backbone does not have.
        missing: names of the backbone that the file does not have.
    """

    checkpoint: str
    source: str
    status: str = ''
    note: str = ''
    loaded: list[str] = field(default_factory=list)
    dropped: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        facts = ', '.join(part for part in (self.source, self.status) if part)
        lines = [f'weights   {self.checkpoint} ({facts})']
        if self.note:
            lines.append(f'note      {self.note}')
        for title in ('loaded', 'dropped', 'unknown', 'missing'):
            keys = getattr(self, title)
            label = 'dropped by rule' if title == 'dropped' else title
            shown = '' if title == 'loaded' else f'  {_shorten(keys)}'
            lines.append(f'{label:<16}{len(keys):>5}{shown}'.rstrip())
        return '\n'.join(lines)


def load_backbone(
    backbone: nn.Module,
    checkpoint: str,
    source: str | None = None,
    allow_unsafe: bool = False,
    expected: str | None = None,
) -> LoadReport:
    """Set every parameter and buffer of a backbone, or raise.

    Args:
        backbone: a network with torchvision's or timm's names.
        checkpoint: a path, an http(s) address, ``'timm:NAME'``,
            ``'torchvision:NAME'`` (first published weights; ``NAME/IMAGENET1K_V2`` for
            others), or ``'random'``: drawn from a fixed seed.
        source: format of the file, a key of ``SOURCES``; recognised where None.
        allow_unsafe: see :func:`densecorr.utils.checkpoints.read_checkpoint`.
        expected: format to take where ``source`` is None and the file may have
            several: the ``checkpoint_source`` of a config.

    Raises:
        FileNotFoundError: there is no such file or address.
        KeyError: no such source.
        ValueError: the file is damaged, unsafe, of an unknown format or of one of
            several, or does not fit.
    """
    checkpoint = str(checkpoint)
    if checkpoint == 'random':
        return randomise(backbone)
    content, source = open_checkpoint(checkpoint, source, allow_unsafe)
    target = backbone.state_dict()
    try:
        name, result = _match(content, source, expected, target)
    except ValueError as error:
        raise ValueError(f'{checkpoint}: {error}') from error
    known, first = SOURCES.get(name), SOURCES.get(_first_source(name, content))
    result = _without_spare(result, known, target) if known else result
    extra = [result.origin[key] for key in result.state if key not in target]
    report = LoadReport(
        checkpoint=checkpoint,
        source=_in_words(name, content),
        status=first.status if first else '',
        note=note_of(name, content),
        loaded=sorted(set(result.state) & set(target)),
        dropped=sorted(result.dropped_by_rule),
        unknown=sorted([*result.unknown, *extra]),
        missing=sorted(set(target) - set(result.state)),
    )
    _check_fit(report, result, target, type(backbone).__name__)
    backbone.load_state_dict({**target, **result.state}, strict=True)
    return report


def randomise(backbone: nn.Module, seed: int = SEED) -> LoadReport:
    """Draw every weight anew from a seed, independent of how the network was built.

    See :func:`densecorr.convert.randomise.draw_weights`.
    """
    loaded = draw_weights(backbone, seed)
    return LoadReport('random', f'drawn with seed {seed}', loaded=loaded)


def note_of(name: str, content: Any) -> str:
    """What every output has to say of weights of a format, ``''`` if nothing.

    Files that densecorr converted remember the format that they came from.
    """
    first = SOURCES.get(_first_source(name, content))
    return first.note if first else ''


def _in_words(name: str, content: Any) -> str:
    first = _first_source(name, content)
    return f'{name}, converted from {first}' if first != name else name


def _first_source(name: str, content: Any) -> str:
    """The format that the weights had before densecorr converted them."""
    meta = content.get('meta') if isinstance(content, Mapping) else None
    if name != OURS or not isinstance(meta, Mapping):
        return name
    first = meta.get('source')
    return first if isinstance(first, str) and first in SOURCES else name


def _match(
    content: Any,
    source: str | None,
    expected: str | None,
    target: Mapping[str, Tensor],
) -> tuple[str, ConvertResult]:
    """Format of a file and its tensors under the names of the target."""
    unknown = source is None and not recognise(content)
    if unknown or source == _TIMM:  # timm has more networks than its rules name
        plain = _plain(content, target)
        if plain is not None:
            return source or _PLAIN, plain
    name = source or choose(content, expected)
    result = convert(content, name)
    inner = SOURCES[name].rules.inner
    whole = any(key.startswith(inner) for key in target)
    if inner and not whole and any(key.startswith(inner) for key in result.state):
        return name, _only(result, inner)
    return name, result


def _plain(content: Any, target: Mapping[str, Tensor]) -> ConvertResult | None:
    """The file's own names where they are exactly those of the target."""
    for container in ('', 'state_dict', 'model'):
        tensors = tensors_of(content, container)
        if tensors is None:
            continue
        dropped = [k for k in tensors if k not in target and re.search(_PLAIN_DROP, k)]
        state = {k: v for k, v in tensors.items() if k not in dropped}
        if set(state) == set(target):
            origin = {key: key for key in state}
            return ConvertResult(state, origin, dropped_by_rule=dropped)
    return None


def _only(result: ConvertResult, inner: str) -> ConvertResult:
    """The plain backbone of a larger network; the rest is dropped by rule."""

    def part(entries: dict, wanted: Callable[[str], bool]) -> dict:
        return {k.removeprefix(inner): v for k, v in entries.items() if wanted(k)}

    rest = [o for k, o in result.origin.items() if not k.startswith(inner)]
    return replace(
        result,
        state=part(result.state, lambda k: k.startswith(inner)),
        origin=part(result.origin, lambda k: k.startswith(inner)),
        dropped_by_rule=[*result.dropped_by_rule, *rest],
    )


def _without_spare(
    result: ConvertResult, source: Source, target: Mapping[str, Tensor]
) -> ConvertResult:
    """Without the zeros that the rules let a network lack."""
    spare = [
        key
        for key, tensor in result.state.items()
        if key not in target
        and any(re.search(pattern, key) for pattern in source.rules.spare)
        and not tensor.count_nonzero()
    ]
    return replace(
        result,
        state={k: t for k, t in result.state.items() if k not in spare},
        dropped_by_rule=[
            *result.dropped_by_rule,
            *dict.fromkeys(result.origin[key] for key in spare),
        ],
    )


def _check_fit(
    report: LoadReport, result: ConvertResult, target: dict[str, Tensor], name: str
) -> None:
    start = f'Checkpoint {report.checkpoint} ({report.source}) does not fit {name}'
    if not report.loaded:
        raise ValueError(
            f'{start}: no key fits. File: {_shorten(sorted(result.origin))}; model: '
            f'{_shorten(sorted(target))}. Use the config of its architecture.'
        )
    shapes = [
        f'{k}: file {tuple(result.state[k].shape)}, model {tuple(target[k].shape)}'
        for k in report.loaded
        if result.state[k].shape != target[k].shape
    ]
    if shapes:
        raise ValueError(
            f'{start}: {len(shapes)} tensors have another shape: {_shorten(shapes)}. '
            'Use the config of its architecture.'
        )
    missing = [key for key in report.missing if not re.search(_OPTIONAL, key)]
    if missing or report.unknown:
        raise ValueError(
            f'{start}. Missing in the file ({len(missing)}): {_shorten(missing)}; '
            f'unknown to the model ({len(report.unknown)}): '
            f'{_shorten(report.unknown)}. Use the config of its architecture, choose '
            'the format with --source, or add a rule to densecorr/convert/sources.'
        )


def _shorten(keys: list[str]) -> str:
    more = f', ... {len(keys) - _SHOWN} more' if len(keys) > _SHOWN else ''
    return (', '.join(keys[:_SHOWN]) + more) or 'none'
