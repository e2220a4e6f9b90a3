"""DAVIS: 2017 with several objects, 2016 with one, and the unsupervised task."""

from __future__ import annotations

import json
from collections.abc import Sequence

import cv2
import numpy as np

from densecorr.datasets.toy.layouts.base import (
    SUBPIXELS,
    VOID,
    ClipFacts,
    Files,
    Layout,
    Scene,
    any_clip,
    by_split,
    bytes_file,
    grey_file,
    has_no_late_object,
    image_file,
    late_objects,
    list_file,
    palette_file,
    text_file,
)

_PLACE = '480p'  # the usual folder, whatever the size of the frames
_SCALE, _ZERO, _LARGEST = 64, 2**15, 2**16 - 1  # KITTI: flow * 64 + 2^15


def encode_flow(flow: np.ndarray, valid: np.ndarray) -> bytes:
    """Flow as 16-bit PNG of KITTI: ``u * 64 + 2^15``, the same of v, and valid.

    The file keeps 1/64 pixel, rounded to the nearest, halves up: the error is at most
    1/128 pixel. The motion of a point that the next frame hides is stored too, with
    valid 0.

    Args:
        flow: ``(H, W, 2)`` integers dx, dy in 1/256 pixel.
        valid: ``(H, W)`` bool.

    Returns:
        PNG with u, v, valid as red, green, blue. A motion of 512 pixels or more does
        not fit: it is cut and not valid.
    """
    unit = SUBPIXELS // _SCALE
    stored = (flow.astype(np.int64) + unit // 2) // unit + _ZERO  # (H, W, 2)
    fits = ((stored >= 0) & (stored <= _LARGEST)).all(axis=-1)
    stored = stored.clip(0, _LARGEST)
    bgr = np.stack([valid & fits, stored[..., 1], stored[..., 0]], axis=-1)
    done, data = cv2.imencode('.png', bgr.astype(np.uint16))
    if not done:
        raise OSError('OpenCV could not encode a flow map as PNG.')
    return data.tobytes()


def decode_flow(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Flow of a PNG of KITTI, the reverse of :func:`encode_flow`.

    Args:
        image: ``(H, W, 3)`` uint16 with channels u, v, valid.

    Returns:
        ``(H, W, 2)`` float32 dx, dy in pixels and ``(H, W)`` bool valid.
    """
    flow = (image[..., :2].astype(np.float32) - _ZERO) / _SCALE
    return flow, image[..., 2] > 0


def _frames(clip: ClipFacts) -> Files:
    stems = [f'{_PLACE}/{clip.name}/{t:05d}' for t in range(clip.num_frames)]
    return {
        f'JPEGImages/{stem}.jpg': image_file(clip, t) for t, stem in enumerate(stems)
    }


def _files_2017(scene: Scene) -> Files:
    clip, files = scene.clip, _frames(scene.clip)
    for t in range(clip.num_frames):
        path = f'{_PLACE}/{clip.name}/{t:05d}.png'
        files[f'Annotations/{path}'] = palette_file(clip.label_map, t)
        if t + 1 < clip.num_frames:
            files[f'Flow/{path}'] = bytes_file(lambda t: encode_flow(*clip.flow(t)), t)
    return files


def _files_unsupervised(scene: Scene) -> Files:
    """Late objects are void: no proposal gains or loses by them."""
    clip, files = scene.clip, _frames(scene.clip)
    late = late_objects(clip)

    def labels(t: int) -> np.ndarray:
        label_map = clip.label_map(t)
        return np.where(np.isin(label_map, late), VOID, label_map).astype(np.uint8)

    for t in range(clip.num_frames):
        path = f'Annotations_unsupervised/{_PLACE}/{clip.name}/{t:05d}.png'
        files[path] = palette_file(labels, t)
    return files


def _files_2016(scene: Scene) -> Files:
    clip, files = scene.clip, _frames(scene.clip)

    def labels(t: int) -> np.ndarray:
        return np.where(clip.label_map(t) > 0, 255, 0).astype(np.uint8)

    for t in range(clip.num_frames):
        files[f'Annotations/{_PLACE}/{clip.name}/{t:05d}.png'] = grey_file(labels, t)
    return files


def _lists_2017(scenes: Sequence[Scene]) -> Files:
    files: Files = {}
    for split, group in by_split(scenes).items():
        clips = [scene.clip for scene in group]
        files[f'ImageSets/2017/{split}.txt'] = list_file([c.name for c in clips])
        frames = {c.name: [f'{t:05d}.jpg' for t in range(c.num_frames)] for c in clips}
        path = f'ImageSets/davis2017_{split}_list.json'
        files[path] = text_file(json.dumps(frames))
    return files


def _lists_2016(scenes: Sequence[Scene]) -> Files:
    """Pairs of paths, as in the release of 2016."""
    files: Files = {}
    for split, group in by_split(scenes).items():
        stems = [
            f'{_PLACE}/{scene.clip.name}/{t:05d}'
            for scene in group
            for t in range(scene.clip.num_frames)
        ]
        lines = [f'/JPEGImages/{stem}.jpg /Annotations/{stem}.png' for stem in stems]
        files[f'ImageSets/{_PLACE}/{split}.txt'] = list_file(lines)
    return files


DAVIS = Layout('davis', 'davis', '', any_clip, _files_2017, _lists_2017)
DAVIS_UNSUPERVISED = Layout(
    'davis_unsupervised', 'davis', '', any_clip, _files_unsupervised, _lists_2017
)
DAVIS_2016 = Layout(
    'davis2016',
    'davis2016',
    'only objects that frame 0 shows',
    has_no_late_object,
    _files_2016,
    _lists_2016,
)
