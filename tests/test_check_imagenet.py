"""Checking a folder of images that are no frames."""

import numpy as np

from densecorr.apis.check_data import check_data
from tests.test_check_datasets import split_of
from tests.trees import write_image


def test_images_of_imagenet_have_sizes_of_their_own(tmp_path):
    for number, name in enumerate(('n01/a.JPEG', 'n01/b.JPEG', 'n02/a.JPEG')):
        path = tmp_path / 'train' / name
        path.parent.mkdir(parents=True, exist_ok=True)
        write_image(path.with_suffix('.jpg'), np.zeros((9 + number, 9, 3), np.uint8))
        path.with_suffix('.jpg').rename(path)
    for deep in (False, True):
        (check,) = check_data('imagenet', tmp_path, deep=deep).splits
        assert (check.sequences, check.frames) == ((1000, 2), (1281167, 3))
        assert not check.problems
    path.write_bytes(path.read_bytes()[:-9])
    (problem,) = split_of('imagenet', tmp_path, 'train', deep=True).problems
    assert 'truncated or damaged' in problem
