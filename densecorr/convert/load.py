"""Load a checkpoint into a backbone: strictly, with a report."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor, nn

from densecorr.convert.convert import ConvertResult, choose, convert, tensors_of
from densecorr.convert.sources import SOURCES
from densecorr.utils.checkpoints import read_checkpoint
from densecorr.utils.download import download
from densecorr.utils.suggest import suggest

_OPTIONAL = r'(^|\.)num_batches_tracked$'  # absent from old files, unused in eval mode
_STATISTICS = r'(^|\.)(running_mean|running_var|num_batches_tracked)$'
_PLAIN_DROP = r'^(fc|head|classifier)\.'
_SHOWN = 8  # keys of a list in a report or an error
_TOKEN_STD = 0.02  # of random tokens and positions, as in timm
_RANDOM_SEED = 0


@dataclass(frozen=True)
class LoadReport:
    """What became of every key of a checkpoint; ``str()`` is the table to print.

    Attributes:
        checkpoint: as it was given.
        source: the format or formats, in words.
        loaded: parameters and buffers of the backbone that were set.
        dropped: names in the file that a rule drops.
        unknown: names in the file that the backbone does not have.
        missing: names of the backbone that the file does not have.
    """

    checkpoint: str
    source: str
    loaded: list[str] = field(default_factory=list)
    dropped: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        lines = [f'weights   {self.checkpoint} ({self.source})']
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
) -> LoadReport:
    """Set every parameter and buffer of a backbone, or raise.

    Args:
        backbone: a network with torchvision's or timm's names.
        checkpoint: a path, an http(s) address, ``'timm:NAME'``,
            ``'torchvision:NAME'`` (first published weights; ``NAME/IMAGENET1K_V2`` for
            others), or ``'random'``: drawn from a fixed seed.
        source: format of the file, a key of ``SOURCES``; recognised where None.
        allow_unsafe: see :func:`densecorr.utils.checkpoints.read_checkpoint`.

    Raises:
        FileNotFoundError: there is no such file or address.
        KeyError: no such source.
        ValueError: the file is damaged, unsafe, of an unknown format, or does not fit.
    """
    checkpoint = str(checkpoint)
    if checkpoint == 'random':
        return randomise(backbone)
    content, source = open_checkpoint(checkpoint, source, allow_unsafe)
    target = backbone.state_dict()
    names, result = _match(content, source, target, checkpoint)
    extra = [result.origin[key] for key in result.state if key not in target]
    report = LoadReport(
        checkpoint=checkpoint,
        source=' = '.join(names),
        loaded=sorted(set(result.state) & set(target)),
        dropped=sorted(result.dropped_by_rule),
        unknown=sorted([*result.unknown, *extra]),
        missing=sorted(set(target) - set(result.state)),
    )
    _check_fit(report, result, target, type(backbone).__name__)
    backbone.load_state_dict({**target, **result.state}, strict=True)
    return report


def randomise(backbone: nn.Module, seed: int = _RANDOM_SEED) -> LoadReport:
    """Draw every weight anew from a seed, independent of how the network was built.

    Kernels and matrices are normal with variance 2 / fan-in, tokens and positions
    normal with deviation 0.02; norms become the identity, biases zero. Tables that are
    computed, not learned, stay.

    Reference: He et al., ICCV 2015, arXiv:1502.01852, Sec. 2.2.
    """
    generator = torch.Generator().manual_seed(seed)
    learned = {parameter.data_ptr() for parameter in backbone.parameters()}
    state = {}
    for key, tensor in sorted(backbone.state_dict().items()):
        is_learned = tensor.data_ptr() in learned
        if is_learned and tensor.ndim >= 2:
            token = tensor.ndim == 3 and tensor.shape[0] == 1
            std = _TOKEN_STD if token else math.sqrt(2 / tensor[0].numel())
            state[key] = torch.randn(tensor.shape, generator=generator) * std
        elif is_learned or re.search(_STATISTICS, key):
            one = key.endswith(('weight', 'running_var', 'gamma'))
            state[key] = torch.full_like(tensor, int(one))
        else:
            state[key] = tensor
    backbone.load_state_dict(state, strict=True)
    return LoadReport('random', f'drawn with seed {seed}', loaded=sorted(state))


def open_checkpoint(
    address: str, source: str | None = None, unsafe: bool = False
) -> tuple[Any, str | None]:
    """Content of a checkpoint, and its format where the address says it.

    Args:
        address: as in :func:`load_backbone`, but not ``'random'``.
        source: format that the caller names, or None.
        unsafe: see :func:`densecorr.utils.checkpoints.read_checkpoint`.
    """
    scheme, _, name = address.partition(':')
    if scheme in ('http', 'https'):
        return read_checkpoint(download(address), unsafe), source
    if scheme == 'timm':
        return _from_timm(name), source
    if scheme == 'torchvision':
        path = download(_torchvision_address(name))
        return read_checkpoint(path, unsafe), source or 'torchvision'
    return read_checkpoint(address, unsafe), source


def _from_timm(name: str) -> dict[str, Tensor]:
    import timm

    if not timm.is_model(name):
        near = suggest(name, timm.list_models())
        raise ValueError(f'timm has no model {name!r}. {near}')
    try:
        return timm.create_model(name, pretrained=True, num_classes=0).state_dict()
    except Exception as error:  # whatever hub, network or file system come to
        raise FileNotFoundError(
            f'The weights of timm:{name} could not be fetched ({error}). Download them '
            'on a machine with a network and give the path of the file instead.'
        ) from error


def _torchvision_address(name: str) -> str:
    import torchvision

    arch, _, version = name.partition('/')
    try:
        weights = torchvision.models.get_model_weights(arch)
    except ValueError as error:
        near = suggest(arch, torchvision.models.list_models())
        raise ValueError(f'torchvision has no model {arch!r}. {near}') from error
    versions = {w.name: w.url for w in weights}
    version = version or next(iter(versions))
    if version not in versions:
        raise ValueError(
            f'torchvision has no weights {version!r} of {arch!r}, it has '
            f'{sorted(versions)}.'
        )
    return versions[version]


def _match(
    content: Any, source: str | None, target: dict[str, Tensor], checkpoint: str
) -> tuple[list[str], ConvertResult]:
    """Formats of a file and its tensors under the names of the target."""
    if source is None:
        plain = _plain(content, target)
        if plain is not None:
            return ['names of the model'], plain
    try:
        if source is None:
            names, result = choose(content)
        else:
            names, result = [source], convert(content, source)
    except ValueError as error:
        raise ValueError(f'{checkpoint}: {error}') from error
    inner = SOURCES[names[0]].inner
    if inner and not any(key.startswith(inner) for key in target):
        return names, _only(result, inner)
    return names, result


def _plain(content: Any, target: dict[str, Tensor]) -> ConvertResult | None:
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
            'the format with --source, or add a rule to densecorr/convert/sources.py.'
        )


def _shorten(keys: list[str]) -> str:
    more = f', ... {len(keys) - _SHOWN} more' if len(keys) > _SHOWN else ''
    return (', '.join(keys[:_SHOWN]) + more) or 'none'
