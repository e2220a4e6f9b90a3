"""DAVIS resized in memory, frames and labels, as some published numbers have it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from densecorr.datasets.davis import DAVISDataset
from densecorr.datasets.frame_video import FrameVideo
from densecorr.registry import DATASETS


@DATASETS.register_module()
class ResizedDAVISDataset(DAVISDataset):
    """DAVIS whose frames and label maps are resized by nearest neighbour when read.

    Scores are those against the *resized* labels, which are not scores of DAVIS:
    ``metainfo`` says so in its ``note`` and in ``resized``. The official scripts resize
    the files themselves and store frames as JPEG again; here frames are resized after
    decoding, so they are cleaner than the original's by one compression.

    Args:
        resize: (height, width) in pixels.
        options: of :class:`DAVISDataset`.

    Raises:
        ValueError: ``resize`` is not two positive integers.

    Reference: Jiang et al., arXiv:2311.00961. Official: minhoooo1/CatMAE (0fb1f60),
        preparation of the 480 x 880 data.
    """

    def __init__(self, resize: Sequence[int], **options: Any) -> None:
        if len(resize) != 2 or min(resize) < 1 or any(x != int(x) for x in resize):
            raise ValueError(
                f'resize of ResizedDAVISDataset is {resize}; give (height, width) in '
                'pixels, for example (480, 880).'
            )
        self.resize = (int(resize[0]), int(resize[1]))
        super().__init__(**options)

    def _video(self, name: str) -> FrameVideo:
        return replace(super()._video(name), resize=self.resize)

    def _metainfo(self) -> dict[str, Any]:
        facts = super()._metainfo()
        height, width = self.resize
        remark = f'scored at {height}x{width}, against resized labels'
        place = f'not {facts["name"]} {facts["split"]}'
        rest = facts['note'].removesuffix(f': {place}')
        parts = ', '.join(part for part in (rest, remark) if part)
        return {**facts, 'resized': list(self.resize), 'note': f'{parts}: {place}'}
