"""Features of a dataset on disk: float16, memory-mapped, resumable."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from densecorr.engine.fingerprint import canonical, check_same
from densecorr.utils.files import make_folder, write_atomic
from densecorr.utils.mapped import release_pages

_FACTS, _ROWS, _DONE = 'features.json', 'features.npy', 'done.npy'


class FeatureStore:
    """``(n, h, w, c)`` float16 maps in a folder, of one fingerprint.

    ``features.npy`` has the maps, ``done.npy`` a 1 for every image that is there, so
    that an interrupted extraction goes on where it stopped. Processes of one machine
    write different images of the same file.

    Args:
        folder: of the files.
        fingerprint: of all that the features depend on.
    """

    def __init__(self, folder: str | Path, fingerprint: Mapping[str, Any]) -> None:
        self.folder = Path(folder)
        self.fingerprint = canonical(fingerprint)
        self.maps: np.ndarray = np.zeros((0, 0, 0, 0), np.float16)
        self._done: np.ndarray = np.zeros(0, np.uint8)

    def create(self, shape: Sequence[int]) -> None:
        """Make the files, or keep those that are there; one process does this.

        Raises:
            ValueError: they are of another fingerprint or shape.
        """
        make_folder(self.folder)
        facts = dict(fingerprint=self.fingerprint, shape=list(shape))
        path = self.folder / _FACTS
        files = [self.folder / name for name in (_ROWS, _DONE)]
        if path.is_file():
            found = json.loads(path.read_text(encoding='utf-8'))
            check_same(facts, found, str(path))
            if all(file.is_file() for file in files):
                return
        maps = np.lib.format.open_memmap(files[0], 'w+', np.float16, tuple(shape))
        done = np.lib.format.open_memmap(files[1], 'w+', np.uint8, (shape[0],))
        done[:] = 0
        for array in (maps, done):
            array.flush()
        write_atomic(path, json.dumps(facts, indent=1, sort_keys=True) + '\n')

    def open(self) -> None:
        """Map the files; after :meth:`create` by one process."""
        self.maps = np.load(self.folder / _ROWS, mmap_mode='r+')
        self._done = np.load(self.folder / _DONE, mmap_mode='r+')

    def missing(self) -> list[int]:
        """Numbers of the images that are still to be written."""
        return np.flatnonzero(self._done == 0).tolist()

    def write(self, images: Sequence[int], maps: np.ndarray) -> None:
        """Write the maps ``(b, h, w, c)`` of some images, then mark them.

        Raises:
            ValueError: features are not finite in float16.
        """
        with np.errstate(over='ignore'):  # found below, and named
            small = maps.astype(np.float16)
        if not np.isfinite(small).all():
            raise ValueError(
                'features are NaN, infinite or above 65504, the largest float16. '
                'Check the weights, or normalise the features.'
            )
        self.maps[list(images)] = small
        self._done[list(images)] = 1
        release_pages(self.maps)
