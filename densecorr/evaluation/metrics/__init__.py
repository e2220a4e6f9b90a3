"""Metrics: what the test loop feeds with predictions and asks for numbers."""

from densecorr.evaluation.metrics.base import VideoMetric
from densecorr.evaluation.metrics.cluster_seg import ClusterMetric
from densecorr.evaluation.metrics.discovery import DiscoveryMetric
from densecorr.evaluation.metrics.foreground import ForegroundMetric
from densecorr.evaluation.metrics.linear_probe import LinearProbeMetric
from densecorr.evaluation.metrics.parts import PartsMetric
from densecorr.evaluation.metrics.pck import PCKMetric
from densecorr.evaluation.metrics.retrieval import RetrievalMetric
from densecorr.evaluation.metrics.single_object import SingleObjectMetric
from densecorr.evaluation.metrics.vos import VOSMetric
from densecorr.evaluation.metrics.ytvos import YouTubeVOSMetric

__all__ = [
    'ClusterMetric',
    'DiscoveryMetric',
    'ForegroundMetric',
    'LinearProbeMetric',
    'PCKMetric',
    'PartsMetric',
    'RetrievalMetric',
    'SingleObjectMetric',
    'VOSMetric',
    'VideoMetric',
    'YouTubeVOSMetric',
]
