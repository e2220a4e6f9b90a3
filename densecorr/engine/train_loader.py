"""Batches of clips that depend on the seed and the iteration alone.

The order of an epoch is a permutation of its items. Iteration by iteration it is cut
into global batches, and these into equal parts for gradient accumulation and ranks. So
a run may be resumed at any iteration without decoding what came before, and the same
clips meet in a step for any number of workers, and of ranks at one global batch size.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch.utils.data import DataLoader

from densecorr.compat import keep_freed_memory, limit_threads
from densecorr.registry import DATASETS, FUNCTIONS
from densecorr.structures import ClipKey
from densecorr.utils.randomness import epoch_rng
from densecorr.utils.suggest import suggest

_COLLATE = dict(type='densecorr.collate_clips')
_OPTIONS = (
    'batch_size',
    'collate_fn',
    'dataset',
    'num_workers',
    'pin_memory',
    'prefetch_factor',
)


class ClipBatches:
    """Keys of the clips of every batch of one rank, without end.

    Args:
        num_items: clips of an epoch.
        batch_size: clips of a rank in one forward pass.
        seed: of the run.
        rank: of this process.
        world_size: number of processes.
        accumulation: forward passes of an iteration.

    Attributes:
        iters_per_epoch: iterations that an epoch has; the remainder is left out.
        start: iteration that the next iterator begins with.

    Raises:
        ValueError: a size is not positive, or an epoch has no whole iteration.
    """

    def __init__(
        self,
        num_items: int,
        batch_size: int,
        seed: int,
        rank: int = 0,
        world_size: int = 1,
        accumulation: int = 1,
    ) -> None:
        if batch_size < 1:
            raise ValueError(f'batch_size is {batch_size}; give at least 1.')
        self.num_items, self.seed, self.start = num_items, seed, 0
        self._batch_size, self._rank, self._world_size = batch_size, rank, world_size
        self._step = batch_size * world_size * accumulation
        self.iters_per_epoch = num_items // self._step
        if not self.iters_per_epoch:
            raise ValueError(
                f'an epoch has {num_items} clips, an iteration takes {self._step} '
                f'(batch_size {batch_size} x {world_size} processes x {accumulation} '
                'accumulated). Lower batch_size, or draw more clips of each video '
                '(clips_per_video of the dataset).'
            )

    def __iter__(self) -> Iterator[list[ClipKey]]:
        epoch, position = divmod(self.start, self.iters_per_epoch)
        while True:
            order = epoch_rng(self.seed, epoch).permutation(self.num_items)
            for iteration in range(position, self.iters_per_epoch):
                first = iteration * self._step
                for part in range(first, first + self._step, self._part):
                    mine = part + self._rank * self._batch_size
                    items = order[mine : mine + self._batch_size]
                    yield [ClipKey(epoch, int(item)) for item in items]
            epoch, position = epoch + 1, 0

    @property
    def _part(self) -> int:
        """Clips of one forward pass over all ranks."""
        return self._batch_size * self._world_size


def build_loader(
    config: Mapping[str, Any],
    seed: int,
    rank: int = 0,
    world_size: int = 1,
    accumulation: int = 1,
) -> tuple[DataLoader, ClipBatches]:
    """Dataset, batches and worker processes of ``train_dataloader``.

    Args:
        config: ``dataset`` (a config, or built), ``batch_size`` of each process,
            ``num_workers``, and what else a DataLoader takes of prefetching.
        seed: of the run.
        rank: of this process.
        world_size: number of processes.
        accumulation: forward passes of an iteration.

    Returns:
        the loader, whose iterator never ends, and the batches, whose ``start`` may be
        set before it is iterated.

    Raises:
        KeyError: ``config`` lacks an entry, or has an unknown one.
        ValueError: the dataset is smaller than one iteration.
    """
    unknown = sorted(set(config) - set(_OPTIONS))
    if unknown:
        raise KeyError(
            f'train_dataloader has no option {unknown[0]!r}. '
            f'{suggest(unknown[0], _OPTIONS)} Order, resuming and ranks are those of '
            'the training loop, without a sampler.'
        )
    missing = [name for name in ('batch_size', 'dataset') if name not in config]
    if missing:
        raise KeyError(f'train_dataloader lacks {missing}.')
    options = dict(config)
    dataset: Any = options.pop('dataset')
    if isinstance(dataset, Mapping):
        dataset = DATASETS.build(dict(dataset))
    collate: Any = FUNCTIONS.get(options.pop('collate_fn', _COLLATE)['type'])
    size = options.pop('batch_size')
    batches = ClipBatches(len(dataset), size, seed, rank, world_size, accumulation)
    loader: Any = DataLoader(
        dataset,
        batch_sampler=batches,
        collate_fn=collate,
        worker_init_fn=_quiet_worker,
        **{'pin_memory': torch.cuda.is_available(), **options},
    )
    return loader, batches


def _quiet_worker(number: int) -> None:
    """One thread for each worker: they would compete for the cores."""
    limit_threads(1)
    keep_freed_memory()
