"""SegTrack-v2 and FBMS-59: merged objects, frames without labels, what is missing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from densecorr.apis.check_data import check_data
from densecorr.datasets.single_object import FBMSDataset, SegTrackDataset, number_of
from densecorr.utils.images import write_label_map

from ..trees import write_image

FRAME = np.zeros((6, 8, 3), np.uint8)


def _labels(row: int, value: int = 255) -> np.ndarray:
    labels = np.zeros((6, 8), np.uint8)
    labels[row] = value
    return labels


def _segtrack(root: Path, labels: str = 'GroundTruth') -> Path:
    """Two sequences of three frames; the objects of ``bmx`` lie in a folder each."""
    for name in ('bmx', 'girl'):
        for t in range(3):
            write_image(root / f'JPEGImages/{name}/{t:05d}.png', FRAME)
    for t in range(3):
        write_label_map(root / labels / f'girl/{t:05d}.png', _labels(t))
        write_label_map(root / labels / f'bmx/1/{t:05d}.png', _labels(0))
        write_label_map(root / labels / f'bmx/2/{t:05d}.png', _labels(t, 2))
    return root


@pytest.mark.parametrize(
    'labels', ['GroundTruth', '../STv2_gt&pred/STv2_gt/GroundTruth']
)
def test_objects_of_segtrack_are_one_foreground(tmp_path: Path, labels: str) -> None:
    dataset = SegTrackDataset(_segtrack(tmp_path / 'STv2_img', labels))
    girl, bmx = dataset[0], dataset[1]
    assert (girl.name, bmx.name) == ('girl', 'bmx')
    assert bmx.label_frames == (0, 1, 2)
    assert bmx.first_label_frames == ()
    merged = bmx.read_labels(2).indices
    assert merged[[0, 2]].min() == 1
    assert merged.sum() == 16
    assert girl.read_labels(1).indices.sum() == 8
    assert dataset.weights() == [3, 3]
    assert dataset.metainfo['note'].startswith('2 of 14 sequences: not SegTrack-v2')
    (cut,) = SegTrackDataset(dataset.root, sequences=['bmx'], max_frames=2)
    assert (cut.num_frames, cut.label_frames) == (2, (0, 1))
    (check,) = check_data('segtrack', dataset.root).splits
    assert check.sequences[1] == 2


def _fbms(root: Path) -> Path:
    """A sequence whose numbers start at 7; the frames 7 and 9 have labels."""
    for t in range(7, 11):
        write_image(root / f'FBMS/cats01/cats01_{t:04d}.jpg', FRAME)
    for t in (7, 9):
        write_label_map(root / f'FBMS_annotation/cats01/{t}.png', _labels(t - 7))
    return root


def test_labels_of_fbms_are_found_by_their_numbers(tmp_path: Path) -> None:
    (video,) = FBMSDataset(_fbms(tmp_path))
    assert video.num_frames == 4
    assert video.label_frames == (0, 2)
    assert video.read_labels(2).indices[2].all()
    with pytest.raises(KeyError, match=r'frame 1 of .*cats01. has no labels'):
        video.read_labels(1)
    assert number_of(Path('a/marple2_012.jpg')) == 12


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    root = _fbms(tmp_path)
    labels = root / 'FBMS_annotation'
    stray = labels / 'cats01/99.png'
    write_label_map(stray, _labels(0))
    with pytest.raises(ValueError, match=r'99.png has no frame of its .*0010.jpg'):
        FBMSDataset(root)
    stray.rename(labels / 'cats01/none.png')
    with pytest.raises(ValueError, match=r'none.png has no number in its name'):
        FBMSDataset(root)
    with pytest.raises(ValueError, match=r"sequence 'catz01' .*Did you mean 'cats01'"):
        FBMSDataset(root, sequences=['catz01'])
    (labels / 'cats01').rename(labels / 'cats03')
    with pytest.raises(FileNotFoundError, match=r"'cats01' has frames but .* no label"):
        FBMSDataset(root)
    labels.rename(root / 'labels')
    with pytest.raises(
        FileNotFoundError, match=r'none of the folders .*FBMS_annotation'
    ):
        FBMSDataset(root)
    with pytest.raises(ValueError, match=r'split of FBMSDataset should be one of'):
        FBMSDataset(root, split='vall')
    with pytest.raises(FileNotFoundError, match=r'SegTrack-v2 root .* has no folder'):
        SegTrackDataset(root)
