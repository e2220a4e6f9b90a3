"""Run a function in two processes of a gloo group; used by tests."""

from __future__ import annotations

import datetime
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
import torch.multiprocessing as mp

WORLD = 2


def run_two_ranks(function: Callable[..., Any], *args: Any) -> list[Any]:
    """What ``function(rank, *args)`` returns in rank 0 and in rank 1.

    Args:
        function: of a module that a new process can import.
        args: tensors and plain values.
    """
    with tempfile.TemporaryDirectory() as folder:
        mp.spawn(_join, (folder, function, args), nprocs=WORLD)
        return [torch.load(Path(folder, f'{rank}.pt')) for rank in range(WORLD)]


def _join(rank: int, folder: str, function: Callable[..., Any], args: tuple) -> None:
    torch.set_num_threads(1)
    dist.init_process_group(
        'gloo',
        init_method=f'file://{folder}/store',
        rank=rank,
        world_size=WORLD,
        timeout=datetime.timedelta(seconds=60),
    )
    try:
        torch.save(function(rank, *args), Path(folder, f'{rank}.pt'))
    finally:
        dist.destroy_process_group()
