"""What a maker of a list is asked for, and what it says beside the lines."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from densecorr.engine.progress import FrameProgress
from densecorr.utils.data_info import load_data_info
from densecorr.utils.video_source import frame_order, iterate_videos

_SHOWN = 5  # names in a message


@dataclass
class ListRequest:
    """Folders and options of one list; counts and notes grow while lines are made.

    Attributes:
        data: folder of the data set.
        base: folder to which paths are relative; None is the parent of ``data``.
        every: frames whose number is a multiple of it are kept.
        all_frames: take the frames of the release of all frames.
        videos: number of videos listed so far.
        frames: number of their frames.
        notes: what a reader should know.
    """

    data: Path | None = None
    base: Path | None = None
    every: int = 1
    all_frames: bool = False
    videos: int = 0
    frames: int = 0
    notes: list[str] = field(default_factory=list)

    @property
    def folder(self) -> Path:
        """``data``, where a maker needs it."""
        assert self.data is not None  # write_list has refused None
        return self.data

    def count(self, frames: int) -> None:
        """Count one more video."""
        self.videos += 1
        self.frames += frames

    def thin(self, frames: Sequence[Path]) -> list[Path]:
        """The frames that ``every`` keeps, by the number in their name."""
        if self.every == 1:
            return list(frames)
        return [p for p in frames if frame_order(p.stem)[0] % self.every == 0]

    def relative(self, path: Path) -> str:
        """A path below ``base`` as lists have it: with ``/``, in front too.

        Links are not resolved.

        Raises:
            ValueError: ``data`` is not below ``base``.
        """
        data = _absolute(self.folder)
        base = data.parent if self.base is None else _absolute(self.base)
        if not data.is_relative_to(base):
            raise ValueError(
                f'{data} is not below {base}, to which the paths of the list are to be '
                'relative. Give a folder above it: --base FOLDER (base=...).'
            )
        return '/' + _absolute(path).relative_to(base).as_posix()

    def note_missing(
        self, listed: Sequence[str], present: Sequence[str], where: str
    ) -> None:
        """Note names that a list has and a folder lacks.

        Raises:
            FileNotFoundError: it lacks all of them.
        """
        lacking = [name for name in listed if name not in present]
        if listed and not present:
            raise FileNotFoundError(
                f'None of the {len(listed)} sequences {listed[:_SHOWN]} is {where}.'
            )
        if lacking:
            self.notes.append(
                f'{len(lacking)} of {len(listed)} sequences are not {where}: '
                f'{lacking[:_SHOWN]}'
            )

    def compare(self, dataset: str, split: str) -> None:
        """Note where the counts are not the published ones of a split."""
        totals = load_data_info(dataset).expected(split)
        for what, found, expected in (
            ('videos', self.videos, totals.sequences),
            ('frames', self.frames, totals.frames),
        ):
            if expected is not None and found != expected:
                self.notes.append(
                    f'{found} {what}, the published {split} has {expected}'
                )


def find_place(root: Path, places: Sequence[str]) -> Path:
    """The first of several places below a folder that exists.

    Raises:
        FileNotFoundError: names the folder, the places and what the folder holds.
    """
    for place in places:
        if (root / place).exists():
            return root / place
    if not root.is_dir():
        raise FileNotFoundError(f'There is no folder {str(root)!r}.')
    held = sorted(path.name for path in root.iterdir() if path.name[0] != '.')
    raise FileNotFoundError(
        f'{root} has none of {list(places)}; it holds {held[:_SHOWN]}. Name the folder '
        'that has one of them with --data (data=...).'
    )


def videos_below(folder: Path) -> Iterator[tuple[str, list[Path]]]:
    """Videos at any depth below a folder, with progress over its own folders."""
    total = sum(path.is_dir() for path in folder.iterdir())
    last = ''
    with FrameProgress(total, f'Listing {folder}', unit='folders') as progress:
        for name, frames in iterate_videos(folder):
            top = name.partition('/')[0]
            progress.advance(top != last)
            last = top
            yield name, frames


def _absolute(path: Path) -> Path:
    """An absolute path without ``..``; links are not resolved."""
    return Path(os.path.abspath(path))  # noqa: PTH100 (resolve() follows links)
