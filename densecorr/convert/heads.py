"""Load the head that a training method keeps beside its backbone."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from densecorr.convert.addresses import open_checkpoint
from densecorr.convert.convert import tensors_of
from densecorr.convert.load import LoadReport, randomise

_CONTAINERS = ('state_dict', 'model_state_dict', 'model', '')
_PREFIXES = ('head.', '')  # of our training checkpoints, of official files


def load_head(
    head: nn.Module,
    checkpoint: str,
    source: str | None = None,
    allow_unsafe: bool = False,
) -> LoadReport:
    """Set every parameter and buffer of a head, or raise.

    Args:
        head: such as a :class:`SlotHead`, whose names are those of the official files.
        checkpoint: as in :func:`densecorr.convert.load_backbone`.
        source: format of the file, where it is known.
        allow_unsafe: see :func:`densecorr.utils.checkpoints.read_checkpoint`.

    Raises:
        ValueError: the file lacks the head or a part of it, or has other shapes.
    """
    checkpoint = str(checkpoint)
    if checkpoint == 'random':
        return randomise(head)
    content, _ = open_checkpoint(checkpoint, source, allow_unsafe)
    target, name = head.state_dict(), type(head).__name__
    found = max(_choices(content, target), key=len)
    missing = sorted(set(target) - set(found))
    if missing:
        raise ValueError(
            f'{checkpoint} has {len(found)} of {len(target)} tensors of {name}; '
            f'missing: {", ".join(missing[:4])}. Take a checkpoint of the method that '
            'the config trains; a backbone without slots is evaluated by its own '
            'config, for example configs/test/dino_vits16.py, with candidates from '
            'k-means.'
        )
    wrong = [
        f'{key}: file {tuple(found[key].shape)}, model {tuple(target[key].shape)}'
        for key in sorted(target)
        if found[key].shape != target[key].shape
    ]
    if wrong:
        raise ValueError(
            f'{checkpoint} has a {name} of other shapes: {"; ".join(wrong[:4])}. Give '
            'num_slots and grid of its training: model.head of the config.'
        )
    head.load_state_dict(found, strict=True)
    return LoadReport(checkpoint, name, loaded=sorted(found))


def _choices(content: Any, target: dict[str, Tensor]) -> list[dict[str, Tensor]]:
    """Tensors of the target by container and prefix of the file."""
    found = []
    for container in _CONTAINERS:
        given = tensors_of(content, container) or {}
        known = {key.removeprefix('module.'): x for key, x in given.items()}
        for prefix in _PREFIXES:
            found.append({k: known[prefix + k] for k in target if prefix + k in known})
    return found
