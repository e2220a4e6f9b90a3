"""SpriteWorld clips as files, in the layouts of published data sets."""

from densecorr.datasets.toy.layouts.base import KeptClip, Layout, Scene
from densecorr.datasets.toy.layouts.davis import (
    DAVIS,
    DAVIS_2016,
    DAVIS_UNSUPERVISED,
    decode_flow,
    encode_flow,
)
from densecorr.datasets.toy.layouts.jhmdb import JHMDB
from densecorr.datasets.toy.layouts.videos import VIDEO
from densecorr.datasets.toy.layouts.vip import VIP
from densecorr.datasets.toy.layouts.voc import VOC
from densecorr.datasets.toy.layouts.write import LAYOUTS, scenes_of, write_layout
from densecorr.datasets.toy.layouts.ytvos import YTVOS

__all__ = [
    'DAVIS',
    'DAVIS_2016',
    'DAVIS_UNSUPERVISED',
    'JHMDB',
    'LAYOUTS',
    'VIDEO',
    'VIP',
    'VOC',
    'YTVOS',
    'KeptClip',
    'Layout',
    'Scene',
    'decode_flow',
    'encode_flow',
    'scenes_of',
    'write_layout',
]
