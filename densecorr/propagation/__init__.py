"""Propagation."""

from densecorr.propagation.tracker import VideoTracker

__all__ = ['VideoTracker']
