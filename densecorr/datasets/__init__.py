"""Datasets: each yields videos whose frames are read when asked for."""

from densecorr.datasets.davis import DAVISDataset

__all__ = ['DAVISDataset']
