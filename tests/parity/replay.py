"""Golden cases: find, read, compare, and prove that nothing was left uncompared.

A replay is a test under ``@replay(folder, pattern, inputs=...)`` that takes one
``case``. Reading ``case.name`` (or ``case['name']``) gives an array, a scalar for a
0-d array. Expected arrays are compared by :meth:`Case.close`, :meth:`Case.exact` or
named in :meth:`Case.compared` by a test that compares in its own way. After the test,
an array that is neither an input nor was compared is a failure.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterable
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from .fill import fill

PARITY = Path(os.environ.get('DENSECORR_PARITY') or Path(__file__).parent)
DEVICE = os.environ.get('DENSECORR_DEVICE', 'cpu')
# The cases were recorded on a CPU. Another device adds up in another order: it gets ten
# times the tolerance, and labels may flip where two scores are that close; the summary
# of the tests counts them.
SLACK = 1.0 if DEVICE == 'cpu' else 10.0
FLIPS_ALLOWED = 0.0 if DEVICE == 'cpu' else 1e-3  # share of the entries of an array
flips: dict[str, tuple[int, int]] = {}  # array: how many entries differ, of how many


def _numpy(value: Any) -> np.ndarray:
    if isinstance(value, torch.Tensor):
        value = value.detach().cpu().numpy()
    return np.asarray(value)


class Case:
    """One golden file."""

    def __init__(self, path: Path) -> None:
        with np.load(path, allow_pickle=False) as data:
            self.arrays = {key: data[key] for key in data.files}
        self.path, self._compared = path, set[str]()

    def __getitem__(self, name: str) -> Any:
        value = self.arrays[name]
        return value.item() if value.ndim == 0 else value

    def __getattr__(self, name: str) -> Any:
        if name in self.__dict__.get('arrays', {}):
            return self[name]
        raise AttributeError(f'{self.path} has no array {name!r}.')

    def __contains__(self, name: str) -> bool:
        return name in self.arrays

    def tensor(self, name: str) -> torch.Tensor:
        """The array as a tensor on the replay's device."""
        return torch.from_numpy(np.ascontiguousarray(self.arrays[name])).to(DEVICE)

    def state_dict(
        self, keys: str = 'keys', values_of: str | None = None
    ) -> dict[str, torch.Tensor]:
        """Filled weights: ``fill(key, shape)`` for every entry of ``keys``.

        ``values_of`` names the key list whose names give the values, for files that
        hold the same tensors under other names.
        """
        shape_list = keys.replace('legacy_keys', 'keys').replace('keys', 'shapes')
        shapes = self.arrays[shape_list]
        names, source = self.arrays[keys], self.arrays[values_of or keys]
        state = {}
        for name, origin, text in zip(names, source, shapes, strict=True):
            sizes = str(text).replace('(', ' ').replace(')', ' ').replace(',', ' ')
            shape = tuple(int(n) for n in sizes.split())
            state[str(name)] = torch.from_numpy(fill(str(origin), shape))
        return state

    def close(self, name: str, actual: Any, *, atol: float, rtol: float = 0.0) -> None:
        """Compare with array ``name`` within the tolerance of the case's README."""
        expected, actual = self.arrays[name], _numpy(actual)
        assert actual.shape == expected.shape, (name, actual.shape, expected.shape)
        np.testing.assert_allclose(
            actual,
            expected,
            rtol=rtol * SLACK,
            atol=atol * SLACK,
            err_msg=f'{self.path.name}:{name}',
        )
        self._compared.add(name)

    def exact(self, name: str, actual: Any) -> None:
        """Compare with array ``name`` bit for bit (strings too).

        On another device than the CPU a few labels may flip, see ``FLIPS_ALLOWED``.
        """
        expected, actual = self.arrays[name], _numpy(actual)
        if FLIPS_ALLOWED and expected.dtype.kind in 'iub' and expected.ndim > 1:
            self._count_flips(name, actual, expected)
            return
        np.testing.assert_array_equal(
            actual, expected, err_msg=f'{self.path.name}:{name}'
        )
        self._compared.add(name)

    def _count_flips(self, name: str, actual: np.ndarray, expected: np.ndarray) -> None:
        assert actual.shape == expected.shape, (name, actual.shape, expected.shape)
        differ = int((actual != expected).sum())
        flips[f'{self.path.parent.name}/{self.path.name}:{name}'] = differ, actual.size
        assert differ <= FLIPS_ALLOWED * actual.size, f'{self.path.name}:{name}'
        self._compared.add(name)

    def share_equal(self, name: str, actual: Any, share: float) -> None:
        """At least ``share`` (a fraction) of the entries must be equal."""
        expected, actual = self.arrays[name], _numpy(actual)
        assert actual.shape == expected.shape, (name, actual.shape, expected.shape)
        found = float((actual == expected).mean())
        assert 1 - found <= (1 - share) * SLACK, (
            f'{self.path.name}:{name}: {found:.4%} equal'
        )
        self._compared.add(name)

    def compared(self, *names: str) -> None:
        """Record that the test compared these arrays in its own way."""
        for name in names:
            assert name in self.arrays, f'{self.path} has no array {name!r}'
        self._compared.update(names)

    def leftovers(self, inputs: Iterable[str]) -> list[str]:
        """Arrays that are neither inputs nor compared."""
        patterns = list(inputs)
        return [
            name
            for name in self.arrays
            if name not in self._compared
            and not any(fnmatch(name, pattern) for pattern in patterns)
        ]


def replay(folder: str, pattern: str, inputs: Iterable[str]) -> Callable:
    """Run a test once per golden file ``folder/pattern.npz``.

    Args:
        folder: name of the golden set, for example ``'crw'``.
        pattern: glob of the stems, for example ``'propagate_*'``.
        inputs: globs of the arrays that the test only reads.
    """
    paths = sorted((PARITY / folder).glob(f'{pattern}.npz'))
    patterns = tuple(inputs)

    def decorate(test: Callable) -> Callable:
        @functools.wraps(test)
        def run(path: Path) -> None:
            case = Case(path)
            test(case)
            left = case.leftovers(patterns)
            assert not left, f'{path.name}: never compared: {left}'

        del run.__wrapped__  # pytest must see the signature of run
        if not paths:
            message = f'no golden case {folder}/{pattern}.npz under {PARITY}'

            def missing() -> None:
                pytest.fail(message)

            missing.__name__ = test.__name__
            return missing
        return pytest.mark.parametrize('path', paths, ids=lambda p: p.stem)(run)

    return decorate
