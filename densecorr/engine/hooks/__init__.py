"""What happens around an iteration of training, one file a hook."""

from densecorr.engine.hooks.due import is_due

__all__ = ['is_due']
