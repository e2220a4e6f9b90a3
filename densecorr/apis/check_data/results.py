"""What a check found, and its text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from densecorr.utils.data_info import DataInfo
from densecorr.utils.tree_listing import found_tree

_SHOWN = 6  # names in a line of a problem
_LINES = 40  # problems and missing names of a split


@dataclass
class Request:
    """What to check and how.

    Attributes:
        info: facts of the dataset.
        root: its folder.
        splits: names of splits; None takes those that are there.
        resolution: folder below ``JPEGImages`` and ``Annotations`` of DAVIS.
        deep: decode every file.
    """

    info: DataInfo
    root: Path
    splits: Sequence[str] | None = None
    resolution: str = '480p'
    deep: bool = False

    def nothing(self, place: Path | str) -> FileNotFoundError:
        """The error of a root that holds no split."""
        return FileNotFoundError(
            f'{place} holds no sequence of {self.info.title}.\n'
            f'{self.info.instructions()}\n{found_tree(self.root)}'
        )


@dataclass
class SplitCheck:
    """What was found of one split.

    Attributes:
        name: ``'<year>/<split>'``, or what the dataset calls it.
        sequences: expected and found sequences; expected is None where not known.
        frames: expected and found frames; None where not known or not counted.
        missing: sequences that are not there.
        problems: everything else that is wrong, one line each.
        notes: what a user may want to know, though nothing is wrong.
    """

    name: str
    sequences: tuple[int | None, int]
    frames: tuple[int | None, int | None]
    missing: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def whole(self) -> bool:
        """Whether nothing is missing, as far as numbers are known."""
        counts = (self.sequences, self.frames)
        equal = (want is None or got in (None, want) for want, got in counts)
        return not self.missing and all(equal)

    @property
    def ok(self) -> bool:
        """Whether the split is complete and sound."""
        return self.whole and not self.problems

    def __str__(self) -> str:
        known = self.sequences[0] is not None or self.frames[0] is not None
        state = 'complete' if known else 'sound; how much it should be is not known'
        if self.problems:
            state = 'something is wrong'
        if not self.whole:
            state = 'not the whole split'
        counts = f'{_of(*self.sequences)} sequences'
        if self.frames[1] is not None:
            counts += f', {_of(self.frames[0], self.frames[1])} frames'
        lines = [f'{self.name}: {counts}: {state}']
        if self.missing:
            lines.append(f'  missing sequences: {names(self.missing, _LINES)}')
        lines += [f'  {problem}' for problem in self.problems[:_LINES]]
        if len(self.problems) > _LINES:
            lines.append(f'  ... and {len(self.problems) - _LINES} more problems')
        return '\n'.join([*lines, *(f'  note: {note}' for note in self.notes)])


@dataclass
class DataCheck:
    """Result of :func:`check_data`; its text is the report."""

    info: DataInfo
    root: Path
    splits: list[SplitCheck]

    @property
    def ok(self) -> bool:
        """Whether every split is complete and sound."""
        return all(split.ok for split in self.splits)

    def __str__(self) -> str:
        lines = [f'{self.info.title} in {self.root}', *map(str, self.splits)]
        end = f'Licence: {self.info.licence}' if self.ok else self.info.instructions()
        return '\n'.join([*lines, end])


def names(items: Sequence[str], shown: int = _SHOWN) -> str:
    """The first names in one line, and how many there are if these are not all."""
    more = f' ... ({len(items)})' if len(items) > shown else ''
    return ' '.join(items[:shown]) + more


def _of(expected: int | None, found: int) -> str:
    return str(found) if expected is None else f'{found} of {expected}'
