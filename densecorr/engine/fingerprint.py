"""The fingerprint of a run: all that decides its results, in plain values.

Equal fingerprints mean equal results, up to the rounding of another machine. Paths,
times, hosts, process and thread counts are not part of it.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

import densecorr

_NO_INFLUENCE = ('apis', 'visualization')  # packages that change no map and no number
_PACKAGES = ('torch', 'torchvision', 'timm', 'numpy', 'pillow', 'mmcv-lite', 'mmcv')
_OPENCV = ('opencv-python', 'opencv-python-headless')
_ABSENT = '(absent)'


def canonical(value: Any) -> Any:
    """``value`` as plain JSON values: str keys, lists, no tuples, no sets.

    Raises:
        TypeError: a value has no JSON form.
    """
    if isinstance(value, Mapping):
        return {str(key): canonical(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [canonical(item) for item in value]
    if isinstance(value, (set, frozenset)):
        return sorted(canonical(item) for item in value)
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if value is None or isinstance(value, (str, bool, int, float)):
        return value
    if hasattr(value, 'item') and getattr(value, 'ndim', None) == 0:
        return canonical(value.item())
    raise TypeError(
        f'{value!r} of type {type(value).__name__} cannot be part of a fingerprint. '
        'Use numbers, strings, lists and dicts in configs.'
    )


def canonical_json(value: Any) -> str:
    """The one JSON text of :func:`canonical` ``(value)``: sorted keys, no spaces."""
    return json.dumps(canonical(value), sort_keys=True, separators=(',', ':'))


def digest(value: Any) -> str:
    """sha256 in hex of :func:`canonical_json` ``(value)``."""
    return hashlib.sha256(canonical_json(value).encode('utf-8')).hexdigest()


@cache
def code_version() -> dict[str, Any]:
    """Version of the package, hash of its sources, versions of what it computes with.

    Subpackages that can change neither a map nor a number are left out of the hash.
    """
    root = Path(densecorr.__file__).parent
    total = hashlib.sha256()
    for path in sorted(root.rglob('*.py')):
        relative = path.relative_to(root)
        if relative.parts[0] not in _NO_INFLUENCE:
            total.update(f'{relative.as_posix()}\0'.encode())
            total.update(hashlib.sha256(path.read_bytes()).digest())
    packages = {name: _version(name) for name in _PACKAGES}
    packages['opencv'] = next(filter(None, map(_version, _OPENCV)), None)
    return dict(
        densecorr=densecorr.__version__,
        sources=total.hexdigest(),
        packages={name: found for name, found in packages.items() if found},
    )


def _version(package: str) -> str | None:
    """Version of an installed package without its build suffix, as in ``+cpu``."""
    try:
        return re.sub(r'\+.*', '', metadata.version(package))
    except metadata.PackageNotFoundError:
        return None


def first_difference(
    expected: Any, found: Any, path: str = ''
) -> tuple[str, Any, Any] | None:
    """The first field, in the order of ``expected``, in which two fingerprints differ.

    Returns:
        path with dots, the value in ``expected``, the value in ``found``; None where
        they are equal. A field that one of them lacks has the value ``'(absent)'``.
    """
    if isinstance(expected, Mapping) and isinstance(found, Mapping):
        for key in dict.fromkeys([*expected, *found]):
            inner = f'{path}.{key}' if path else str(key)
            difference = first_difference(
                expected.get(key, _ABSENT), found.get(key, _ABSENT), inner
            )
            if difference:
                return difference
        return None
    if isinstance(expected, list) and isinstance(found, list):
        for index in range(max(len(expected), len(found))):
            ours, theirs = (
                items[index] if index < len(items) else _ABSENT
                for items in (expected, found)
            )
            difference = first_difference(ours, theirs, f'{path}[{index}]')
            if difference:
                return difference
        return None
    same = expected == found and type(expected) is type(found)
    return None if same else (path, expected, found)


def check_same(expected: Mapping, found: Mapping, place: str) -> None:
    """Compare the fingerprint of this run with one that lies in its folder.

    Args:
        expected: fingerprint of this run.
        found: fingerprint that was read.
        place: where ``found`` was read, for the message.

    Raises:
        ValueError: they differ; the message names the first field that does.
    """
    difference = first_difference(canonical(expected), canonical(found))
    if difference:
        field, ours, theirs = difference
        raise ValueError(
            f'{place} was made by another run: {field} was {_short(theirs)} there and '
            f'is {_short(ours)} now. Choose another --out, or --overwrite to start '
            'anew.'
        )


def _short(value: Any, limit: int = 200) -> str:
    """``value`` for a message."""
    text = value if value == _ABSENT else repr(value)
    return text if len(text) <= limit else f'{text[:limit]}...'
