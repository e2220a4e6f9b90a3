"""Label maps to soft labels on the feature grid, and back."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from densecorr.ops.size_policy import SizePlan
from densecorr.utils.images import resize_nearest

ENCODINGS = ('bilinear', 'bilinear_align_corners', 'nearest')
DECODINGS = ('bilinear', 'bilinear_align_corners', 'nearest')
STRETCHES = ('none', 'channel', 'pixel')
LABEL_RESIZES = ('nearest', 'bilinear')
SIZES = ('image', 'input')
FIRST_OUTPUTS = ('given', 'decoded', 'resized')
_CHANNELS_AT_ONCE = 4  # full-size soft maps that exist at a time


def nearest_labels(label_map: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Resize an index map to (h, w) like Pillow's NEAREST: the pixel under the centre.

    OpenCV's nearest takes other pixels; DINO's and Spa-then-Temp's numbers rest on
    this one.
    """
    return resize_nearest(label_map, size)


def floor_nearest(label_map: Tensor, size: tuple[int, int]) -> Tensor:
    """Resize an index map to (h, w): source index ``floor(i * in / out)``."""
    rows = torch.arange(size[0]) * label_map.shape[0] // size[0]
    cols = torch.arange(size[1]) * label_map.shape[1] // size[1]
    return label_map[rows][:, cols]


def encode_labels(
    label_map: np.ndarray, ids: list[int], grid: tuple[int, int], how: str = 'bilinear'
) -> Tensor:
    """Soft labels of an index map on a feature grid.

    Args:
        label_map: ``(H, W)`` integers.
        ids: the label of every channel; other labels of the map are left out.
        grid: (h, w) of the features.
        how: ``'bilinear'``: one-hot, then bilinear with half-pixel centres and without
            antialiasing (CRW); ``'bilinear_align_corners'``: with corners aligned
            (DUL); ``'nearest'``: Pillow's nearest, then one-hot (DINO, Spa-then-Temp).

    Returns:
        ``(o, h, w)`` float32. One channel exists at full size at a time.

    Raises:
        ValueError: unknown ``how``.
    """
    if how not in ENCODINGS:
        raise ValueError(f'encoding is {how!r}; it should be one of {ENCODINGS}.')
    if how == 'nearest':
        small = torch.from_numpy(nearest_labels(label_map, grid).copy())
        return torch.stack([small == number for number in ids]).float()
    full = torch.from_numpy(np.ascontiguousarray(label_map))
    corners = how == 'bilinear_align_corners'
    maps = [
        F.interpolate(
            (full == number).float()[None, None],
            grid,
            mode='bilinear',
            align_corners=corners,
        )[0, 0]
        for number in ids
    ]
    return torch.stack(maps)


def stretch(maps: Tensor, dims: tuple[int, ...] = (-2, -1)) -> Tensor:
    """Stretch to [0, 1]: subtract the minimum over ``dims``, divide by the maximum.

    Maps whose maximum is not positive stay as they are. Maps that are constant become
    zero; the official DINO code divides 0 by 0 there.

    Reference:
        DINO ``eval_video_segmentation.py`` ``norm_mask``; Spa-then-Temp's tracker.
    """
    low, high = maps.amin(dims, keepdim=True), maps.amax(dims, keepdim=True)
    shifted = maps - low
    span = shifted.amax(dims, keepdim=True)
    stretched = torch.where(span > 0, shifted / span, torch.zeros_like(maps))
    return torch.where(high > 0, stretched, maps)


def upsample_argmax(
    soft: Tensor, size: tuple[int, int], how: str = 'bilinear', stretched: bool = False
) -> tuple[Tensor, Tensor]:
    """Enlarge soft labels and take the best channel, a few channels at a time.

    Args:
        soft: ``(o, h, w)``.
        size: (H, W).
        how: one of ``DECODINGS``.
        stretched: every enlarged channel is stretched to [0, 1] first.

    Returns:
        ``(H, W)`` int64 channel (the first of equals) and ``(H, W)`` its value.
    """
    if how not in DECODINGS:
        raise ValueError(f'decoding is {how!r}; it should be one of {DECODINGS}.')
    best = channel = None
    for start in range(0, len(soft), _CHANNELS_AT_ONCE):
        part = soft[start : start + _CHANNELS_AT_ONCE][None]
        maps = _enlarge(part, size, how)[0]
        if stretched:
            maps = stretch(maps)
        value, place = maps.max(0)
        if best is None or channel is None:
            best, channel = value, place
        else:
            better = value > best
            best = torch.where(better, value, best)
            channel = torch.where(better, place + start, channel)
    if best is None or channel is None:
        raise ValueError('soft labels have no channel; there is nothing to decode.')
    return channel, best


def _enlarge(maps: Tensor, size: tuple[int, int], how: str) -> Tensor:
    """``(b, o, h, w)`` maps to ``(b, o, H, W)``."""
    if how == 'nearest':
        return F.interpolate(maps, size, mode='nearest')
    corners = how == 'bilinear_align_corners'
    return F.interpolate(maps, size, mode='bilinear', align_corners=corners)


@dataclass(frozen=True)
class LabelCodec:
    """How a protocol turns label maps into soft labels and back.

    Args:
        encode: see :func:`encode_labels`.
        via_input: the label map is first resized to the network's input (Pillow's
            nearest) and encoded from there, where the frame is resized.
        label_resize: how it is resized there; ``'bilinear'`` (OpenCV, on the numbers)
            invents labels where two meet, as the released code of CRW does.
        decode: see :func:`upsample_argmax`.
        decode_size: soft labels are enlarged to the size of the ``'image'``, or to that
            of the ``'input'`` and the label map then resized by nearest to the image.
        stretch: ``'channel'``: every enlarged channel to [0, 1]; ``'pixel'``: every
            pixel over the channels, before enlarging (CRW's ``norm_mask``).
        first_output: what is written for frame 0: the ``'given'`` labels, the
            ``'decoded'`` soft ones, or the given ones ``'resized'`` to the input and
            back by nearest (Spa-then-Temp).

    Raises:
        ValueError: an option outside the allowed ones.
    """

    encode: str = 'bilinear'
    via_input: bool = True
    label_resize: str = 'nearest'
    decode: str = 'bilinear'
    decode_size: str = 'image'
    stretch: str = 'none'
    first_output: str = 'given'

    def __post_init__(self) -> None:
        for name, allowed in (
            ('encode', ENCODINGS),
            ('label_resize', LABEL_RESIZES),
            ('decode', DECODINGS),
            ('decode_size', SIZES),
            ('stretch', STRETCHES),
            ('first_output', FIRST_OUTPUTS),
        ):
            value = getattr(self, name)
            if value not in allowed:
                raise ValueError(f'{name} is {value!r}; it should be one of {allowed}.')
        if self.label_resize != 'nearest' and not self.via_input:
            raise ValueError(
                f'label_resize={self.label_resize!r} needs via_input=True: the label '
                'map is not resized otherwise.'
            )

    def seen(self, label_map: np.ndarray, plan: SizePlan) -> np.ndarray:
        """The label map whose numbers are the labels to follow."""
        if self.label_resize == 'nearest':
            return label_map  # a label that vanishes at a smaller size has zeros
        return self._resized(label_map, plan)

    def to_soft(
        self,
        label_map: np.ndarray,
        ids: list[int],
        plan: SizePlan,
        grid: tuple[int, int],
    ) -> Tensor:
        """``(o, h, w)`` soft labels of the image's label map."""
        if self.via_input or any(plan.pad):
            label_map = self._resized(label_map, plan)
            bottom, right = plan.pad
            label_map = np.pad(label_map, ((0, bottom), (0, right)))
        return encode_labels(label_map, ids, grid, self.encode)

    def _resized(self, label_map: np.ndarray, plan: SizePlan) -> np.ndarray:
        """The label map at the size of the resized frame."""
        height, width = plan.resized_size
        if self.label_resize == 'nearest' or label_map.shape == (height, width):
            return nearest_labels(label_map, (height, width))
        return cv2.resize(label_map, (width, height), interpolation=cv2.INTER_LINEAR)

    def to_labels(self, soft: Tensor, ids: list[int], plan: SizePlan) -> np.ndarray:
        """``(H, W)`` uint8 label map of the image from ``(o, h, w)`` soft labels."""
        if self.stretch == 'pixel':
            soft = stretch(soft, dims=(0,))
        table = torch.tensor(ids, dtype=torch.uint8)
        whole = self.decode_size == 'image' and not any(plan.pad)
        size = plan.image_size if whole else plan.input_size
        channels = self.stretch == 'channel'
        channel, _ = upsample_argmax(soft, size, self.decode, channels)
        labels = table[channel.cpu()]
        if whole:
            return labels.numpy()
        if plan.align_corners:
            return plan.label_map_to_image(labels).numpy()
        # Pillow adds up coordinates in its own way, which decides pixels on the edge
        # between two cells: the published results went through it.
        return nearest_labels(plan.crop_maps(labels).numpy(), plan.image_size)

    def first_labels(
        self, label_map: np.ndarray, soft: Tensor, ids: list[int], plan: SizePlan
    ) -> np.ndarray:
        """What is written for frame 0."""
        if self.first_output == 'given':
            return label_map
        if self.first_output == 'decoded':
            return self.to_labels(soft, ids, plan)
        small = torch.from_numpy(nearest_labels(label_map, plan.resized_size).copy())
        return floor_nearest(small, plan.image_size).numpy()
