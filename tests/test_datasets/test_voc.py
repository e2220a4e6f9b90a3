"""Pascal VOC in both layouts, and what is missing from it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from densecorr.datasets.toy import SpriteWorld
from densecorr.datasets.toy.layouts.write import write_layout
from densecorr.datasets.voc import VOCDataset
from densecorr.utils.images import write_label_map


@pytest.fixture
def root(tmp_path: Path) -> Path:
    world = SpriteWorld(preset='single', num_clips=2, num_frames=6, seed=7000)
    write_layout('voc', world.clips, tmp_path)
    return tmp_path


def _as_timet(root: Path) -> None:
    """Rename the folders of VOCdevkit to those of TimeT's README."""
    (root / 'JPEGImages').rename(root / 'images')
    (root / 'ImageSets' / 'Segmentation').rename(root / 'sets')


def test_both_layouts_give_the_same(root: Path) -> None:
    split = next((root / 'ImageSets' / 'Segmentation').glob('*.txt')).stem
    kit = VOCDataset(root, split)
    hashes = [image.hash_inputs() for image in kit]
    labels = [image.read_labels().indices for image in kit]
    assert {255} < set(np.unique(labels)) <= {*range(21), 255}
    assert kit[0].read_image().shape[:2] == labels[0].shape
    assert kit.metainfo['note'].endswith(f'images: not Pascal VOC 2012 {split}')
    _as_timet(root)
    timet = VOCDataset(root, split)
    assert [image.hash_inputs() for image in timet] == hashes
    assert [image.name for image in timet] == [image.name for image in kit]
    one = VOCDataset(root, split, sequences=[kit[1].name])
    assert [image.name for image in one] == [kit[1].name]
    assert len(VOCDataset(root, split, max_frames=1)) == 1


def test_what_is_missing_is_named(root: Path) -> None:
    lists = root / 'ImageSets' / 'Segmentation'
    split = next(lists.glob('*.txt')).stem
    (lists / 'trainaug.txt').unlink(missing_ok=True)
    with pytest.raises(
        FileNotFoundError, match=r'no list .*trainaug.txt.*benchmark.tgz'
    ):
        VOCDataset(root, 'trainaug')
    with pytest.raises(ValueError, match=r"split 'vall' of Pascal.*Did you mean 'val'"):
        VOCDataset(root, 'vall')
    (lists / 'val.txt').write_text('2007_000033\n')
    with pytest.raises(
        FileNotFoundError, match=r'lacks 1 of the 1 images.*2007_000033'
    ):
        VOCDataset(root, 'val')
    (lists / 'val.txt').write_text('\n')
    with pytest.raises(ValueError, match=r'val.txt is empty'):
        VOCDataset(root, 'val')
    (lists / f'{split}.txt').write_text(_first_name(root) + '\n')
    with pytest.raises(ValueError, match=r"image 'x' is not in Pascal VOC 2012"):
        VOCDataset(root, split, sequences=['x'])
    label = root / 'SegmentationClass' / f'{_first_name(root)}.png'
    write_label_map(label, np.full((4, 4), 77, np.uint8))
    with pytest.raises(
        ValueError, match=r'labels \[77\]; classes are 0 to 20, and 255'
    ):
        VOCDataset(root, split)[0].read_labels()
    label.unlink()
    with pytest.raises(FileNotFoundError, match=r'lacks 1 of the 1 label maps'):
        VOCDataset(root, split)
    with pytest.raises(FileNotFoundError, match=r'is not a folder'):
        VOCDataset(root / 'nowhere')


def _first_name(root: Path) -> str:
    return min(path.stem for path in (root / 'JPEGImages').glob('*.jpg'))
