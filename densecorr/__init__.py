"""densecorr: dense correspondence learned from unlabelled video."""

from . import compat  # noqa: F401  (guards must run before torchvision is imported)

__version__ = '0.1.0'
