"""Training a small head on features that do not change, and going on with it."""

from __future__ import annotations

import io
import math
import pickle
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from mmengine.logging import print_log
from torch import Tensor, nn

from densecorr.ops.schedule import multistep
from densecorr.utils.files import write_atomic
from densecorr.utils.randomness import item_rng

_UNREADABLE = (
    *(RuntimeError, LookupError, EOFError, ValueError, TypeError),
    pickle.UnpicklingError,
)
Batches = Callable[[list[int]], tuple[Tensor, Tensor]]


@dataclass(frozen=True)
class ProbeSchedule:
    """Stochastic gradient descent; the numbers are those of TimeT.

    Args:
        epochs: in all.
        batch_size: images of a step; the last step of an epoch may have fewer.
        lr: learning rate of the first epochs.
        momentum: of the gradients.
        weight_decay: of all parameters.
        step: epochs after which the learning rate is multiplied by ``gamma``, again and
            again.
        gamma: factor.
        shuffle: a new order of the images in every epoch; False keeps theirs.
        interval: epochs between two validations; the last epoch always has one.

    Raises:
        ValueError: a number outside of its range.

    Reference: Salehi et al. (TimeT), ICCV 2023, arXiv:2308.11796; official:
        SMSD75/Timetuning (94550b5).
    """

    epochs: int = 50
    batch_size: int = 60
    lr: float = 0.01
    momentum: float = 0.9
    weight_decay: float = 1e-4
    step: int = 20
    gamma: float = 0.1
    shuffle: bool = False
    interval: int = 1

    def __post_init__(self) -> None:
        for name in ('epochs', 'batch_size', 'step', 'interval'):
            if getattr(self, name) < 1:
                raise ValueError(
                    f'{name} of the probe is {getattr(self, name)}; give at least 1.'
                )
        if not self.lr > 0:
            raise ValueError(f'lr of the probe is {self.lr}; it should be above 0.')

    def lr_of(self, epoch: int) -> float:
        """Learning rate of an epoch, from 0."""
        milestones = range(self.step, self.epochs, self.step)
        return multistep(epoch, list(milestones), self.gamma, self.lr)

    def order(self, num_images: int, seed: int, epoch: int) -> list[list[int]]:
        """Numbers of the images of every step of an epoch."""
        places = list(range(num_images))
        if self.shuffle:
            places = item_rng(seed, epoch, 0).permutation(num_images).tolist()
        starts = range(0, num_images, self.batch_size)
        return [places[i : i + self.batch_size] for i in starts]

    def is_validated(self, done: int) -> bool:
        """Whether there is a validation after so many epochs."""
        return done % self.interval == 0 or done == self.epochs


def train_probe(
    head: nn.Module,
    num_images: int,
    batches: Batches,
    validate: Callable[[nn.Module], float],
    schedule: ProbeSchedule,
    seed: int = 0,
    path: Path | None = None,
) -> list[dict[str, float]]:
    """Train a head; after every epoch its state is kept, from which it goes on.

    Args:
        head: has ``loss(maps, labels)``; trained in place.
        num_images: to train on.
        batches: numbers of images to their maps and labels.
        validate: head to a fraction.
        schedule: how.
        seed: of the order.
        path: of the state; None keeps none.

    Returns:
        for the start (epoch 0) and every epoch ``epoch``, ``lr``, ``loss`` (the mean
        over its steps) and ``miou``; NaN where there is none.

    Raises:
        ValueError: a loss that is not finite, or a state that cannot be read.
    """
    optimizer = torch.optim.SGD(
        head.parameters(),
        lr=schedule.lr,
        momentum=schedule.momentum,
        weight_decay=schedule.weight_decay,
    )
    curve = _load(path, head, optimizer)
    if not curve:
        start = dict(epoch=0, lr=math.nan, loss=math.nan, miou=_scored(head, validate))
        curve = [start]
    began, first = time.monotonic(), len(curve) - 1
    for epoch in range(first, schedule.epochs):
        rate = schedule.lr_of(epoch)
        for group in optimizer.param_groups:
            group['lr'] = rate
        steps = schedule.order(num_images, seed, epoch)
        loss = _train_epoch(head, optimizer, map(batches, steps), len(steps))
        valid = schedule.is_validated(epoch + 1)
        miou = _scored(head, validate) if valid else math.nan
        curve.append(dict(epoch=epoch + 1, lr=rate, loss=loss, miou=miou))
        _save(path, head, optimizer, curve)
        pace = (time.monotonic() - began) / (epoch + 1 - first)
        print_log(_line(curve[-1], seed, schedule.epochs, pace), logger='current')
    return curve


def _train_epoch(head: Any, optimizer: Any, batches: Iterator, num_steps: int) -> float:
    """One pass; returns the mean loss."""
    head.train()
    total = 0.0
    for maps, labels in batches:
        loss = head.loss(maps, labels)
        if not math.isfinite(loss.item()):
            raise ValueError(
                f'the loss of the probe is {loss.item()}. Check the features, or lower '
                'its lr.'
            )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item()
    return total / num_steps


@torch.no_grad()
def _scored(head: nn.Module, validate: Callable[[nn.Module], float]) -> float:
    return validate(head.eval())


def _line(entry: dict[str, float], seed: int, epochs: int, pace: float) -> str:
    left = round(pace * (epochs - entry['epoch']))
    known = not math.isnan(entry['miou'])
    score = f', mIoU {100 * entry["miou"]:.2f} %' if known else ''
    return (
        f'probe, seed {seed}: epoch {entry["epoch"]}/{epochs}, lr {entry["lr"]:.2g}, '
        f'loss {entry["loss"]:.4f}{score}, {left} s left'
    )


def _save(
    path: Path | None, head: nn.Module, optimizer: Any, curve: list[dict[str, float]]
) -> None:
    if path is None:
        return
    content = dict(
        head=head.state_dict(), optimizer=optimizer.state_dict(), curve=curve
    )
    buffer = io.BytesIO()
    torch.save(content, buffer)
    write_atomic(path, buffer.getvalue())


def _load(path: Path | None, head: nn.Module, optimizer: Any) -> list[dict[str, float]]:
    """What was reached; nothing where there is no state."""
    if path is None or not path.is_file():
        return []
    try:
        place = next(head.parameters()).device
        content = torch.load(path, map_location=place, weights_only=True)
        head.load_state_dict(content['head'])
        optimizer.load_state_dict(content['optimizer'])
        curve = list(content['curve'])
    except _UNREADABLE as error:
        raise ValueError(
            f'{path} is no state of this probe: {error}. Remove it, or --overwrite to '
            'start anew.'
        ) from error
    print_log(f'the probe goes on after epoch {len(curve) - 1}', logger='current')
    return curve
