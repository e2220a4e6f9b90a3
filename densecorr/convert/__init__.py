"""Checkpoint formats: recognise, convert, load strictly."""

from .convert import ConvertResult, choose, convert, recognise, tensors_of
from .load import LoadReport, load_backbone, open_checkpoint, randomise
from .sources import SOURCES, Source

__all__ = [
    'SOURCES',
    'ConvertResult',
    'LoadReport',
    'Source',
    'choose',
    'convert',
    'load_backbone',
    'open_checkpoint',
    'randomise',
    'recognise',
    'tensors_of',
]
