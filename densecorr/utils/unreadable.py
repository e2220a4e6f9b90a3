"""The error of a file that cannot be read, which names the file."""

from __future__ import annotations

from pathlib import Path


class UnreadableError(ValueError):
    """A frame or a video that cannot be read.

    Attributes:
        path: of the file.
        reason: why, without the path in front.
    """

    def __init__(self, path: str | Path, reason: object) -> None:
        self.path = str(path)
        self.reason = ' '.join(str(reason).split()).removeprefix(f'{path} ')
        super().__init__(f'{self.path}: {self.reason}')

    def __reduce__(self) -> tuple[type, tuple[str, str]]:
        """Come back whole from a worker process."""
        return type(self), (self.path, self.reason)
