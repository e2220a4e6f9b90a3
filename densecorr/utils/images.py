"""Reading RGB images and label maps, writing label maps as palette PNG.

Files are read as bytes and recognised by content, so upper-case or wrong extensions,
spaces and non-ASCII names make no difference.
"""

from __future__ import annotations

import io
import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from mmengine.logging import print_log
from PIL import Image, UnidentifiedImageError

from densecorr.utils.files import write_atomic

READERS = ('opencv', 'pillow')
_NUM_COLORS = 256
_BITS = 8
_EXIF_ORIENTATION = 0x0112  # EXIF 2.3, table 4
_UPRIGHT = 1
_JPEG, _PNG = b'\xff\xd8', b'\x89PNG\r\n\x1a\n'
_SOS, _EOI = 0xDA, 0xD9  # start of a scan, end of the image
_SOF = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # frame headers
_CMYK_CHANNELS = 4
# inside a scan 0xFF is followed by 0x00 (stuffing), a restart marker or a fill byte
_MARKER = re.compile(rb'\xff([^\x00\xd0-\xd7\xff])')
_PNG_DEPTH, _PNG_COLOR = 24, 25  # offsets of bit depth and colour type in a PNG
_OPENCV_FLAGS = {  # by the part of its size at which a JPEG is decoded
    1: cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION,
    2: cv2.IMREAD_REDUCED_COLOR_2 | cv2.IMREAD_IGNORE_ORIENTATION,
    4: cv2.IMREAD_REDUCED_COLOR_4 | cv2.IMREAD_IGNORE_ORIENTATION,
    8: cv2.IMREAD_REDUCED_COLOR_8 | cv2.IMREAD_IGNORE_ORIENTATION,
}
_warned: set[str] = set()


def read_image(
    path: str | Path, reader: str = 'opencv', min_short_side: int | None = None
) -> np.ndarray:
    """Read an image of 8 bits per channel as RGB, upright by its EXIF orientation.

    Args:
        path: JPEG, PNG or any other file that the reader knows.
        reader: ``'opencv'`` or ``'pillow'``; their JPEG decoders differ by a grey
            level here and there, so protocols name the one that they were made with.
        min_short_side: decode a JPEG at 1/2, 1/4 or 1/8 of its size, the smallest whose
            short side has this many pixels: faster where the image is resized anyway.
            None decodes it whole.

    Returns:
        ``(H, W, 3)`` uint8, RGB.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the reader is unknown, or the file is empty, truncated, not an
            image, CMYK, or has more than 8 bits per channel.
    """
    check_reader(reader, min_short_side)
    data = _read_bytes(path)
    _check_jpeg(path, data)
    _check_png(path, data)
    with _open_image(path, io.BytesIO(data)) as header:
        if header.mode.startswith(('I', 'F')):
            raise _deep_error(path, 'more than 8')
        orientation, part = _orientation(header), _part(header, min_short_side)
        if reader == 'pillow':
            if part > 1:
                width, height = header.size
                header.draft(None, (width // part, height // part))
            rgb = np.asarray(_load(path, header).convert('RGB'))
        else:
            bgr = cv2.imdecode(np.frombuffer(data, np.uint8), _OPENCV_FLAGS[part])
            if bgr is None:
                raise _broken_error(path)
            rgb = cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)
    if orientation != _UPRIGHT:
        _warn_rotated(path, orientation)
    return turn_upright(rgb, orientation)


def check_reader(reader: str, min_short_side: int | None = None) -> None:
    """Refuse what :func:`read_image` does not know.

    Raises:
        ValueError: the reader is unknown, or ``min_short_side`` below 1.
    """
    if reader not in READERS:
        raise ValueError(f'reader should be one of {list(READERS)}, not {reader!r}.')
    if min_short_side is not None and min_short_side < 1:
        raise ValueError(
            f'min_short_side is {min_short_side} pixels; give at least 1, or None to '
            'decode images whole.'
        )


def turn_upright(rgb: np.ndarray, orientation: int) -> np.ndarray:
    """Undo an EXIF orientation (1 to 8) of an ``(H, W, 3)`` image.

    5 to 8 exchange height and width. The result is contiguous.
    """
    if not _UPRIGHT <= orientation <= _BITS:
        raise ValueError(f'EXIF orientation should be in 1..8, not {orientation}.')
    turned = rgb.swapaxes(0, 1) if orientation in (5, 6, 7, 8) else rgb
    if orientation in (3, 4, 7, 8):
        turned = turned[::-1]
    if orientation in (2, 3, 6, 7):
        turned = turned[:, ::-1]
    return np.ascontiguousarray(turned)


def image_size(path: str | Path) -> tuple[int, int]:
    """Size ``(H, W)`` of an upright image, read from the header alone.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is empty or not an image.
    """
    path = Path(path)
    _check_file(path)
    with _open_image(path, path) as header:
        width, height = header.size
        return (
            (width, height)
            if _orientation(header) in (5, 6, 7, 8)
            else (
                height,
                width,
            )
        )


def read_label_map(path: str | Path) -> tuple[np.ndarray, np.ndarray | None]:
    """Read a label map from a palette or grey PNG, by index and never through RGB.

    Returns:
        ``(H, W)`` uint8 indices and the ``(256, 3)`` uint8 palette, None for grey.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is empty, truncated, not a PNG, in colour without a
            palette, or its grey values are not whole labels of 8 bits.
    """
    data = _read_bytes(path)
    with _open_image(path, io.BytesIO(data)) as image:
        if image.format != 'PNG':
            raise ValueError(
                f'{path} is a {image.format} file; label maps are palette or grey PNG '
                '(lossy formats change labels). Write it again as PNG.'
            )
        if image.mode.startswith('I'):
            largest = int(np.asarray(_load(path, image)).max())
            raise ValueError(
                f'{path} is a grey PNG of more than 8 bits, with labels up to '
                f'{largest}; label maps hold labels 0 to 255. Renumber them and save '
                'them with write_label_map.'
            )
        if image.mode not in ('P', 'L', '1'):
            raise ValueError(
                f'{path} has pixels of mode {image.mode}, but a label map holds one '
                'label per pixel: a palette (mode P) or grey 8-bit (mode L) PNG. '
                'Map its colours to labels and save it with write_label_map.'
            )
        depth, grey = data[_PNG_DEPTH], image.mode == 'L'
        if grey and depth != _BITS:
            raise ValueError(
                f'{path} is a grey PNG of {depth} bits, whose labels readers rescale. '
                'Save it as a grey PNG of 8 bits or with a palette.'
            )
        indices = np.array(_load(path, image), dtype=np.uint8)
        return indices, _palette(image)


def encode_label_map(label_map: np.ndarray, palette: np.ndarray | None = None) -> bytes:
    """Encode ``(H, W)`` labels as a palette PNG, equal input to equal bytes.

    Args:
        label_map: integers (or bool) in 0..255.
        palette: ``(256, 3)`` uint8 colours; None is :func:`davis_palette`.
    """
    label_map = np.asarray(label_map)
    if label_map.ndim != 2 or label_map.dtype.kind not in 'iub':
        raise ValueError(
            f'A label map is an (H, W) array of integers, not {label_map.dtype} of '
            f'shape {label_map.shape}.'
        )
    if label_map.size and not 0 <= label_map.min() <= label_map.max() < _NUM_COLORS:
        raise ValueError(
            f'Labels range over {label_map.min()}..{label_map.max()}, but a palette '
            'PNG holds 0..255. Renumber the objects.'
        )
    colors = davis_palette() if palette is None else np.asarray(palette)
    if colors.shape != (_NUM_COLORS, 3) or colors.dtype != np.uint8:
        raise ValueError(
            f'A palette is a (256, 3) array of uint8, not {colors.dtype} of shape '
            f'{colors.shape}.'
        )
    image = Image.fromarray(np.ascontiguousarray(label_map, dtype=np.uint8))
    image.putpalette(colors.tobytes())
    buffer = io.BytesIO()
    image.save(buffer, format='PNG', bits=_BITS)
    return buffer.getvalue()


def write_label_map(
    path: str | Path, label_map: np.ndarray, palette: np.ndarray | None = None
) -> None:
    """Write :func:`encode_label_map` atomically; parent folders are made."""
    write_atomic(path, encode_label_map(label_map, palette))


def resize_nearest(pixels: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Resize like Pillow's NEAREST: every pixel takes the one under its centre.

    OpenCV's nearest neighbour takes other pixels.

    Args:
        pixels: ``(H, W)`` or ``(H, W, 3)``, uint8 or another type that Pillow knows.
        size: wanted (h, w).
    """
    if pixels.shape[:2] == tuple(size):
        return pixels
    image = Image.fromarray(np.ascontiguousarray(pixels))
    return np.asarray(image.resize((size[1], size[0]), Image.Resampling.NEAREST))


def resize_floor(pixels: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Resize like PyTorch's ``nearest``: pixel i takes ``floor(i * old / new)``.

    Args:
        pixels: ``(H, W, ...)``.
        size: wanted (h, w).
    """
    rows = np.arange(size[0]) * pixels.shape[0] // size[0]
    columns = np.arange(size[1]) * pixels.shape[1] // size[1]
    return pixels[rows][:, columns]


def davis_palette() -> np.ndarray:
    """Colour of every label in DAVIS, the colour map of PASCAL VOC.

    Bit 0, 1, 2 of the successive groups of three bits of a label go to red, green,
    blue, the first group to the highest bit of the colour.

    Returns:
        ``(256, 3)`` uint8, RGB.
    """
    labels = np.arange(_NUM_COLORS)
    palette = np.zeros((_NUM_COLORS, 3), np.uint8)
    for group in range(_BITS):
        bits = labels[:, None] >> (3 * group + np.arange(3)) & 1  # (256, 3)
        palette |= (bits << (_BITS - 1 - group)).astype(np.uint8)
    return palette


def _check_file(path: Path) -> None:
    if not path.exists():
        raise FileNotFoundError(f'There is no image {path}.')
    if path.stat().st_size == 0:
        raise ValueError(f'{path} is empty (0 bytes). Copy or extract it again.')


def _read_bytes(path: str | Path) -> bytes:
    path = Path(path)
    _check_file(path)
    return path.read_bytes()


def _open_image(path: str | Path, source: Any) -> Image.Image:
    """Read the header; pixels stay undecoded."""
    try:
        return Image.open(source)
    except (UnidentifiedImageError, SyntaxError, ValueError) as error:
        raise ValueError(f'{path} is not an image that can be read.') from error


def _load(path: str | Path, image: Image.Image) -> Image.Image:
    try:
        image.load()
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        raise _broken_error(path) from error
    return image


def _part(header: Image.Image, min_short_side: int | None) -> int:
    """By how much a decoder may divide the sides, which it rounds up."""
    if min_short_side is None or header.format != 'JPEG':
        return 1
    short = min(header.size)
    return max(n for n in _OPENCV_FLAGS if n == 1 or -(-short // n) >= min_short_side)


def _palette(image: Image.Image) -> np.ndarray | None:
    if image.mode != 'P':
        return None
    colors = np.array(image.getpalette('RGB'), np.uint8).reshape(-1, 3)
    palette = np.zeros((_NUM_COLORS, 3), np.uint8)
    palette[: len(colors)] = colors
    return palette


def _orientation(image: Image.Image) -> int:
    """EXIF orientation; 1 (upright) where the header has none or nonsense."""
    if 'exif' not in image.info:  # asking for it would decode a PNG
        return _UPRIGHT
    value = image.getexif().get(_EXIF_ORIENTATION, _UPRIGHT)
    return value if value in range(_UPRIGHT, _BITS + 1) else _UPRIGHT


def _warn_rotated(path: str | Path, orientation: int) -> None:
    if str(path) in _warned:
        return
    _warned.add(str(path))
    print_log(
        f'{path} is stored with EXIF orientation {orientation} and was turned upright; '
        'its label maps must be upright too.',
        logger='current',
        level=logging.WARNING,
    )


def _check_jpeg(path: str | Path, data: bytes) -> None:
    """Refuse a JPEG that is not 8-bit grey or RGB, or that ends early.

    OpenCV fills what is missing of a truncated JPEG with grey and says nothing.
    """
    if not data.startswith(_JPEG):
        return
    marker = None
    for marker, start in _jpeg_markers(data):
        header = data[start : start + _BITS]  # length (2), precision, H (2), W (2), c
        if marker not in _SOF or len(header) < _BITS:
            continue
        if header[2] != _BITS:
            raise _deep_error(path, header[2])
        if header[-1] == _CMYK_CHANNELS:
            raise ValueError(
                f'{path} is a CMYK JPEG; images are RGB or grey. Convert it to RGB.'
            )
    if marker != _EOI:
        raise _broken_error(path)


def _jpeg_markers(data: bytes) -> Iterator[tuple[int, int]]:
    """Markers of a JPEG up to its end, each with the offset of its segment."""
    position = len(_JPEG)
    while found := _MARKER.search(data, position):
        marker, position = found[1][0], found.end()
        yield marker, position
        if marker == _EOI:
            return
        position += int.from_bytes(data[position : position + 2], 'big')


def _check_png(path: str | Path, data: bytes) -> None:
    if not data.startswith(_PNG):
        return
    if b'IEND' not in data:
        raise _broken_error(path)
    if data[_PNG_DEPTH] > _BITS:
        raise _deep_error(path, data[_PNG_DEPTH])


def _broken_error(path: str | Path) -> ValueError:
    return ValueError(
        f'{path} is truncated or damaged: its pixels end early or cannot be decoded. '
        'Copy or extract it again.'
    )


def _deep_error(path: str | Path, depth: object) -> ValueError:
    return ValueError(
        f'{path} has {depth} bits per channel; images have 8. Convert it to 8 bits.'
    )
