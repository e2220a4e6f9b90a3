"""Where a prediction and the truth differ, and packed label maps for pages."""

from __future__ import annotations

import base64

import numpy as np

DIFFERENCES = ('missed', 'false', 'wrong')  # classes 1, 2, 3 of difference_map
VOID = 255  # pixels of an annotation that do not count
_SEVEN_BITS = 0x7F
_MORE = 0x80


def difference_map(pred: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """How every pixel was labelled.

    Args:
        pred: ``(H, W)`` predicted object numbers, 0 = background.
        truth: ``(H, W)`` annotated ones; 255 is void, which counts as right.

    Returns:
        ``(H, W)`` uint8: 0 right, 1 *missed* (an object, predicted as background), 2
        *false* (background, predicted as an object), 3 *wrong* (another object).

    Raises:
        ValueError: the sizes differ.
    """
    if pred.shape != truth.shape:
        raise ValueError(
            f'the prediction is {pred.shape}, the annotation {truth.shape}; resize one '
            'of them by nearest neighbour before comparing.'
        )
    there, given = (truth > 0) & (truth != VOID), pred > 0
    classes = np.zeros(pred.shape, np.uint8)
    classes[there & ~given] = 1
    classes[(truth == 0) & given] = 2
    classes[there & given & (pred != truth)] = 3
    return classes


def difference_shares(pred: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    """Pixels of each class over the pixels that are an object in either map.

    Returns:
        a fraction per name of ``DIFFERENCES``; 0 where both maps are empty.
    """
    classes = difference_map(pred, truth)
    counted = truth != VOID
    either = int((((pred > 0) | (truth > 0)) & counted).sum())
    counts = [int((classes == number).sum()) for number in (1, 2, 3)]
    return {
        name: count / either if either else 0.0
        for name, count in zip(DIFFERENCES, counts, strict=True)
    }


def encode_runs(label_map: np.ndarray) -> str:
    """A label map as text: runs of equal labels in row order, base64.

    A run is the label in one byte and its length as a number of 7 bits per byte, the
    low ones first, the high bit set where more follow. Pages unpack it without the
    help of an image decoder, so every pixel arrives as it is.

    Args:
        label_map: ``(H, W)`` labels in 0..255.
    """
    flat = np.ascontiguousarray(label_map, np.uint8).ravel()
    starts = np.flatnonzero(np.diff(flat, prepend=-1, append=-1))
    packed = bytearray()
    for start, end in zip(starts[:-1].tolist(), starts[1:].tolist(), strict=True):
        packed.append(int(flat[start]))
        length = end - start
        while length > _SEVEN_BITS:
            packed.append(_MORE | length & _SEVEN_BITS)
            length >>= 7
        packed.append(length)
    return base64.b64encode(bytes(packed)).decode('ascii')


def decode_runs(text: str, size: tuple[int, int]) -> np.ndarray:
    """The ``(H, W)`` uint8 label map that :func:`encode_runs` packed.

    Raises:
        ValueError: the runs do not fill the size.
    """
    packed = base64.b64decode(text)
    labels, lengths, place = [], [], 0
    while place < len(packed):
        labels.append(packed[place])
        length = shift = 0
        more = True
        while more:
            place += 1
            length |= (packed[place] & _SEVEN_BITS) << shift
            shift += 7
            more = bool(packed[place] & _MORE)
        lengths.append(length)
        place += 1
    if sum(lengths) != size[0] * size[1]:
        raise ValueError(
            f'the runs have {sum(lengths)} pixels, a map of {size} (H, W) has '
            f'{size[0] * size[1]}.'
        )
    return np.repeat(np.array(labels, np.uint8), lengths).reshape(size)
