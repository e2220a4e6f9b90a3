"""Counts clips that could not be read, tells about them, and stops when too many."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from mmengine.logging import print_log

_TOO_SHORT = 'too short'
_SEPARATOR = ': '
_ENOUGH = 200  # clips after which a share means something
_EARLY_FILES = 3  # different files that may stop a run before
_EARLY_LIMIT = 0.1  # share of the clips that may stop a run before
_SHOWN = 5  # problems in a message


class TooManyCorruptError(RuntimeError):
    """More clips could not be read than a run should ignore."""


def problem_line(path: object, reason: object) -> str:
    """``'file: reason'``, one line of the ``replaced`` of a clip."""
    text = ' '.join(str(reason).split()).removeprefix(f'{path} ')
    return f'{path}{_SEPARATOR}{text}'


def short_line(path: object, total: int, least: int) -> str:
    """The line of a video that is sound and has too few frames for a clip."""
    return problem_line(path, f'{_TOO_SHORT}, {total} frames of {least}')


def is_short(line: str) -> bool:
    """Whether a line was made by :func:`short_line`."""
    return f'{_SEPARATOR}{_TOO_SHORT}, ' in line


class ReplacedClips:
    """Looks at the ``replaced`` of every clip that a process trains on.

    The first problem of each file is logged. A clip counts as replaced if a damaged or
    missing file stood in its place; videos that are only too short are told and not
    counted. The run stops when

    - of at least 200 clips more than ``limit`` were replaced; or
    - before that, more than 10 % were, by at least 3 different files. So one bad file
      among few does not stop the run at once, and a broken disk does.

    Args:
        limit: share of the clips that may be replaced, in [0, 1].

    Attributes:
        drawn: clips that were looked at.
        replaced: those that stand for a clip that could not be read.
        problems: path of every file that was told about, to its problem.

    Raises:
        ValueError: the limit is outside [0, 1].
    """

    def __init__(self, limit: float = 0.01) -> None:
        if not 0 <= limit <= 1:
            raise ValueError(
                f'limit of ReplacedClips is a share in [0, 1], not {limit}.'
            )
        self.limit = limit
        self.drawn, self.replaced = 0, 0
        self.problems: dict[str, str] = {}

    def update(self, data_samples: Sequence[Mapping[str, Any]]) -> None:
        """Count the clips of one batch.

        Args:
            data_samples: of a collated batch; ``replaced`` holds lines
                ``'file: problem'``.

        Raises:
            TooManyCorruptError: too many were replaced.
        """
        for sample in data_samples:
            lines = sample.get('replaced', ())
            for line in lines:
                self._tell(line)
            self.drawn += 1
            self.replaced += any(not is_short(line) for line in lines)
        self._check()

    def state_dict(self) -> dict[str, Any]:
        """Plain values from which a resumed run goes on counting."""
        return dict(
            drawn=self.drawn, replaced=self.replaced, problems=dict(self.problems)
        )

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a :meth:`state_dict`; an empty one starts from nothing."""
        self.drawn = int(state.get('drawn', 0))
        self.replaced = int(state.get('replaced', 0))
        self.problems = dict(state.get('problems', {}))

    def _tell(self, line: str) -> None:
        path, _, problem = line.partition(_SEPARATOR)
        if path in self.problems:
            return
        self.problems[path] = problem
        print_log(
            f'{line} Another clip takes its place.',
            logger='current',
            level=logging.WARNING,
        )

    def _damaged(self) -> list[str]:
        lines = [f'{path}{_SEPARATOR}{text}' for path, text in self.problems.items()]
        return [line for line in lines if not is_short(line)]

    def _check(self) -> None:
        if self.drawn >= _ENOUGH:
            stop = self.replaced > self.limit * self.drawn
        else:
            share = max(self.limit, _EARLY_LIMIT)
            many = self.replaced > share * self.drawn
            stop = many and len(self._damaged()) >= _EARLY_FILES
        if not stop:
            return
        damaged = self._damaged()
        examples = '\n  '.join(damaged[:_SHOWN])
        raise TooManyCorruptError(
            f'{self.replaced} of {self.drawn} clips could not be read and were '
            f'replaced, from {len(damaged)} files; {self.limit:.1%} are allowed. '
            f'The first problems:\n  {examples}\n'
            'Copy or extract these files again, or leave them out with list_file=... '
            'of the dataset. All files are decoded and checked by: '
            'python tools/check_data.py NAME --data ROOT --deep'
        )
