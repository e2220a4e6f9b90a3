"""Training methods, one file each."""

from densecorr.models.methods.base import BaseMethod
from densecorr.models.methods.catmae import CatMAE
from densecorr.models.methods.crw import CRW
from densecorr.models.methods.dul import DUL
from densecorr.models.methods.mixed import Mixed
from densecorr.models.methods.moco_v2 import MoCoV2
from densecorr.models.methods.object_candidates import ObjectCandidates
from densecorr.models.methods.smtc import SMTC
from densecorr.models.methods.spa_then_temp import SpaThenTemp
from densecorr.models.methods.timet import TimeT
from densecorr.models.methods.vfs import VFS

__all__ = [
    'CRW',
    'DUL',
    'SMTC',
    'VFS',
    'BaseMethod',
    'CatMAE',
    'Mixed',
    'MoCoV2',
    'ObjectCandidates',
    'SpaThenTemp',
    'TimeT',
]
