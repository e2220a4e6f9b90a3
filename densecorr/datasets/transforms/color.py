"""Changes of colour of uint8 RGB images, on arrays, by OpenCV or by Pillow.

Factor 1 of brightness, contrast and saturation, and 0 of hue, change nothing. With
``engine='pillow'`` the results are those of torchvision's transforms of Pillow images,
bit for bit. ``'opencv'`` takes a fraction of the time: brightness, contrast and
saturation (factors up to 2) are one grey level off at most; its hue, computed from 8
bits too, is nearer to the exact one on average (docs/transforms.md has the figures).

Images are ``(H, W, 3)``. Every function returns a new image, or writes into ``out``,
which may be the image itself.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from PIL import Image, ImageEnhance, ImageFilter

ENGINES = ('opencv', 'pillow')
OPERATIONS = ('brightness', 'contrast', 'saturation', 'hue')
NEUTRAL = (1.0, 1.0, 1.0, 0.0)
_LEVELS = 256
_Change = Callable[[np.ndarray, float, 'np.ndarray | None'], np.ndarray]
# added before OpenCV rounds to nearest, so that it rounds down as Pillow does; not
# quite a half, so that whole values stay
_ROUND_DOWN = -0.499
_SIGMA = 4  # reach of OpenCV's Gaussian at both sides, in standard deviations


def check_engine(engine: str) -> None:
    """Refuse an unknown name.

    Raises:
        ValueError: it is not one of ``ENGINES``.
    """
    if engine not in ENGINES:
        raise ValueError(f'engine is {engine!r}, allowed are {ENGINES}.')


def jitter(
    image: np.ndarray,
    order: np.ndarray,
    factors: np.ndarray,
    engine: str = 'opencv',
    out: np.ndarray | None = None,
) -> np.ndarray:
    """Brightness, contrast, saturation and hue in a given order.

    Args:
        image: uint8, contiguous.
        order: numbers of ``OPERATIONS``, the first is applied first.
        factors: ``(4,)`` of brightness, contrast, saturation (at least 0), and the
            shift of hue in turns, in [-0.5, 0.5].
        engine: one of ``ENGINES``.
        out: where the result goes.
    """
    functions = _PILLOW if engine == 'pillow' else _OPENCV
    result = image
    for number in order:
        if factors[number] != NEUTRAL[number]:
            result = out = functions[number](result, float(factors[number]), out)
    if result is image and out is not image:
        out = np.empty_like(image) if out is None else out
        np.copyto(out, image)
        return out
    return result


def gray(
    image: np.ndarray, engine: str = 'opencv', out: np.ndarray | None = None
) -> np.ndarray:
    """Luma, 0.299 R + 0.587 G + 0.114 B, rounded, in all three channels."""
    if engine == 'pillow':
        luma = np.asarray(Image.fromarray(image).convert('L'))
    else:
        luma = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    return cv2.cvtColor(luma, cv2.COLOR_GRAY2RGB, dst=out)


def gaussian_blur(
    image: np.ndarray,
    sigma: float,
    engine: str = 'opencv',
    kernel_size: int | None = None,
    out: np.ndarray | None = None,
) -> np.ndarray:
    """Gaussian of standard deviation ``sigma`` pixels.

    Args:
        image: uint8.
        sigma: positive.
        engine: ``'opencv'`` convolves with the Gaussian, mirrored at the borders;
            ``'pillow'`` is ``ImageFilter.GaussianBlur(sigma)``, three box filters.
        kernel_size: odd side of OpenCV's kernel; None: 4 sigma to both sides.
        out: where the result goes.
    """
    if engine == 'pillow':
        blurred = Image.fromarray(image).filter(ImageFilter.GaussianBlur(sigma))
        return _keep(np.asarray(blurred), out)
    side = kernel_size or 2 * int(_SIGMA * sigma + 0.5) + 1
    return cv2.GaussianBlur(
        image, (side, side), sigma, dst=out, borderType=cv2.BORDER_REFLECT_101
    )


def _affine(
    image: np.ndarray, factor: float, shift: float, out: np.ndarray | None
) -> np.ndarray:
    """``factor * image + shift``, clipped and rounded down."""
    return cv2.addWeighted(image, factor, image, 0, shift + _ROUND_DOWN, dst=out)


def _brightness(image: np.ndarray, factor: float, out: np.ndarray | None) -> np.ndarray:
    return _affine(image, factor, 0, out)


def _contrast(image: np.ndarray, factor: float, out: np.ndarray | None) -> np.ndarray:
    mean = cv2.mean(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY))[0]
    return _affine(image, factor, (1 - factor) * int(mean + 0.5), out)


def _saturation(image: np.ndarray, factor: float, out: np.ndarray | None) -> np.ndarray:
    return cv2.addWeighted(image, factor, gray(image), 1 - factor, _ROUND_DOWN, dst=out)


def _hue(image: np.ndarray, factor: float, out: np.ndarray | None) -> np.ndarray:
    hsv = cv2.cvtColor(image, cv2.COLOR_RGB2HSV_FULL)  # hue in 256 steps a turn
    height, width, channels = hsv.shape
    shift = np.zeros((width, channels), np.uint8)
    shift[:, 0] = round(factor * _LEVELS) % _LEVELS
    rows = hsv.reshape(height, -1)
    rows += shift.reshape(-1)  # wraps around; whole rows are added fast
    return cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB_FULL, dst=out)


def _enhancer(kind: type) -> _Change:
    def change(image: np.ndarray, factor: float, out: np.ndarray | None) -> np.ndarray:
        return _keep(np.asarray(kind(Image.fromarray(image)).enhance(factor)), out)

    return change


def _pillow_hue(image: np.ndarray, factor: float, out: np.ndarray | None) -> np.ndarray:
    hue, saturation, value = Image.fromarray(image).convert('HSV').split()
    shift = np.uint8(int(factor * (_LEVELS - 1)) % _LEVELS)  # as torchvision
    turned = Image.fromarray(np.asarray(hue) + shift)
    merged = Image.merge('HSV', (turned, saturation, value))
    return _keep(np.asarray(merged.convert('RGB')), out)


def _keep(image: np.ndarray, out: np.ndarray | None) -> np.ndarray:
    out = np.empty_like(image) if out is None else out
    np.copyto(out, image)
    return out


_OPENCV: tuple[_Change, ...] = (_brightness, _contrast, _saturation, _hue)
_PILLOW: tuple[_Change, ...] = (
    _enhancer(ImageEnhance.Brightness),
    _enhancer(ImageEnhance.Contrast),
    _enhancer(ImageEnhance.Color),
    _pillow_hue,
)
