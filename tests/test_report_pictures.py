"""Differences, packed label maps, and overlays of finished results."""

import base64
import itertools
import re
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from PIL import Image

from densecorr.apis import report
from densecorr.apis.report import write_overlays
from densecorr.utils.images import davis_palette
from densecorr.visualization.difference import (
    DIFFERENCES,
    decode_runs,
    difference_map,
    difference_shares,
    encode_runs,
)

from .report_tree import write_results

#             right  missed  false  wrong  void  void, given
PRED = np.array([[0, 1, 0, 2, 1, 0, 2]], np.uint8)
TRUTH = np.array([[0, 1, 1, 0, 2, 255, 255]], np.uint8)


def test_difference_of_a_small_map():
    assert difference_map(PRED, TRUTH).tolist() == [[0, 0, 1, 2, 3, 0, 0]]
    # one of four pixels each: void does not count
    expected = dict(missed=0.25, false=0.25, wrong=0.25)
    assert difference_shares(PRED, TRUTH) == expected


def test_difference_turns_round_with_its_maps():
    rng = np.random.default_rng(0)
    pred, truth = rng.integers(0, 3, (2, 20, 30)).astype(np.uint8)
    one, other = difference_map(pred, truth), difference_map(truth, pred)
    assert np.array_equal(one == 1, other == 2)
    assert np.array_equal(one == 3, other == 3)
    assert np.array_equal(one == 0, pred == truth)
    assert not difference_map(pred, pred).any()


def test_shares_of_empty_maps_are_zero():
    empty = np.zeros((4, 5), np.uint8)
    assert set(difference_shares(empty, empty).values()) == {0.0}


def test_difference_refuses_other_sizes():
    with pytest.raises(ValueError, match=r'prediction is \(1, 7\), the annotation \(7'):
        difference_map(PRED, TRUTH.T)


def test_runs_of_a_known_map():
    labels = np.zeros((2, 150), np.uint8)
    labels[0, 3] = 7
    # 3 of 0, 1 of 7, 296 of 0: 296 = 40 + 2 * 128
    expected = bytes([0, 3, 7, 1, 0, 128 | 40, 2])
    assert base64.b64decode(encode_runs(labels)) == expected


@pytest.mark.parametrize('high', [1, 2, 256])
def test_runs_come_back(high):
    labels = np.random.default_rng(0).integers(0, high, (40, 70)).astype(np.uint8)
    assert np.array_equal(decode_runs(encode_runs(labels), (40, 70)), labels)
    with pytest.raises(ValueError, match=r'2800 pixels, a map of \(40, 71\)'):
        decode_runs(encode_runs(labels), (40, 71))


# Machado, Oliveira and Fernandes (2009): what a reader without red, green or blue
# cones sees, on linear RGB.
BLINDNESS = dict(
    none=np.eye(3),
    red=[
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    green=[
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    blue=[
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
)


def lab_of(color, matrix):
    """CIE LAB of a colour like '#0072b2' as such a reader sees it."""
    value = np.array([int(color[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    linear = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
    seen = np.clip(np.asarray(matrix) @ linear, 0, 1)
    coded = np.where(
        seen <= 0.0031308, seen * 12.92, 1.055 * np.maximum(seen, 1e-9) ** (1 / 2.4)
    )
    coded = np.where(seen > 0.0031308, coded - 0.055, coded)
    pixel = coded.astype(np.float32).reshape(1, 1, 3)
    return cv2.cvtColor(pixel, cv2.COLOR_RGB2LAB)[0, 0]


@pytest.mark.parametrize('blindness', BLINDNESS)
def test_differences_are_told_apart_by_colour_blind_readers(blindness):
    style = (Path(report.__file__).parent / 'style.css').read_text()
    colors = [
        re.search(rf'\.swatch\.{name} \{{[^}}]*?(#[0-9a-f]{{6}})', style)[1]
        for name in DIFFERENCES
    ]
    assert len(set(colors)) == 3
    seen = [lab_of(color, BLINDNESS[blindness]) for color in [*colors, '#808080']]
    for one, other in itertools.combinations(seen, 2):
        assert np.linalg.norm(one - other) > 25  # 2.3 is just noticed
    script = (Path(report.__file__).parent / 'pictures.js').read_text()
    for color in colors:
        numbers = ', '.join(f'0x{color[i : i + 2]}' for i in (1, 3, 5))
        assert f'[{numbers}]' in script  # the pictures have the legend's colours


@pytest.fixture(scope='module')
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp('overlays')
    return write_results(folder, {'camel': 5, 'dog': 3}, size=(65, 97))[0]


def test_overlays_are_written_in_every_form(made):
    done = []
    paths = write_overlays(made, fps=10, advance=done.append)
    assert done == ['camel', 'dog']
    root = made / 'overlays'
    names = sorted(str(path.relative_to(root)) for path in root.rglob('*.*'))
    pngs = {'camel': 5, 'dog': 3}
    expected = [f'{v}/{t:05d}.png' for v, n in pngs.items() for t in range(n)]
    expected += [f'{v}/overlay.{kind}' for v in pngs for kind in ('gif', 'mp4')]
    assert names == sorted(expected)
    assert {path.name for path in paths} == {'overlay.gif', 'overlay.mp4', *pngs}
    with av.open(str(root / 'camel/overlay.mp4')) as video:
        stream = video.streams.video[0]
        assert (stream.codec_context.name, stream.average_rate) == ('h264', 10)
        decoded = [frame.to_ndarray(format='rgb24') for frame in video.decode(stream)]
    assert len(decoded) == 5
    with Image.open(root / 'camel/overlay.gif') as gif:
        assert gif.n_frames == 5
    drawn = np.asarray(Image.open(root / 'camel/00003.png')).astype(int)
    assert np.abs(decoded[3][:65, :97] - drawn).mean() < 6


def test_overlay_pngs_show_the_predictions(made):
    write_overlays(made, ['png'])
    pred = np.asarray(Image.open(made / 'predictions/camel/00002.png'))
    frame = np.asarray(
        Image.open(made.parent / 'DAVIS/JPEGImages/480p/camel/00002.jpg')
    )
    drawn = np.asarray(Image.open(made / 'overlays/camel/00002.png'))
    assert np.array_equal(drawn[pred == 0], frame[pred == 0])
    assert (drawn[pred == 1] == davis_palette()[1]).all(1).any()  # its border


def test_overlays_name_what_they_lack(made, tmp_path):
    with pytest.raises(ValueError, match=r"some of \['png', 'gif', 'mp4'\], not \['a"):
        write_overlays(made, ['avi'])
    with pytest.raises(ValueError, match='fps is 0; it should be positive'):
        write_overlays(made, fps=0)
    with pytest.raises(FileNotFoundError, match='nothing'):
        write_overlays(made, ['png'], str(tmp_path / 'nothing'))
    (made / 'config.py').unlink()
    with pytest.raises(FileNotFoundError, match=r'frames of the 2 videos of .*--data'):
        write_overlays(made, ['png'])
