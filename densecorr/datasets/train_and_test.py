"""Two datasets of labelled images as one: labels to learn from, labels to score."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from densecorr.registry import DATASETS
from densecorr.structures import LabelledImage


@DATASETS.register_module()
class TrainAndTest:
    """The images of ``train``, then those of ``test``; items are told by ``part``.

    Names get the part in front, so that an image may be in both.

    Args:
        train: config of a dataset of :class:`LabelledImage`.
        test: the same.
        root: of both, if given.
        sequences: test only on these; None: on all.
        max_frames: take only the first so many images of each.
        reader: image decoder of both, if given.

    Raises:
        ValueError: the parts have other classes.
    """

    def __init__(
        self,
        train: Mapping[str, Any],
        test: Mapping[str, Any],
        root: str | Path | None = None,
        sequences: Sequence[str] | None = None,
        max_frames: int | None = None,
        reader: str | None = None,
    ) -> None:
        options = dict(root=root, max_frames=max_frames, reader=reader)
        given = {key: value for key, value in options.items() if value is not None}
        chosen = {} if sequences is None else dict(sequences=sequences)
        self.parts: dict[str, Any] = dict(
            train=DATASETS.build({**train, **given}),
            test=DATASETS.build({**test, **given, **chosen}),
        )
        known = [dataset.metainfo.get('classes') for dataset in self.parts.values()]
        if known[0] != known[1]:
            raise ValueError(
                f'train has classes {known[0]}, test has {known[1]}. A probe needs the '
                'same in both: take two splits of one dataset.'
            )
        self.images = [
            replace(
                image,
                name=f'{part}/{image.name}',
                group=f'{part}/{image.group}',
                part=part,
            )
            for part, dataset in self.parts.items()
            for image in (dataset[i] for i in range(len(dataset)))
        ]
        metas = [dataset.metainfo for dataset in self.parts.values()]
        self.metainfo = dict(
            metas[1],
            train=metas[0],
            complete=all(meta.get('complete', True) for meta in metas),
            note=' '.join(meta['note'] for meta in metas if meta.get('note')),
        )

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> LabelledImage:
        return self.images[index]
