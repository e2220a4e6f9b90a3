"""TimeT: patches of the last frame find the prototypes that the first one had."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from densecorr.ops.carry import carry_labels
from densecorr.ops.cross_entropy import hard_cross_entropy
from densecorr.ops.precision import full_precision
from densecorr.ops.selection import Rule
from densecorr.ops.sinkhorn import sinkhorn_assignment
from densecorr.ops.window import Window
from densecorr.registry import MODELS

ASSIGNED = ('first', 'all')
_CARRY = dict(num_frames=7, radius=6, topk=5, temperature=0.1)


@full_precision
def prototype_scores(feats: Tensor, prototypes: Tensor) -> Tensor:
    """Cosines of features and prototypes.

    Args:
        feats: ``(..., d)``; those of length 0 have score 0 everywhere.
        prototypes: ``(p, d)``, taken as they are: of length 1 for cosines.

    Returns:
        ``(..., p)`` in float32 at least.
    """
    return F.normalize(feats, dim=-1) @ prototypes.T


@torch.no_grad()
@full_precision
def balanced_assignment(
    scores: Tensor,
    epsilon: float,
    iterations: int,
    queue: Tensor | None = None,
    gather: Callable[[Tensor], Tensor] | None = None,
) -> Tensor:
    """Share of every prototype in every sample, all prototypes used alike.

    Args:
        scores: ``(n, p)`` cosines of samples and prototypes.
        epsilon: see :func:`densecorr.ops.sinkhorn.sinkhorn_assignment`.
        iterations: likewise; 0 balances nothing: a softmax of ``scores / epsilon``.
        queue: ``(q, p)`` scores of further samples that are balanced along.
        gather: for several processes, see ``sinkhorn_assignment``.

    Returns:
        ``(n, p)`` without those of the queue; rows sum to 1.
    """
    if iterations == 0:
        return (scores / epsilon).softmax(-1)
    rows = scores if queue is None else torch.cat([scores, queue])
    found = sinkhorn_assignment(
        rows, epsilon=epsilon, iterations=iterations, gather=gather
    )
    return found[: len(scores)]


@MODELS.register_module()
class TimeTLoss(nn.Module):
    """Assign the first frame, carry the assignment, classify the last frame.

    Args:
        temperature: divides the scores of the last frame.
        epsilon: of Sinkhorn's iterations.
        iterations: their number; 0 balances nothing, which collapses.
        assign_frames: ``'first'``: the patches of frame 0 of the batch are balanced;
            ``'all'``: those of all frames together (the authors' later version).
        carry: ``num_frames``, ``radius`` (0: no window), ``topk`` and
            ``temperature`` with which assignments are carried, laid over those of the
            paper.

    Raises:
        ValueError: an option out of its range.
        TypeError: an unknown one in ``carry``.

    Reference: Salehi, Gavves, Snoek and Asano, ICCV 2023, arXiv:2308.11796, Sec. 3.
        Official: SMSD75/Timetuning (94550b5).
    """

    def __init__(
        self,
        temperature: float = 0.1,
        epsilon: float = 0.05,
        iterations: int = 10,
        assign_frames: str = 'first',
        carry: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        if min(temperature, epsilon) <= 0 or iterations < 0:
            raise ValueError(
                f'temperature of TimeTLoss is {temperature}, epsilon {epsilon} and '
                f'iterations {iterations}; the first two should be positive, the last '
                'one not negative.'
            )
        if assign_frames not in ASSIGNED:
            raise ValueError(
                f'assign_frames of TimeTLoss is {assign_frames!r}; choose of '
                f'{ASSIGNED}.'
            )
        options = {**_CARRY, **(carry or {})}
        if set(options) != set(_CARRY):
            raise TypeError(
                f'carry of TimeTLoss has {sorted(options)}; it takes {sorted(_CARRY)}.'
            )
        self.temperature, self.epsilon = temperature, epsilon
        self.iterations, self.assign_frames = iterations, assign_frames
        self.num_frames = int(options['num_frames'])
        radius = options['radius']
        self.window = Window('square', radius) if radius else Window()
        self.rule = Rule(
            int(options['topk']), float(options['temperature']), ties='all'
        )

    def assign(
        self,
        feats: Tensor,
        prototypes: Tensor,
        queue: Tensor | None = None,
        gather: Callable[[Tensor], Tensor] | None = None,
    ) -> Tensor:
        """Assignment of frame 0, ``(b, n, p)``, without gradient.

        Args:
            feats: ``(b, t, n, d)`` features of the frames that are balanced: frame 0
                alone, or all.
            prototypes: ``(p, d)`` of length 1.
            queue: ``(q, d)`` features of earlier batches.
            gather: see :func:`balanced_assignment`.
        """
        with torch.no_grad():
            scores = prototype_scores(feats, prototypes)  # (b, t, n, p)
            more = None if queue is None else prototype_scores(queue, prototypes)
            shares = balanced_assignment(
                scores.flatten(0, 2), self.epsilon, self.iterations, more, gather
            )
        return shares.view_as(scores)[:, 0]

    def labels(self, assigned: Tensor, tokens: Tensor) -> Tensor:
        """Labels of the last frame, ``(b, h, w)`` int64.

        Args:
            assigned: ``(b, n, p)`` of frame 0, n = h * w.
            tokens: ``(b, t, h, w, c)`` features of the backbone.
        """
        first = assigned.unflatten(1, tokens.shape[2:4])
        options = (self.num_frames, self.window, self.rule)
        return carry_labels(tokens.detach(), first, *options)[:, -1].argmax(-1)

    def forward(
        self,
        feats: Tensor,
        prototypes: Tensor,
        labels: Tensor,
        mask: Tensor | None = None,
    ) -> Tensor:
        """Mean cross entropy of the last frame's patches, a scalar.

        Args:
            feats: ``(b, n, d)`` features of the last frame.
            prototypes: ``(p, d)``.
            labels: ``(b, h, w)`` of :meth:`labels`.
            mask: ``(b, h, w)`` bool; errors outside count as 0 in the mean over all.
        """
        scores = prototype_scores(feats, prototypes)
        errors = hard_cross_entropy(scores, labels.flatten(1), self.temperature)
        return (errors if mask is None else errors * mask.flatten(1)).mean()
