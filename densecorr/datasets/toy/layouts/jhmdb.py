"""JHMDB: frames as PNG, 15 joints and a puppet mask as MATLAB files."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from densecorr.datasets.toy.layouts.base import (
    SUBPIXELS,
    ClipFacts,
    Files,
    Layout,
    ObjectFacts,
    Scene,
    Write,
    bytes_file,
    has_puppet,
    image_file,
    list_file,
    puppets,
)
from densecorr.utils.mat_files import encode_mat

_MARKS = {'train': 1, 'val': 2}  # of the split files
_VIEWPOINT = 'S'  # compass letter of the puppet's view; E ENE ... WSW in JHMDB


def action(puppet: ObjectFacts) -> str:
    """Folder of a puppet's clips, where JHMDB has the action."""
    return puppet.category.replace(' ', '_')


def clip_name(clip: ClipFacts, puppet: ObjectFacts) -> str:
    """Name of a clip in JHMDB, which has one person each."""
    return f'{clip.name}_{puppet.number}' if len(puppets(clip)) > 1 else clip.name


def joint_arrays(clip: ClipFacts, number: int) -> dict[str, np.ndarray | str]:
    """Variables of ``joint_positions.mat``.

    Returns:
        ``pos_img`` ``(2, 15, t)`` float64 x, y in pixels, the first pixel being 1, for
        hidden joints and those outside the frame too; ``pos_world``, the same by frame
        size and scale; ``scale`` ``(1, t)``, the diagonal of the box around the
        joints by the frame's height; ``viewpoint``; and, which JHMDB has not,
        ``visibility`` ``(15, t)`` uint8: 0 outside, 1 hidden, 2 visible.
    """
    height, width = clip.size
    joints = [clip.joints(t)[number] for t in range(clip.num_frames)]
    stacked = np.stack(joints, axis=-1)  # (15, 3, t)
    image = stacked[:, :2].swapaxes(0, 1) / SUBPIXELS + 1.0
    extent = np.ptp(image, axis=1)  # (2, t)
    scale = np.hypot(*extent)[None] / height
    centred = image / np.array([width, height])[:, None, None] - 0.5
    aspect = np.array([width / height, 1.0])[:, None, None]
    return dict(
        pos_img=image,
        pos_world=centred * aspect / scale,
        scale=scale,
        viewpoint=_VIEWPOINT,
        visibility=stacked[:, 2].astype(np.uint8),
    )


def _puppet_files(clip: ClipFacts, puppet: ObjectFacts) -> Files:
    place = f'{action(puppet)}/{clip_name(clip, puppet)}'
    files: Files = {
        f'Rename_Images/{place}/{t + 1:05d}.png': image_file(clip, t)
        for t in range(clip.num_frames)
    }

    def mask(number: int) -> bytes:
        maps = [clip.label_map(t) == number for t in range(clip.num_frames)]
        return encode_mat(dict(part_mask=np.stack(maps, axis=-1).astype(np.uint8)))

    def joints(number: int) -> bytes:
        return encode_mat(joint_arrays(clip, number))

    number = puppet.number
    files[f'joint_positions/{place}/joint_positions.mat'] = bytes_file(joints, number)
    files[f'puppet_mask/{place}/puppet_mask.mat'] = bytes_file(mask, number)
    return files


def _files(scene: Scene) -> Files:
    files: Files = {}
    for puppet in puppets(scene.clip):
        files |= _puppet_files(scene.clip, puppet)
    return files


def _lists(scenes: Sequence[Scene]) -> Files:
    splits: dict[str, list[str]] = {}
    tested = []
    for scene in scenes:
        for puppet in puppets(scene.clip):
            name = clip_name(scene.clip, puppet)
            mark = _MARKS[scene.split]
            splits.setdefault(action(puppet), []).append(f'{name}.avi {mark}')
            if scene.split == 'val':
                place = f'{action(puppet)}/{name}'
                mat = f'JHMDB/joint_positions/{place}/joint_positions.mat'
                tested.append(f'{mat} JHMDB/Rename_Images/{place}')
    files: dict[str, Write] = {
        f'splits/{kind}_test_split1.txt': list_file(lines)
        for kind, lines in sorted(splits.items())
    }
    if tested:
        files['val_list.txt'] = list_file(tested)
    return files


JHMDB = Layout(
    'jhmdb', 'jhmdb', 'an articulated object in frame 0', has_puppet, _files, _lists
)
