"""Training clips of one image each, for ImageNet and any folder of images."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from densecorr.datasets.clip_dataset import ClipDataset
from densecorr.registry import DATASETS
from densecorr.structures import ClipKey
from densecorr.utils.clip_reader import FrameClip
from densecorr.utils.data_info import data_folders, load_data_info
from densecorr.utils.list_files import read_lines
from densecorr.utils.split_folders import find_split
from densecorr.utils.training_videos import is_image_name, walk_files
from densecorr.utils.tree_listing import found_tree
from densecorr.utils.video_source import IMAGE_SUFFIXES


@DATASETS.register_module()
class ImageClips(ClipDataset):
    """Images as clips of one frame; an item is what the pipeline makes of one sample.

    The images are those of a ``split`` of ``data``, for example ``'imagenet'`` and
    ``'train'``, or all below ``root``, or those of ``list_file``. Their order is that
    of their folders and names. ``video`` of a sample is the image's path below the
    root. An image that cannot be read is replaced by another one.

    Memory: the names of 1.3 million images take some 40 MB.

    Args:
        pipeline: configs of clip transforms, or callables.
        data: name of a dataset of ``data/data_info``; None: ``root`` or ``list_file``.
        split: of the dataset.
        root: folder of the dataset, or of images at any depth. None looks through the
            default roots.
        list_file: text file with an image a line, relative to the folder of the split
            or to ``root``; further fields (labels) are ignored.
        seed: of the run.
        decode: options of reading, see :class:`ClipDataset`.

    Raises:
        KeyError: the dataset or a transform is unknown.
        ValueError: nothing says which images, or the split is unknown.
        FileNotFoundError: there are no images; has the expected tree.
    """

    def __init__(
        self,
        pipeline: Sequence[Mapping[str, Any] | Callable[[dict], Any]] = (),
        data: str | None = None,
        split: str | None = None,
        root: str | None = None,
        list_file: str | None = None,
        seed: int = 0,
        decode: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(pipeline, seed, decode)
        self._options = self.decode['reader'], self.decode['min_short_side']
        self._title = ' '.join(filter(None, (data, split, root, list_file)))
        bases, empty = _places(data, split, root, list_file)
        if list_file is None:
            folders = [item for base in bases for item in _walk(base)]
        else:
            folders = _listed(Path(list_file).expanduser(), bases)
        if not folders:
            raise FileNotFoundError(empty)
        self._folders, self._names = zip(*folders, strict=True)
        self._base = bases[0]
        counts = [names.count('\n') + 1 for names in self._names]
        self._ends = np.cumsum(counts)
        self.metainfo = dict(
            name=data or 'images',
            split=split,
            num_videos=len(self),
            num_folders=len(folders),
        )

    def __len__(self) -> int:
        """Images."""
        return int(self._ends[-1])

    def image_path(self, item: int) -> Path:
        """The file of an item."""
        place = int(np.searchsorted(self._ends, item, side='right'))
        name = self._names[place].split('\n')[item - self._ends[place]]
        return Path(self._folders[place], name)

    def _read(
        self, key: ClipKey, attempt: int, rng: np.random.Generator
    ) -> dict[str, Any]:
        item = int(rng.integers(len(self))) if attempt else key.item
        path = self.image_path(item)
        frames = FrameClip([path], *self._options).read([0])
        inside = path.is_relative_to(self._base)
        name = path.relative_to(self._base).as_posix() if inside else path.name
        return dict(frames=frames, video=name, frame_indices=np.zeros(1, np.int64))

    def _remedy(self) -> str:
        return f'Images: {self._title}. Copy them again, or take others.'


def _places(
    data: str | None, split: str | None, root: str | None, list_file: str | None
) -> tuple[list[Path], str]:
    """Folders of the images, and the error text of finding none in them."""
    if data is not None:
        info = load_data_info(data)
        base, folders = find_split(info, split, root)
        tree = f'{info.instructions()}\n{found_tree(base)}'
        return folders, f'{folders[0]} holds no image of {info.title}.\n{tree}'
    if split is not None:
        raise ValueError(f"split={split!r} needs data=..., as data='imagenet'.")
    if root is None and list_file is None:
        raise ValueError(
            'ImageClips needs data=... and split=..., root=... or list_file=...: which '
            'images should it show?'
        )
    if root is None:
        return data_folders(), f'{list_file} names no image.'
    base = Path(root).expanduser()
    if not base.is_dir():
        raise FileNotFoundError(f'There is no folder of images {str(base)!r}.')
    return [base], (
        f'No image was found in {str(base)!r}. Expected, at any depth:\n'
        f'  ROOT/.../<image>   files: {" ".join(sorted(IMAGE_SUFFIXES))}\n'
        f'{found_tree(base)}'
    )


def _walk(base: Path) -> list[tuple[str, str]]:
    """Folders and the names of their images, one a line."""
    found = walk_files(base, is_image_name)
    return sorted((str(place), '\n'.join(names)) for place, names in found if names)


def _listed(path: Path, bases: Sequence[Path]) -> list[tuple[str, str]]:
    """Folders and names of a list, in its order."""
    images = [line.image(0) for line in read_lines(path)]
    places = [*bases, path.parent]
    base = next((b for b in places if (b / images[0]).exists()), None)
    if base is None:
        tried = ', '.join(repr(str(place)) for place in places)
        raise FileNotFoundError(
            f'{path}: its first image {images[0]!r} is in none of {tried}. Name the '
            'folder that the paths of the list begin from: root=...'
        )
    return [(str(base), '\n'.join(images))]
