"""Spot checks of the operator against its definition while it runs."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from densecorr.ops.keys import Keys
from densecorr.ops.propagate import slots_reference
from densecorr.ops.selection import Rule, slot_weights, weighted_labels
from densecorr.ops.window import Window

_AT_ONCE = 100  # queries whose affinities with all keys exist at a time
_TIE = 1e-5  # a smaller gap at rank k lets rounding choose the last key
_TOLERANCE = 1e-4  # of a soft label: 1e-5 of affinity over the temperature


@dataclass
class SpotCheck:
    """Random queries computed again by :func:`slots_reference`.

    Args:
        queries: per frame; 0 checks nothing.

    Attributes:
        checked: queries computed again so far.
        close: those of them whose rank k is decided by less than 1e-5; their labels
            are not compared.
        worst: largest difference of a soft label among the others.
    """

    queries: int = 0
    checked: int = 0
    close: int = 0
    worst: float = 0.0

    def compare(
        self,
        found: Tensor,
        query: Tensor,
        keys: Keys,
        labels: Tensor,
        window: Window,
        rule: Rule,
    ) -> None:
        """Check ``(h * w, o)`` soft labels of one frame; arguments as ``propagate``.

        Raises:
            ArithmeticError: a soft label differs by more than 1e-4.
        """
        if not self.queries or rule.topk is None:
            return
        generator = torch.Generator().manual_seed(self.checked)
        order = torch.randperm(len(found), generator=generator)
        for some in order[: self.queries].to(found.device).split(_AT_ONCE):
            one_more = replace(rule, topk=rule.topk + 1, ties='lowest')
            slots = slots_reference(query, keys, window, one_more, some)
            values, index = slots.values[:, :-1], slots.index[:, :-1]
            gap = values[:, -1] - slots.values[:, -1]
            same = index[:, -1] == slots.index[:, -1]  # two copies of one key
            clear = (gap > _TIE) | same | (values[:, -1] == -torch.inf)
            wanted = weighted_labels(labels, index, slot_weights(values, rule))
            error = (found[some] - wanted).abs().amax(1)[clear]
            self.checked += len(some)
            self.close += int((~clear).sum())
            self.worst = max(self.worst, float(error.max()) if len(error) else 0.0)
        if self.worst > _TOLERANCE:
            raise ArithmeticError(
                f'the operator differs from its definition by {self.worst:.1e} in a '
                f'soft label, more than {_TOLERANCE}. Please report the configuration.'
            )
