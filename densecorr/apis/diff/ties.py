"""Factors that cannot change alone, because what lies between does not work."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

from densecorr.apis.diff.shares import State
from densecorr.apis.diff.sides import Mixer
from densecorr.convert import load_backbone
from densecorr.ops.size_policy import Size, resolve_size
from densecorr.propagation.protocol import Protocol
from densecorr.registry import MODELS

_JOIN = ' + '
Groups = dict[str, tuple[str, ...]]


def grouped(
    factors: Sequence[str], mixer: Mixer, sizes: Sequence[Size], allow_unsafe: bool
) -> Groups:
    """Factors by the name under which they change, in order.

    Weights that do not fit the other network change with the features, a size rule
    that does not fit its stride likewise, and fields of a protocol that contradict
    each other half way change together.

    Args:
        factors: in the order in which they change, each alone so far.
        mixer: of both runs.
        sizes: (H, W) of the videos of both.
        allow_unsafe: as in :func:`densecorr.convert.load_backbone`.
    """
    groups: Groups = {name: (name,) for name in factors}
    mixer.groups = groups
    for ours, fits in (
        ('weights', lambda state: _weights_fit(mixer, state, allow_unsafe)),
        ('size rule', lambda state: _sizes_fit(mixer, state, sizes)),
    ):
        names = {name: group for group in groups for name in groups[group]}
        if ours not in names or 'features' not in names:
            continue
        pair = [names[ours], names['features']]
        alone = [frozenset(pair[:1]), frozenset(pair[1:])]
        if pair[0] != pair[1] and not all(fits(state) for state in alone):
            groups = mixer.groups = _joined(groups, *pair)
    while (pair_ := _contradiction(mixer, list(groups))) is not None:
        groups = mixer.groups = _joined(groups, *pair_)
    return groups


def _joined(groups: Groups, first: str, second: str) -> Groups:
    """Two groups as one, at the place of the first."""
    found: Groups = {}
    for name, members in groups.items():
        if name == first:
            both = members + groups[second]
            found[_JOIN.join(both)] = both
        elif name != second:
            found[name] = members
    return found


def _contradiction(mixer: Mixer, names: Sequence[str]) -> tuple[str, str] | None:
    """Two neighbours between which a protocol does not work; None where all do."""
    for first, second in pairwise(names):
        place = names.index(second)
        between = [frozenset(names[:place]), frozenset(names[place:])]
        if not all(_valid(mixer, state) for state in between):
            return first, second
    return None


def _valid(mixer: Mixer, state: State) -> bool:
    return _works(lambda: Protocol.from_config(mixer.part(state)))


def _weights_fit(mixer: Mixer, state: State, allow_unsafe: bool) -> bool:
    """Whether the weights of a state can be loaded into its network."""
    cfg, side = mixer.config(state), mixer.side('weights', state)
    backbone: Any = MODELS.build(cfg.model.backbone.to_dict())
    expected = cfg.get('checkpoint_source')
    return _works(
        lambda: load_backbone(
            backbone, side.checkpoint, side.source, allow_unsafe, expected
        )
    )


def _sizes_fit(mixer: Mixer, state: State, sizes: Sequence[Size]) -> bool:
    """Whether the size rule of a state fits the stride of its network."""
    cfg = mixer.config(state)
    backbone: Any = MODELS.build(cfg.model.backbone.to_dict())
    multiple = 1 if backbone.any_size else backbone.stride
    rule = cfg.protocol[cfg.task]['size']
    return _works(lambda: [resolve_size(s, multiple=multiple, **rule) for s in sizes])


def _works(work: Callable[[], Any]) -> bool:
    try:
        work()
    except (ValueError, KeyError, TypeError):
        return False
    return True
