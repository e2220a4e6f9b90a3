"""Results drawn over their frames, as pictures and as videos."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from densecorr.apis.report import segments
from densecorr.apis.report.page import find_dataset, find_videos
from densecorr.apis.report.results import VideoFiles, read_results
from densecorr.apis.report.segment_files import (
    Segments,
    is_of_images,
    read_segments,
)
from densecorr.structures import VideoSample
from densecorr.utils.files import write_atomic
from densecorr.utils.video_writer import VideoWriter
from densecorr.visualization.joints import draw_joints
from densecorr.visualization.overlay import overlay, shrink

OVERLAYS = ('png', 'gif', 'mp4')
FPS = 24.0  # frames per second, those of DAVIS
_GIF_WIDTH = 480  # pixels; a GIF is large for what it shows


def write_overlays(
    out_dir: str | Path,
    kinds: Sequence[str] = OVERLAYS,
    data: str | None = None,
    fps: float | None = None,
    advance: Callable[[str], None] | None = None,
) -> list[Path]:
    """Write the results of a folder, drawn over their frames.

    ::

        <out>/overlays/<video>/<frame>.png
        <out>/overlays/<video>/overlay.gif  overlay.mp4

    Label maps tint their frames, joints are discs joined to a skeleton. A frame
    without a prediction is shown as it is; frames whose results were not wanted are
    left out. Memory does not grow with the number of frames. Of an evaluation of
    single images the clips are drawn side by side with their labels and maps.

    Args:
        out_dir: a results folder.
        kinds: some of ``'png'``, ``'gif'`` and ``'mp4'``.
        data: root of the dataset; None takes the one that ``config.py`` names.
        fps: frames per second of GIF and video; None: 24, and 2 for single images.
        advance: called with the name of every video that is done.

    Returns:
        what was written, without the PNGs of frames; their folders instead.

    Raises:
        ValueError: an unknown kind, ``fps`` not positive, or frames of several sizes.
        FileNotFoundError: no results, or no dataset to take the frames from.
    """
    unknown = [kind for kind in kinds if kind not in OVERLAYS]
    if unknown or not kinds:
        raise ValueError(
            f'overlays are written as some of {list(OVERLAYS)}, not {list(kinds)}.'
        )
    if fps is not None and not fps > 0:
        raise ValueError(f'fps is {fps}; it should be positive.')
    results = read_results(out_dir)
    if is_of_images(results):
        clips = read_segments(results, find_dataset(out_dir, data))
        return _write_clips(clips, kinds, fps or segments.FPS, advance)
    found = find_videos(out_dir, data)
    videos = [video for video in found if video.sample is not None]
    if not videos:
        raise FileNotFoundError(
            f'the frames of the {len(found)} videos of {out_dir} were not found, so '
            'nothing can be drawn over them. Name the dataset with --data ROOT.'
        )
    written: list[Path] = []
    for video in videos:
        folder = Path(out_dir) / 'overlays' / video.name
        written += _write_video(video, folder, kinds, fps or FPS)
        if advance is not None:
            advance(video.name)
    return written


def _write_clips(
    found: Segments,
    kinds: Sequence[str],
    fps: float,
    advance: Callable[[str], None] | None,
) -> list[Path]:
    """Panels of all clips that have maps."""
    written: list[Path] = []
    for clip in segments.clips_with_maps(found):
        folder = found.out / 'overlays' / clip
        frames = segments.clip_frames(found, clip)
        written += _write_frames(frames, folder, kinds, fps, whole=True)
        if advance is not None:
            advance(clip)
    return written


def _write_video(
    video: VideoFiles, folder: Path, kinds: Sequence[str], fps: float
) -> list[Path]:
    """All overlays of one video; its frames are read once."""
    sample = video.sample
    assert sample is not None  # the caller has looked
    palette = _palette(sample)
    frames = (
        (sample.frame_names[index], _draw(video, index, palette))
        for index in sample.result_frames
    )
    return _write_frames(frames, folder, kinds, fps)


def _write_frames(
    frames: Iterable[tuple[str, np.ndarray]],
    folder: Path,
    kinds: Sequence[str],
    fps: float,
    whole: bool = False,
) -> list[Path]:
    """Named frames as files; each is made once. A GIF is smaller, unless ``whole``."""
    paths = {kind: folder / f'overlay.{kind}' for kind in kinds if kind != 'png'}
    with contextlib.ExitStack() as stack:
        writers: dict[str, VideoWriter] = {}
        for name, drawn in frames:
            if 'png' in kinds:
                write_atomic(folder / f'{name}.png', _png(drawn))
            for kind, path in paths.items():
                small = kind == 'gif' and not whole
                frame = shrink(drawn, _GIF_WIDTH) if small else drawn
                if kind not in writers:
                    writer = VideoWriter(path, frame.shape[:2], fps)
                    writers[kind] = stack.enter_context(writer)
                writers[kind].write(frame)
    return [*paths.values(), *([folder] if 'png' in kinds else [])]


def _palette(sample: VideoSample) -> np.ndarray | None:
    """Colours of the annotations, where there are label maps."""
    if sample.read_joints is not None or not sample.label_frames:
        return None
    return sample.read_labels(sample.label_frames[0]).palette


def _draw(video: VideoFiles, index: int, palette: np.ndarray | None) -> np.ndarray:
    """``(H, W, 3)`` frame with its prediction; a frame that cannot be read raises."""
    assert video.sample is not None  # of _write_video
    image = video.sample.read_frame(index)
    if video.has_joints:
        joints = video.joints(index)
        return image if joints is None else draw_joints(image, joints)
    label_map = video.prediction(index)
    if label_map is None or label_map.shape != image.shape[:2]:
        return image
    return overlay(image, label_map, palette)


def _png(image: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, 'PNG')
    return buffer.getvalue()
