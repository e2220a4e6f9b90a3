"""Two splits as one dataset of labelled images."""

from __future__ import annotations

from pathlib import Path

import pytest

from densecorr.datasets.toy import SpriteWorld
from densecorr.datasets.toy.layouts.write import write_layout
from densecorr.datasets.train_and_test import TrainAndTest


def test_parts_are_told_apart(tmp_path: Path) -> None:
    world = SpriteWorld(preset='single', num_clips=4, num_frames=6, seed=7000)
    write_layout('voc', world.clips, tmp_path, train=2)
    configs = [dict(type='VOCDataset', split=split) for split in ('trainaug', 'val')]
    both = TrainAndTest(*configs, root=tmp_path)
    train, test = both.parts['train'], both.parts['test']
    assert len(both) == len(train) + len(test)
    assert [image.part for image in both] == ['train'] * len(train) + ['test'] * len(
        test
    )
    assert both[0].name == f'train/{train[0].name}'
    assert both[0].hash_inputs() == train[0].hash_inputs()
    assert both.metainfo['train']['split'] == 'trainaug'
    assert both.metainfo['split'] == 'val'
    assert 'not Pascal VOC 2012 trainaug' in both.metainfo['note']
    one = TrainAndTest(*configs, root=tmp_path, sequences=[test[0].name], max_frames=2)
    assert [image.part for image in one].count('test') == 1
    assert len(one.parts['train']) == 2
    read = TrainAndTest(*configs, root=tmp_path, reader='pillow')
    assert {part.reader for part in read.parts.values()} == {'pillow'}


def test_parts_have_the_same_classes(tmp_path: Path) -> None:
    world = dict(type='SpriteWorld', preset='single', num_clips=1, num_frames=4)
    frames = dict(type='VideoFrames', dataset=world)
    other = SpriteWorld(preset='single', num_clips=2, num_frames=6, seed=7000)
    write_layout('voc', other.clips, tmp_path)
    voc = dict(type='VOCDataset', split='val', root=tmp_path)
    with pytest.raises(ValueError, match=r'train has classes .*same in both'):
        TrainAndTest(frames, voc)
