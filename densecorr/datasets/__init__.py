"""Datasets."""

from densecorr.datasets.davis import DAVISDataset

__all__ = ['DAVISDataset']
