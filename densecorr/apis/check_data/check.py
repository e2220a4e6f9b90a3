"""Find the root, choose the checker, and show what is there if the tree is wrong."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from densecorr.apis.check_data.davis import check_davis
from densecorr.apis.check_data.results import DataCheck, Request, SplitCheck
from densecorr.utils.data_info import (
    data_info_names,
    find_root,
    load_data_info,
)

_CHECKERS: dict[str, Callable[[Request], list[SplitCheck]]] = {'davis': check_davis}


def checkable_names() -> list[str]:
    """What :func:`check_data` knows."""
    return [name for name in data_info_names() if name in _CHECKERS]


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
    annotations of another size than their frame; and what the page of the dataset in
    ``docs/data.md`` names.

    Args:
        name: of the dataset, ``'davis'``.
        root: its folder; None looks through the default roots.
        splits: names of splits, as ``'2017/val'``; None takes those of which the root
            holds a list or half of the sequences.
        resolution: folder below ``JPEGImages`` and ``Annotations``, of DAVIS.
        deep: decode every file, which finds truncated ones.

    Raises:
        KeyError: dataset or split is unknown.
        FileNotFoundError: there is no such root, or it holds no split.
    """
    info = load_data_info(name)
    base = find_root(info, root)
    request = Request(info, base, splits, resolution, deep)
    return DataCheck(info, base, _CHECKERS[name](request))
