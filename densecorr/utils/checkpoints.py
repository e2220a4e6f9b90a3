"""Checkpoints: safe reading, and the hash of tensors."""

from __future__ import annotations

import argparse
import collections
import contextlib
import hashlib
import io
import logging
import pathlib
import pickle
import pickletools
import re
import warnings
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from mmengine.logging import print_log
from torch import Tensor

_EVERYDAY_MODULES = ('argparse', 'builtins', 'collections', 'numpy', 'pathlib', 'torch')
_PLAIN = (bool, int, float, str, type(None))


class _Inert:
    """What an object of a training program becomes: it takes all and keeps nothing."""

    def __new__(cls, *_: Any) -> _Inert:
        return super().__new__(cls)

    def __init__(self, *_: Any) -> None:
        pass

    def __setstate__(self, state: Any) -> None:
        pass


def _default_dict(*_: Any) -> dict:
    """What a ``defaultdict`` in a file becomes; its factory is never called."""
    return {}


def _inert_globals() -> list[Any]:
    """Classes that real checkpoints hold besides tensors; reading them does nothing.

    A pair (object, name) makes the name in the file stand for the object. Settings,
    dicts and paths are read; arrays, optimisers, schedules and log buffers are not.
    """
    import numpy as np

    pairs: list[Any] = [argparse.Namespace, collections.OrderedDict, np.dtype]
    pairs += [(_default_dict, 'collections.defaultdict')]
    pairs += [(_default_dict, 'collections.Counter')]  # milestones of a schedule
    pairs += [dict, list, set, int, float, str, bool]  # factories of a defaultdict
    scalar = np._core.multiarray.scalar  # type: ignore[attr-defined]
    for module in ('numpy.core', 'numpy._core'):  # before and since numpy 2
        pairs.append((scalar, f'{module}.multiarray.scalar'))
        pairs.append((_Inert, f'{module}.multiarray._reconstruct'))
    names = [name for name in dir(np.dtypes) if name.endswith('DType')]
    pairs += [getattr(np.dtypes, name) for name in names]
    for module in ('pathlib', 'pathlib._local'):  # since Python 3.13 the second
        for name in ('Path', 'PosixPath', 'PurePosixPath'):
            pairs.append((pathlib.PurePosixPath, f'{module}.{name}'))
        for name in ('WindowsPath', 'PureWindowsPath'):
            pairs.append((pathlib.PureWindowsPath, f'{module}.{name}'))
    return [*pairs, *((_Inert, name) for name in _inert_names())]


def _inert_names() -> Iterator[str]:
    """Classes and functions of training programs that nothing is made of here."""
    yield 'numpy.ndarray'
    yield 'mmengine.logging.history_buffer.HistoryBuffer'
    yield from ('builtins.getattr', '__builtin__.getattr')  # its methods by name
    yield 'torch.optim.lr_scheduler._LRScheduler'
    bases = (torch.optim.Optimizer, torch.optim.lr_scheduler.LRScheduler)
    for module in (torch.optim, torch.optim.lr_scheduler):
        for kind in vars(module).values():
            if isinstance(kind, type) and issubclass(kind, bases):
                yield f'{kind.__module__}.{kind.__qualname__}'


def read_checkpoint(path: str | Path, allow_unsafe: bool = False) -> Any:
    """Read a PyTorch or safetensors file without running code from it.

    Tensors and plain values are kept. Settings of the program that wrote the file
    (``argparse.Namespace``, numpy scalars and arrays, ``defaultdict``, paths,
    optimisers, schedules, MMEngine's log buffers) are read as inert data and dropped.

    Args:
        path: the file; ``.safetensors`` by its ending.
        allow_unsafe: unpickle whatever the file holds, which may run any code. Only
            for files of a source that you trust.

    Returns:
        Nested dicts and lists of tensors and plain values, on the CPU.

    Raises:
        FileNotFoundError: no such file.
        ValueError: the file is empty, truncated, no checkpoint, or holds a class that
            is not allowed.
    """
    path = Path(path)
    if not path.is_file():
        what = 'is a folder' if path.is_dir() else 'does not exist'
        raise FileNotFoundError(
            f'Checkpoint {path} {what}. Give a file, an https address, timm:NAME, '
            'torchvision:NAME, or random.'
        )
    if path.suffix == '.safetensors':
        return _read_safetensors(path)
    if allow_unsafe:
        print_log(
            f'{path} is read with allow_unsafe: code in it would run.',
            logger='current',
            level=logging.WARNING,
        )
    try:
        with torch.serialization.safe_globals(_inert_globals()), _quiet():
            content = torch.load(
                path, map_location='cpu', weights_only=not allow_unsafe
            )
    except pickle.UnpicklingError as error:
        raise ValueError(_refusal(path, str(error))) from error
    except Exception as error:  # whatever parsing arbitrary bytes comes to
        raise ValueError(_damaged(path, error)) from error
    return _plain(content)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without torch's warning about newer pickles: what fails is an error anyway."""
    with warnings.catch_warnings():
        warnings.filterwarnings('ignore', 'Detected pickle protocol')
        yield


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except SafetensorError as error:
        raise ValueError(_damaged(path, error)) from error


def _refusal(path: Path, text: str) -> str:
    found = re.search(r'GLOBAL ([\w.]+)', text)
    name = found.group(1) if found else _foreign_global(path)
    if name is None:
        return _damaged(path, text.strip().splitlines()[-1] if text else 'no pickle')
    return (
        f'Checkpoint {path} holds {name}, which is neither a tensor nor plain data; '
        'reading it could run code, so it was not read. If you trust the source of the '
        f'file, convert it once: densecorr convert {path} OUT.pth --allow-unsafe (in '
        'Python: allow_unsafe=True). Or save only its state dict.'
    )


def _foreign_global(path: Path) -> str | None:
    """First class or function of the pickle that no state dict needs.

    For pickles that torch refuses before it comes to the name (newer protocols). The
    opcodes are read, never run.
    """
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            names = [n for n in archive.namelist() if n.endswith('data.pkl')]
            data = archive.read(names[0]) if names else b''
    else:
        data = path.read_bytes()
    try:
        for name in _pickled_globals(data):
            if name.partition('.')[0] not in _EVERYDAY_MODULES:
                return name
    except (ValueError, IndexError):  # damaged in the middle
        return None
    return None


def _pickled_globals(data: bytes) -> Iterator[str]:
    """Names ``module.name`` in one or more pickles, in order."""
    stream = io.BytesIO(data)
    while stream.tell() < len(data):
        texts: list[str] = []
        for opcode, argument, _ in pickletools.genops(stream):
            if opcode.name in ('GLOBAL', 'INST'):
                yield str(argument).replace(' ', '.')
            elif opcode.name == 'STACK_GLOBAL':
                yield '.'.join(texts[-2:])
            elif isinstance(argument, str):
                texts.append(argument)


def _damaged(path: Path, reason: object) -> str:
    size = path.stat().st_size
    return (
        f'Checkpoint {path} ({size} bytes) is truncated or not a PyTorch or '
        f'safetensors file. Download or copy it again and compare its size. ({reason})'
    )


def _plain(value: Any) -> Any:
    """The same without objects that are neither tensors nor plain values."""
    if isinstance(value, Mapping):
        kept = {k: _plain(v) for k, v in value.items() if _is_plain(v)}
        return {k: v for k, v in kept.items() if type(k) in _PLAIN}
    if isinstance(value, list | tuple):
        kind = list if isinstance(value, list) else tuple
        return kind(_plain(v) for v in value if _is_plain(v))
    return value


def _is_plain(value: Any) -> bool:
    containers = (dict, list, tuple, Tensor)
    return isinstance(value, containers) or type(value) in _PLAIN


def hash_tensors(state: Mapping[str, Tensor]) -> str:
    """SHA-256 of named tensors: over sorted key, dtype, shape and bytes.

    Equal weights give equal hashes whatever file they came from, on any device.
    """
    digest = hashlib.sha256()
    for key in sorted(state):
        tensor = state[key].detach().cpu().contiguous()
        digest.update(f'{key}|{tensor.dtype}|{tuple(tensor.shape)}|'.encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
