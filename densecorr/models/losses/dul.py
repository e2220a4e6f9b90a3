"""The loss of dense unsupervised learning: which anchor is this place like?"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from densecorr.ops.affine import aligned_places, take_places
from densecorr.ops.cross_entropy import hard_cross_entropy
from densecorr.ops.precision import full_precision
from densecorr.ops.product_cross_entropy import product_cross_entropy
from densecorr.registry import MODELS


class DULTerms(NamedTuple):
    """Result of :func:`dul_loss`.

    Attributes:
        temporal: mean cross entropy of the places of frames 1 to t - 1.
        cross_view: mean cross entropy of the two views of frame 0.
        labels: ``(b, t - 1, h * w)`` int64 pseudo labels, from 0 to b * anchors.
    """

    temporal: Tensor
    cross_view: Tensor
    labels: Tensor


def map_rows(maps: Tensor) -> Tensor:
    """Maps ``(..., c, h, w)`` as rows of their places, ``(..., h * w, c)``."""
    return maps.flatten(-2).transpose(-1, -2)


@torch.no_grad()
@full_precision
def pseudo_labels(feats: Tensor, anchors: Tensor) -> Tensor:
    """The most similar anchor of the own clip.

    Args:
        feats: ``(b, m, c)`` places of the second view.
        anchors: ``(b, k, c)``.

    Returns:
        ``(b, m)`` int64 in [0, b * k); those of clip i are from i * k on.
    """
    b, k, _ = anchors.shape
    best = (feats @ anchors.transpose(1, 2)).argmax(-1)
    return best + k * torch.arange(b, device=best.device)[:, None]


def dul_loss(
    main: Tensor,
    first: Tensor,
    others: Tensor,
    theta: Tensor,
    anchors: Tensor,
    pairs: Tensor,
    temperature: float = 0.05,
) -> DULTerms:
    """Classify the places of a clip's frames into the anchors of the batch.

    The anchors are places of frame 0. The class of a place is the anchor of its clip
    that its features in the second view are most like. The second term asks that places
    of frame 0 are most like themselves in the other view, among those of all clips.

    Args:
        main: ``(b, t, c, h, w)`` unit features of the main view, t of at least 2.
        first: ``(b, c, h, w)`` those of frame 0 of the second view.
        others: ``(b, t - 1, c, h, w)`` those of the other frames of the second view;
            they get no gradient.
        theta: ``(b, 2, 3)`` from the coordinates of the second view to the main one's,
            see :mod:`densecorr.ops.affine`.
        anchors: ``(b, k)`` int64 places of frame 0 of the main view.
        pairs: ``(b, m)`` int64 places that the second term compares.
        temperature: divides the similarities.

    Raises:
        ValueError: shapes do not fit, fewer than two frames, a temperature that is not
            above 0.

    Reference: Araslanov, Schaub-Meyer and Roth, NeurIPS 2021, arXiv:2111.06265.
        Official: visinf/dense-ulearn-vos (88e5e35), its model of training.

    Note:
        The official code multiplies all frames with all anchors and aligns the
        products; here features are aligned, which gives the same numbers.
    """
    _check(main, first, others, theta)
    (b, t), size = main.shape[:2], (main.shape[-2], main.shape[-1])
    places = aligned_places(theta, size)  # (b, h * w)
    rows = map_rows(main)  # (b, t, h * w, c)
    queries = take_places(rows[:, 1:], places[:, None].expand(-1, t - 1, -1))
    classes = take_places(rows[:, 0], anchors)  # (b, k, c)
    labels = pseudo_labels(map_rows(others).flatten(1, 2), classes)
    flat = queries.flatten(0, 2), classes.flatten(0, 1), labels.flatten()
    temporal = product_cross_entropy(*flat, temperature)
    here = take_places(rows[:, 0], places.gather(1, pairs)).flatten(0, 1)
    there = take_places(map_rows(first), pairs).flatten(0, 1)
    cross_view = view_contrast(here, there, temperature)
    return DULTerms(temporal, cross_view, labels.view(b, t - 1, -1))


@full_precision
def view_contrast(here: Tensor, there: Tensor, temperature: float) -> Tensor:
    """Mean cross entropy of finding row i of ``here`` as row i of ``there``.

    Args:
        here: ``(n, c)`` unit features.
        there: the same of the other view.
        temperature: divides the similarities.
    """
    own = torch.arange(len(here), device=here.device)
    return hard_cross_entropy(here @ there.T, own, temperature).mean()


@MODELS.register_module()
class DULLoss(nn.Module):
    """:func:`dul_loss` with its temperature.

    Args:
        temperature: of both terms.
    """

    def __init__(self, temperature: float = 0.05) -> None:
        super().__init__()
        if not temperature > 0:
            raise ValueError(
                f'temperature of DULLoss is {temperature}; give a number above 0, such '
                'as 0.05.'
            )
        self.temperature = temperature

    def forward(
        self,
        main: Tensor,
        first: Tensor,
        others: Tensor,
        theta: Tensor,
        anchors: Tensor,
        pairs: Tensor,
    ) -> DULTerms:
        """See :func:`dul_loss`."""
        return dul_loss(main, first, others, theta, anchors, pairs, self.temperature)


def _check(main: Tensor, first: Tensor, others: Tensor, theta: Tensor) -> None:
    shapes = [tuple(maps.shape) for maps in (main, first, others, theta)]
    if main.ndim == 5 and main.shape[1] >= 2:
        b, t, *rest = main.shape
        if shapes[1:] == [(b, *rest), (b, t - 1, *rest), (b, 2, 3)]:
            return
    raise ValueError(
        f'features of the two views and theta are {shapes}; give (b, t, c, h, w) with '
        't of at least 2, (b, c, h, w), (b, t - 1, c, h, w) and (b, 2, 3).'
    )
