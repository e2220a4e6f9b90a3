"""The loss of the contrastive random walk."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor, nn

from densecorr.ops.walk import transitions, walk_cycles
from densecorr.registry import MODELS


class RandomWalk(NamedTuple):
    """Result of :func:`random_walk`.

    Attributes:
        loss: mean of the cycles' losses; 0 without gradient for two frames, which
            have no cycle.
        cycle_losses: ``(t - 2,)``, shortest cycle first.
        cycle_accuracies: ``(t - 2,)`` in [0, 1], without gradient.
    """

    loss: Tensor
    cycle_losses: Tensor
    cycle_accuracies: Tensor


def random_walk(
    nodes: Tensor,
    temperature: float = 0.07,
    drop_forward: Tensor | None = None,
    drop_backward: Tensor | None = None,
    shared_drops: bool = True,
    flip: bool = False,
) -> RandomWalk:
    """Ask a walker over the frames of a clip, and back, to end where it started.

    Args:
        nodes: ``(b, t, n, c)`` of length 1 over ``c``.
        temperature: of the softmax over affinities.
        drop_forward: ``(b, t - 1, n, n)`` bool, edges to drop on the way out.
        drop_backward: the same on the way back.
        shared_drops: see :func:`densecorr.ops.walk.transitions`.
        flip: see :func:`densecorr.ops.walk.cycle_halves`.

    Raises:
        ValueError: shapes that do not fit, a temperature that is not above 0.

    Reference: Jabri et al., NeurIPS 2020, arXiv:2006.14613, Eq. 4 and 5. Official:
        ajabri/videowalk ``code/model.py`` (047f3f4).
    """
    steps = transitions(nodes, temperature, drop_forward, drop_backward, shared_drops)
    cycles = walk_cycles(steps, flip)
    loss = cycles.losses.sum() / max(len(cycles.losses), 1)
    return RandomWalk(loss, cycles.losses, cycles.accuracies)


@MODELS.register_module()
class RandomWalkLoss(nn.Module):
    """:func:`random_walk` with its settings.

    Args:
        temperature: of the softmax over affinities.
        shared_drops: edges that are dropped forward are dropped backward too.
        flip: multiply the matrices of a cycle in reverse order.
    """

    def __init__(
        self,
        temperature: float = 0.07,
        shared_drops: bool = True,
        flip: bool = False,
    ) -> None:
        super().__init__()
        if temperature <= 0:
            raise ValueError(
                f'temperature of RandomWalkLoss is {temperature}; give a number above '
                '0, such as 0.05.'
            )
        self.temperature, self.shared_drops = temperature, shared_drops
        self.flip = flip

    def forward(
        self,
        nodes: Tensor,
        drop_forward: Tensor | None = None,
        drop_backward: Tensor | None = None,
    ) -> RandomWalk:
        """``(b, t, n, c)`` unit nodes to their loss, see :func:`random_walk`."""
        return random_walk(
            nodes,
            self.temperature,
            drop_forward,
            drop_backward,
            self.shared_drops,
            self.flip,
        )
