"""Letting Ctrl-C wait until a piece of work is whole."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType


@contextlib.contextmanager
def interrupts_held() -> Iterator[None]:
    """Ctrl-C within the block takes effect at its end.

    Only the main thread receives signals; elsewhere, and where Ctrl-C is ignored or
    handled outside Python, the block runs as it is. An error of the block goes before
    the interrupt, which is then lost: the error ends the work as well.
    """
    handler = signal.getsignal(signal.SIGINT)
    main = threading.current_thread() is threading.main_thread()
    if not main or not callable(handler):
        yield
        return
    came: list[tuple[int, FrameType | None]] = []
    signal.signal(signal.SIGINT, lambda number, frame: came.append((number, frame)))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)
    if came:
        handler(*came[0])
