"""From folders of frames to video names and ordered frames."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

IMAGE_SUFFIXES = frozenset(
    ('.jpg', '.jpeg', '.png', '.bmp', '.tif', '.tiff', '.webp', '.ppm', '.pgm')
)
VIDEO_SUFFIXES = frozenset(
    ('.mp4', '.m4v', '.mov', '.mkv', '.webm', '.avi', '.mpg', '.mpeg', '.wmv', '.gif')
)
_NUMBER = re.compile('([0-9]+)')
_SHOWN = 5  # names in an error message


def frame_order(name: str) -> tuple:
    """Sort key of a frame's name: by the last number in it, then by the name.

    Names without a number come first. Between names of the same last number, digits
    are compared as numbers, so ``1_480p 2_480p 10_480p`` stay in this order.
    """
    parts = _NUMBER.split(name)  # text, number, text, ... text
    numbers = [int(part) for part in parts[1::2]]
    return numbers[-1] if numbers else -1, parts[::2], numbers, name


def is_frame(path: Path) -> bool:
    """Whether a path looks like an image: by suffix in any case, not hidden."""
    return has_suffix(path.name, IMAGE_SUFFIXES)


def has_suffix(name: str, suffixes: frozenset[str]) -> bool:
    """Whether a file's name ends in one of ``suffixes`` in any case and is not hidden.

    Args:
        name: without folders.
        suffixes: lower case with dot.
    """
    _, dot, suffix = name.rpartition('.')
    return name[:1] != '.' and f'{dot}{suffix}'.lower() in suffixes


def list_frames(
    folder: str | Path, suffixes: Iterable[str] | None = None
) -> list[Path]:
    """Frames of one folder in time order; hidden files and other files are ignored.

    Args:
        folder: folder of one video.
        suffixes: accept only these, lower case with dot; default every image.

    Raises:
        FileNotFoundError: there is no such folder.
        ValueError: it holds no image, or two images of one frame name.
    """
    folder = Path(folder)
    return [folder / name for name in frame_names(folder, suffixes)]


def frame_names(folder: str | Path, suffixes: Iterable[str] | None = None) -> list[str]:
    """Names of the files of :func:`list_frames`, which is slower.

    Raises:
        FileNotFoundError: there is no such folder.
        ValueError: it holds no image, or two images of one frame name.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise FileNotFoundError(f'There is no folder of frames {str(folder)!r}.')
    wanted = IMAGE_SUFFIXES if suffixes is None else frozenset(suffixes)
    with os.scandir(folder) as entries:
        held = [entry.name for entry in entries]
    frames = [name for name in held if has_suffix(name, wanted)]
    if not frames:
        shown = sorted(name for name in held if not name.startswith('.'))
        content = f'only {shown[:_SHOWN]}' if shown else 'nothing'
        raise ValueError(
            f'{str(folder)!r} holds no frame, {content}. '
            f'Frames are files that end in {sorted(wanted)} (any case).'
        )
    stems = {name: name.rpartition('.')[0] for name in sorted(frames)}
    by_stem = {stem: name for name, stem in stems.items()}
    if len(by_stem) < len(frames):
        one = next(name for name, stem in stems.items() if by_stem[stem] != name)
        raise ValueError(
            f'{str(folder)!r} holds {one!r} and {by_stem[stems[one]]!r}: two files of '
            'one frame name. Keep one format in the folder.'
        )
    return sorted(frames, key=lambda name: frame_order(stems[name]))


def find_videos(root: str | Path) -> dict[str, list[Path]]:
    """Every folder at or below ``root`` that holds images: video id to its frames.

    The id is the folder's path below the root with ``/`` between its parts, or the
    root's own name for frames that lie directly in it. Linked folders are followed,
    each once. Hidden folders are ignored.

    Raises:
        FileNotFoundError: there is no such folder.
        ValueError: no folder holds an image.
    """
    return dict(sorted(iterate_videos(root)))


def iterate_videos(root: str | Path) -> Iterator[tuple[str, list[Path]]]:
    """The videos of :func:`find_videos`, one after the other in the order of folders.

    Memory does not grow with the number of videos.

    Raises:
        FileNotFoundError: there is no such folder.
        ValueError: no folder holds an image.
    """
    root = Path(root)
    if not root.is_dir():
        raise FileNotFoundError(f'There is no folder of videos {str(root)!r}.')
    seen, count = set(), 0
    for place, folders, files in os.walk(root, followlinks=True):
        real = Path(place).resolve()
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(name for name in folders if not name.startswith('.'))
        folder = Path(place)
        if any(is_frame(folder / name) for name in files):
            count += 1
            name = folder.relative_to(root).as_posix()
            yield root.resolve().name if name == '.' else name, list_frames(folder)
    if not count:
        raise ValueError(
            f'No folder at or below {str(root)!r} holds a frame. '
            f'Frames are files that end in {sorted(IMAGE_SUFFIXES)} (any case).'
        )
