"""Downloads that go on where they stopped, and that are never taken for whole early."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO
from urllib.error import HTTPError
from urllib.parse import unquote, urlparse
from urllib.request import Request, urlopen

from mmengine.logging import print_log

from densecorr.utils.files import full_disk_named, make_folder, write_atomic
from densecorr.utils.transfer_progress import TransferProgress

try:
    import fcntl
except ImportError:  # not on Windows: there two processes must not fetch one file
    fcntl = None  # type: ignore[assignment]  # the module is optional

Progress = Callable[[int, int | None], None]  # bytes that are there, of how many

_BLOCK = 1 << 20
_TIMEOUT = 60.0  # seconds without a byte
_ATTEMPTS = 5  # in a row that bring nothing new
_WAIT = 1.0  # seconds before the next attempt, times the number of attempts so far
_PARTIAL, _NO_SUCH_RANGE = 206, 416  # HTTP status, RFC 9110
_DIGITS = {32: 'md5', 40: 'sha1', 64: 'sha256'}  # hexadecimal digits of a checksum


def download(address: str) -> Path:
    """Fetch an http(s) address into the cache of ``torch.hub``, unless it is there.

    The SHA-256 of the file is logged, so that it can be compared with a published one.
    Meanwhile the error stream tells how far it is.

    Args:
        address: where the file is.

    Returns:
        Path of the file in the cache.

    Raises:
        FileNotFoundError: the address cannot be reached or has no such file.
    """
    import torch  # slow, and only this cache needs it

    mark = hashlib.sha256(address.encode()).hexdigest()[:8]
    path = Path(torch.hub.get_dir()) / 'densecorr' / mark / file_name(address)
    try:
        digest = fetch(address, path, progress=TransferProgress('fetched'))
    except (OSError, ValueError) as error:
        raise FileNotFoundError(
            f'{address} could not be fetched ({error}). Download it on a machine '
            'with a network and give the path of the file instead.'
        ) from error
    print_log(f'{address} is {path}, sha256 {digest}', logger='current')
    return path


def file_name(address: str) -> str:
    """Name of the file behind an address; ``'file'`` where it names none."""
    return Path(unquote(urlparse(address).path)).name or 'file'


def fetch(
    address: str,
    path: str | Path,
    checksum: str | None = None,
    progress: Progress | None = None,
) -> str:
    """Fetch a file, or what is lacking of it, and give it its name when it is whole.

    Until then it is ``.<name>.part``; ``.<name>.part.json`` beside it says of which
    version of the file. An interrupted download goes on from there if the server can
    send the rest of the same version, and starts anew if not. A broken connection is
    tried again. Two processes may fetch one file: the second one waits.

    Args:
        address: http or https.
        path: where the file goes; a file that is there is not fetched again.
        checksum: expected SHA-256, SHA-1 or MD5 in hexadecimal digits, perhaps with
            the kind before it, as in ``'md5:900150983cd24fb0d6963f7d28e17f72'``.
        progress: called with the bytes that are there and those of the whole file,
            None where the server does not say.

    Returns:
        SHA-256 of the file in hexadecimal digits.

    Raises:
        ValueError: the address is not http(s), the checksum has another form, or the
            file has another checksum: it then keeps its temporary name. Also where
            the server does not say how long the file is and there is no checksum.
        OSError: no file there, no connection, or no space.
    """
    path = Path(path)
    if urlparse(address).scheme not in ('http', 'https'):
        raise ValueError(f'{address!r} is no address that starts with http(s)://.')
    kind, digits = _parse_checksum(checksum)
    if path.is_file():
        return _check_present(path, kind, digits)
    make_folder(path.parent)
    part = path.with_name(f'.{path.name}.part')
    with _locked(part) as handle:
        if path.is_file():  # another process was faster
            return _check_present(path, kind, digits)
        _Transfer(address, part, handle, progress, digits is not None).complete()
        digests = _digests(part, kind)
        if digits not in (None, digests[kind]):
            raise ValueError(
                f'{address} has {kind} {digests[kind]}, not {digits}. The file is kept '
                f'as {part}: if the checksum was wrong, run again with the right one; '
                'if the file is, delete it and run again.'
            )
        part.replace(path)
        _facts_path(part).unlink(missing_ok=True)
    return digests['sha256']


def check_file(path: str | Path, checksum: str | None = None) -> str:
    """SHA-256 of a file in hexadecimal digits, after comparing it with a checksum.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file has another checksum, or that has another form.
    """
    path = Path(path)
    kind, digits = _parse_checksum(checksum)
    if not path.is_file():
        raise FileNotFoundError(f'There is no file {str(path)!r}.')
    return _check_present(path, kind, digits)


def _parse_checksum(checksum: str | None) -> tuple[str, str | None]:
    """Kind and digits; without a checksum any digits will do."""
    if checksum is None:
        return 'sha256', None
    kind, _, digits = checksum.strip().lower().rpartition(':')
    usual = _DIGITS.get(len(digits))
    hexadecimal = set(digits) <= set('0123456789abcdef')
    if not usual or not hexadecimal or kind not in ('', usual):
        raise ValueError(
            f'checksum {checksum!r} is none of {sorted(_DIGITS.values())} in '
            f'hexadecimal digits ({sorted(_DIGITS)} of them), as in md5:9001...'
        )
    return usual, digits


def _digests(path: Path, kind: str) -> dict[str, str]:
    hashes = {name: hashlib.new(name) for name in {'sha256', kind}}
    with path.open('rb') as file:
        while block := file.read(_BLOCK):
            for digest in hashes.values():
                digest.update(block)
    return {name: digest.hexdigest() for name, digest in hashes.items()}


def _check_present(path: Path, kind: str, digits: str | None) -> str:
    digests = _digests(path, kind)
    if digits not in (None, digests[kind]):
        raise ValueError(
            f'{path} is there, but its {kind} is {digests[kind]}, not {digits}. '
            'Move it away to fetch it again, or correct the checksum.'
        )
    return digests['sha256']


@contextlib.contextmanager
def _locked(part: Path) -> Iterator[BinaryIO]:
    """The temporary file, open for adding, while no other process writes it."""
    while True:
        with full_disk_named(part), part.open('ab') as handle:
            if fcntl is not None:
                fcntl.flock(handle, fcntl.LOCK_EX)
            if not _is_open_as(part, handle):
                continue  # who held it before has given it its final name
            handle.seek(0, os.SEEK_END)
            try:
                yield handle
            finally:
                if _is_open_as(part, handle) and not handle.tell():
                    part.unlink()
            return


def _is_open_as(path: Path, handle: BinaryIO) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(handle.fileno()))
    except FileNotFoundError:
        return False


class _BrokenConnectionError(Exception):
    """The network, not the disk or the server's answer, ended a transfer."""


@dataclass
class _Transfer:
    """Fills the temporary file of one address.

    Attributes:
        address: http or https.
        part: the temporary file.
        handle: the same, open for adding.
        progress: as in :func:`fetch`.
        checked: whether a checksum will show that the file is whole.
    """

    address: str
    part: Path
    handle: BinaryIO
    progress: Progress | None
    checked: bool

    def complete(self) -> None:
        """Go on until the file is whole; broken connections are mended."""
        start, failed = self.handle.tell(), 0
        while True:
            before = self.handle.tell()
            try:
                if self._receive():
                    break
                error = _BrokenConnectionError('the connection was closed')
            except _BrokenConnectionError as broken:
                error = broken
            failed = failed + 1 if self.handle.tell() <= before else 1
            if failed >= _ATTEMPTS or self.handle.tell() == start:
                there = self.handle.tell()
                rest = ' The same command goes on from there.' if there else ''
                raise ConnectionError(
                    f'{self.address} ended after {there} bytes: {error}.{rest}'
                ) from error
            time.sleep(_WAIT * failed)
        self.handle.flush()
        os.fsync(self.handle.fileno())

    def _receive(self) -> bool:
        """Add what one connection brings; whether the file is whole then."""
        facts, there = _read_facts(self.part), self.handle.tell()
        if there and there == facts.get('size'):
            return True
        response = self._open(there, facts)
        if response is None:
            self._start_anew()
            return False
        with response:
            if not _continues(response, there, facts):
                self._start_anew()
                if response.status == _PARTIAL:
                    return False  # of another version: ask for the whole
                there = 0
                facts = dict(version=_version(response), size=self._length(response))
                write_atomic(_facts_path(self.part), json.dumps(facts))
            total = facts['size']
            _check_space(self.part, 0 if total is None else total - there)
            while block := _read(response):
                self.handle.write(block)
                if self.progress:
                    self.progress(self.handle.tell(), total)
        return total in (None, self.handle.tell())

    def _open(self, there: int, facts: dict[str, Any]) -> Any:
        """The server's answer; None where it has less than is there already."""
        headers = {'Accept-Encoding': 'identity'}
        if there and facts.get('version'):
            headers |= {'Range': f'bytes={there}-', 'If-Range': facts['version']}
        try:
            return urlopen(Request(self.address, headers=headers), timeout=_TIMEOUT)
        except HTTPError as error:
            if error.code == _NO_SUCH_RANGE and 'Range' in headers:
                return None
            raise
        except (OSError, http.client.HTTPException) as error:
            raise _BrokenConnectionError(str(error)) from error

    def _start_anew(self) -> None:
        self.handle.truncate(0)
        self.handle.seek(0)
        _facts_path(self.part).unlink(missing_ok=True)

    def _length(self, response: Any) -> int | None:
        """Bytes of the whole file; None if its end will be seen without."""
        length = response.headers.get('Content-Length', '')
        if length.isdigit():
            return int(length)
        if response.chunked or self.checked:
            return None
        raise ValueError(
            f'{self.address} does not say how long it is, so a broken connection '
            'would not be noticed. Give the checksum of the file.'
        )


def _read(response: Any) -> bytes:
    try:
        return response.read(_BLOCK)
    except (OSError, http.client.HTTPException) as error:
        raise _BrokenConnectionError(str(error)) from error


def _continues(response: Any, there: int, facts: dict[str, Any]) -> bool:
    """Whether the answer is the rest of the version of which ``there`` bytes are."""
    size = facts.get('size')
    if response.status != _PARTIAL or size is None:
        return False
    same = _version(response) in (None, facts.get('version'))
    answered = response.headers.get('Content-Range', '')
    return same and answered == f'bytes {there}-{size - 1}/{size}'


def _version(response: Any) -> str | None:
    """What tells this content from another, as If-Range wants it (RFC 9110, 13.1.5)."""
    tag = response.headers.get('ETag')
    if tag and not tag.startswith('W/'):
        return tag
    return response.headers.get('Last-Modified')


def _check_space(part: Path, needed: int) -> None:
    free = shutil.disk_usage(part.parent).free
    if needed > free:
        raise OSError(
            f'{needed} bytes are to come, but only {free} are free in {part.parent}. '
            'Free space and run again.'
        )


def _facts_path(part: Path) -> Path:
    return part.with_name(f'{part.name}.json')


def _read_facts(part: Path) -> dict[str, Any]:
    """Version and size of the file whose beginning is in ``part``; perhaps nothing."""
    try:
        facts = json.loads(_facts_path(part).read_text('utf-8'))
    except (OSError, ValueError):
        return {}
    return facts if isinstance(facts, dict) else {}
