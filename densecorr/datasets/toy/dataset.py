"""Generated videos as a dataset."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from densecorr.registry import DATASETS
from densecorr.structures import LabelMap, VideoSample
from densecorr.utils.images import davis_palette
from densecorr.utils.suggest import suggest

from .clip import Clip
from .presets import make_clips


@DATASETS.register_module()
class SpriteWorld:
    """Videos of presets, drawn when read; no file is read or written.

    Clip ``i`` is ``make_clip(preset, seed + i, size, num_frames)``. Items know their
    material points (``read_points``).

    Args:
        preset: one of :data:`densecorr.datasets.toy.PRESETS`, or several, taken in
            turn.
        num_clips: number of videos.
        size: ``(H, W)`` in pixels.
        num_frames: of every video.
        seed: of the first video.
        sequences: take only these, by name, such as ``'occlusion_00'``.
        max_frames: take only the first frames of every video.
        reader: taken and ignored, as a protocol names one for datasets of files.
        root: likewise.
        late_labels: a tracker may read the labels of each frame in which an object
            appears, not only those of frame 0 as in DAVIS. The metric of DAVIS scores
            the objects of frame 0 and needs ``extra_labels='ignore'`` then.
    """

    def __init__(
        self,
        preset: str | Sequence[str] = 'occlusion',
        num_clips: int = 8,
        size: tuple[int, int] = (240, 432),
        num_frames: int = 20,
        seed: int = 0,
        sequences: Sequence[str] | None = None,
        max_frames: int | None = None,
        reader: str = 'opencv',
        root: str | Path | None = None,
        late_labels: bool = False,
    ) -> None:
        if max_frames is not None and max_frames < 1:
            raise ValueError(f'max_frames should be at least 1, not {max_frames}.')
        clips = make_clips(preset, num_clips, size, num_frames, seed)
        self.clips = _choose(clips, sequences)
        self.preset = preset if isinstance(preset, str) else ' '.join(preset)
        self.reader, self.late_labels = reader, late_labels
        self.num_frames = min(num_frames, max_frames or num_frames)
        self.metainfo = self._metainfo(num_clips, num_frames)

    def __len__(self) -> int:
        return len(self.clips)

    def __getitem__(self, index: int) -> VideoSample:
        """Video ``index``."""
        clip = self.clips[index]
        frames = range(self.num_frames)
        starts = {info.first_frame for info in clip.objects if self.late_labels}
        firsts = tuple(t for t in sorted({0, *starts}) if t in frames)
        return VideoSample(
            name=clip.name,
            frame_names=tuple(f'{t:05d}' for t in frames),
            read_frame=clip.frame,
            label_frames=tuple(frames),
            read_labels=partial(_read_labels, clip),
            first_label_frames=firsts,
            size=clip.size,
            hash_inputs=partial(_hash_inputs, clip, self.num_frames, firsts),
            read_points=clip.points,
        )

    def weights(self) -> list[int]:
        """Number of frames of every video, for dealing videos to processes."""
        return [self.num_frames] * len(self.clips)

    def _metainfo(self, num_clips: int, num_frames: int) -> dict[str, Any]:
        parts = []
        if len(self.clips) < num_clips:
            parts.append(f'{len(self.clips)} of {num_clips} sequences')
        if self.num_frames < num_frames:
            parts.append(f'first {self.num_frames} frames')
        height, width = self.clips[0].size
        return dict(
            name='SpriteWorld',
            split=self.preset,
            task='semi-supervised',
            resolution=f'{height}x{width}',
            palette='davis',
            expected_sequences=num_clips,
            found=len(self.clips),
            complete=not parts,
            note=f'{", ".join(parts)}: not SpriteWorld {self.preset}' if parts else '',
        )


def _choose(clips: list[Clip], sequences: Sequence[str] | None) -> list[Clip]:
    if sequences is None:
        return clips
    names = [sequences] if isinstance(sequences, str) else list(sequences)
    known = [clip.name for clip in clips]
    for name in names:
        if name not in known:
            raise ValueError(
                f'sequence {name!r} is not in this SpriteWorld. {suggest(name, known)}'
            )
    return [clip for clip in clips if clip.name in names]


def _read_labels(clip: Clip, t: int) -> LabelMap:
    return LabelMap(clip.label_map(t), davis_palette())


def _hash_inputs(clip: Clip, num_frames: int, firsts: Sequence[int]) -> str:
    """Sha256 in hex of name, size, frames and first labels."""
    digest = hashlib.sha256(f'{clip.name} {clip.size} {num_frames};'.encode())
    for t in range(num_frames):
        digest.update(clip.frame(t).tobytes())
        if t in firsts:
            digest.update(f'labels {t};'.encode() + clip.label_map(t).tobytes())
    return digest.hexdigest()
