"""The memory that a query frame looks into."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from .window import Window, grid_positions

BF16_ROUNDING = 2.0**-8  # largest relative error of one rounding to bfloat16


@dataclass(frozen=True)
class Keys:
    """Features of key frames and how often each stands in the memory.

    Args:
        feats: ``(m, h, w, c)``, channels last; float32, or float16 / bfloat16 where
            the store was bounded (scores are float32 all the same).
        near: copies of every frame inside the window of a query, ``m`` integers.
        far: copies outside the window, ``m`` integers, never more than ``near``. A
            frame that is never restricted has ``far = near``; a frame with
            ``near = 0`` is skipped.
        center: ``(c,)`` float32, subtracted from the keys before they are rounded to
            bfloat16: that shifts all scores of a query alike and leaves less to
            round. Any vector is right; the mean feature is good.
        norms: per frame :func:`rounding_norms` with ``center``, where the owner of the
            memory has kept them.

    Raises:
        ValueError: lengths differ, ``far`` exceeds ``near``, or nothing is left.
    """

    feats: Tensor
    near: tuple[int, ...]
    far: tuple[int, ...]
    center: Tensor | None = None
    norms: tuple[tuple[float, float], ...] | None = None

    def __post_init__(self) -> None:
        m = len(self.feats)
        if self.feats.ndim != 4:
            raise ValueError(
                f'key features should be (m, h, w, c), not {tuple(self.feats.shape)}.'
            )
        if len(self.near) != m or len(self.far) != m:
            raise ValueError(
                f'{m} key frames need as many copies: near has {len(self.near)}, far '
                f'has {len(self.far)}.'
            )
        if any(f > n or f < 0 for n, f in zip(self.near, self.far, strict=True)):
            raise ValueError(
                f'copies outside the window (far={self.far}) should be between 0 and '
                f'those inside it (near={self.near}).'
            )
        if not any(self.near):
            raise ValueError(
                'the memory is empty: no key frame has a copy. Start the propagation '
                'with a frame that has labels.'
            )

    @property
    def grid(self) -> tuple[int, int]:
        """``(h, w)`` of the key frames."""
        return self.feats.shape[1], self.feats.shape[2]

    def windowed_frames(self) -> list[int]:
        """Frames that are seen through the window only."""
        return [i for i, n in enumerate(self.near) if n and not self.far[i]]

    def global_frames(self) -> list[int]:
        """Frames of which every position is seen."""
        return [i for i, n in enumerate(self.near) if n and self.far[i]]

    @cached_property
    def rounding(self) -> tuple[float, float]:
        """:func:`rounding_norms` over all frames in use."""
        used = [i for i, n in enumerate(self.near) if n]
        norms: Any = self.norms
        if norms is None:
            norms = {i: rounding_norms(self.feats[i], self.center) for i in used}
        return max(norms[i][0] for i in used), max(norms[i][1] for i in used)

    def single(self) -> bool:
        """Whether no key has more than one copy."""
        return max(self.near) <= 1

    def copies(
        self, rows: Tensor, cols: Tensor, index: Tensor, window: Window
    ) -> Tensor:
        """Multiplicity of keys for queries.

        Args:
            rows: ``(q,)`` row of every query.
            cols: ``(q,)`` column of every query.
            index: ``(q, d)`` keys, ``frame * h * w + position``.
            window: which positions are near.

        Returns:
            ``(q, d)`` int64.
        """
        h, w = self.grid
        frame = torch.div(index, h * w, rounding_mode='floor')
        position = index % (h * w)
        dy = torch.div(position, w, rounding_mode='floor') - rows[:, None]
        near = window.contains(dy, position % w - cols[:, None])
        table = torch.tensor([self.far, self.near], device=index.device)  # (2, m)
        return table[near.long(), frame]


def query_positions(query: Tensor) -> tuple[Tensor, Tensor]:
    """Row and column of every position of ``(h, w, c)`` queries."""
    return grid_positions(query.shape[0], query.shape[1], query.device)


def rounding_norms(feats: Tensor, center: Tensor | None = None) -> tuple[float, float]:
    """Largest lengths of ``(h, w, c)`` features and of their bfloat16 residues.

    ``center`` ``(c,)`` is subtracted from the features first.
    """
    length = lost = 0.0
    for rows in feats.split(8):  # a few rows at a time: no copy of the whole map
        rows = rows.float() if center is None else rows.float() - center
        residue = rows - rows.bfloat16().float()
        length = max(length, float(rows.norm(dim=-1).max()))
        lost = max(lost, float(residue.norm(dim=-1).max()))
    return length, lost
