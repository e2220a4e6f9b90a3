"""Running: process groups, the test loop, fingerprints and result folders."""

from densecorr.engine.plain_checkpoint import PlainCheckpointHook
from densecorr.engine.test_loop import VideoTestLoop

__all__ = ['PlainCheckpointHook', 'VideoTestLoop']
