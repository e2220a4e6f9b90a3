"""Labelled frames of videos as single images, sampled from every video."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from densecorr.datasets.categories import number_categories, objects_to_categories
from densecorr.datasets.listed_videos import check_choice
from densecorr.registry import DATASETS
from densecorr.structures import LabelledImage, LabelMap, VideoSample
from densecorr.utils.folds import in_fold, name_hash
from densecorr.utils.randomness import item_rng

LABELS = ('objects', 'foreground', 'categories', 'categories_in_place')
_VOID = 255


@DATASETS.register_module()
class VideoFrames:
    """Frames with labels of every video; an item is a :class:`LabelledImage`.

    Args:
        dataset: config of a dataset of videos with label maps.
        num_frames: frames of a video, drawn without repeats and sorted, all where it
            has fewer; None takes all.
        indices: instead of drawing: these of its labelled frames, by place.
        seed: of the draw. It also depends on the name of the video, so that the same
            frames are drawn whichever other videos there are.
        labels: ``'objects'`` as they are; ``'foreground'``, 1 for all of them;
            ``'categories'`` of all objects at once, numbered over all videos of the
            dataset; ``'categories_in_place'`` as the official loader of TimeT replaces
            them, see
            :func:`densecorr.datasets.categories.objects_to_categories`.
        fold: ``(n, k)``: only videos with ``crc32(name) % n == k``.
        options: laid over those of ``dataset``, such as ``root``.
    """

    def __init__(
        self,
        dataset: Mapping[str, Any],
        num_frames: int | None = 4,
        indices: Sequence[int] | None = None,
        seed: int = 0,
        labels: str = 'objects',
        fold: Sequence[int] | None = None,
        **options: Any,
    ) -> None:
        check_choice('VideoFrames', 'labels', labels, LABELS)
        if num_frames is not None and num_frames < 1:
            raise ValueError(f'num_frames is {num_frames}; give at least 1, or None.')
        given = {key: value for key, value in options.items() if value is not None}
        self.dataset: Any = DATASETS.build({**dataset, **given})
        self.num_frames, self.indices, self.seed = num_frames, indices, seed
        self.labels = labels
        videos = [self.dataset[i] for i in range(len(self.dataset))]
        self.categories = self._categories(videos)
        if fold is not None:
            videos = [v for v in videos if in_fold(v.name, fold)]
        self.images = [self._image(v, t) for v in videos for t in self._frames(v)]
        if not self.images:
            raise ValueError(
                f'none of the {len(self.dataset)} videos has a labelled frame that was '
                f'asked for (fold={fold}, indices={indices}). Give others.'
            )
        self.metainfo = dict(
            self.dataset.metainfo,
            frames='all' if num_frames is None else num_frames,
            labels=labels,
        )
        if self.categories:
            self.metainfo['classes'] = ['background', *self.categories]
        elif labels == 'foreground':
            self.metainfo['classes'] = ['background', 'object']

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> LabelledImage:
        return self.images[index]

    def _frames(self, video: VideoSample) -> list[int]:
        """Numbers of the frames to take, ascending."""
        known = video.label_frames
        if self.indices is not None:
            return [known[i] for i in self.indices if -len(known) <= i < len(known)]
        if self.num_frames is None or self.num_frames >= len(known):
            return list(known)
        rng = item_rng(self.seed, 0, name_hash(video.name))
        drawn = rng.choice(len(known), self.num_frames, replace=False)
        return [known[i] for i in sorted(drawn.tolist())]

    def _categories(self, videos: Sequence[VideoSample]) -> dict[str, int]:
        if not self.labels.startswith('categories'):
            return {}
        bare = [video.name for video in videos if not video.categories]
        if bare:
            raise ValueError(
                f'video {bare[0]!r} and {len(bare) - 1} others say no categories of '
                'their objects. Add the meta.json of the release, or take labels='
                "'objects'."
            )
        return number_categories(video.categories or {} for video in videos)

    def _image(self, video: VideoSample, index: int) -> LabelledImage:
        numbers = {
            number: self.categories[name]
            for number, name in (video.categories or {}).items()
            if name in self.categories
        }
        in_place = self.labels == 'categories_in_place'

        def read_labels() -> LabelMap:
            found = video.read_labels(index)
            if self.labels == 'foreground':
                known = (found.indices != 0) & (found.indices != _VOID)
                merged = np.where(known, 1, found.indices).astype(np.uint8)
                return LabelMap(merged, found.palette)
            if not self.categories:
                return found
            mapped = objects_to_categories(found.indices, numbers, in_place)
            return LabelMap(mapped, found.palette)

        def read_image() -> np.ndarray:
            return video.read_frame(index)

        return LabelledImage(
            name=f'{video.name}/{video.frame_names[index]}',
            group=video.name,
            read_image=read_image,
            read_labels=read_labels,
            hash_inputs=lambda: hash_arrays(read_image, read_labels),
        )


def hash_arrays(
    read_image: Callable[[], np.ndarray], read_labels: Callable[[], LabelMap]
) -> str:
    """Sha256 in hex of the pixels and labels of an image, with their shapes."""
    digest = hashlib.sha256()
    for array in (read_image(), read_labels().indices):
        digest.update(f'{array.dtype} {array.shape};'.encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
