"""YouTube-VOS 2018 and 2019: objects that appear at any time, and meta.json."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np

from densecorr.datasets.toy.layouts.base import (
    STEP,
    ClipFacts,
    Files,
    Layout,
    Scene,
    any_clip,
    by_split,
    image_file,
    palette_file,
    text_file,
)

_FOLDERS = {'train': 'train', 'val': 'valid'}  # of the release
_TRUTH = 'valid_truth'  # not in the release, whose server keeps it


def _annotated(clip: ClipFacts) -> range:
    return range(0, clip.num_frames, STEP)


def appearances(clip: ClipFacts) -> dict[int, list[int]]:
    """Object number to the annotated frames that show it; objects without are left out.

    Renders the label map of every fifth frame.
    """
    shown: dict[int, list[int]] = {}
    for t in _annotated(clip):
        for number in np.unique(clip.label_map(t)).tolist():
            if number:
                shown.setdefault(number, []).append(t)
    return dict(sorted(shown.items()))


def _files(scene: Scene) -> Files:
    clip, base = scene.clip, _FOLDERS[scene.split]
    files: Files = {}
    for t in range(clip.num_frames):
        files[f'{base}/JPEGImages/{clip.name}/{t:05d}.jpg'] = image_file(clip, t)
    full = base if scene.split == 'train' else _TRUTH
    for t in _annotated(clip):
        path = f'{full}/Annotations/{clip.name}/{t:05d}.png'
        files[path] = palette_file(clip.label_map, t)
    if scene.split == 'val':
        files |= _first_labels(clip, f'{base}/Annotations/{clip.name}')
    return files


def _first_labels(clip: ClipFacts, folder: str) -> Files:
    """One annotation where objects appear first, of these objects alone."""
    first = {number: shown[0] for number, shown in appearances(clip).items()}

    def labels(t: int) -> np.ndarray:
        new = [number for number, start in first.items() if start == t]
        label_map = clip.label_map(t)
        return np.where(np.isin(label_map, new), label_map, 0).astype(np.uint8)

    starts = sorted(set(first.values()))
    return {f'{folder}/{t:05d}.png': palette_file(labels, t) for t in starts}


def _meta(scene: Scene) -> dict[str, dict]:
    """Entry of meta.json.

    ``frames`` of an object are, in train, those that show it; in valid all annotated
    frames from its first one, for which a prediction is due.
    """
    clip, objects = scene.clip, {}
    names = {o.number: o.category for o in clip.objects}
    for number, shown in appearances(clip).items():
        due = [t for t in _annotated(clip) if t >= shown[0]]
        frames = shown if scene.split == 'train' else due
        objects[str(number)] = dict(
            category=names[number], frames=[f'{t:05d}' for t in frames]
        )
    return dict(objects=objects)


def _lists(scenes: Sequence[Scene]) -> Files:
    files: Files = {}
    for split, group in by_split(scenes).items():
        base = _FOLDERS[split]
        meta = dict(videos={scene.clip.name: _meta(scene) for scene in group})
        files[f'{base}/meta.json'] = text_file(json.dumps(meta, indent=1))
        if split == 'train':  # every frame of the train release is annotated
            frames = {
                s.clip.name: [f'{t:05d}.jpg' for t in _annotated(s.clip)] for s in group
            }
            path = f'{base}/youtube2018_train.json'
            files[path] = text_file(json.dumps(frames))
    return files


YTVOS = Layout('ytvos', 'ytvos', '', any_clip, _files, _lists)
