"""A clip made by hand, of which every number can be told without a generator."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

HEIGHT, WIDTH, FRAMES = 40, 56, 12
LATE = 6  # first frame of the late object


@dataclass(frozen=True)
class Item:
    number: int
    category: str
    category_id: int
    articulated: bool
    first_frame: int


@dataclass
class HandClip:
    """Three rectangles: a puppet that moves right, one at rest, one that comes late."""

    name: str = 'hand'
    size: tuple = (HEIGHT, WIDTH)
    num_frames: int = FRAMES
    puppet: bool = True
    late: bool = True
    rendered: list = field(default_factory=list)

    @property
    def objects(self):
        items = [
            Item(1, 'paper man', 15, self.puppet, 0),
            Item(2, 'kite', 4, False, 0),
            Item(3, 'kite', 4, False, LATE),
        ]
        return tuple(items if self.late else items[:2])

    def frame(self, t):
        self.rendered.append(t)
        rows, columns = np.mgrid[: self.size[0], : self.size[1]]
        image = np.stack([4 * rows, 4 * columns, 60 * self.label_map(t)], -1)
        return image.astype(np.uint8)

    def label_map(self, t):
        labels = np.zeros(self.size, np.uint8)
        labels[25:35, 30:50] = 2
        labels[5:20, 4 + t : 14 + t] = 1
        if self.late and t >= LATE:
            labels[28:38, 0:8] = 3
        return labels

    def category_map(self, t):
        return np.array([0, 15, 4, 4], np.uint8)[self.label_map(t)]

    def parts(self, t):
        parts = np.zeros(self.size, np.uint8)
        if self.puppet:
            parts[5:10, 4 + t : 14 + t] = 1
            parts[10:20, 4 + t : 14 + t] = 2
        return parts

    def joints(self, t):
        if not self.puppet:
            return {}
        joints = np.zeros((15, 3), np.int32)
        joints[:, 0] = 256 * (4 + t) + 128
        joints[:, 1] = 256 * 5 + 64 * np.arange(15)
        joints[:, 2] = 2
        joints[14] = (-256, 0, 0)
        return {1: joints}

    def flow(self, t):
        moves = self.label_map(t) == 1
        flow = np.zeros((*self.size, 2), np.int32)
        flow[moves] = (256, -3)
        valid = np.ones(self.size, bool)
        valid[5:20, 14 + t] = False  # covered in the next frame
        return flow, valid


def files_of(root: Path) -> list[str]:
    """All files below a folder."""
    return sorted(
        p.relative_to(root).as_posix() for p in root.rglob('*') if p.is_file()
    )


def indices(path: Path) -> np.ndarray:
    """Values of a PNG, labels where it has a palette."""
    return np.array(Image.open(path))
