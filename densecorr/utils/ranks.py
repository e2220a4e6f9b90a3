"""Tensors of all processes of a group; plain where there is one process."""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor


def rank_count() -> int:
    """Number of processes of the default group, 1 without one."""
    grouped = dist.is_available() and dist.is_initialized()
    return dist.get_world_size() if grouped else 1


def gather_ranks(value: Tensor) -> Tensor:
    """Stack the tensors of all processes in the order of the ranks.

    Gradients flow back: what a process gets is the sum of the gradients that all
    processes have for its part, as if one process had computed all losses.

    Args:
        value: of the same shape, dtype and kind of device in every process.

    Returns:
        ``(processes, *value.shape)``, the same bits in every process.
    """
    if rank_count() == 1:
        return value[None]
    return _Gather.apply(value)


def exchange_ranks(values: Tensor, order: Tensor) -> Tensor:
    """This process's part of the values of all processes in another order.

    ``order.argsort()`` brings them back.

    Args:
        values: ``(b, ...)``, of the same shape in every process.
        order: ``(processes * b,)`` permutation, the same in every process.

    Returns:
        ``(b, ...)``: of the values of all processes one after the other, those that
        this process's part of ``order`` names.
    """
    rank = dist.get_rank() if rank_count() > 1 else 0
    return gather_ranks(values).flatten(0, 1)[order.view(rank_count(), -1)[rank]]


class _Gather(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, value: Tensor) -> Tensor:
        value = value.contiguous()
        parts = [torch.empty_like(value) for _ in range(dist.get_world_size())]
        dist.all_gather(parts, value)
        return torch.stack(parts)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        total = grads[0].contiguous().clone()
        dist.all_reduce(total)
        return total[dist.get_rank()]
