"""Fetch the public archives of DAVIS, unpack them and check the result."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.error import HTTPError

from densecorr.apis.check_data import DataCheck, check_data
from densecorr.utils.archives import unpack
from densecorr.utils.data_info import DataInfo, load_data_info
from densecorr.utils.download import check_file, fetch, file_name
from densecorr.utils.transfer_progress import TransferProgress

DAVIS_SPLITS = {'trainval': ('2017/train', '2017/val'), 'test-dev': ('2017/test-dev',)}
_TOP = 'DAVIS'  # folder of the archives that is not needed
_NOTES = ('README*', 'SOURCES*')  # in each archive, perhaps of another version


def prepare_davis(
    out: str | Path = 'data/davis',
    split: str = 'trainval',
    *,
    archive: str | Path | None = None,
    address: str | None = None,
    checksum: str | None = None,
) -> Iterator[str]:
    """Fetch the archive of a part of DAVIS-2017 (480p), unpack it, check the result.

    What was done before is not done again: a complete root is left as it is, an archive
    that is there is not fetched, and files that are there are not written. The archive
    stays in ``out``. Archive and files have their names only when they are whole.

    Args:
        out: folder that becomes the root.
        split: ``'trainval'`` or ``'test-dev'``.
        archive: take this file, that was fetched before, and no network.
        address: another address of the same archive.
        checksum: expected checksum of the archive, see
            :func:`densecorr.utils.download.fetch`; None prints its SHA-256.

    Yields:
        Lines that tell what is done.

    Raises:
        ValueError: the split is unknown, or archive or checksum are wrong.
        OSError: no network, no space, files of other content are in the way, or the
            result is not the whole split.
    """
    if split not in DAVIS_SPLITS:
        raise ValueError(f'split should be one of {list(DAVIS_SPLITS)}, not {split!r}.')
    info, out = load_data_info('davis'), Path(out).expanduser()
    if _check(out, split) is not None:
        yield f'{out} holds all of {", ".join(DAVIS_SPLITS[split])}: nothing to do'
        return
    yield f'licence: {info.licence}'
    if archive is None:
        address = address or _address(info, split)
        archive = out / file_name(address)
        yield f'{address} to {archive}'
        digest = _fetch(address, archive, checksum)
    else:
        digest = check_file(archive, checksum)
    yield f'{archive}: sha256 {digest}'
    done = unpack(archive, out, _TOP, TransferProgress('unpacked'), _NOTES)
    yield f'{out}: {done.written} files unpacked, {done.present} were there'
    if done.kept:
        yield f'{out}: kept as they were: {", ".join(done.kept)}'
    check = check_data('davis', out, splits=DAVIS_SPLITS[split])
    yield str(check)
    if not check.ok:
        raise OSError(f'{out} is not the whole of {", ".join(DAVIS_SPLITS[split])}.')


def _fetch(address: str, archive: Path, checksum: str | None) -> str:
    try:
        return fetch(address, archive, checksum, TransferProgress('fetched'))
    except (HTTPError, ConnectionError) as error:
        what = error if isinstance(error, ConnectionError) else f'{address}: {error}.'
        raise ConnectionError(
            f'{what} Without a network, fetch the archive elsewhere and name it with '
            '--archive ZIP.'
        ) from error


def _address(info: DataInfo, split: str) -> str:
    """The published address of the archive that holds a part."""
    wanted = DAVIS_SPLITS[split][-1]
    for splits, address in info.downloads.items():
        if wanted in splits.split(', '):
            return address
    raise ValueError(f'no address of {wanted} is known. Get it from {info.homepage}.')


def _check(out: Path, split: str) -> DataCheck | None:
    """The check of a root that is complete; None otherwise."""
    if not (out / load_data_info('davis').marker).is_dir():
        return None
    check = check_data('davis', out, splits=DAVIS_SPLITS[split])
    return check if check.ok else None
