"""Unpacking zip and tar archives of data sets, whose content nobody has looked at.

Nothing is written outside the folder, no link is made, no file of other content is
replaced, and a file has its name only when it is whole.
"""

from __future__ import annotations

import contextlib
import gzip
import lzma
import posixpath
import re
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import IO, Any

from densecorr.utils.files import full_disk_named, make_folder

Progress = Callable[[int, int], None]  # bytes that are done, of how many

_BLOCK = 1 << 20
_SHOWN = 6  # names in a message
_TAR_BLOCK = 512  # bytes, POSIX.1-2001, pax interchange format
_ENCRYPTED = 0x1  # general purpose bit 0, APPNOTE 4.4.4
_JUNK = '__MACOSX'  # top folder in which macOS keeps what is no file of the user
_DRIVE = re.compile('[A-Za-z]:')
_DAMAGED = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    gzip.BadGzipFile,
    lzma.LZMAError,
    EOFError,
    NotImplementedError,  # of zipfile: a compression that it does not know
)


@dataclass(frozen=True)
class Unpacked:
    """What :func:`unpack` did.

    Attributes:
        written: number of files.
        present: number of files that were there with the same content.
        kept: files that were there with another content and were left alone.
    """

    written: int
    present: int
    kept: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Member:
    """A file of an archive.

    Attributes:
        size: in bytes, as the archive says.
        crc: CRC-32 of the content; None in tar archives, which keep none.
        open: for reading.
    """

    size: int
    crc: int | None
    open: Callable[[], IO[bytes]]


def unpack(
    archive: str | Path,
    folder: str | Path,
    drop: str = '',
    progress: Progress | None = None,
    keep: Sequence[str] = (),
) -> Unpacked:
    """Unpack a zip or tar archive; files that are there already are kept.

    All names are looked at before anything is written. A run that was stopped goes on
    with what is lacking. Links to files of the archive become copies of these files.

    Args:
        archive: file; its kind is recognised by content.
        folder: where the files go; made where missing.
        drop: top folder of the archive that is left out of the names, such as
            ``'DAVIS'``.
        progress: called with the bytes that are done and those of all files.
        keep: patterns of names, such as ``'README*'``, that are left alone where they
            are there with another content.

    Raises:
        FileNotFoundError: there is no such archive.
        ValueError: it is no archive, damaged or encrypted, or a member would leave the
            folder, is a device or a link to something else than a file of the archive.
        FileExistsError: a file of the folder has another content than the archive's.
        OSError: the files need more space than there is.
    """
    archive, folder = Path(archive), Path(folder)
    if not archive.is_file():
        raise FileNotFoundError(f'There is no archive {str(archive)!r}.')
    with _damage_named(archive), _members(archive) as found:
        members = _placed(found, drop)
        present = {name for name in members if (folder / name).is_file()}
        there = (name for name in members if name in present)  # in the archive's order
        other = [name for name in there if not _same(members[name], folder / name)]
        kept = tuple(n for n in other if any(fnmatch(n, pattern) for pattern in keep))
        other = [name for name in other if name not in kept]
        if other:
            more = f' and {len(other) - _SHOWN} more' if len(other) > _SHOWN else ''
            raise FileExistsError(
                f'{folder} holds {other[:_SHOWN]}{more} with another content than '
                f'{archive}. Nothing was unpacked: move these files away, or unpack '
                'into another folder.'
            )
        lacking = {n: member for n, member in members.items() if n not in present}
        total = sum(member.size for member in members.values())
        _check_space(archive, folder, sum(m.size for m in lacking.values()))
        done = total - sum(member.size for member in lacking.values())
        for name, member in lacking.items():
            _write(member, folder / name)
            done += member.size
            if progress:
                progress(done, total)
    return Unpacked(len(lacking), len(present) - len(kept), kept)


@contextlib.contextmanager
def _damage_named(archive: Path) -> Iterator[None]:
    try:
        yield
    except _DAMAGED as error:
        raise ValueError(
            f'{archive} is damaged or was cut off ({error}). Fetch it again.'
        ) from error


@contextlib.contextmanager
def _members(archive: Path) -> Iterator[dict[str, _Member]]:
    """Files by name; links have become the files to which they point."""
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as opened:
            yield _zip_members(archive, opened)
    elif tarfile.is_tarfile(archive):
        with tarfile.open(archive) as tar:
            yield _tar_members(archive, tar)
    else:
        raise ValueError(
            f'{archive} ({archive.stat().st_size} bytes) is not a zip or tar archive '
            'that can be read, or it was cut off. Fetch it again.'
        )


def _zip_members(archive: Path, opened: zipfile.ZipFile) -> dict[str, _Member]:
    members, links = {}, {}
    for info in opened.infolist():
        name = _checked_name(archive, info.filename)
        kind = stat.S_IFMT(info.external_attr >> 16)  # of Unix; 0 where unknown
        if info.flag_bits & _ENCRYPTED:
            raise ValueError(
                f'{archive} is encrypted ({info.filename!r}). Unpack it with the '
                'password that its owner gives, for example with 7z.'
            )
        if kind == stat.S_IFLNK:
            target = opened.read(info).decode('utf-8', 'replace')
            links[name] = posixpath.join(posixpath.dirname(name), target)
        elif kind not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise _device(archive, info.filename)
        elif not info.is_dir():
            read = _opener(opened.open, info)
            members[name] = _Member(info.file_size, info.CRC, read)
    return _followed(archive, members, links)


def _tar_members(archive: Path, tar: tarfile.TarFile) -> dict[str, _Member]:
    members, links, end = {}, {}, 0
    for info in tar:
        end = info.offset_data + info.size + -info.size % _TAR_BLOCK
        name = _checked_name(archive, info.name)
        if info.issym():
            links[name] = posixpath.join(posixpath.dirname(name), info.linkname)
        elif info.islnk():
            links[name] = info.linkname
        elif info.isreg():
            members[name] = _Member(info.size, None, _opener(tar.extractfile, info))
        elif not info.isdir():
            raise _device(archive, info.name)
    _read_tar_end(tar, end)
    return _followed(archive, members, links)


def _read_tar_end(tar: tarfile.TarFile, end: int) -> None:
    """Read what follows the last file: ``tarfile`` takes what was cut off for whole.

    Raises:
        EOFError: the archive has no end.
    """
    file: Any = tar.fileobj
    file.seek(end)
    if file.read(_TAR_BLOCK) != bytes(_TAR_BLOCK):
        raise EOFError('the end of the archive is missing')
    while file.read(_BLOCK):  # to where the checksum of a compressed archive is
        pass


def _opener(function: Callable[[Any], Any], info: object) -> Callable[[], IO[bytes]]:
    return lambda: function(info)


def _checked_name(archive: Path, name: str) -> str:
    """A member's name with ``/`` between its parts.

    Raises:
        ValueError: it leads out of the folder.
    """
    plain = name.replace('\\', '/')
    parts = plain.split('/')
    if plain.startswith('/') or _DRIVE.match(plain) or '..' in parts or '\0' in plain:
        raise ValueError(
            f'{archive} has a member {name!r} that leads out of the folder. It is no '
            'archive of a data set; nothing was unpacked.'
        )
    return posixpath.normpath(plain)


def _followed(
    archive: Path, members: dict[str, _Member], links: Mapping[str, str]
) -> dict[str, _Member]:
    """Members and, in place of the links, the files to which they point."""
    for name, target in links.items():
        path = posixpath.normpath(target.replace('\\', '/'))
        if path not in members:
            raise ValueError(
                f'{archive} has a link {name!r} to {target!r}, which is no file of the '
                'archive. Nothing was unpacked.'
            )
    return members | {
        name: members[posixpath.normpath(target.replace('\\', '/'))]
        for name, target in links.items()
    }


def _device(archive: Path, name: str) -> ValueError:
    return ValueError(
        f'{archive} has a member {name!r} that is neither a file, a folder nor a link. '
        'Nothing was unpacked.'
    )


def _placed(members: Mapping[str, _Member], drop: str) -> dict[str, _Member]:
    """Members by their name below the folder."""
    top = f'{drop.strip("/")}/' if drop else ''
    return {
        name.removeprefix(top): member
        for name, member in members.items()
        if not name.startswith(f'{_JUNK}/')
    }


def _same(member: _Member, path: Path) -> bool:
    if path.stat().st_size != member.size:
        return False
    with path.open('rb') as file:
        if member.crc is not None:
            crc = 0
            while block := file.read(_BLOCK):
                crc = zlib.crc32(block, crc)
            return crc == member.crc
        with member.open() as packed:
            while block := file.read(_BLOCK):
                if block != packed.read(len(block)):
                    return False
    return True


def _check_space(archive: Path, folder: Path, needed: int) -> None:
    place = next(p for p in (folder, *folder.absolute().parents) if p.exists())
    free = shutil.disk_usage(place).free
    if needed > free:
        raise OSError(
            f'the files of {archive} need {needed} bytes, but only {free} are free in '
            f'{place}. Nothing was unpacked: free space, or name another folder.'
        )


def _write(member: _Member, path: Path) -> None:
    """Write a file under a temporary name and rename it."""
    make_folder(path.parent)
    temporary = path.with_name(f'.{path.name}.tmp')
    try:
        with full_disk_named(path), member.open() as packed:
            with temporary.open('wb') as handle:
                shutil.copyfileobj(packed, handle, _BLOCK)
            if temporary.stat().st_size != member.size:
                raise EOFError(f'{path.name} ends early')
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
