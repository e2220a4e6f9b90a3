"""Features and soft labels of the frames that can still be looked into."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Mapping

import torch
from mmengine.logging import print_log
from torch import Tensor

from densecorr.ops.keys import Keys, rounding_norms
from densecorr.ops.plan import parse_bytes


class Places:
    """Which frame lies in which place of a bank; places are used again.

    Args:
        capacity: frames kept at once; more places are made when needed.
    """

    def __init__(self, capacity: int) -> None:
        self.capacity = max(1, capacity)
        self._places: dict[int, int] = {}

    def __contains__(self, frame: int) -> bool:
        return frame in self._places

    def __getitem__(self, frame: int) -> int:
        return self._places[frame]

    def add(self, frame: int) -> int:
        """The first free place, now that of ``frame``; ``capacity`` grows if needed."""
        taken = set(self._places.values())
        free = set(range(self.capacity)) - taken or {self.capacity}
        place = self._places[frame] = min(free)
        self.capacity = max(self.capacity, place + 1)
        return place

    def keep(self, frames: Iterable[int]) -> list[int]:
        """Forget all frames but these; returns the ones forgotten."""
        gone = sorted(set(self._places) - set(frames))
        for frame in gone:
            del self._places[frame]
        return gone


class FrameMemory:
    """A bank of frames with a place for each; places are used again.

    Args:
        capacity: frames kept at once; more places are made when needed.
        max_bank: bound on the stored features, bytes or ``'2GB'``: features that do
            not fit in float32 are kept in float16, then in float16 on disk (a
            temporary file that vanishes with the process). ``None`` = no bound.
        keep_norms: keep what a bfloat16 search needs to know of every frame.
    """

    def __init__(
        self,
        capacity: int,
        max_bank: int | str | None = None,
        keep_norms: bool = False,
    ) -> None:
        self.places, self.keep_norms = Places(capacity), keep_norms
        self.max_bank = None if max_bank is None else parse_bytes(max_bank)
        self.store = 'float32'
        self._norms: dict[int, tuple[float, float]] = {}
        self._center: Tensor | None = None
        self._feats: Tensor | None = None
        self._labels: Tensor | None = None

    def __contains__(self, frame: int) -> bool:
        return frame in self.places

    @property
    def capacity(self) -> int:
        """Number of places."""
        return self.places.capacity

    def add(self, frame: int, feats: Tensor, labels: Tensor) -> None:
        """Keep a frame: ``(h, w, c)`` float32 features, ``(h * w, o)`` labels."""
        slot = self.places.add(frame)
        if self._feats is None or self._labels is None:
            self._allocate(feats, labels)
        elif self.capacity > len(self._feats):
            self._grow(feats, labels)
        assert self._feats is not None and self._labels is not None
        self._feats[slot].copy_(feats)
        n = len(labels)
        self._labels[slot * n : (slot + 1) * n].copy_(labels)
        if self.keep_norms:
            if self._center is None:
                self._center = feats.mean((0, 1))
            self._norms[frame] = rounding_norms(self._feats[slot], self._center)

    def keep(self, frames: Iterable[int]) -> None:
        """Forget all frames but these."""
        for frame in self.places.keep(frames):
            self._norms.pop(frame, None)

    def keys(self, entries: Mapping[int, tuple[int, int]]) -> Keys:
        """Keys of a context: frame to (copies in the window, copies outside)."""
        feats = self.feats
        near, far = [0] * self.capacity, [0] * self.capacity
        norms = [(0.0, 0.0)] * self.capacity
        for frame, copies in entries.items():
            slot = self.places[frame]
            near[slot], far[slot] = copies
            norms[slot] = self._norms.get(frame, (0.0, 0.0))
        kept = tuple(norms) if self.keep_norms else None
        return Keys(feats, tuple(near), tuple(far), self._center, kept)

    @property
    def feats(self) -> Tensor:
        """``(capacity, h, w, c)`` features of all places."""
        if self._feats is None:
            raise ValueError('the memory is empty: start the propagation first.')
        return self._feats

    @property
    def labels(self) -> Tensor:
        """``(capacity * h * w, o)`` labels of all places, for ``propagate``."""
        if self._labels is None:
            raise ValueError('the memory is empty: start the propagation first.')
        return self._labels

    def _allocate(self, feats: Tensor, labels: Tensor) -> None:
        shape = (self.capacity, *feats.shape)
        numbers = self.capacity * feats.numel()
        self.store = choose_store(numbers, self.max_bank)
        if self.store == 'disk':
            flat = _on_disk(numbers)
            self._feats = flat.view(shape)
        else:
            dtype = torch.float32 if self.store == 'float32' else torch.float16
            self._feats = feats.new_empty(shape, dtype=dtype)
        if self.store != 'float32':
            print_log(
                f'features of {self.capacity} frames exceed max_bank={self.max_bank} '
                f'bytes in float32: kept as float16'
                + (' on disk' if self.store == 'disk' else ''),
                logger='current',
            )
        self._labels = labels.new_zeros(self.capacity * len(labels), labels.shape[1])

    def _grow(self, feats: Tensor, labels: Tensor) -> None:
        """One more place, for one more reference frame."""
        old_feats, old_labels = self._feats, self._labels
        assert old_feats is not None and old_labels is not None
        self._allocate(feats, labels)
        assert self._feats is not None and self._labels is not None
        self._feats[: len(old_feats)].copy_(old_feats)
        self._labels[: len(old_labels)].copy_(old_labels)


def _on_disk(numbers: int) -> Tensor:
    """Half precision values in a temporary file that nobody else sees.

    Raises:
        OSError: the file does not fit. (Without asking now, a full disk would end the
            process at the first write.)
    """
    with tempfile.NamedTemporaryFile(prefix='densecorr-bank-') as file:
        try:
            os.posix_fallocate(file.fileno(), 0, 2 * numbers)
        except OSError as error:
            raise OSError(
                error.errno,
                f'no room for {2 * numbers} bytes of features in '
                f'{tempfile.gettempdir()}; set TMPDIR to a folder with more, or raise '
                'max_bank',
            ) from error
        return torch.from_file(
            file.name, shared=True, size=numbers, dtype=torch.float16
        )


def choose_store(numbers: int, max_bank: int | None) -> str:
    """``'float32'``, ``'float16'`` or ``'disk'`` for so many feature values."""
    if max_bank is None or 4 * numbers <= max_bank:
        return 'float32'
    return 'float16' if 2 * numbers <= max_bank else 'disk'
