"""Generated videos to train on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from densecorr.registry import DATASETS, TASK_UTILS, TRANSFORMS
from densecorr.structures import ClipKey
from densecorr.utils.randomness import draw_seed, item_rng

from .clip import Clip
from .presets import make_clips

_FPS = 10  # as of the written video files


@DATASETS.register_module()
class SpriteWorldClips:
    """Clips of generated videos, without files.

    A video is drawn when it is first needed and kept, by every worker process on its
    own: 64 videos of 12 frames of 240x432 take 240 MB.

    Args:
        sampler: config of a clip sampler.
        pipeline: configs of transforms, :class:`PackClip` last.
        worlds: ``preset``, ``num_clips``, ``size``, ``num_frames`` and ``seed`` of the
            videos, see :class:`SpriteWorld`.
        clips_per_video: clips that an epoch takes of each video.
        seed: of the draws.

    Items are dicts of :mod:`densecorr.structures`, equal for equal keys and seeds.
    """

    def __init__(
        self,
        sampler: Mapping[str, Any],
        pipeline: Sequence[Mapping[str, Any]],
        worlds: Mapping[str, Any] | None = None,
        clips_per_video: int = 1,
        seed: int = 0,
    ) -> None:
        if clips_per_video < 1:
            raise ValueError(
                f'clips_per_video of SpriteWorldClips is {clips_per_video}; give at '
                'least 1.'
            )
        self.videos = _make_videos(**(worlds or {}))
        self.sampler: Any = TASK_UTILS.build(dict(sampler))
        total, least = self.videos[0].num_frames, self.sampler.min_frames_at(_FPS)
        if total < least:
            raise ValueError(
                f'the worlds of SpriteWorldClips have {total} frames, '
                f'{type(self.sampler).__name__} needs {least}. Raise num_frames of '
                'the worlds.'
            )
        self.pipeline = [TRANSFORMS.build(dict(step)) for step in pipeline]
        self.clips_per_video, self.seed = clips_per_video, seed
        self.metainfo = dict(name='SpriteWorld', num_videos=len(self.videos))
        self._drawn: dict[int, np.ndarray] = {}

    def __len__(self) -> int:
        return len(self.videos) * self.clips_per_video

    def __getitem__(self, key: ClipKey | int) -> dict[str, Any]:
        """The clip of a key; a number alone is of epoch 0."""
        epoch, item = key if isinstance(key, tuple) else (0, key)
        if not 0 <= item < len(self):
            raise IndexError(
                f'SpriteWorldClips has no item {item}; choose from 0 to '
                f'{len(self) - 1}.'
            )
        rng = item_rng(self.seed, epoch, item)
        seed = draw_seed(rng)
        number, repeat = divmod(item, self.clips_per_video)
        video = self.videos[number]
        visit = epoch * self.clips_per_video + repeat
        indices = self.sampler.draw(rng, video.num_frames, _FPS, visit)
        sample: dict[str, Any] = dict(
            frames=self._frames(number)[indices],
            video=video.name,
            frame_indices=indices,
            epoch=epoch,
            index=item,
            seed=seed,
            rng=rng,
            replaced=(),
        )
        for step in self.pipeline:
            sample = step(sample)
        return sample

    def _frames(self, number: int) -> np.ndarray:
        """All frames of a video, ``(t, H, W, 3)``."""
        if number not in self._drawn:
            video = self.videos[number]
            frames = [video.frame(t) for t in range(video.num_frames)]
            self._drawn[number] = np.stack(frames)
        return self._drawn[number]


def _make_videos(
    preset: str | Sequence[str] = 'occlusion',
    num_clips: int = 64,
    size: tuple[int, int] = (240, 432),
    num_frames: int = 12,
    seed: int = 10000,
) -> list[Clip]:
    return make_clips(preset, num_clips, size, num_frames, seed)
