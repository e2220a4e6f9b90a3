"""AugmentedImages: parts of images with the same parts of their labels."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from densecorr.datasets.augmented_images import AugmentedImages
from densecorr.registry import DATASETS
from densecorr.structures import LabelledImage, LabelMap

HEIGHT, WIDTH = 40, 60


class Ramps:
    """Images whose colour tells the place, and labels that tell it too."""

    def __init__(self, names: int = 2, root: str | None = None) -> None:
        rows, cols = np.mgrid[:HEIGHT, :WIDTH].astype(np.uint8)
        image = np.stack([rows, cols, np.full_like(rows, 9)], -1)
        self.metainfo: dict[str, Any] = dict(classes=['a', 'b'], root=root)
        self.images = [
            LabelledImage(
                name=f'{n}',
                group=f'{n}',
                read_image=lambda: image,
                read_labels=lambda: LabelMap(rows + cols),
                hash_inputs=lambda: '',
                part='train',
            )
            for n in range(names)
        ]

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> LabelledImage:
        return self.images[index]


@pytest.fixture
def ramps(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.setitem(DATASETS.module_dict, 'Ramps', Ramps)
    return dict(type='Ramps')


def test_labels_are_of_the_same_part(ramps: dict[str, Any]) -> None:
    found = AugmentedImages(ramps, epochs=3, jitter=0, seed=4)
    assert len(found) == 6
    assert [image.name for image in found][:3] == ['0/0', '0/1', '1/0']
    assert found.metainfo['epochs'] == 3
    sizes = set()
    for image in found:
        pixels, labels = image.read_image(), image.read_labels().indices
        assert (pixels[..., 0] + pixels[..., 1] == labels).all()
        assert 0.45 * HEIGHT * WIDTH < labels.size <= HEIGHT * WIDTH
        sizes.add(labels.shape)
    assert len(sizes) > 2  # every epoch and image has its own draw


def test_draws_depend_on_seed_epoch_and_name_alone(ramps: dict[str, Any]) -> None:
    one, two = (AugmentedImages({**ramps, 'names': n}, seed=1) for n in (1, 2))
    assert (one[0].read_image() == two[0].read_image()).all()
    assert one[0].hash_inputs() == two[0].hash_inputs()
    other = AugmentedImages(ramps, seed=2)
    assert other[0].hash_inputs() != one[0].hash_inputs()
    coloured = AugmentedImages(ramps, epochs=4, jitter=0.5)
    plain = AugmentedImages(ramps, epochs=4, jitter=0)
    pairs = zip(coloured, plain, strict=True)
    changed = [bool((a.read_image() != b.read_image()).any()) for a, b in pairs]
    assert any(changed)
    assert coloured.images[0].part == 'train'


def test_options_reach_the_dataset(ramps: dict[str, Any]) -> None:
    assert AugmentedImages(ramps, root='data').metainfo['root'] == 'data'
    with pytest.raises(ValueError, match='epochs is 0; give at least 1'):
        AugmentedImages(ramps, epochs=0)
    with pytest.raises(ValueError, match=r'area is \(0, 1\); give a range above 0'):
        AugmentedImages(ramps, area=(0, 1))
