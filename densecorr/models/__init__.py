"""Networks."""

from densecorr.models import backbones

__all__ = ['backbones']
