"""Why two numbers differ: the factors of two results, and what each of them does."""

from .compare import Diff, Difference, diff_of, diff_results
from .factors import KINDS, Result, read_result
from .replay import ORDER, Replay, replay
from .shares import Share
from .words import format_diff, format_replay, name_of

__all__ = [
    'KINDS',
    'ORDER',
    'Diff',
    'Difference',
    'Replay',
    'Result',
    'Share',
    'diff_of',
    'diff_results',
    'format_diff',
    'format_replay',
    'name_of',
    'read_result',
    'replay',
]
