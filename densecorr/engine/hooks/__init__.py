"""What happens around an iteration of training, one file a hook."""

from densecorr.engine.hooks.collapse_monitor import CollapseError, CollapseMonitorHook
from densecorr.engine.hooks.due import is_due
from densecorr.engine.hooks.ema_teacher import EMATeacherHook
from densecorr.engine.hooks.freeze import FreezeHook
from densecorr.engine.hooks.loss_gradients import LossGradientsHook
from densecorr.engine.hooks.preview import PreviewHook
from densecorr.engine.hooks.reconstruction import ReconstructionHook
from densecorr.engine.hooks.scheduled_values import ScheduledValuesHook
from densecorr.engine.hooks.slot_discovery import SlotDiscoveryHook
from densecorr.engine.hooks.train_log import TrainLogHook
from densecorr.engine.hooks.unit_rows import UnitRowsHook

__all__ = [
    'CollapseError',
    'CollapseMonitorHook',
    'EMATeacherHook',
    'FreezeHook',
    'LossGradientsHook',
    'PreviewHook',
    'ReconstructionHook',
    'ScheduledValuesHook',
    'SlotDiscoveryHook',
    'TrainLogHook',
    'UnitRowsHook',
    'is_due',
]
