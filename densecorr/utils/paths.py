"""Folders that come with the package, in a checkout and in an installation."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parents[1]


def data_info_root() -> Path:
    """Folder of the dataset facts, one JSON file each.

    A checkout has it as ``data/data_info``; an installation carries a copy inside the
    package.

    Raises:
        FileNotFoundError: neither is there.
    """
    places = (_PACKAGE.parent / 'data' / 'data_info', _PACKAGE / 'data_info')
    for place in places:
        if place.is_dir():
            return place
    raise FileNotFoundError(
        f'The dataset facts are neither in {places[0]} nor in {places[1]}. '
        'Install densecorr again, or run from a full checkout.'
    )
