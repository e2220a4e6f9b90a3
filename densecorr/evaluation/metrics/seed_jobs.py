"""Work on a whole dataset, once for every seed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from densecorr.structures import LabelledImage
from densecorr.utils.images import resize_nearest

Side = int | tuple[int, int] | None


class SeedJob(NamedTuple):
    """A piece of work whose result is kept when it is done.

    Attributes:
        name: unique; a path of its record.
        seed: of all that is drawn.
        images: numbers of the images, all of them.
    """

    name: str
    seed: int
    images: tuple[int, ...]


def seed_jobs(
    title: str, seeds: Sequence[int], images: Sequence[LabelledImage]
) -> list[SeedJob]:
    """A job for every seed."""
    members = tuple(range(len(images)))
    return [SeedJob(f'{title}/seed-{seed}', seed, members) for seed in seeds]


def part_places(images: Sequence[LabelledImage], part: str, task: str) -> np.ndarray:
    """Numbers of the images of a part, ascending.

    Raises:
        ValueError: there is none.
    """
    found = [i for i, image in enumerate(images) if image.part == part]
    if not found:
        raise ValueError(
            f'the dataset of {task} has no images of part {part!r}. Take '
            'dict(type="TrainAndTest", train=..., test=...).'
        )
    return np.asarray(found)


def part_maps(maps: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Maps of some images; a view where they lie side by side, as in TrainAndTest."""
    first, last = int(places[0]), int(places[-1])
    if last - first + 1 == len(places):
        return maps[first : last + 1]
    return maps[places]


def labels_of(image: LabelledImage, size: Side) -> np.ndarray:
    """Labels ``(H, W)`` at a size, or at their own where it is None."""
    labels = image.read_labels().indices
    size = pair_of(size)
    return labels if size is None else resize_nearest(labels, size)


def pair_of(size: Any) -> tuple[int, int] | None:
    """(H, W) of one side, of both, or None."""
    if size is None:
        return None
    return (size, size) if isinstance(size, int) else (size[0], size[1])


def laid_over(
    name: str, given: Mapping[str, Any] | None, known: Mapping[str, Any]
) -> dict[str, Any]:
    """Options laid over the default ones.

    Raises:
        ValueError: an option that is not known.
    """
    options = {**known, **(given or {})}
    if set(options) != set(known):
        raise ValueError(f'{name} has {sorted(options)}; it takes {sorted(known)}.')
    return options


def check_sizes(
    given: Mapping[str, Any] | None, known: Mapping[str, Any]
) -> dict[str, tuple[int, int] | None]:
    """Sizes (H, W) by name, laid over the default ones.

    Raises:
        ValueError: an unknown name.
    """
    sizes = laid_over('sizes', given, known)
    return {name: pair_of(size) for name, size in sizes.items()}
