"""Batch norm with the moments of all processes, on CPUs too."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from densecorr.utils.ranks import gather_ranks, rank_count

_KINDS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
_HALF = (torch.float16, torch.bfloat16)


class SyncBatchNorm(_BatchNorm):
    """Batch norm of the batch that all processes hold together.

    Equals ``nn.BatchNorm1d`` to ``3d`` over the concatenated batch: outputs,
    gradients, running mean, (unbiased) running variance and the count of batches.
    Processes may hold batches of different sizes. With one process, and in evaluation,
    it is plain batch norm; parameters and buffers have the same names.

    ``nn.SyncBatchNorm`` refuses CPUs; this one gathers the moments differentiably on
    any device, in plain operations. Moments are float32 (or float64), the output has
    the precision of the input.

    Shape: ``(b, c, ...)`` to the same.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Normalise ``(b, c, ...)``.

        Raises:
            ValueError: all processes together hold one value per channel.
        """
        if not self.training or rank_count() == 1:
            return super().forward(x)
        self._check_input_dim(x)
        wide = x.float() if x.dtype in _HALF else x
        count, mean, var = _moments(wide)
        if count <= 1:
            raise ValueError(
                'the processes hold one value per channel together, which has no '
                'variance. Give them larger batches or larger images.'
            )
        if self.track_running_stats:
            self._track(mean.detach(), var.detach() * (count / (count - 1)))
        scale = (var + self.eps).rsqrt()
        if self.weight is not None:
            scale = scale * self.weight
        shift = -mean * scale
        if self.bias is not None:
            shift = shift + self.bias
        shape = (1, -1, *(1 for _ in x.shape[2:]))
        return (wide * scale.view(shape) + shift.view(shape)).to(x.dtype)

    @torch.no_grad()
    def _track(self, mean: Tensor, unbiased: Tensor) -> None:
        """Move the running moments towards those of this batch."""
        assert self.num_batches_tracked is not None
        assert self.running_mean is not None and self.running_var is not None
        self.num_batches_tracked.add_(1)
        share = self.momentum
        if share is None:  # a plain average of all batches
            share = 1 / float(self.num_batches_tracked)
        self.running_mean.lerp_(mean.to(self.running_mean), share)
        self.running_var.lerp_(unbiased.to(self.running_var), share)

    def _check_input_dim(self, input: Tensor) -> None:  # named so by torch
        if input.dim() < 2 or input.shape[1] != self.num_features:
            raise ValueError(
                f'the input is {tuple(input.shape)}; it should be (b, '
                f'{self.num_features}, ...).'
            )


def convert_sync_batch_norm(
    module: nn.Module, device: torch.device | str | None = None
) -> nn.Module:
    """Put a synchronised batch norm in the place of every batch norm, in place.

    That is ``nn.SyncBatchNorm`` on CUDA, :class:`SyncBatchNorm` elsewhere. Parameters
    and buffers stay the same objects under the same names.

    Args:
        module: network, before it is wrapped for several processes.
        device: where it will compute; by default where its parameters are.

    Returns:
        ``module``, or its replacement where it is a batch norm itself.
    """
    if device is None:
        device = next(module.parameters(), torch.empty(0)).device
    if torch.device(device).type == 'cuda':
        return nn.SyncBatchNorm.convert_sync_batchnorm(module)
    if isinstance(module, _KINDS):
        return _converted(module)
    for name, child in module.named_children():
        new = convert_sync_batch_norm(child, device)
        if new is not child:
            setattr(module, name, new)
    return module


def _converted(norm: _BatchNorm) -> SyncBatchNorm:
    new = SyncBatchNorm(
        norm.num_features,
        norm.eps,
        norm.momentum,
        affine=False,
        track_running_stats=False,
    )
    new.affine, new.track_running_stats = norm.affine, norm.track_running_stats
    new._parameters, new._buffers = norm._parameters, norm._buffers
    return new.train(norm.training)


def _moments(x: Tensor) -> tuple[float, Tensor, Tensor]:
    """Values per channel in all processes, their mean and variance, ``(c,)`` each."""
    axes = [0, *range(2, x.dim())]
    count = x.numel() // x.shape[1]
    mean = x.sum(axes) / max(1, count)
    shape = (1, -1, *(1 for _ in x.shape[2:]))
    spread = (x - mean.view(shape)).square().sum(axes)
    own = torch.stack([torch.full_like(mean, count), mean, spread])  # (3, c)
    counts, means, spreads = gather_ranks(own).unbind(1)  # (ranks, c)
    counts = counts.detach()
    total = counts.sum(0)
    mean = (counts * means).sum(0) / total.clamp_min(1)
    between = counts * (means - mean).square()
    return total[0].item(), mean, (spreads + between).sum(0) / total.clamp_min(1)
