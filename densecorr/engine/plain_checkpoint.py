"""Checkpoints that ``torch.load(weights_only=True)`` accepts."""

from __future__ import annotations

from mmengine.hooks import Hook
from mmengine.runner import Runner

from densecorr.registry import HOOKS

_PLAIN = (bool, int, float, str, type(None))  # exact types: np.float64 is a float


@HOOKS.register_module()
class PlainCheckpointHook(Hook):
    """Drop the pickled objects of the message hub before a checkpoint is written.

    They hold the smoothing windows of the logger, which a resumed run refills, and
    they make the file unreadable under the safe default of ``torch.load``.
    """

    priority = 'VERY_LOW'  # after hooks that add to the checkpoint

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Keep plain values only."""
        info = checkpoint['message_hub']['runtime_info']
        checkpoint['message_hub'] = dict(
            log_scalars={},
            runtime_info={k: v for k, v in info.items() if type(v) in _PLAIN},
            resumed_keys={},
        )
