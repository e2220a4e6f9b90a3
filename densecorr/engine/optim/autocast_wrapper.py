"""Training in mixed precision on any device."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from mmengine.optim import OptimWrapper
from torch import Tensor, nn

from densecorr.registry import OPTIM_WRAPPERS

_DTYPES = {'bfloat16': torch.bfloat16, 'float16': torch.float16}


@OPTIM_WRAPPERS.register_module()
class AutocastOptimWrapper(OptimWrapper):
    """Runs the forward pass under autocast; MMEngine's own refuses CPUs.

    Weights, gradients and the optimiser's state stay float32. Affinities, softmax,
    Sinkhorn and cross entropy stay float32 as well, see
    :func:`densecorr.ops.precision.full_precision`. With float16 the loss is scaled so
    that small gradients survive; clipping sees the gradients without the scale, and a
    step whose gradients overflow is left out while the scale falls.

    Args:
        optimizer: its parameters lie where they are trained.
        dtype: ``'bfloat16'`` on any device, or ``'float16'`` on CUDA.
        loss_scale: of float16: ``'dynamic'``, a number that stays, or a dict of
            arguments of ``torch.amp.GradScaler``.
        kwargs: ``accumulative_counts`` and ``clip_grad`` of MMEngine's OptimWrapper.

    Raises:
        ValueError: another dtype, float16 without CUDA, or a bad ``loss_scale``.
    """

    def __init__(
        self,
        optimizer: torch.optim.Optimizer,
        dtype: str = 'bfloat16',
        loss_scale: str | float | Mapping[str, Any] = 'dynamic',
        **kwargs: Any,
    ) -> None:
        super().__init__(optimizer, **kwargs)
        if dtype not in _DTYPES:
            raise ValueError(
                f'dtype of AutocastOptimWrapper is {dtype!r}; it should be one of '
                f'{list(_DTYPES)}.'
            )
        self.dtype = _DTYPES[dtype]
        device = optimizer.param_groups[0]['params'][0].device
        self.device_type: str = device.type
        if dtype == 'float16' and self.device_type != 'cuda':
            raise ValueError(
                f'float16 is trained on CUDA only, and the parameters are on '
                f"{device}. Use dtype='bfloat16' there, or type='OptimWrapper'."
            )
        self._fixed_scale: float | None = None
        self.scaler = self._make_scaler(loss_scale)

    def _make_scaler(
        self, loss_scale: str | float | Mapping[str, Any]
    ) -> torch.amp.GradScaler:
        options: dict[str, Any] = {}
        if isinstance(loss_scale, Mapping):
            options = dict(loss_scale)
        elif isinstance(loss_scale, (int, float)) and loss_scale > 0:
            options = dict(init_scale=float(loss_scale))
            self._fixed_scale = float(loss_scale)
        elif loss_scale != 'dynamic':
            raise ValueError(
                f"loss_scale is {loss_scale!r}; it should be 'dynamic', a positive "
                'number, or a dict for torch.amp.GradScaler.'
            )
        scaled = self.dtype == torch.float16
        return torch.amp.GradScaler(self.device_type, **options, enabled=scaled)

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        """Autocast; and no exchange of gradients while they accumulate."""
        autocast = torch.autocast(self.device_type, self.dtype)
        with super().optim_context(model), autocast:
            yield

    def backward(self, loss: Tensor, **kwargs: Any) -> None:
        """Accumulate the gradients of the scaled loss."""
        self.scaler.scale(loss).backward(**kwargs)
        self._inner_count += 1

    def step(self, **kwargs: Any) -> None:
        """Unscale, clip, update; an overflow leaves the update out."""
        if self.clip_grad_kwargs:
            self.scaler.unscale_(self.optimizer)
            self._clip_grad()
        self.scaler.step(self.optimizer, **kwargs)
        self.scaler.update(self._fixed_scale)

    def state_dict(self) -> dict:
        """State of the optimiser; with float16 also ``loss_scaler``."""
        state = super().state_dict()
        if self.scaler.is_enabled():
            state['loss_scaler'] = self.scaler.state_dict()
        return state

    def load_state_dict(self, state_dict: dict) -> None:
        """Restore :meth:`state_dict`; that of another precision is taken too.

        A float16 run that goes on from another precision begins with its first scale.
        """
        state = dict(state_dict)
        scale = state.pop('loss_scaler', None)
        if scale and self.scaler.is_enabled():
            self.scaler.load_state_dict(scale)
        super().load_state_dict(state)
