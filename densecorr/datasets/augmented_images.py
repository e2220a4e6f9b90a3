"""Labelled images, cropped and coloured at random: more to remember of each."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from densecorr.datasets.transforms.boxes import Box, central_box
from densecorr.datasets.transforms.random_resized_crop import draw_box
from densecorr.datasets.video_frames import hash_arrays
from densecorr.registry import DATASETS, TRANSFORMS
from densecorr.structures import LabelledImage, LabelMap
from densecorr.utils.randomness import item_rng

_RATIO = (3 / 4, 4 / 3)  # of width and height, as in torchvision
_JITTER = ('brightness', 'contrast', 'saturation', 'hue')


@DATASETS.register_module()
class AugmentedImages:
    """Every image of a dataset some times, each a random part in random colours.

    A draw depends on the seed, the epoch and the name of the image. Parts keep their
    resolution; the model resizes them, as it does whole images.

    Args:
        dataset: config of a dataset of :class:`LabelledImage`.
        epochs: how often every image comes.
        area: range of a part's area, a fraction of the image's; parts larger than the
            image are drawn again, and after ten tries it is taken whole (or the
            largest centred part, where it is longer than 4 to 3).
        jitter: by how much brightness, contrast, saturation and hue change, each in
            half of the draws.
        seed: of the draws.
        options: laid over those of ``dataset``, such as ``root``.

    Reference: vpariza/open-hummingbird-eval (5e79da2)
        ``get_hbird_train_transforms``, whose numbers are the defaults.
    """

    def __init__(
        self,
        dataset: Mapping[str, Any],
        epochs: int = 1,
        area: Sequence[float] = (0.5, 2.0),
        jitter: float = 0.1,
        seed: int = 0,
        **options: Any,
    ) -> None:
        if epochs < 1:
            raise ValueError(f'epochs is {epochs}; give at least 1.')
        if not 0 < area[0] <= area[1]:
            raise ValueError(f'area is {tuple(area)}; give a range above 0.')
        given = {key: value for key, value in options.items() if value is not None}
        self.dataset: Any = DATASETS.build({**dataset, **given})
        self.area, self.seed = (float(area[0]), float(area[1])), seed
        self.steps = [
            TRANSFORMS.build(
                {'type': 'ClipColorJitter', name: jitter, 'prob': 0.5}
                | dict(engine='pillow')
            )
            for name in _JITTER
        ]
        images = [self.dataset[i] for i in range(len(self.dataset))]
        self.images = [self._image(i, epoch) for epoch in range(epochs) for i in images]
        self.metainfo = dict(self.dataset.metainfo, epochs=epochs)

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> LabelledImage:
        return self.images[index]

    def _image(self, image: LabelledImage, epoch: int) -> LabelledImage:
        def read() -> np.ndarray:
            whole = image.read_image()
            rng = self._rng(image, epoch)
            part = _part(whole, self._box(rng, whole))
            sample: dict[str, Any] = dict(frames=part[None], rng=rng)
            for step in self.steps:
                sample = step(sample)
            return sample['frames'][0]

        def read_labels() -> LabelMap:
            found = image.read_labels()
            box = self._box(self._rng(image, epoch), found.indices)
            return LabelMap(_part(found.indices, box), found.palette)

        return replace(
            image,
            name=f'{epoch}/{image.name}',
            group=f'{epoch}/{image.group}',
            read_image=read,
            read_labels=read_labels,
            hash_inputs=lambda: hash_arrays(read, read_labels),
        )

    def _rng(self, image: LabelledImage, epoch: int) -> np.random.Generator:
        return item_rng(self.seed, epoch, zlib.crc32(image.name.encode()))

    def _box(self, rng: np.random.Generator, pixels: np.ndarray) -> Box:
        """The part of an image; what is drawn first, so labels get the same."""
        size = (pixels.shape[0], pixels.shape[1])
        return draw_box(rng, size, self.area, _RATIO, central_box(size, _RATIO))


def _part(pixels: np.ndarray, box: Box) -> np.ndarray:
    top, left, height, width = box
    return np.ascontiguousarray(pixels[top : top + height, left : left + width])
