"""Process groups, threads and seeds of a run, set before MMEngine's Runner exists.

MMEngine's own launcher calls ``torch.cuda.set_device`` on every machine. Here the group
is made first: gloo where there is no CUDA, gloo for CPU tensors and nccl for CUDA
tensors where there is. A Runner that is built afterwards finds the group and uses it.
"""

from __future__ import annotations

import datetime
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import cv2
import torch
import torch.distributed as dist
from mmengine.runner import set_random_seed

_VARIABLES = ('RANK', 'WORLD_SIZE', 'LOCAL_RANK', 'MASTER_ADDR', 'MASTER_PORT')
_HOURS = 24  # a rank with one short video waits this long for one with a long video
_DEVICES = ('cpu', 'cuda')


class PeerError(RuntimeError):
    """Another process of the run has ended before its work was done."""


@dataclass(frozen=True)
class Processes:
    """One process among those of a run.

    Attributes:
        rank: number of this process over all machines, from 0.
        world_size: number of processes over all machines.
        local_rank: number of this process on its machine, from 0.
        local_world_size: number of processes on this machine.
        device: what this process computes on.
        threads: compute threads of this process.
        tf32: whether matrix products may round their inputs to TF32.
    """

    rank: int
    world_size: int
    local_rank: int
    local_world_size: int
    device: torch.device
    threads: int
    tf32: bool

    @property
    def is_first(self) -> bool:
        """Whether this process writes what a run has only one of."""
        return self.rank == 0


def start_processes(
    device: str | None = None,
    threads: int | None = None,
    tf32: bool = False,
    seed: int = 0,
) -> Processes:
    """Join the group that torchrun's environment describes; set threads and seeds.

    One process needs no group and makes none. Byte-equal results of one and of several
    processes need the same ``threads`` in both.

    Args:
        device: ``'cpu'`` or ``'cuda'``; None takes CUDA where there is one.
        threads: of each process; None divides the cores of this machine evenly.
        tf32: allow TF32 in matrix products and convolutions on a GPU.
        seed: of Python, numpy and torch, the same on every rank.

    Raises:
        ValueError: an argument, or torchrun's environment, makes no sense.
    """
    ranks = _read_ranks(os.environ)
    if threads is not None and threads < 1:
        raise ValueError(f'threads is {threads}; give at least 1, or leave it out.')
    chosen = _choose_device(device, ranks['LOCAL_RANK'])
    threads = threads or max(1, available_cores() // ranks['LOCAL_WORLD_SIZE'])
    torch.set_num_threads(threads)
    cv2.setNumThreads(0)  # OpenCV's pool would compete with torch's
    set_precision(tf32)
    if ranks['WORLD_SIZE'] > 1 and not dist.is_initialized():
        dist.init_process_group(
            'gloo' if chosen.type == 'cpu' else 'cpu:gloo,cuda:nccl',
            timeout=datetime.timedelta(hours=_HOURS),
        )
    set_random_seed(seed)
    return Processes(
        ranks['RANK'],
        ranks['WORLD_SIZE'],
        ranks['LOCAL_RANK'],
        ranks['LOCAL_WORLD_SIZE'],
        chosen,
        threads,
        tf32,
    )


def stop_processes() -> None:
    """Leave the group, if there is one."""
    if dist.is_available() and dist.is_initialized():
        dist.destroy_process_group()


def available_cores() -> int:
    """Cores that this process may use; a job scheduler may give fewer than exist."""
    if hasattr(os, 'sched_getaffinity'):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def set_precision(tf32: bool) -> None:
    """Full float32 products, or TF32 where ``tf32``; algorithms that repeat."""
    torch.backends.cuda.matmul.allow_tf32 = tf32
    torch.backends.cudnn.allow_tf32 = tf32
    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.deterministic = True


def gather(value: Any) -> list[Any]:
    """The values of all ranks in the order of the ranks; also a barrier.

    Plain values only: they are pickled and sent to every rank.

    Raises:
        PeerError: another process has ended.
    """
    if not (dist.is_available() and dist.is_initialized()):
        return [value]
    values: list[Any] = [None] * dist.get_world_size()
    try:
        dist.all_gather_object(values, value)
    except RuntimeError as error:
        raise PeerError(
            f'process {dist.get_rank()} of {dist.get_world_size()} lost the others; '
            'the message of the process that stopped first says why. Finished videos '
            'are kept: run the command again when that is mended.'
        ) from error
    return values


def _read_ranks(environ: Mapping[str, str]) -> dict[str, int]:
    """Ranks and sizes from torchrun's variables; one process where they are unset."""
    ranks = {'RANK': 0, 'WORLD_SIZE': 1, 'LOCAL_RANK': 0, 'LOCAL_WORLD_SIZE': 1}
    if 'WORLD_SIZE' not in environ:
        return ranks
    missing = [name for name in _VARIABLES if name not in environ]
    if missing and int(environ['WORLD_SIZE']) > 1:
        raise ValueError(
            f'WORLD_SIZE is {environ["WORLD_SIZE"]} but {missing} are not set. Start '
            'several processes with tools/dist_test.sh, torchrun or '
            'tools/slurm_test.sh.'
        )
    ranks.update({name: int(environ[name]) for name in ranks if name in environ})
    return ranks


def _choose_device(device: str | None, local_rank: int) -> torch.device:
    """The device of this process; a GPU is made the current one."""
    if device is not None and device not in _DEVICES:
        raise ValueError(f"device is {device!r}; choose 'cpu' or 'cuda'.")
    available = torch.cuda.is_available()
    if device == 'cuda' and not available:
        raise ValueError(
            "device is 'cuda', but torch sees no CUDA device here. Use device 'cpu', "
            'or install a CUDA build of torch.'
        )
    if device == 'cpu' or not available:
        return torch.device('cpu')
    if local_rank >= torch.cuda.device_count():
        raise ValueError(
            f'process {local_rank} of this machine has no GPU: torch sees '
            f'{torch.cuda.device_count()}. Start at most as many processes as GPUs.'
        )
    torch.cuda.set_device(local_rank)
    return torch.device('cuda', local_rank)
