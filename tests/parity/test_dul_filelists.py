"""DUL: the three kinds of list files, and the first label maps of a video.

Ours keeps the last frame of a validation list, which the official reader loses.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from densecorr.datasets.frame_video import FrameVideo
from densecorr.propagation.tracker import objects_of
from densecorr.structures import VideoSample
from densecorr.utils.images import read_label_map
from densecorr.utils.list_files import (
    ListedVideo,
    read_image_list,
    read_inference_list,
    read_validation_list,
)

from ..trees import write_image, write_palette_png
from .replay import Case, replay

ROOT = 'data'


def _write_list(folder: Path, lines: Sequence[str]) -> Path:
    path = folder / 'list.txt'
    path.write_text(''.join(f'{line}\n' for line in lines))
    return path


def _write_label_maps(case: Case, root: Path, videos: Sequence[ListedVideo]) -> None:
    """The label maps of the case; the other files of the list do not exist."""
    places = zip(case.annotation_seq, case.annotation_frame, strict=True)
    for label_map, (v, t) in zip(case.annotations, places, strict=True):
        write_palette_png(root / str(videos[v].label_maps[t]), label_map)


def _sample(video: ListedVideo, root: Path, size: Sequence[int]) -> VideoSample:
    frames = [root / image for image in video.images]
    for path in frames:
        write_image(path, np.zeros((*size, 3), np.uint8))
    files = {t: root / str(name) for t, name in enumerate(video.label_maps)}
    labels = {t: path for t, path in files.items() if path.is_file()}
    return FrameVideo(video.name, tuple(frames), labels, tuple(labels)).sample()


def _first_masks(case: Case, video: VideoSample) -> tuple[np.ndarray, np.ndarray, int]:
    """``(o, H, W)`` first mask of every id, ``(o,)`` its frame, and the ids' number."""
    masks = np.zeros((case.num_classes, *case.image_size), np.uint8)
    first = np.full(case.num_classes, -1)
    ids, new_in = objects_of(video)
    for t, new in new_in.items():
        indices = video.read_labels(t).indices
        for number in new:
            masks[number], first[number] = indices == number, t
    return masks, first, len(ids)


@replay(
    'dul',
    'filelists',
    inputs=[
        'train_list',
        'val_list',
        'infer_list',
        'annotations',
        'annotation_seq',
        'annotation_frame',
        'image_size',
        'video_len',
        'num_classes',
    ],
)
def test_filelists(case: Case) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _check_training(case, folder)
        videos = read_inference_list(_write_list(folder, case.infer_list))
        _write_label_maps(case, folder, videos)
        _check_inference(case, folder, videos)
        _check_validation(case, folder)


def _check_training(case: Case, folder: Path) -> None:
    path = _write_list(folder, case.train_list)
    videos = read_image_list(path, min_frames=case.video_len)
    case.exact('train_first', [f'{ROOT}/{video.images[0]}' for video in videos])
    case.exact('train_last', [f'{ROOT}/{video.images[-1]}' for video in videos])
    case.exact('train_len', [len(video.images) for video in videos])


def _check_inference(case: Case, folder: Path, videos: Sequence[ListedVideo]) -> None:
    case.exact('infer_names', [video.name for video in videos])
    case.exact('infer_num_frames', [len(video.images) for video in videos])
    case.exact('infer_frame_names', [n for video in videos for n in video.frame_names])
    case.exact('infer_flags', [int(w) for video in videos for w in video.written])
    samples = [_sample(video, folder, case.image_size) for video in videos]
    masks, first, counts = zip(*(_first_masks(case, s) for s in samples), strict=True)
    case.exact('init_masks', masks)
    case.exact('init_frames', first)
    case.exact('num_ids', counts)


def _check_validation(case: Case, folder: Path) -> None:
    videos = read_validation_list(_write_list(folder, case.val_list))
    case.exact('val_names', [video.name for video in videos])
    counts = np.array([len(video.images) for video in videos])
    assert counts.sum() == len(case.val_list)
    counts[-1] -= 1  # the official reader loses the last frame of the last video
    case.exact('val_num_frames', counts)
    listed = [[folder / name for name in v.label_maps if name] for v in videos]
    largest = [max(int(read_label_map(p)[0].max()) for p in files) for files in listed]
    case.exact('val_num_classes', [number + 1 for number in largest])
