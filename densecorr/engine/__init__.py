"""Running: process groups, training and test loops, fingerprints and result folders."""

from densecorr.engine import hooks, optim
from densecorr.engine.discovery_loop import DiscoveryLoop
from densecorr.engine.feature_loop import FeatureTestLoop
from densecorr.engine.test_loop import VideoTestLoop
from densecorr.engine.train_checkpoint import TrainCheckpointHook
from densecorr.engine.train_loop import ClipTrainLoop
from densecorr.engine.train_runner import TrainRunner
from densecorr.engine.validation_hook import ValidationHook

__all__ = [
    'ClipTrainLoop',
    'DiscoveryLoop',
    'FeatureTestLoop',
    'TrainCheckpointHook',
    'TrainRunner',
    'ValidationHook',
    'VideoTestLoop',
    'hooks',
    'optim',
]
