"""Heads: what a method puts on the features of a backbone."""

from densecorr.models.heads.projection import ProjectionHead

__all__ = ['ProjectionHead']
