import base64

import cv2
import numpy as np
import pytest

from densecorr.utils.images import davis_palette
from densecorr.visualization.overlay import jpeg_uri, label_border, overlay, shrink


@pytest.fixture
def label_map():
    labels = np.zeros((6, 8), np.uint8)
    labels[1:5, 2:6] = 2
    return labels


def test_overlay_tints_inside_and_keeps_background(label_map):
    image = np.full((6, 8, 3), 100, np.uint8)
    drawn = overlay(image, label_map, opacity=0.5)
    color = davis_palette()[2]
    assert np.array_equal(drawn[label_map == 0], image[label_map == 0])
    assert np.array_equal(drawn[2, 3], np.rint(50 + 0.5 * color))
    assert np.array_equal(drawn[1, 2], color)  # border
    assert (image == 100).all()


def test_overlay_of_nothing_is_the_image():
    image = np.random.default_rng(0).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    assert np.array_equal(overlay(image, np.zeros((6, 8), np.uint8)), image)


def test_overlay_refuses_other_sizes_and_opacities(label_map):
    with pytest.raises(ValueError, match=r'image is \(5, 8\), the label map \(6, 8\)'):
        overlay(np.zeros((5, 8, 3), np.uint8), label_map)
    with pytest.raises(ValueError, match=r'opacity should be in \[0, 1\], not 2'):
        overlay(np.zeros((6, 8, 3), np.uint8), label_map, opacity=2)


def test_label_border_is_one_pixel_wide(label_map):
    border = label_border(label_map)
    expected = label_map > 0
    expected[2:4, 3:5] = False
    assert np.array_equal(border, expected)
    assert np.array_equal(border[::-1, ::-1], label_border(label_map[::-1, ::-1]))


def test_shrink_keeps_the_shape_of_the_picture():
    image = np.zeros((48, 96, 3), np.uint8)
    assert shrink(image, 32).shape == (16, 32, 3)
    assert shrink(image, 96) is image


def test_jpeg_uri_holds_the_picture_in_rgb():
    image = np.zeros((16, 16, 3), np.uint8)
    image[..., 0] = 200
    data = base64.b64decode(jpeg_uri(image).removeprefix('data:image/jpeg;base64,'))
    back = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
    assert np.abs(back.astype(int) - image).max() < 8
