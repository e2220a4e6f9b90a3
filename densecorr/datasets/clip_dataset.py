"""What video and image datasets for training share: draws, replacements, pipeline."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from densecorr.registry import TRANSFORMS
from densecorr.structures import ClipKey
from densecorr.utils.images import check_reader
from densecorr.utils.randomness import draw_seed, item_rng
from densecorr.utils.replaced_clips import TooManyCorruptError, problem_line
from densecorr.utils.suggest import suggest
from densecorr.utils.unreadable import UnreadableError

_ATTEMPTS = 20  # draws for one item before the dataset is called unreadable
_SHOWN = 3  # problems in a message
_DECODING = dict(reader='opencv', min_short_side=None, threads=1)


class UnfitError(ValueError):
    """An item that cannot be used; its text is a line of ``replaced``."""


class ClipDataset(ABC):
    """Items are clips that depend on the seed and their key alone.

    The generator of an item is made from (seed, epoch, item, attempt). Its first
    number is the noise seed of the sample. Where files cannot be read the next attempt
    draws a video from all of them first. ``replaced`` of the sample tells what could
    not be read.

    Args:
        pipeline: configs of transforms, or callables from sample to sample.
        seed: of the run.
        decode: ``reader`` (``'opencv'`` or ``'pillow'``), ``min_short_side`` and
            ``threads`` of :func:`densecorr.utils.clip_reader.open_clip_source`.

    Raises:
        KeyError: a transform is unknown.
        ValueError: an option of ``decode`` has an unknown value.
        TypeError: an option of ``decode`` is unknown.
    """

    def __init__(
        self,
        pipeline: Sequence[Mapping[str, Any] | Callable[[dict], Any]] = (),
        seed: int = 0,
        decode: Mapping[str, Any] | None = None,
    ) -> None:
        item_rng(seed, 0, 0)  # refuses a negative seed
        self.seed = seed
        self.decode: dict[str, Any] = {**_DECODING, **(decode or {})}
        for name in self.decode:
            if name not in _DECODING:
                raise TypeError(
                    f'decode of {type(self).__name__} takes no option {name!r}. '
                    f'{suggest(name, _DECODING)}'
                )
        check_reader(self.decode['reader'], self.decode['min_short_side'])
        self.pipeline = [
            TRANSFORMS.build(dict(step)) if isinstance(step, Mapping) else step
            for step in pipeline
        ]

    @abstractmethod
    def __len__(self) -> int:
        """Clips of an epoch."""

    @abstractmethod
    def _read(
        self, key: ClipKey, attempt: int, rng: np.random.Generator
    ) -> dict[str, Any]:
        """Draw and read ``video``, ``frames`` and ``frame_indices``.

        Raises:
            UnfitError: another draw should take its place.
            UnreadableError: likewise.
        """

    @abstractmethod
    def _remedy(self) -> str:
        """What to do where nothing can be read."""

    def __getitem__(self, key: ClipKey | int) -> Any:
        """What the pipeline makes of a clip.

        Args:
            key: a number alone is one of epoch 0.

        Raises:
            IndexError: there is no such item.
            TooManyCorruptError: many draws in a row cannot be read.
        """
        key = ClipKey(0, int(key)) if not isinstance(key, tuple) else ClipKey(*key)
        if not 0 <= key.item < len(self):
            raise IndexError(
                f'{type(self).__name__} has items 0 to {len(self) - 1}, not {key.item}.'
            )
        sample: Any = self._draw(key)
        for step in self.pipeline:
            sample = step(sample)
        return sample

    def _draw(self, key: ClipKey) -> dict[str, Any]:
        problems: list[str] = []
        for attempt in range(_ATTEMPTS):
            rng = item_rng(self.seed, key.epoch, key.item, attempt)
            noise_seed = draw_seed(rng)
            try:
                clip = self._read(key, attempt, rng)
            except UnreadableError as error:
                problems.append(problem_line(error.path, error.reason))
            except UnfitError as error:
                problems.append(str(error))
            else:
                return dict(
                    **clip,
                    epoch=key.epoch,
                    index=key.item,
                    seed=noise_seed,
                    rng=rng,
                    replaced=tuple(problems),
                )
        shown = '\n  '.join(dict.fromkeys(problems[-_SHOWN:]))
        raise TooManyCorruptError(
            f'{_ATTEMPTS} draws in a row for item {key.item} cannot be used, the last '
            f'ones:\n  {shown}\n{self._remedy()}'
        )
