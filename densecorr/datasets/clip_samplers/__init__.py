"""Clip samplers: which frames of a video make a training clip."""

from densecorr.datasets.clip_samplers.base import ClipSampler
from densecorr.datasets.clip_samplers.catmae import CatMAESampler
from densecorr.datasets.clip_samplers.dul import DULSampler
from densecorr.datasets.clip_samplers.fixed_rate import FixedRateSampler
from densecorr.datasets.clip_samplers.gap import GapSampler
from densecorr.datasets.clip_samplers.smtc import SMTCSampler
from densecorr.datasets.clip_samplers.spa_then_temp import SpaThenTempSampler
from densecorr.datasets.clip_samplers.timet import TimeTSampler
from densecorr.datasets.clip_samplers.vfs import VFSSampler

__all__ = [
    'CatMAESampler',
    'ClipSampler',
    'DULSampler',
    'FixedRateSampler',
    'GapSampler',
    'SMTCSampler',
    'SpaThenTempSampler',
    'TimeTSampler',
    'VFSSampler',
]
