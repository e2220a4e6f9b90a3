"""Pascal VOC 2012: single images with categories, and void along the borders."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.ndimage import maximum_filter, minimum_filter

from densecorr.datasets.toy.layouts.base import (
    STEP,
    VOID,
    ClipFacts,
    Files,
    Layout,
    Scene,
    any_clip,
    by_split,
    grey_file,
    image_file,
    list_file,
    palette_file,
)

_WINDOW = 5  # pixels across a border that are void


def borders(label_map: np.ndarray) -> np.ndarray:
    """Pixels with another object within two rows and columns, ``(H, W)`` bool.

    VOC leaves a band of up to five pixels around every object out.
    """
    largest = maximum_filter(label_map, _WINDOW, mode='nearest')
    return largest != minimum_filter(label_map, _WINDOW, mode='nearest')


def _names(clip: ClipFacts) -> dict[int, str]:
    return {t: f'{clip.name}_{t:06d}' for t in range(0, clip.num_frames, STEP)}


def _files(scene: Scene) -> Files:
    clip, files = scene.clip, Files()

    def classes(t: int) -> np.ndarray:
        void = borders(clip.label_map(t))
        return np.where(void, VOID, clip.category_map(t)).astype(np.uint8)

    def objects(t: int) -> np.ndarray:
        label_map = clip.label_map(t)
        return np.where(borders(label_map), VOID, label_map).astype(np.uint8)

    for t, name in _names(clip).items():
        files[f'JPEGImages/{name}.jpg'] = image_file(clip, t)
        files[f'SegmentationClass/{name}.png'] = palette_file(classes, t)
        files[f'SegmentationObject/{name}.png'] = palette_file(objects, t)
        files[f'SegmentationClassAug/{name}.png'] = grey_file(clip.category_map, t)
    return files


def _lists(scenes: Sequence[Scene]) -> Files:
    names = {
        split: [name for scene in group for name in _names(scene.clip).values()]
        for split, group in by_split(scenes).items()
    }
    names['trainval'] = [name for group in names.values() for name in group]
    if 'train' in names:
        names['trainaug'] = names['train']
    return {
        f'ImageSets/Segmentation/{split}.txt': list_file(group)
        for split, group in names.items()
    }


VOC = Layout('voc', 'voc', '', any_clip, _files, _lists)
