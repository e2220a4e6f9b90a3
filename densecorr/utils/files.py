"""Writing files so that a stopped run leaves whole files or none."""

from __future__ import annotations

import contextlib
import errno
import filecmp
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

_FULL = (errno.ENOSPC, errno.EDQUOT)


def _write(handle: BinaryIO, data: bytes) -> None:
    """The one call through which every byte of the project's output goes."""
    handle.write(data)


def make_folder(path: str | Path) -> Path:
    """Create a folder and its parents.

    Raises:
        NotADirectoryError: the path, or a parent of it, is a regular file.
        OSError: the disk is full.
    """
    path = Path(path)
    for place in (path, *path.parents):
        if place.exists() and not place.is_dir():
            raise NotADirectoryError(
                f'{place} is a regular file, so {path} cannot be a folder. '
                'Give another output folder, or move the file away.'
            )
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _explain(error, path) from error
    return path


def write_atomic(path: str | Path, data: bytes | str) -> None:
    """Write a file in one step: readers see the old content or the new one.

    The content goes to ``.<name>.tmp`` in the same folder, which is then renamed. The
    name is fixed so that the file left by a killed run is overwritten by the next.
    Missing parent folders are made. A path has one writer at a time.

    Args:
        path: the file to write.
        data: its content; text is encoded as UTF-8 and keeps its line ends.

    Raises:
        NotADirectoryError: a parent of the path is a regular file.
        IsADirectoryError: the path is a folder.
        OSError: no space is left; nothing remains of the unfinished file.
    """
    path = Path(path)
    content = data.encode('utf-8') if isinstance(data, str) else data
    make_folder(path.parent)
    if path.is_dir():
        raise IsADirectoryError(f'{path} is a folder, a file cannot be written there.')
    temporary = path.with_name(f'.{path.name}.tmp')
    try:
        with temporary.open('wb') as handle:
            _write(handle, content)
        temporary.replace(path)
    except BaseException as error:
        temporary.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise _explain(error, path) from error
        raise


def write_lines(
    path: str | Path, lines: Iterable[str], *, overwrite: bool = False
) -> bool:
    """Write a text file line by line, in one step as :func:`write_atomic` does.

    Memory does not grow with the file. A file that has this very content is left alone.

    Args:
        path: the file to write.
        lines: without their ends; each gets one.
        overwrite: replace a file of other content.

    Returns:
        Whether the file was written.

    Raises:
        FileExistsError: it is there with other content; it stays as it was.
        NotADirectoryError: a parent of the path is a regular file.
        IsADirectoryError: the path is a folder.
        OSError: no space is left; nothing remains of the unfinished file.
    """
    path = Path(path)
    make_folder(path.parent)
    if path.is_dir():
        raise IsADirectoryError(f'{path} is a folder, a file cannot be written there.')
    temporary = path.with_name(f'.{path.name}.tmp')
    try:
        with temporary.open('wb') as handle:
            for line in lines:
                _write(handle, f'{line}\n'.encode())
        if path.exists() and filecmp.cmp(path, temporary, shallow=False):
            temporary.unlink()
            return False
        if path.exists() and not overwrite:
            raise FileExistsError(
                f'{path} is there with other content and was left alone. Give another '
                'name, or --overwrite (overwrite=True) to replace it.'
            )
        temporary.replace(path)
    except BaseException as error:
        temporary.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise _explain(error, path) from error
        raise
    return True


@contextlib.contextmanager
def full_disk_named(path: str | Path) -> Iterator[None]:
    """Around writers of other libraries: a full disk is told with path and remedy."""
    try:
        yield
    except OSError as error:
        raise _explain(error, Path(path)) from error


def _explain(error: OSError, path: Path) -> OSError:
    """The error to raise for ``error``: says what to do where the disk is full."""
    if error.errno not in _FULL:
        return error
    return OSError(
        error.errno,
        f'No space left on the device while writing {path}. '
        'Free space and run again; finished videos are kept.',
    )
