"""Transforms of clips: each draws its numbers first, then applies them."""

from densecorr.datasets.transforms.base import ClipTransform
from densecorr.datasets.transforms.blur import ClipGaussianBlur
from densecorr.datasets.transforms.color_jitter import ClipColorJitter
from densecorr.datasets.transforms.crop import ClipCenterCrop, ClipRandomCrop
from densecorr.datasets.transforms.flip import ClipRandomFlip
from densecorr.datasets.transforms.gray import ClipRandomGray
from densecorr.datasets.transforms.lab import ClipToLab
from densecorr.datasets.transforms.pack import PackClip
from densecorr.datasets.transforms.patch_grid import PatchGrid
from densecorr.datasets.transforms.random_resized_crop import ClipRandomResizedCrop
from densecorr.datasets.transforms.repeat import ClipRepeat
from densecorr.datasets.transforms.resize import ClipResize
from densecorr.datasets.transforms.second_view import ClipSecondView

__all__ = [
    'ClipCenterCrop',
    'ClipColorJitter',
    'ClipGaussianBlur',
    'ClipRandomCrop',
    'ClipRandomFlip',
    'ClipRandomGray',
    'ClipRandomResizedCrop',
    'ClipRepeat',
    'ClipResize',
    'ClipSecondView',
    'ClipToLab',
    'ClipTransform',
    'PackClip',
    'PatchGrid',
]
