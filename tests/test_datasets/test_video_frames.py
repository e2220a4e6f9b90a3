"""Labelled frames of videos as single images."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from densecorr.datasets.video_frames import VideoFrames

from ..trees import write_davis_tree, write_ytvos_tree

DAVIS = dict(type='DAVISDataset')


def _davis(root: Path, **options: Any) -> VideoFrames:
    return VideoFrames(DAVIS, root=root, **options)


def test_frames_are_drawn_by_video_name(tmp_path: Path) -> None:
    root = write_davis_tree(tmp_path, {'dog': 9, 'camel': 9})
    every, drawn = _davis(root, num_frames=None), _davis(root, num_frames=3)
    assert len(every) == 18
    names = [image.name for image in drawn]
    assert len(set(names)) == 6
    alone = _davis(root, num_frames=3, sequences=['dog'])
    assert [i.name for i in alone] == [n for n in names if n.startswith('dog/')]
    others = {
        tuple(i.name for i in _davis(root, num_frames=3, seed=s)) for s in range(6)
    }
    assert len(others) > 1
    few = _davis(root, indices=[0, -1, 99])
    assert [i.name[-5:] for i in few] == ['00000', '00008'] * 2
    image = drawn[0]
    assert image.group == image.name.rsplit('/', 1)[0]
    assert image.read_image().shape[:2] == image.read_labels().indices.shape
    assert len({i.hash_inputs() for i in every}) > 1


def test_categories(tmp_path: Path) -> None:
    root = write_ytvos_tree(tmp_path)
    options = dict(dataset=dict(type='YouTubeVOSDataset'), root=root)
    plain = VideoFrames(**options)
    mapped = VideoFrames(**options, labels='categories')
    names = mapped.metainfo['classes']
    assert names[0] == 'background' and names[1:] == sorted(names[1:])
    for a, b in zip(plain, mapped, strict=True):
        objects, classes = a.read_labels().indices, b.read_labels().indices
        np.testing.assert_array_equal(objects > 0, classes > 0)
        assert classes.max() < len(names)


def test_all_objects_are_one_class(tmp_path: Path) -> None:
    root = write_davis_tree(tmp_path, {'dog': 2})
    objects, merged = _davis(root), _davis(root, labels='foreground')
    assert merged.metainfo['classes'] == ['background', 'object']
    for one, other in zip(objects, merged, strict=True):
        labels = one.read_labels().indices
        assert labels.max() > 1
        np.testing.assert_array_equal(other.read_labels().indices, labels > 0)


def test_errors(tmp_path: Path) -> None:
    root = write_davis_tree(tmp_path, {'dog': 3})
    with pytest.raises(ValueError, match=r'labels of VideoFrames should be one of'):
        _davis(root, labels='parts')
    with pytest.raises(ValueError, match=r'num_frames is 0; give at least 1'):
        _davis(root, num_frames=0)
    with pytest.raises(ValueError, match=r"'dog' and 0 others say no categories"):
        _davis(root, labels='categories')
    with pytest.raises(ValueError, match=r'none of the 1 videos has a labelled frame'):
        _davis(root, indices=[50])
