"""Checkpoint formats as data: one :class:`Source` for each program that writes them."""

from .source import Export, Layout, Rules, Source
from .table import SOURCES

__all__ = ['SOURCES', 'Export', 'Layout', 'Rules', 'Source']
