"""SpriteWorld: generated videos of which everything is known."""

from .clip import Clip, ObjectInfo
from .dataset import SpriteWorld
from .presets import PRESETS, make_clip
from .sprites import CATEGORIES, JOINTS, PARTS
from .training_clips import SpriteWorldClips

__all__ = [
    'CATEGORIES',
    'JOINTS',
    'PARTS',
    'PRESETS',
    'Clip',
    'ObjectInfo',
    'SpriteWorld',
    'SpriteWorldClips',
    'make_clip',
]
