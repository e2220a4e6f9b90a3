import numpy as np
import pytest
import torch

from densecorr.datasets.transforms.second_view import ClipSecondView
from densecorr.ops.affine import aligned_places
from densecorr.registry import TRANSFORMS


def sample_of(height=32, width=48, t=2, seed=0):
    rng = np.random.default_rng(seed)
    frames = rng.integers(0, 256, (t, height, width, 3), dtype=np.uint8)
    return dict(frames=frames, video='v', rng=np.random.default_rng(seed))


def places_of(sample, size):
    return aligned_places(torch.from_numpy(sample['theta']), size)


def test_the_whole_image_and_its_mirror_image():
    sample = sample_of()
    before = sample['frames'].copy()
    same = ClipSecondView(zoom=(1, 1), flip_prob=0)(sample)
    np.testing.assert_array_equal(same['second_frames'], sample['frames'])
    np.testing.assert_array_equal(same['theta'], [[1, 0, 0], [0, 1, 0]])
    mirrored = ClipSecondView(zoom=(1, 1), flip_prob=1)(sample)
    np.testing.assert_array_equal(mirrored['second_frames'], before[:, :, ::-1])
    np.testing.assert_array_equal(sample['frames'], before)
    rows = torch.from_numpy(before[0].reshape(-1, 3))[places_of(mirrored, (32, 48))]
    view = torch.from_numpy(mirrored['second_frames'][0].reshape(-1, 3))
    assert torch.equal(rows, view)


@pytest.mark.parametrize('flip', [False, True])
def test_aligned_pixels_of_the_main_view_show_what_the_second_one_shows(flip):
    y, x = np.mgrid[:64, :96]
    frame = np.stack([y * 4, x * 2, 255 - x * 2], 2).astype(np.uint8)
    sample = dict(frames=np.stack([frame, frame]), video='v')
    found = ClipSecondView().apply(sample, flip, 0.625, (10, 20))
    index = places_of(found, (64, 96)).view(64, 96)
    assert (index >= 0).all()
    aligned = frame.reshape(-1, 3)[index.numpy()]
    difference = found['second_frames'][1].astype(int) - aligned
    assert np.abs(difference).max() <= 4  # a pixel is 2 or 4 grey levels


def test_draws_are_one_for_the_clip_and_in_range():
    view = ClipSecondView()
    draws = [view.draw(np.random.default_rng(i), sample_of()) for i in range(200)]
    zooms = [draw['zoom'] for draw in draws]
    assert 0.5 <= min(zooms) < 0.52 and 0.98 < max(zooms) <= 1
    assert 60 < sum(draw['flip'] for draw in draws) < 140
    for draw in draws:
        for corner, side in zip(draw['corner'], (32, 48), strict=True):
            assert 0 <= corner <= side - int(draw['zoom'] * side)


def test_packed():
    pack = TRANSFORMS.build(
        dict(type='PackClip', keys=['theta'], frame_keys=['second_frames'])
    )
    inputs = pack(ClipSecondView()(sample_of()))['inputs']
    assert inputs['second_frames'].shape == inputs['frames'].shape == (2, 3, 32, 48)
    assert inputs['theta'].dtype == torch.float32
    with pytest.raises(KeyError, match=r"PackClip misses \['second_frames', 'theta'\]"):
        pack(sample_of())


def test_errors():
    with pytest.raises(ValueError, match='zoom of ClipSecondView is'):
        ClipSecondView(zoom=(0, 1))
    with pytest.raises(ValueError, match='zoom of ClipSecondView should be'):
        ClipSecondView(zoom=(0.5, 1.5))
    with pytest.raises(ValueError, match='flip_prob of ClipSecondView'):
        ClipSecondView(flip_prob=2)
    with pytest.raises(ValueError, match=r'no pixel of a frame of 1x48 \(H x W\)'):
        ClipSecondView(zoom=(0.5, 0.5))(sample_of(height=1))
