"""Pascal VOC 2012: single images with a class for every pixel."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.logging import print_log

from densecorr.datasets.listed_videos import check_choice, check_max_frames
from densecorr.datasets.video_frames import hash_arrays
from densecorr.registry import DATASETS
from densecorr.structures import LabelledImage, LabelMap
from densecorr.utils.data_info import find_root, load_data_info
from densecorr.utils.images import READERS, read_image, read_label_map
from densecorr.utils.suggest import suggest

VOID = 255
# Folders of lists and of images: VOCdevkit's, and that of TimeT's README.
_LISTS = ('ImageSets/Segmentation', 'sets')
_IMAGES = ('JPEGImages', 'images')
_AUGMENTED, _CLASSES = 'SegmentationClassAug', 'SegmentationClass'
_SHOWN = 5  # names in a message


@DATASETS.register_module()
class VOCDataset:
    """Images of one split; an item is a :class:`LabelledImage`.

    Both layouts are read: VOCdevkit's, and ``images``, ``SegmentationClass``,
    ``SegmentationClassAug``, ``sets`` as TimeT has them.

    Args:
        root: folder of ``SegmentationClass``; None looks through the default roots.
        split: ``'train'``, ``'val'``, ``'trainval'``, ``'trainaug'`` or any list of
            the root. Labels of ``trainaug`` are in ``SegmentationClassAug``.
        reader: image decoder, ``'opencv'`` or ``'pillow'``.
        sequences: take only these images.
        max_frames: take only the first so many images.

    Raises:
        FileNotFoundError: no such root, list, image or label map; names the download.
        ValueError: an unknown split.

    Reference: Everingham et al., IJCV 2010; Hariharan et al., ICCV 2011.
    """

    def __init__(
        self,
        root: str | Path | None = None,
        split: str = 'val',
        reader: str = 'opencv',
        sequences: Sequence[str] | None = None,
        max_frames: int | None = None,
    ) -> None:
        check_choice('VOCDataset', 'reader', reader, READERS)
        check_max_frames(max_frames)
        self.info = load_data_info('voc')
        self.root = find_root(self.info, root)
        self.split, self.reader = split, reader
        self.image_folder = self._folder(_IMAGES)
        augmented = split == 'trainaug'
        self.label_folder = self.root / (_AUGMENTED if augmented else _CLASSES)
        listed = self._listed()
        names = self._chosen(listed, sequences)[:max_frames]
        self._check_files(names)
        self.images = [self._image(name) for name in names]
        self.metainfo = self._metainfo(len(names))
        if self.metainfo['note']:
            print_log(self.metainfo['note'], logger='current', level=logging.WARNING)

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> LabelledImage:
        return self.images[index]

    def _folder(self, spellings: Sequence[str]) -> Path:
        for spelling in spellings:
            if (self.root / spelling).is_dir():
                return self.root / spelling
        raise FileNotFoundError(
            f'{self.root} has none of the folders {list(spellings)}.\n'
            f'{self.info.instructions()}'
        )

    def _listed(self) -> list[str]:
        folder = self._folder(_LISTS)
        path = folder / f'{self.split}.txt'
        if not path.is_file():
            known = {*self.info.counts, *(p.stem for p in folder.glob('*.txt'))}
            if self.split not in known:
                raise ValueError(
                    f'split {self.split!r} of {self.info.title} is unknown: no list '
                    f'{path}. {suggest(self.split, known)}'
                )
            raise FileNotFoundError(
                f'There is no list {path}. {self._get()}\n{self.info.instructions()}'
            )
        names = [line.split()[0] for line in path.read_text().splitlines() if line]
        if not names:
            raise ValueError(f'{path} is empty. Write the name of an image a line.')
        return list(dict.fromkeys(Path(name).stem for name in names))

    def _chosen(
        self, listed: Sequence[str], sequences: Sequence[str] | str | None
    ) -> list[str]:
        if sequences is None:
            return list(listed)
        wanted = [sequences] if isinstance(sequences, str) else list(sequences)
        for name in wanted:
            if name not in listed:
                raise ValueError(
                    f'image {name!r} is not in {self.info.title} {self.split} of '
                    f'{self.root}. {suggest(name, listed)}'
                )
        return [name for name in listed if name in wanted]

    def _check_files(self, names: Sequence[str]) -> None:
        """Every image of the list has its file and its label map."""
        for what, folder, end in (
            ('images', self.image_folder, 'jpg'),
            ('label maps', self.label_folder, 'png'),
        ):
            held = {path.stem for path in folder.glob(f'*.{end}')}
            lacking = [name for name in names if name not in held]
            if lacking:
                raise FileNotFoundError(
                    f'{folder} lacks {len(lacking)} of the {len(names)} {what} of '
                    f'{self.info.title} {self.split}, the first are '
                    f'{lacking[:_SHOWN]}. {self._get()}\n{self.info.instructions()}'
                )

    def _get(self) -> str:
        part = 'trainaug' if self.split == 'trainaug' else 'trainval'
        return f'Get {part} from {self.info.downloads[part]}.'

    def _image(self, name: str) -> LabelledImage:
        path = self.image_folder / f'{name}.jpg'

        def read() -> np.ndarray:
            return read_image(path, self.reader)

        def read_labels() -> LabelMap:
            return self._labels(name)

        return LabelledImage(
            name=name,
            group=name,
            read_image=read,
            read_labels=read_labels,
            hash_inputs=lambda: hash_arrays(read, read_labels),
        )

    def _labels(self, name: str) -> LabelMap:
        """Labels of an image.

        Raises:
            ValueError: they hold numbers that are no classes; names the file.
        """
        path = self.label_folder / f'{name}.png'
        indices, palette = read_label_map(path)
        number = len(self.info.classes)
        wrong = np.unique(indices[(indices >= number) & (indices != VOID)])
        if len(wrong):
            raise ValueError(
                f'{path} has labels {wrong[:_SHOWN].tolist()}; classes are 0 to '
                f'{number - 1}, and {VOID} for pixels that do not count.'
            )
        return LabelMap(indices, palette)

    def _metainfo(self, found: int) -> dict[str, Any]:
        counts = self.info.counts.get(self.split)
        expected = found if counts is None else counts.sequences
        complete = found == expected
        short = f'{found} of {expected} images: not {self.info.title} {self.split}'
        return dict(
            name=self.info.title,
            split=self.split,
            classes=list(self.info.classes),
            palette=self.info.palette,
            expected_images=expected,
            found=found,
            complete=complete,
            note='' if complete else short,
        )
