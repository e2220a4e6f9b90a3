"""Integer arithmetic, textures and outlines of the generated videos."""

import ast
import math
from pathlib import Path

import numpy as np
import pytest

from densecorr.datasets import toy
from densecorr.datasets.toy.fixed import (
    ONE,
    TRIG_BITS,
    TURN,
    Draws,
    cosine,
    fraction,
    hash_counters,
    hash_keys,
    sine,
)
from densecorr.datasets.toy.motion import Passage, Pose, Wave
from densecorr.datasets.toy.shapes import CELLS, MARGIN, OUTLINES, rasterize, scaled
from densecorr.datasets.toy.texture import Dye, dots, pack, paint, sample, value_noise

# Modules whose results have to be the same bits everywhere.
EXACT = sorted(Path(toy.__file__).parent.glob('*.py'))


@pytest.mark.parametrize('path', EXACT, ids=lambda path: path.stem)
def test_the_world_is_made_without_floating_point(path):
    for node in ast.walk(ast.parse(path.read_text(encoding='utf-8'))):
        where = f'{path.name}:{getattr(node, "lineno", 0)}'
        assert not isinstance(node, ast.Div), where
        if isinstance(node, ast.Constant):
            assert not isinstance(node.value, float), where
        if isinstance(node, ast.Attribute):
            names = ('random', 'float32', 'float64', 'sqrt', 'sin', 'cos', 'mean')
            assert node.attr not in names, where
    text = path.read_text(encoding='utf-8')
    assert 'import math' not in text
    assert 'cv2' not in text


def test_counters_are_hashed_as_splitmix64_does():
    # The first outputs of the reference program with seed 0.
    expected = [0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 0x06C45D188009454F]
    assert hash_counters(0, (3,)).tolist() == expected
    assert hash_counters(0, (1, 3)).tolist() == [expected]


def test_keys_of_any_kind_give_numbers_of_their_own():
    keys = [(), (0,), (1,), (0, 0), (-1,), (1 << 64,), ('a',), ('b', 0), (0, 'b'),
            ('preset with a long name', 3), ('preset with a long nam', 3)]  # fmt: skip
    found = {hash_keys(*key) for key in keys}
    assert len(found) == len(keys)
    assert all(0 <= number < 1 << 64 for number in found)


def test_draws_repeat_and_stay_in_their_range():
    first, again, other = Draws(1, 'x'), Draws(1, 'x'), Draws(2, 'x')
    numbers = [first.integer(-3, 3) for _ in range(300)]
    assert numbers == [again.integer(-3, 3) for _ in range(300)]
    assert numbers != [other.integer(-3, 3) for _ in range(300)]
    assert set(numbers) == set(range(-3, 4))
    assert sorted(first.sample('abcd', 4)) == list('abcd')
    assert {first.sign() for _ in range(30)} == {-1, 1}


def test_sines_are_right_to_the_last_bit():
    for angle in range(0, TURN, 37):
        exact = math.sin(2 * math.pi * angle / TURN) * 2**TRIG_BITS
        assert abs(sine(angle) - exact) < 0.51
    assert [sine(k * TURN // 4) for k in range(4)] == [0, 1 << 30, 0, -(1 << 30)]
    assert sine(TURN // 8) == cosine(-TURN // 8) == 759250125  # 2^29.5
    assert sine(5 * TURN + 99) == sine(99) == -sine(-99)


def test_waves_swing_about_their_centre():
    wave = Wave(10 * ONE, 4 * ONE, rate=TURN // 8, phase=TURN // 8, slope=ONE)
    assert wave.at(1) == (10 + 4 + 1) * ONE
    assert wave.at(5) == (10 - 4 + 5) * ONE
    assert fraction(200, 250) == 50 * ONE


def test_passages_end_on_the_path_and_go_on_outside():
    comes, leaves = Passage(64 * ONE, 5), Passage(64 * ONE, 5, leaves=True)
    assert [comes.at(t) // ONE for t in (4, 5, 6, 7)] == [85, 64, 48, 36]
    assert [leaves.at(t) // ONE for t in (6, 5, 4, 3)] == [85, 64, 48, 36]
    assert comes.at(5000) == 0
    assert comes.at(0) == comes.at(-5000 + 5)


def test_poses_turn_clockwise_on_the_screen_and_back():
    pose = Pose(100 * ONE, 50 * ONE, TURN // 4, 2 * ONE)
    assert pose.apply(3 * ONE, 0) == (100 * ONE, 56 * ONE)
    assert pose.apply(0, 3 * ONE) == (94 * ONE, 50 * ONE)
    one, half = 1 << 24, 1 << 23
    assert pose.matrix() == (0, -2 * one, 2 * one, 0)
    assert pose.inverse() == (0, half, -half, 0)
    turned = Pose(0, 0, 12345, 70000)
    product = np.array(turned.matrix()).reshape(2, 2).astype(object)
    product = product @ np.array(turned.inverse()).reshape(2, 2).astype(object)
    identity = np.array([[one * one, 0], [0, one * one]], object)
    assert np.abs(product - identity).max() < 4 * one  # 4 / 2^24


def test_a_polygon_fills_the_cells_whose_centre_it_holds():
    # 2 x 1.5 px at (1, -1): rows of cells at quarters of a pixel
    square = np.array([(1, -1), (3, -1), (3, 0), (1, 0)]) * ONE
    square[2:, 1] += ONE // 2
    inside, (left, top) = rasterize(square)
    assert (left, top) == ((1 - MARGIN) * ONE, (-1 - MARGIN) * ONE)
    expected = np.zeros(inside.shape, bool)
    start = MARGIN * CELLS
    expected[start : start + 6, start : start + 8] = True
    np.testing.assert_array_equal(inside, expected)
    np.testing.assert_array_equal(rasterize(square[::-1])[0], expected)


def test_a_slanted_edge_by_hand():
    triangle = np.array([(0, 0), (ONE, 0), (0, ONE)])
    inside, _ = rasterize(triangle)
    start = MARGIN * CELLS
    # Four centres (i + .5, j + .5) / 4 lie on x + y = 1: an edge to their right.
    found = inside[start : start + 4, start : start + 4]
    np.testing.assert_array_equal(
        found, [[1, 1, 1, 1], [1, 1, 1, 0], [1, 1, 0, 0], [1, 0, 0, 0]]
    )
    assert found.sum() == inside.sum()


@pytest.mark.parametrize('name', OUTLINES)
def test_outlines_fill_their_circle_and_are_one_piece(name):
    import cv2

    inside, _ = rasterize(scaled(OUTLINES[name], 20 * ONE))
    area = inside.sum() / CELLS**2
    assert 0.25 < area / (math.pi * 20**2) < 0.95
    assert cv2.connectedComponents(inside.astype(np.uint8))[0] == 2
    assert not inside[[0, -1]].any()
    assert not inside[:, [0, -1]].any()


def test_noise_passes_through_its_lattice():
    noise = value_noise(7, 9, 13, 4)
    lattice = (hash_counters(7, (4, 5)) >> np.uint64(56)).astype(int)
    np.testing.assert_array_equal(noise[::4, ::4], lattice[:3, :4])
    middle = lattice[:3, :3] + lattice[:3, 1:4]  # 3 f^2 - 2 f^3 is 1/2 at 1/2
    np.testing.assert_array_equal(noise[::4, 2::4], middle // 2)
    assert not np.array_equal(noise, value_noise(8, 9, 13, 4))


def test_dots_are_whole_and_apart():
    import cv2

    found = dots(3, 60, 90, 15)
    assert set(np.unique(found)) == {0, 255}
    assert cv2.connectedComponents(found.astype(np.uint8))[0] == 1 + 4 * 6


@pytest.mark.parametrize('pattern', ['plain', 'dots', 'stripes', 'face'])
def test_textures_use_their_colours_and_vary(pattern):
    dye = Dye(((200, 40, 40), (220, 60, 30), (240, 20, 60)), pattern, 10)
    image = paint(Draws(5), 40, 60, dye, 16).astype(int)
    assert image.shape == (40, 60, 3)
    assert image[..., 0].mean() > 180
    assert image[..., 1:].mean() < 80
    assert len(np.unique(image.reshape(-1, 3), axis=0)) > 100
    np.testing.assert_array_equal(image, paint(Draws(5), 40, 60, dye, 16))


def test_colours_between_texels_by_hand():
    image = np.array([[[0, 255, 10], [160, 255, 20]], [[32, 255, 30], [64, 255, 0]]])
    texels = np.concatenate([np.full(5, -1), pack(image.astype(np.uint8)).ravel()])
    half, quarter = ONE // 2, ONE // 4
    x = np.array([half, half + quarter, half + 9 * ONE // 16])
    y = np.array([half, half, half + half])
    start, stride = np.full(3, 5), np.full(3, 2)
    with pytest.raises(IndexError):
        sample(texels, start, stride, x + 2 * ONE, y + ONE)
    found = sample(np.append(texels, [0, 0]), start, stride, x, y)
    np.testing.assert_array_equal(found[0], [0, 255, 10])
    np.testing.assert_array_equal(found[1], [40, 255, 12])
    # 7/16 of the left column's mean (16, 255, 20), 9/16 of the right one's
    np.testing.assert_array_equal(found[2], [70, 255, 14])
