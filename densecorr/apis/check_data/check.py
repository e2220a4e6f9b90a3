"""Find the root and the checker of a dataset."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from densecorr.apis.check_data.davis import check_davis
from densecorr.apis.check_data.jhmdb import check_jhmdb
from densecorr.apis.check_data.plain import check_plain
from densecorr.apis.check_data.results import DataCheck, Request, SplitCheck
from densecorr.apis.check_data.spriteworld import check_spriteworld
from densecorr.apis.check_data.vip import check_vip
from densecorr.apis.check_data.ytvos import check_ytvos
from densecorr.utils.data_info import (
    DataInfo,
    data_info_names,
    find_root,
    load_data_info,
)

_CHECKERS: dict[str, Callable[[Request], list[SplitCheck]]] = dict(
    davis=check_davis,
    jhmdb=check_jhmdb,
    spriteworld=check_spriteworld,
    vip=check_vip,
    ytvos=check_ytvos,
)
# Folders by which a root is known too, where a part of the dataset will do.
_MARKERS = dict(
    ytvos=('train', '2018', '2019'), jhmdb=('Rename_Images', 'ReCompress_Videos')
)


def checkable_names() -> list[str]:
    """What :func:`check_data` knows."""
    return data_info_names()


def check_data(
    name: str,
    root: str | Path | None = None,
    *,
    splits: Sequence[str] | None = None,
    resolution: str = '480p',
    deep: bool = False,
) -> DataCheck:
    """Count the files of a dataset and look at their headers.

    Wrong are: missing sequences, frames and annotations; annotations without a frame;
    files that are empty or not images; frames of another size than the first;
    annotations of another size than their frame or of more than 8 bits; and what the
    checker of the dataset names.

    Args:
        name: of the dataset, ``'davis'``.
        root: its folder, or one above it; None looks through the default roots.
        splits: names of splits, as ``'2017/val'``; None takes those of which the root
            holds a list or half of the sequences.
        resolution: folder below ``JPEGImages`` and ``Annotations``, of DAVIS.
        deep: decode every file, which finds truncated ones.

    Raises:
        KeyError: dataset or split is unknown.
        FileNotFoundError: there is no such root, or it holds no split; the message has
            the expected tree and what is there.
    """
    info = load_data_info(name)
    base = _find(info, root)
    request = Request(info, base, splits, resolution, deep)
    return DataCheck(info, base, _CHECKERS.get(name, check_plain)(request))


def _find(info: DataInfo, root: str | Path | None) -> Path:
    """:func:`find_root`, content with any marker and with one folder too many."""
    markers = (info.marker, *_MARKERS.get(info.name, ()))
    if root is None:
        for marker in markers[1:]:
            try:
                return find_root(info)
            except FileNotFoundError:
                info = replace(info, marker=marker)
        return find_root(info)
    base = Path(root).expanduser()
    if info.marker == '.':
        return find_root(info, base)
    for pattern in ('', '*/', '*/*/'):
        found = {
            base / path.relative_to(base).parent
            for marker in markers
            for path in base.glob(f'{pattern}{marker}')
            if path.is_dir()
        }
        if len(found) == 1:
            return found.pop()
        if found:
            break  # the error names them
    return find_root(info, base)
