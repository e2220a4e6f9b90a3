"""Datasets: each yields videos whose frames are read when asked for."""

from densecorr.datasets.davis import DAVISDataset
from densecorr.datasets.toy import SpriteWorld

__all__ = ['DAVISDataset', 'SpriteWorld']
