import pytest
import torch

from densecorr.datasets.collate import collate_clips
from densecorr.registry import FUNCTIONS


def clip(video, *shape, **more):
    frames = torch.full(shape, len(video), dtype=torch.uint8)
    return dict(inputs={'frames': frames, **more}, data_samples=dict(video=video))


def test_collate():
    clips = [clip('a', 2, 3, 4, 5), clip('bb', 2, 3, 4, 5)]
    batch = FUNCTIONS.get('densecorr.collate_clips')(clips)
    assert batch['inputs']['frames'].shape == (2, 2, 3, 4, 5)
    assert batch['inputs']['frames'].dtype == torch.uint8
    assert batch['inputs']['frames'][:, 0, 0, 0, 0].tolist() == [1, 2]
    assert batch['data_samples'] == [dict(video='a'), dict(video='bb')]


def test_further_keys_are_stacked():
    clips = [clip('a', 1, times=torch.tensor([x, 0.0])) for x in (1.0, 2.0)]
    assert collate_clips(clips)['inputs']['times'].tolist() == [[1, 0], [2, 0]]


def test_unequal_shapes():
    clips = [clip('a', 2, 3, 4, 4), clip('b', 2, 3, 4, 4), clip('c', 2, 3, 4, 5)]
    text = r"frames .* differ in shape \('a': \(2, 3, 4, 4\), 'c': \(2, 3, 4, 5\)\)"
    with pytest.raises(ValueError, match=text):
        collate_clips(clips)


def test_unequal_keys():
    clips = [clip('a', 1), clip('b', 1, times=torch.zeros(1))]
    with pytest.raises(ValueError, match=r"clip of 'b' has inputs \['frames', 'times'"):
        collate_clips(clips)


def test_no_clip():
    with pytest.raises(ValueError, match='collate_clips got no clip'):
        collate_clips([])
