"""Training methods, one file each."""

from densecorr.models.methods.base import BaseMethod
from densecorr.models.methods.crw import CRW

__all__ = ['CRW', 'BaseMethod']
