"""What is true about the frames of a generated clip: labels, points, flow, joints."""

from dataclasses import replace

import numpy as np
import pytest

from densecorr.datasets.toy import (
    CATEGORIES,
    JOINTS,
    PARTS,
    PRESETS,
    Clip,
    make_clip,
)
from densecorr.datasets.toy.fixed import ONE
from densecorr.datasets.toy.motion import STILL, Path, Wave
from densecorr.datasets.toy.render import Backdrop, Scene
from densecorr.datasets.toy.sprites import rigid
from densecorr.datasets.toy.texture import Dye

SMALL = (64, 96)
FIGURES = ('articulated', 'mixed')


def hand_scene(path, size=(40, 60), sprites=None):
    """A tile of 16 x 16 px over a still background."""
    dye = Dye(((200, 60, 60), (90, 90, 200), (60, 160, 60)), grain=20)
    still = Path(Wave(size[1] * ONE // 2), Wave(size[0] * ONE // 2))
    ground = Backdrop(still, size[0] + 20, size[1] + 20, dye, 12)
    if sprites is None:
        sprites = [rigid('cross', 10 * ONE, dye, path=path, last=9)]
    return Scene(size, 7, ground, tuple(sprites))


# -------------------------------------------------------------------- by hand, exact
def test_a_shifted_sprite_by_hand():
    path = Path(Wave(20 * ONE, slope=3 * ONE), Wave(15 * ONE, slope=-ONE))
    clip = Clip('hand', hand_scene(path), 6)
    (info,) = clip.objects
    assert (info.number, info.category, info.articulated) == (1, 'cross', False)
    assert CATEGORIES[info.category_id - 1] == 'cross'
    # Arms 18 px long and 6.8 px wide about a pixel centre: 19 - 2 and 7 pixels.
    expected = np.zeros((40, 60), np.uint8)
    expected[15 - 8 : 15 + 9, 20 - 3 : 20 + 4] = 1
    expected[15 - 3 : 15 + 4, 20 - 8 : 20 + 9] = 1
    found = clip.label_map(0)
    differ = found != expected
    assert not differ[8:23, 13:28].any()  # the ends touch pixel centres
    for t in range(6):
        moved = np.roll(found, (-t, 3 * t), (0, 1))
        np.testing.assert_array_equal(clip.label_map(t), moved)
    step, valid = clip.flow(0)
    inside = found == 1
    assert (step[inside] == [3 * 256, -256]).all()
    assert (step[~inside] == 0).all()
    np.testing.assert_array_equal(valid, inside | (clip.label_map(1) == 0))
    np.testing.assert_array_equal(clip.category_map(0), info.category_id * found)
    assert not clip.parts(0).any()
    assert clip.joints(0) == {}


def test_points_ride_on_their_object_by_hand():
    path = Path(Wave(20 * ONE, slope=3 * ONE), Wave(15 * ONE))
    clip = Clip('hand', hand_scene(path), 3)
    first, second = clip.points(0), clip.points(1)
    assert first.dtype == np.int32
    np.testing.assert_array_equal(first[15, 20], second[15, 23])
    np.testing.assert_array_equal(first[17, 18] - first[15, 20], [0, 512, -512])
    np.testing.assert_array_equal(first[0, 0], second[0, 0])
    np.testing.assert_array_equal(first[0, 0], [0, 10 * 256, 10 * 256])
    assert (first[15, 20, 0], first[0, 0, 0]) == (1, 0)


def test_the_nearer_sprite_hides_the_other_and_flow_says_so():
    dye = Dye(((200, 60, 60), (90, 90, 200), (60, 160, 60)))
    there = Path(Wave(30 * ONE), Wave(20 * ONE))
    passing = Path(Wave(30 * ONE), Wave(20 * ONE, slope=-8 * ONE))
    depth = Wave(-ONE, slope=2 * ONE)  # behind at frame 0, in front at frame 1
    sprites = [
        rigid('ball', 10 * ONE, dye, path=there, last=9, depth=STILL),
        rigid('tile', 6 * ONE, dye, path=passing, last=1, depth=depth),
    ]
    clip = Clip('hand', hand_scene(None, sprites=sprites), 4)
    assert set(np.unique(clip.label_map(0))) == {0, 1}
    assert clip.label_map(1)[12, 30] == 2
    _, valid = clip.flow(0)
    hidden = clip.label_map(1) == 2
    np.testing.assert_array_equal(valid[hidden], False)
    still = (clip.label_map(0) == 1) & ~hidden
    assert valid[still].all()
    _, valid = clip.flow(1)  # object 2 is there until frame 1
    np.testing.assert_array_equal(valid, ~hidden)
    assert 2 not in clip.label_map(2)


def test_a_turned_and_grown_sprite_has_exact_flow():
    turning = Path(
        Wave(30 * ONE), Wave(20 * ONE), Wave(0, slope=4096), Wave(ONE, slope=ONE // 16)
    )
    clip = Clip('hand', hand_scene(turning), 2)
    step, _ = clip.flow(0)
    inside = clip.label_map(0) == 1
    rows, columns = np.nonzero(inside)
    place = (columns - 30) + 1j * (rows - 20)  # 22.5 degrees clockwise on the screen
    expected = place * (17 / 16 * np.exp(2j * np.pi * 4096 / 65536) - 1) * 256
    found = step[inside][:, 0] + 1j * step[inside][:, 1]
    assert np.abs((found - expected).real).max() < 0.52
    assert np.abs((found - expected).imag).max() < 0.52


# ------------------------------------------------------------------------- all presets
@pytest.mark.parametrize('preset', PRESETS)
def test_points_are_unique_and_agree_with_the_labels(preset):
    clip = make_clip(preset, 1, SMALL, 6)
    for t in (0, 5):
        points, labels = clip.points(t), clip.label_map(t)
        assert points.dtype == np.int32
        assert points.min() >= 0
        np.testing.assert_array_equal(points[..., 0], labels)
        assert len(np.unique(points.reshape(-1, 3), axis=0)) == labels.size
        frame = clip.frame(t)
        assert (frame.shape, frame.dtype) == ((*clip.size, 3), np.uint8)
        assert (labels.dtype, clip.parts(t).dtype) == (np.uint8, np.uint8)
        ids = clip.category_map(t)
        for info in clip.objects:
            assert set(np.unique(ids[labels == info.number])) <= {info.category_id}
        assert (ids == 0)[labels == 0].all()


@pytest.mark.parametrize('preset', PRESETS)
def test_flow_takes_points_to_themselves(preset):
    clip = make_clip(preset, 2, SMALL, 12)
    height, width = clip.size
    rows, columns = np.mgrid[:height, :width]
    for t in (0, 6, 10):
        step, valid = clip.flow(t)
        here, there = clip.points(t), clip.points(t + 1)
        x, y = 256 * columns + step[..., 0], 256 * rows + step[..., 1]
        column, row = (x + 128) // 256, (y + 128) // 256
        inside = (column >= 1) & (column < width - 1) & (row >= 1) & (row < height - 1)
        chosen = np.nonzero(valid & inside)
        assert len(chosen[0]) > 0.5 * valid.size
        r, c = row[chosen], column[chosen]
        assert (there[r, c, 0] == here[chosen][:, 0]).all()
        # What the pixel beside the target shows differs by the rest of the way.
        rest = np.stack([y[chosen] - 256 * r, x[chosen] - 256 * c], -1)  # 1/256 px
        assert np.abs(rest).max() <= 128
        near = there[r, c, 1:] - here[chosen][:, 1:]
        assert np.abs(near).max() < 128 * 1.5 * 1.3
        # Inside one piece the texture is an affine map: correct by its slope.
        down = there[r + 1, c, 1:] - there[r - 1, c, 1:]
        right = there[r, c + 1, 1:] - there[r, c - 1, 1:]
        around = [(r + 1, c), (r - 1, c), (r, c + 1), (r, c - 1)]
        pieces = 10 * there[..., 0] + clip.parts(t + 1)
        smooth = np.all([pieces[at] == pieces[r, c] for at in around], axis=0)
        smooth &= (np.abs(down).max(1) < 800) & (np.abs(right).max(1) < 800)
        exact = near + (down * rest[:, :1] + right * rest[:, 1:]) / 512
        assert np.abs(exact[smooth]).max() < 3
        assert smooth.mean() > 0.5


# ------------------------------------------------------------------ articulated bodies
@pytest.mark.parametrize('preset', FIGURES)
def test_figures_have_parts_and_joints(preset):
    clip = make_clip(preset, 0, num_frames=6)
    figures = [info.number for info in clip.objects if info.articulated]
    assert len(figures) == 2
    for t in range(6):
        labels, parts, joints = clip.label_map(t), clip.parts(t), clip.joints(t)
        np.testing.assert_array_equal(np.isin(labels, figures), parts > 0)
        assert sorted(joints) == figures
        for number in figures:
            assert set(np.unique(parts[labels == number])) <= set(range(1, 6))
            assert joints[number].shape == (len(JOINTS), 3)
            assert joints[number].dtype == np.int32
    everywhere = np.concatenate(
        [clip.parts(t)[clip.label_map(t) == 1] for t in range(6)]
    )
    assert set(np.unique(everywhere)) == set(range(1, len(PARTS) + 1))


def test_visible_joints_lie_on_their_part():
    on = dict(neck=(1, 2), belly=(2,), face=(1,), shoulder=(2, 3), hip=(2, 4),
              elbow=(3,), knee=(4,), wrist=(3,), ankle=(4, 5))  # fmt: skip
    seen = np.zeros(3, int)
    for seed in range(3):
        clip = make_clip('articulated', seed, num_frames=12)
        for t in range(0, 12, 3):
            labels, parts = clip.label_map(t), clip.parts(t)
            for number, joints in clip.joints(t).items():
                for name, (x, y, state) in zip(JOINTS, joints, strict=True):
                    seen[state] += 1
                    if state == 2:
                        row, column = (y + 128) // 256, (x + 128) // 256
                        assert labels[row, column] == number
                        assert parts[row, column] in on[name.split()[-1]]
    assert seen[2] > 0.5 * seen.sum()
    assert seen[1] > 10  # hidden by the other figure or by the body itself


def test_bones_keep_their_length_and_right_is_on_the_left():
    clip = make_clip('articulated', 0)
    names = {name: k for k, name in enumerate(JOINTS)}
    scale = [path.scale for path in (s.path for s in clip._scene.sprites)]
    for number in (1, 2):
        lengths = []
        for t in range(0, 20, 4):
            at = clip.joints(t)[number][:, :2].astype(float)
            factor = scale[number - 1].at(t) / ONE
            bones = [('right shoulder', 'right elbow'), ('left elbow', 'left wrist'),
                     ('right hip', 'right knee'), ('left knee', 'left ankle'),
                     ('neck', 'belly')]  # fmt: skip
            ends = [(at[names[a]], at[names[b]]) for a, b in bones]
            lengths.append([np.hypot(*(a - b)) / factor for a, b in ends])
            assert at[names['right shoulder'], 0] < at[names['left shoulder'], 0]
            assert at[names['face'], 1] < at[names['neck'], 1] < at[names['belly'], 1]
        assert np.ptp(lengths, axis=0).max() < 4  # 1/64 px


def test_joints_are_absent_outside_the_frame_or_the_time():
    clip = make_clip('articulated', 0, SMALL, 3)
    body = clip._scene.sprites[0]
    aside = replace(body, path=Path(Wave(0), Wave(32 * ONE)), last=1)
    scene = replace(clip._scene, sprites=(aside, clip._scene.sprites[1]))
    cut = Clip('cut', scene, 3)
    joints = cut.joints(0)[1]
    outside = joints[:, 0] < -128
    assert 2 < outside.sum() < 13
    np.testing.assert_array_equal(joints[:, 2] == 0, outside)
    assert not cut.joints(2)[1][:, 2].any()
    assert cut.joints(2)[2][:, 2].any()
