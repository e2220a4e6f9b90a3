"""Checkpoint formats: recognise, convert, load strictly, write."""

from .addresses import open_checkpoint
from .convert import ConvertResult, agreed, choose, convert, recognise, tensors_of
from .export import export
from .heads import load_head
from .load import LoadReport, load_backbone, note_of, randomise
from .sources import SOURCES, Export, Layout, Rules, Source

__all__ = [
    'SOURCES',
    'ConvertResult',
    'Export',
    'Layout',
    'LoadReport',
    'Rules',
    'Source',
    'agreed',
    'choose',
    'convert',
    'export',
    'load_backbone',
    'load_head',
    'note_of',
    'open_checkpoint',
    'randomise',
    'recognise',
    'tensors_of',
]
