"""Numbers that tell whether features or assignments have collapsed."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

_SUM_ATOL = 1e-3  # of assignments in float32, also after bfloat16 products


class ClusterUsage(NamedTuple):
    """How many prototypes a batch uses.

    Attributes:
        share: of the prototypes that are the first choice of a sample, in [1/p, 1].
        perplexity: exp of the entropy of the mean assignment, in [1, p]: the number of
            prototypes that, used equally, would be as spread.
    """

    share: Tensor
    perplexity: Tensor


@torch.no_grad()
def feature_std(feats: Tensor) -> Tensor:
    r"""Spread of features over the samples: 1 = even over the sphere, 0 = collapsed.

    .. math:: \frac{\sqrt{c}}{c} \sum_k \mathrm{std}_i (u_{ik}), \quad
        u_i = f_i / \lVert f_i \rVert

    with the standard deviation of the population. Features of equal variance in every
    channel and mean 0 give 1, the maximum; equal features 0; features that vary along
    one channel only at most ``1 / sqrt(c)``.

    Args:
        feats: ``(..., c)``, raw or of unit length; all leading axes are samples.

    Returns:
        0-dim float32 tensor without gradient.

    Raises:
        ValueError: there is no sample or no channel.

    Reference: Chen and He, Exploring Simple Siamese Representation Learning, CVPR 2021,
        arXiv:2011.10566, Sec. 4.1: there without the factor sqrt(c).
    """
    if feats.ndim < 1 or feats.numel() == 0:
        raise ValueError(
            f'feats are {tuple(feats.shape)}; give (..., c) with at least one sample.'
        )
    channels = feats.shape[-1]
    with torch.autocast(feats.device.type, enabled=False):
        unit_feats = F.normalize(feats.float().reshape(-1, channels), dim=-1)  # (n, c)
        return unit_feats.std(dim=0, correction=0).mean() * channels**0.5


@torch.no_grad()
def cluster_usage(assignments: Tensor) -> ClusterUsage:
    """Share of the prototypes that get any sample, and the perplexity of their use.

    Args:
        assignments: ``(..., p)`` shares of the prototypes in each sample, not negative,
            with sum 1 over ``p``; one-hot for hard ones. Of equal shares the first
            prototype is the first choice.

    Returns:
        0-dim float32 tensors without gradient.

    Raises:
        ValueError: there is no sample, or the values are no shares.
    """
    shares = _shares(assignments)  # (n, p)
    used = torch.bincount(shares.argmax(dim=-1), minlength=shares.shape[-1]) > 0
    entropy = torch.special.entr(shares.mean(dim=0)).sum()
    return ClusterUsage(used.float().mean(), entropy.exp())


@torch.no_grad()
def assignment_entropy(assignments: Tensor) -> Tensor:
    """Mean entropy of single assignments, divided by log p: 0 = hard, 1 = undecided.

    Args:
        assignments: ``(..., p)`` as in :func:`cluster_usage`; 0 where ``p`` is 1.

    Returns:
        0-dim float32 tensor without gradient.

    Raises:
        ValueError: there is no sample, or the values are no shares.
    """
    shares = _shares(assignments)
    entropy = torch.special.entr(shares).sum(dim=-1).mean()
    largest = torch.tensor(float(shares.shape[-1]), device=shares.device).log()
    return torch.where(largest > 0, entropy / largest, torch.zeros_like(entropy))


def _shares(assignments: Tensor) -> Tensor:
    """``(n, p)`` float32 shares, checked."""
    if assignments.ndim < 1 or assignments.numel() == 0:
        raise ValueError(
            f'assignments are {tuple(assignments.shape)}; give (..., p) with at least '
            'one sample.'
        )
    shares = assignments.detach().float().reshape(-1, assignments.shape[-1])
    error = (shares.sum(dim=-1) - 1).abs().max()
    if not bool((shares.min() >= 0) & (error <= _SUM_ATOL)):
        raise ValueError(
            f'assignments should not be negative and sum to 1 over the last axis; the '
            f'smallest is {float(shares.min()):.3g}, a sum is off by {float(error):.3g}'
            '. Apply a softmax or one-hot encoding first.'
        )
    return shares
