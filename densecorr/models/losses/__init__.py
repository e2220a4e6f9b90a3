"""Losses: a pure function each, and a registered module with its settings."""

from densecorr.models.losses.random_walk import RandomWalkLoss

__all__ = ['RandomWalkLoss']
