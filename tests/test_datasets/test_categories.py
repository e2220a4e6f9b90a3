"""Object numbers to category numbers."""

from __future__ import annotations

import numpy as np
import pytest

from densecorr.datasets.categories import number_categories, objects_to_categories


def test_numbers_are_sorted_and_complete() -> None:
    numbers = number_categories([{1: 'cat', 5: 'ape'}, {1: 'dog', 2: 'cat', 3: ''}])
    assert numbers == dict(ape=1, cat=2, dog=3)
    many = {number: f'{number:03d}' for number in range(256)}
    with pytest.raises(ValueError, match=r'256 categories; label maps have.* 255'):
        number_categories([many])


def test_all_objects_at_once_or_one_after_the_other() -> None:
    objects = np.array([[0, 1], [2, 255]], np.uint8)
    categories = {1: 2, 2: 7}
    mapped = objects_to_categories(objects, categories)
    assert mapped.dtype == np.uint8
    assert mapped.tolist() == [[0, 2], [7, 255]]
    in_place = objects_to_categories(objects, categories, in_place=True)
    assert in_place.tolist() == [[0, 7], [7, 255]]
    assert objects.tolist() == [[0, 1], [2, 255]]  # the input is as it was
