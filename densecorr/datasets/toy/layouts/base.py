"""What a layout is: the files that clips become, each written when asked for."""

from __future__ import annotations

import functools
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from PIL import Image

from densecorr.utils.files import write_atomic
from densecorr.utils.images import encode_label_map

SPLITS = ('train', 'val')
VOID = 255  # label of pixels that do not count
SUBPIXELS = 256  # units of flow and joints in one pixel
STEP = 5  # annotated frames of YouTube-VOS and images of VOC: every fifth
_QUALITY = 95  # of JPEG
_KEPT = 256 * 2**20  # bytes that a clip keeps of what it has rendered

Write = Callable[[Path], None]
Files = dict[str, Write]  # path below the layout's folder, '/' between its parts


class ObjectFacts(Protocol):
    """What layouts ask of an object; :class:`densecorr.datasets.toy.ObjectInfo`."""

    @property
    def number(self) -> int:
        """Label in the label maps, from 1."""

    @property
    def category(self) -> str:
        """Name of its kind."""

    @property
    def category_id(self) -> int:
        """Number of its kind, 1 to 20."""

    @property
    def articulated(self) -> bool:
        """Whether it has parts and joints."""

    @property
    def first_frame(self) -> int:
        """The first frame that shows it."""


class ClipFacts(Protocol):
    """What layouts ask of a clip; see :class:`densecorr.datasets.toy.Clip`."""

    @property
    def name(self) -> str:
        """Unique in a data set."""

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in pixels."""

    @property
    def num_frames(self) -> int:
        """Number of frames."""

    @property
    def objects(self) -> Sequence[ObjectFacts]:
        """Objects by number."""

    def frame(self, t: int) -> np.ndarray:
        """``(H, W, 3)`` uint8 RGB."""

    def label_map(self, t: int) -> np.ndarray:
        """``(H, W)`` uint8 object numbers."""

    def category_map(self, t: int) -> np.ndarray:
        """``(H, W)`` uint8 category ids."""

    def parts(self, t: int) -> np.ndarray:
        """``(H, W)`` uint8 part ids."""

    def joints(self, t: int) -> Mapping[int, np.ndarray]:
        """Object number to ``(15, 3)`` x, y in 1/256 pixel and visibility 0, 1, 2."""

    def flow(self, t: int) -> tuple[np.ndarray, np.ndarray]:
        """``(H, W, 2)`` dx, dy in 1/256 pixel and ``(H, W)`` bool valid."""


class KeptClip:
    """A clip that keeps the maps that it rendered, since several layouts want them.

    Args:
        clip: the clip.
        budget: bytes to keep; what comes later is rendered at every call.
    """

    def __init__(self, clip: ClipFacts, budget: int = _KEPT) -> None:
        self.clip, self.budget = clip, budget
        self.name, self.size, self.num_frames = clip.name, clip.size, clip.num_frames
        self.objects = clip.objects
        self._kept: dict[tuple[str, int], np.ndarray] = {}
        self._bytes = 0

    def frame(self, t: int) -> np.ndarray:
        """``(H, W, 3)`` uint8 RGB."""
        return self._keep('frame', self.clip.frame, t)

    def label_map(self, t: int) -> np.ndarray:
        """``(H, W)`` uint8 object numbers."""
        return self._keep('label_map', self.clip.label_map, t)

    def category_map(self, t: int) -> np.ndarray:
        """``(H, W)`` uint8 category ids."""
        return self._keep('category_map', self.clip.category_map, t)

    def parts(self, t: int) -> np.ndarray:
        """``(H, W)`` uint8 part ids."""
        return self._keep('parts', self.clip.parts, t)

    def joints(self, t: int) -> Mapping[int, np.ndarray]:
        """Object number to ``(15, 3)`` x, y in 1/256 pixel and visibility 0, 1, 2."""
        return self.clip.joints(t)

    def flow(self, t: int) -> tuple[np.ndarray, np.ndarray]:
        """``(H, W, 2)`` dx, dy in 1/256 pixel and ``(H, W)`` bool valid."""
        return self.clip.flow(t)

    def forget(self) -> None:
        """Free what is kept."""
        self._kept.clear()
        self._bytes = 0

    def _keep(
        self, kind: str, render: Callable[[int], np.ndarray], t: int
    ) -> np.ndarray:
        key = kind, t
        if key in self._kept:
            return self._kept[key]
        array = render(t)
        if self._bytes + array.nbytes <= self.budget:
            self._kept[key] = array
            self._bytes += array.nbytes
        return array


@dataclass(frozen=True)
class Scene:
    """A clip and its place in a data set.

    Attributes:
        clip: the clip.
        split: ``'train'`` or ``'val'``.
        number: counts the scenes of a data set from 1.
    """

    clip: ClipFacts
    split: str
    number: int

    def __post_init__(self) -> None:
        if self.split not in SPLITS:
            raise ValueError(
                f'split of clip {self.clip.name!r} should be one of {list(SPLITS)}, '
                f'not {self.split!r}.'
            )


@dataclass(frozen=True)
class Layout:
    """How clips are written as one published data set is.

    Attributes:
        name: as on the command line.
        folder: below the output folder; layouts may share one.
        needs: in words, what a clip must have to be written so; empty: any clip is.
        accepts: whether a clip has that.
        files: files of one scene.
        lists: files about all accepted scenes together.
    """

    name: str
    folder: str
    needs: str
    accepts: Callable[[ClipFacts], bool]
    files: Callable[[Scene], Files]
    lists: Callable[[Sequence[Scene]], Files]


def any_clip(clip: ClipFacts) -> bool:
    """``accepts`` of a layout for every clip."""
    return True


def has_no_late_object(clip: ClipFacts) -> bool:
    """Whether frame 0 shows every object."""
    return not late_objects(clip)


def has_puppet(clip: ClipFacts) -> bool:
    """Whether frame 0 shows an articulated object."""
    return bool(puppets(clip))


def late_objects(clip: ClipFacts) -> list[int]:
    """Numbers of the objects that frame 0 does not show."""
    return [o.number for o in clip.objects if o.first_frame > 0]


def puppets(clip: ClipFacts) -> list[ObjectFacts]:
    """Articulated objects in frame 0: their parts and joints can be followed."""
    return [o for o in clip.objects if o.articulated and o.first_frame == 0]


def by_split(scenes: Sequence[Scene]) -> dict[str, list[Scene]]:
    """Scenes of every split that has any."""
    groups = {split: [s for s in scenes if s.split == split] for split in SPLITS}
    return {split: group for split, group in groups.items() if group}


def image_file(clip: ClipFacts, t: int) -> Write:
    """Writes frame ``t``, as JPEG or PNG by the file's suffix."""

    def write(path: Path) -> None:
        write_atomic(path, _encode(clip.frame(t), path.suffix))

    return write


def palette_file(make: Callable[[int], np.ndarray], t: int) -> Write:
    """Writes the ``(H, W)`` labels ``make(t)`` as PNG in the colours of DAVIS."""
    return lambda path: write_atomic(path, encode_label_map(make(t)))


def grey_file(make: Callable[[int], np.ndarray], t: int) -> Write:
    """Writes the ``(H, W)`` uint8 labels ``make(t)`` as grey PNG of 8 bits."""
    return lambda path: write_atomic(path, _encode(make(t), '.png'))


def bytes_file(make: Callable[[int], bytes], t: int) -> Write:
    """Writes the bytes ``make(t)``."""
    return lambda path: write_atomic(path, make(t))


def text_file(content: str) -> Write:
    """Writes a text."""
    return functools.partial(write_atomic, data=content)


def list_file(lines: Sequence[str]) -> Write:
    """Writes one entry a line."""
    return text_file(''.join(f'{line}\n' for line in lines))


def _encode(image: np.ndarray, suffix: str) -> bytes:
    buffer = io.BytesIO()
    options: dict[str, Any] = dict(format='PNG')
    if suffix == '.jpg':
        options = dict(format='JPEG', quality=_QUALITY)
    Image.fromarray(np.ascontiguousarray(image)).save(buffer, **options)
    return buffer.getvalue()
