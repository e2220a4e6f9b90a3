"""Networks, heads and losses."""

from densecorr.models import backbones, heads, losses

__all__ = ['backbones', 'heads', 'losses']
