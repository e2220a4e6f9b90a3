"""The report: one page about one evaluation, and overlays of its results."""

from .numbers import format_result, notes_of, percent
from .overlays import OVERLAYS, write_overlays
from .page import MAX_BYTES, find_dataset, rebuild_report, write_report

__all__ = [
    'MAX_BYTES',
    'OVERLAYS',
    'find_dataset',
    'format_result',
    'notes_of',
    'percent',
    'rebuild_report',
    'write_overlays',
    'write_report',
]
