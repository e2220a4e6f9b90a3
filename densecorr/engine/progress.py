"""Progress over frames: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import contextlib
import logging
import sys
import time
from types import TracebackType

from mmengine.logging import MMLogger, print_log
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)


class FrameProgress:
    """Counts frames of the videos of one process and tells the time that is left.

    Args:
        total: frames to do.
        title: what is shown before the bar.
        visible: whether to show anything; one process of several does.
        interval: seconds between two lines where there is no terminal.
        unit: what is counted, for example ``'folders'``.
    """

    def __init__(
        self,
        total: int,
        title: str,
        visible: bool = True,
        interval: float = 30.0,
        unit: str = 'frames',
    ) -> None:
        self.total, self.title, self.interval = total, title, interval
        self.unit = unit
        self.done = 0
        self.visible = visible
        self._started = self._last = time.monotonic()
        console = Console(stderr=True)
        self._bar: Progress | None = None
        if visible and console.is_terminal:
            columns = (
                TextColumn('{task.description}'),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn(f'{unit}, left'),
                TimeRemainingColumn(),
            )
            self._bar = Progress(*columns, console=console)
            self._task = self._bar.add_task(title, total=total)

    def __enter__(self) -> FrameProgress:
        self._started = self._last = time.monotonic()
        if self._bar:
            self._bar.start()
            self._logs = _screen_handlers()
            _log_to_stdout(self._logs)  # the bar's: lines go above the bar
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar:
            self._bar.stop()
            _log_to_stdout(self._logs)

    def advance(self, frames: int = 1) -> None:
        """Count frames as done."""
        self.done += frames
        if self._bar:
            self._bar.update(self._task, advance=frames)
        elif self.visible and time.monotonic() - self._last >= self.interval:
            self._last = time.monotonic()
            print_log(self.line(), logger='current')

    def line(self) -> str:
        """Frames done, speed and the estimated time that is left, as one line."""
        seconds = time.monotonic() - self._started
        speed = self.done / seconds if seconds > 0 else 0.0
        left = (self.total - self.done) / speed if speed > 0 else None
        return (
            f'{self.title}: {self.done}/{self.total} {self.unit}, {speed:.2f} '
            f'{self.unit}/s, ETA {format_seconds(left)}'
        )


def _screen_handlers() -> list[logging.StreamHandler]:
    """Handlers of the current logger that write to the screen."""
    handlers = MMLogger.get_current_instance().handlers
    return [h for h in handlers if type(h) is logging.StreamHandler]


def format_seconds(seconds: float | None) -> str:
    """Hours, minutes and seconds, as in ``1:02:03``; ``-:--:--`` where unknown."""
    if seconds is None:
        return '-:--:--'
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f'{hours}:{minutes:02d}:{rest:02d}'


def _log_to_stdout(handlers: list[logging.StreamHandler]) -> None:
    for handler in handlers:
        with contextlib.suppress(ValueError):  # what it wrote to is closed
            handler.flush()
        handler.stream = sys.stdout
