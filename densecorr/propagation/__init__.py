"""From a protocol and features to label maps, one frame at a time."""

from densecorr.propagation.context import Context
from densecorr.propagation.frame_features import FrameFeatures
from densecorr.propagation.frames import FrameInput
from densecorr.propagation.labels import LabelCodec
from densecorr.propagation.propagator import LabelPropagator, Limits
from densecorr.propagation.protocol import Protocol
from densecorr.propagation.tracker import VideoTracker
from densecorr.propagation.yardsticks import (
    FirstLabelsCopied,
    LabelCeiling,
    NoiseTracker,
    PointTracker,
)

__all__ = [
    'Context',
    'FirstLabelsCopied',
    'FrameFeatures',
    'FrameInput',
    'LabelCeiling',
    'LabelCodec',
    'LabelPropagator',
    'Limits',
    'NoiseTracker',
    'PointTracker',
    'Protocol',
    'VideoTracker',
]
