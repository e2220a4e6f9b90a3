import numpy as np
import pytest

from densecorr.evaluation.functional.bitplanes import (
    dilate_disk,
    disk_widths,
    pack,
    unpack,
)


def test_pack_puts_rows_a_stride_apart():
    plane = np.array([[1, 0, 1], [0, 1, 1]], np.uint8)
    assert pack(plane, 3) == 0b110_101
    assert pack(plane > 0, 8) == 0b110_00000101


@pytest.mark.parametrize('shape', [(1, 1), (5, 9), (17, 64), (0, 3)])
def test_unpack_inverts_pack(shape):
    plane = np.random.default_rng(0).random(shape) < 0.5
    stride = shape[1] + 5
    np.testing.assert_array_equal(unpack(pack(plane, stride), shape, stride), plane)
    beyond = pack(plane, stride) | 1 << stride * (shape[0] + 3)
    np.testing.assert_array_equal(unpack(beyond, shape, stride), plane)


def test_counts_are_bit_counts():
    plane = np.random.default_rng(1).random((40, 31)) < 0.3
    assert pack(plane, 40).bit_count() == plane.sum()


@pytest.mark.parametrize('radius', [0, 1, 2, 5, 8, 18])
def test_dilated_point_is_the_disk(radius):
    size = 2 * radius + 1
    plane = np.zeros((size, size), bool)
    plane[radius, radius] = True
    stride = size + radius
    grown = unpack(
        dilate_disk(pack(plane, stride), stride, radius), (size, size), stride
    )
    y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    np.testing.assert_array_equal(grown, x**2 + y**2 <= radius**2)


def test_disk_widths():
    assert disk_widths(5) == (5, 4, 4, 4, 3, 0)
    with pytest.raises(ValueError, match=r'at least 0 pixels, not -1'):
        disk_widths(-1)


def test_stride_below_the_width():
    with pytest.raises(ValueError, match=r'stride 3 is below the width 4'):
        pack(np.zeros((2, 4)), 3)
