"""Folders that come with the package, in a checkout and in an installation."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parents[1]


def _carried(name: str, in_checkout: str) -> Path:
    """A folder of the checkout, or the copy that an installation carries.

    The package lies in a checkout where ``setup.py`` is beside it.
    """
    checkout = _PACKAGE.parent / in_checkout
    if (_PACKAGE.parent / 'setup.py').is_file() and checkout.is_dir():
        return checkout
    if (_PACKAGE / name).is_dir():
        return _PACKAGE / name
    raise FileNotFoundError(
        f'{in_checkout} of densecorr is neither at {checkout} nor at '
        f'{_PACKAGE / name}. Install densecorr again, or run from a full checkout.'
    )


def config_root() -> Path:
    """Folder of the configs that densecorr ships.

    Raises:
        FileNotFoundError: neither checkout nor installation has it.
    """
    return _carried('configs', 'configs')


def data_info_root() -> Path:
    """Folder of the dataset facts, one JSON file each.

    Raises:
        FileNotFoundError: neither checkout nor installation has it.
    """
    return _carried('data_info', 'data/data_info')


def tools_root() -> Path:
    """Folder of the programs behind the ``densecorr`` command.

    Raises:
        FileNotFoundError: neither checkout nor installation has it.
    """
    return _carried('tools', 'tools')
