"""Losses: a pure function each, and a registered module with its settings."""

from densecorr.models.losses.dul import DULLoss
from densecorr.models.losses.random_walk import RandomWalkLoss
from densecorr.models.losses.simsiam import SimSiamLoss

__all__ = ['DULLoss', 'RandomWalkLoss', 'SimSiamLoss']
