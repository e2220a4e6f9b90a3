import hashlib
import itertools

import numpy as np
from PIL import Image

from tests.trees import moving_blobs, voc_palette, write_davis_tree


def test_palette_starts_with_the_voc_colours():
    first = [(0, 0, 0), (128, 0, 0), (0, 128, 0), (128, 128, 0), (0, 0, 128)]
    np.testing.assert_array_equal(voc_palette()[:5], first)
    np.testing.assert_array_equal(voc_palette()[[8, 9]], [(64, 0, 0), (192, 0, 0)])


def test_every_blob_is_in_every_frame_and_moves():
    frames, label_maps = moving_blobs(5, ids=(1, 4, 7))
    assert frames.shape == (5, 64, 96, 3)
    for label_map in label_maps:
        assert set(np.unique(label_map)) == {0, 1, 4, 7}
    assert all((a != b).any() for a, b in itertools.pairwise(label_maps))


def test_tree_has_the_davis_layout_and_is_deterministic(tmp_path):
    one = write_davis_tree(tmp_path / 'one', {'a': 3}, annotated=[0])
    two = write_davis_tree(tmp_path / 'two', {'a': 3}, annotated=[0])
    files = sorted(p.relative_to(one).as_posix() for p in one.rglob('*.*'))
    assert files == [
        'Annotations/480p/a/00000.png',
        'ImageSets/2017/val.txt',
        'JPEGImages/480p/a/00000.jpg',
        'JPEGImages/480p/a/00001.jpg',
        'JPEGImages/480p/a/00002.jpg',
    ]
    for name in files:
        digests = [hashlib.sha256((r / name).read_bytes()) for r in (one, two)]
        assert digests[0].digest() == digests[1].digest()
    with Image.open(one / files[0]) as image:
        assert image.mode == 'P'
        assert set(np.unique(np.asarray(image))) == {0, 1, 2}


def test_year_2016_is_grey_with_255(tmp_path):
    root = write_davis_tree(tmp_path, {'a': 1}, year=2016)
    with Image.open(root / 'Annotations/480p/a/00000.png') as image:
        assert image.mode == 'L'
        assert set(np.unique(np.asarray(image))) == {0, 255}
