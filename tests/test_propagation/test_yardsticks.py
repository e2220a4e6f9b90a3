from dataclasses import replace

import numpy as np
import pytest
import torch

from densecorr.registry import MODELS
from densecorr.structures import VideoSample
from tests.parity.pipelines import memory_video, protocol_of

from .test_tracker import clip


def crw(**changes):
    protocol = {**protocol_of('crw'), 'size': {}}
    return {**protocol, **changes}


def results(model, video):
    return [r.label_map for r in MODELS.build(model).track(video)]


def overlap(found, target):
    return ((found > 0) & (target > 0)).sum() / ((found > 0) | (target > 0)).sum()


def labelled_clip(length=5):
    frames, labels = clip(length)
    video = memory_video(frames, labels[0], dict(enumerate(labels[1:], 1)))
    return replace(video, first_label_frames=(0,)), labels


def test_ceiling_is_exact_on_whole_cells_and_loses_the_rest():
    video, labels = labelled_clip()
    found = results(dict(type='LabelCeiling', stride=4, protocol=crw()), video)
    assert len(found) == 5
    for t in range(5):  # the square is 40 pixels, its sides on the 4-pixel grid
        assert set(np.unique(found[t])) == {0, 3}
        assert overlap(found[t], labels[t]) > 0.98
    coarse = results(dict(type='LabelCeiling', stride=16, protocol=crw()), video)
    assert overlap(coarse[1], labels[1]) < overlap(found[1], labels[1])


def test_ceiling_repeats_itself_where_labels_are_missing():
    video, _ = labelled_clip()
    video = replace(video, label_frames=(0, 2))
    found = results(dict(type='LabelCeiling', stride=4, protocol=crw()), video)
    np.testing.assert_array_equal(found[1], found[0])
    assert (found[2] != found[0]).any()
    np.testing.assert_array_equal(found[4], found[2])


def test_copied_labels_stay_and_later_objects_are_painted_over():
    first, later = np.zeros((8, 8), np.uint8), np.zeros((8, 8), np.uint8)
    first[:4] = 1
    later[:2], later[2:6] = 1, 2
    frames = np.zeros((4, 8, 8, 3), np.uint8)
    video = memory_video(frames, first, {2: later})
    found = results(dict(type='FirstLabelsCopied'), video)
    np.testing.assert_array_equal(found[1], first)
    expected = first.copy()
    expected[2:6] = 2
    np.testing.assert_array_equal(found[3], expected)


def point_video(shift=4):
    """A square that moves ``shift`` pixels a frame, with its material points."""
    _, labels = clip()
    rows, cols = np.mgrid[:64, :96]

    def points(t):
        moved = np.where(labels[t] > 0, cols - shift * t, cols)
        return np.stack([labels[t], 256 * rows, 256 * moved], -1).astype(np.int32)

    frames = np.zeros((5, 64, 96, 3), np.uint8)
    video = memory_video(frames, labels[0])
    return replace(video, read_points=points), labels


@pytest.mark.parametrize('stride', [1, 2, 4])
def test_perfect_features_follow_without_looking_at_pixels(stride):
    video, labels = point_video()
    model = dict(type='PointTracker', stride=stride, protocol=crw())
    for found, target in zip(results(model, video), labels, strict=True):
        assert overlap(found, target) > 0.96


def test_perfect_features_need_points_and_no_padding():
    video, labels = point_video()
    lacking: VideoSample = replace(video, read_points=None)
    model = dict(type='PointTracker', stride=4, protocol=crw())
    with pytest.raises(ValueError, match=r"'golden' has no material points.*SpriteWo"):
        results(model, lacking)
    padded = crw(size=dict(short_side=128, multiple=256, rounding='pad'))
    with pytest.raises(ValueError, match=r'at the size \(256, 256\).*does not pad'):
        results({**model, 'protocol': padded}, video)
    resized = crw(size=dict(short_side=128, rounding='nearest'))
    found = results({**model, 'protocol': resized}, video)
    assert overlap(found[-1], labels[-1]) > 0.9


def test_noise_follows_nothing_and_is_the_same_again():
    video, labels = point_video()
    nowhere = crw(window=dict(shape='none'))
    model = dict(type='NoiseTracker', stride=4, protocol=nowhere)
    found = results(model, video)
    assert overlap(found[-1], labels[-1]) < 0.2
    np.testing.assert_array_equal(found, results(model, video))
    other = MODELS.build({**model, 'seed': 1}).frame_features(video, [0, 1])
    assert other.shape == (2, 64, 16, 24)
    assert not torch.equal(other[0], other[1])
