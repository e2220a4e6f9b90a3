"""How far a transfer is: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

_MEGA = 1e6
_INTERVAL = 1.0  # seconds between two lines of progress on a terminal
_QUIET_INTERVAL = 30.0  # and elsewhere
_WIDTH = 20  # characters of the bar


class TransferProgress:
    """Tells on the error stream how far a transfer is, now and then.

    Args:
        what: is done with the bytes.
        clock: seconds, for tests.
    """

    def __init__(self, what: str, clock: Callable[[], float] = time.monotonic) -> None:
        self.what, self.clock = what, clock
        self._terminal = sys.stderr.isatty()
        self._interval = _INTERVAL if self._terminal else _QUIET_INTERVAL
        self._last = clock()

    def __call__(self, done: int, total: int | None) -> None:
        """Called with the bytes that are done, and those of all if known."""
        now, whole = self.clock(), done == total
        if now - self._last < self._interval and not (whole and self._terminal):
            return
        self._last = now
        share = f' of {total / _MEGA:.1f} MB, {done / total:.0%}' if total else ' MB'
        line = f'{self.what} {done / _MEGA:.1f}{share}'
        if self._terminal:
            filled = round(_WIDTH * done / total) if total else 0
            bar = f'[{"#" * filled}{"." * (_WIDTH - filled)}] ' if total else ''
            sys.stderr.write(f'\r{bar}{line:<50}' + '\n' * whole)
        else:
            sys.stderr.write(f'{line}\n')
        sys.stderr.flush()
