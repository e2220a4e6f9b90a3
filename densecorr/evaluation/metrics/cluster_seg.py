"""Clusters of features against labels, over frames, clips and whole sets."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch

from densecorr.evaluation.functional.cluster_matching import (
    UNITS,
    add_tables,
    contingency,
)
from densecorr.evaluation.metrics.cluster_tables import (
    from_triples,
    per_class_csv,
    scores_of,
    summary_csv,
    summary_metrics,
    to_triples,
)
from densecorr.evaluation.metrics.cluster_views import (
    Assigned,
    image_scores,
    keep_maps,
    matched_confusion,
)
from densecorr.evaluation.metrics.seg_tables import (
    ImageScore,
    check_pictures,
    confusion_csv,
    per_image_csv,
)
from densecorr.ops.cluster import assigned_map, project_maps
from densecorr.ops.kmeans import KMeansRule, kmeans
from densecorr.ops.pca import Projection
from densecorr.ops.points import MapPoints
from densecorr.registry import METRICS
from densecorr.structures import LabelledImage
from densecorr.utils.images import resize_floor, resize_nearest

OVER = ('batch', 'dataset')
CLASSES = 'classes'
_PROJECTION = dict(dim=50, over='batch', batch_size=16)
_SIZES = dict(points=None, labels=None, first_labels=None, assign='bilinear')


class Job(NamedTuple):
    """A piece of work whose result is kept when it is done.

    Attributes:
        name: unique; a path of its record.
        unit: what is clustered at a time.
        num_clusters: a number, or ``'classes'``.
        seed: of k-means.
        images: numbers of the images, of one clip or of all.
    """

    name: str
    unit: str
    num_clusters: int | str
    seed: int
    images: tuple[int, ...]


@METRICS.register_module()
class ClusterMetric:
    """Mean IoU of k-means clusters that are matched with classes.

    Features are standardised and projected, enlarged and clustered; every image is
    then assigned at the size of its labels.

    Args:
        units: what is clustered and matched at a time, of ``'frame'``, ``'clip'`` and
            ``'dataset'``.
        num_clusters: numbers of clusters; ``'classes'``: as many as the unit's labels
            have values.
        seeds: of k-means; means and deviations over them are reported.
        sizes: (H, W) or one side by unit: ``points``, to which maps are enlarged to be
            clustered, and ``labels``, to which labels are resized; None: their own.
            ``first_labels``: a size that they are brought to before. ``assign``: maps
            are enlarged to labels ``'bilinear'``, or the cluster of a cell is that of
            its pixels (``'nearest'``).
        projection: ``dim`` of the PCA (None: none), fitted ``over`` each ``'batch'``
            of ``batch_size`` clips (whole-set units: over all), or ``'dataset'``.
        kmeans: fields of :class:`densecorr.ops.kmeans.KMeansRule`.
        void: label of pixels that do not count.
        void_units: units in which they do not count; in the others they are a class.
        pictures: cluster maps that are kept for the report: of the images with the
            best and with the worst score so many, and all frames of clips; 0: none.

    Reads ``classes`` of the dataset's metainfo, names of the classes.

    Reference: Salehi et al. (TimeT), ICCV 2023, arXiv:2308.11796, Sec. 4.
    """

    dataset_meta: Mapping[str, Any] | None = None
    out_dir: str | None = None

    def __init__(
        self,
        units: Sequence[str] = UNITS,
        num_clusters: Sequence[int | str] = (CLASSES,),
        seeds: Sequence[int] = (1,),
        sizes: Mapping[str, Any] | None = None,
        projection: Mapping[str, Any] | None = None,
        kmeans: Mapping[str, Any] | None = None,
        void: int | None = 255,
        void_units: Sequence[str] = UNITS,
        pictures: int = 6,
    ) -> None:
        wrong = [unit for unit in (*units, *void_units) if unit not in UNITS]
        if wrong or not units:
            raise ValueError(f'units are {list(units)}; choose of {list(UNITS)}.')
        bad = [k for k in num_clusters if k != CLASSES and not _positive(k)]
        if bad or not num_clusters:
            raise ValueError(
                f'num_clusters is {list(num_clusters)}; give numbers from 1 on, or '
                f'{CLASSES!r}.'
            )
        self.units, self.num_clusters = tuple(units), tuple(num_clusters)
        self.seeds, self.sizes = tuple(seeds), {**_SIZES, **(sizes or {})}
        if set(self.sizes) != set(_SIZES):
            raise ValueError(
                f'sizes has {sorted(self.sizes)}; it takes {sorted(_SIZES)}.'
            )
        self.projection: dict[str, Any] = {**_PROJECTION, **(projection or {})}
        if set(self.projection) != set(_PROJECTION):
            raise ValueError(
                f'projection has {sorted(self.projection)}; it takes '
                f'{sorted(_PROJECTION)}.'
            )
        if self.projection['over'] not in OVER:
            raise ValueError(
                f'projection is over {self.projection["over"]!r}; choose of {OVER}.'
            )
        self.rule = KMeansRule(**(kmeans or {}))
        self.void, self.void_units = void, tuple(void_units)
        self.pictures = check_pictures(pictures)
        self._fitted: dict[tuple[int, ...], Projection] = {}

    def jobs(self, images: Sequence[LabelledImage]) -> list[Job]:
        """All work on a dataset, in order."""
        clips: dict[str, list[int]] = {}
        for number, image in enumerate(images):
            clips.setdefault(image.group, []).append(number)
        every = {'all': list(range(len(images)))}
        return [
            Job(f'{unit}/K-{k}/seed-{seed}/{name}', unit, k, seed, tuple(members))
            for unit in self.units
            for k in self.num_clusters
            for seed in self.seeds
            for name, members in (every if unit == 'dataset' else clips).items()
        ]

    def run(
        self, job: Job, images: Sequence[LabelledImage], maps: np.ndarray
    ) -> dict[str, Any]:
        """Cluster and count: plain values that JSON can hold.

        Args:
            job: of :meth:`jobs`.
            images: the dataset.
            maps: ``(n, h, w, c)`` features of all images.

        Returns:
            ``unit``, ``num_clusters`` (as it was asked for), ``seed``, ``name``,
            ``tables``, one for every frame or one for all: ``[class, cluster,
            pixels]`` of every pair that occurs, and of the first seed ``images``:
            name, clip and mean IoU of each, None where nothing counts.
        """
        frames = [(number,) for number in job.images]
        units = frames if job.unit == 'frame' else [job.images]
        transform = self._transform(job, images, maps)
        tables, rows = [], []
        for members in units:
            try:
                found = self._unit(job, members, images, maps, transform)
            except ValueError as error:
                raise ValueError(f'{images[members[0]].name}: {error}') from error
            tables.append(to_triples(add_tables(found.tables)))
            if job.seed == self.seeds[0]:
                rows += self._show(job, [images[i] for i in members], found)
        return dict(
            unit=job.unit,
            num_clusters=job.num_clusters,
            seed=job.seed,
            name=job.name,
            tables=tables,
            images=rows,
        )

    def compute_metrics(self, results: Sequence[Mapping[str, Any]]) -> dict[str, float]:
        """Mean IoU by unit, number of clusters and rule; ``clusters.csv`` has all."""
        return summary_metrics(scores_of(results))

    def tables(self, results: Sequence[Mapping[str, Any]]) -> dict[str, str]:
        """``clusters.csv``, ``per_class.csv`` of clusters over the whole set.

        Of the first seed also the scores of images and a confusion of classes.
        """
        texts = {'clusters.csv': summary_csv(scores_of(results))}
        whole = [result for result in results if result['unit'] == 'dataset']
        if whole:
            names = list((self.dataset_meta or {}).get('classes', ()))
            tables = [
                (r['num_clusters'], r['seed'], from_triples(r['tables'][0]))
                for r in whole
            ]
            texts['per_class.csv'] = per_class_csv(tables, names)
        first = [result for result in results if result['seed'] == self.seeds[0]]
        texts['per_image.csv'] = per_image_csv(
            ImageScore(_view(result), *row)
            for result in first
            for row in result['images']
        )
        views: dict[str, list] = {}
        for result in first:
            found = [from_triples(triples) for triples in result['tables']]
            views.setdefault(_view(result), []).extend(found)
        texts['confusion.csv'] = confusion_csv(
            (view, matched_confusion(found)) for view, found in views.items()
        )
        return texts

    def _unit(
        self,
        job: Job,
        members: tuple[int, ...],
        images: Sequence[LabelledImage],
        maps: np.ndarray,
        transform: Projection | None,
    ) -> Assigned:
        """Clusters of one frame, one clip, or the set."""
        void = self.void if job.unit in self.void_units else None
        side = self._size('labels', job.unit)
        number = job.num_clusters
        if isinstance(number, str):
            found = (self._labels(images[i], side) for i in members)
            number = _count_values(found, void)
            if not number:
                empty = np.zeros(0, np.int64)
                return Assigned([contingency(empty, empty)] * len(members), None)
        whole = len(members) == len(maps)
        chosen = maps if whole else maps[list(members)]
        points_size = self._size('points', job.unit) or maps.shape[1:3]
        points = MapPoints(chosen, points_size, transform=transform)
        generator = torch.Generator().manual_seed(job.seed)
        centers = kmeans(points, number, generator, self.rule).centers

        def assign(i: int, size: tuple[int, int]) -> np.ndarray:
            one = maps[i : i + 1]
            found = assigned_map(
                one,
                centers,
                size,
                self.rule,
                transform=transform,
                how=self.sizes['assign'],
            )
            return found[0].cpu().numpy()

        tables = []
        for i in members:
            labels = self._labels(images[i], side)
            size = (labels.shape[0], labels.shape[1])
            tables.append(contingency(assign(i, size), labels, void))
        return Assigned(tables, lambda place, size: assign(members[place], size))

    def _show(
        self, job: Job, images: Sequence[LabelledImage], found: Assigned
    ) -> list[list]:
        """Keep maps of a unit; name, clip and mean IoU of its images."""
        scores = image_scores(found.tables)
        if self.out_dir is not None and self.pictures and found.assign is not None:
            number = self.pictures if job.unit == 'dataset' else None
            view = _view(job._asdict())
            keep_maps(self.out_dir, view, images, found, scores, number)
        return [[i.name, i.group, s] for i, s in zip(images, scores, strict=True)]

    def _labels(self, image: LabelledImage, size: tuple[int, int] | None) -> np.ndarray:
        labels = image.read_labels().indices
        first = self._size('first_labels', '')
        if first is None:
            return labels if size is None else resize_nearest(labels, size)
        labels = resize_nearest(labels, first)
        return labels if size is None else resize_floor(labels, size)

    def _size(self, what: str, unit: str) -> tuple[int, int] | None:
        size = self.sizes.get(what)
        size = size.get(unit) if isinstance(size, Mapping) else size
        if size is None:
            return None
        return (size, size) if isinstance(size, int) else (size[0], size[1])

    def _transform(
        self, job: Job, images: Sequence[LabelledImage], maps: np.ndarray
    ) -> Projection | None:
        """Projection of the images of a job, fitted once for each batch of clips."""
        dim = self.projection['dim']
        if dim is None:
            return None
        members = tuple(range(len(images)))
        if self.projection['over'] == 'batch' and job.unit != 'dataset':
            members = self._batch(job, images)
        if members not in self._fitted:
            chosen = maps if len(members) == len(maps) else maps[list(members)]
            self._fitted[members] = project_maps(chosen, dim)
        return self._fitted[members]

    def _batch(self, job: Job, images: Sequence[LabelledImage]) -> tuple[int, ...]:
        """Images of the batch of clips that a job belongs to."""
        clips = list(dict.fromkeys(image.group for image in images))
        size = self.projection['batch_size']
        start = clips.index(images[job.images[0]].group) // size * size
        batch = set(clips[start : start + size])
        return tuple(i for i, image in enumerate(images) if image.group in batch)


def _view(result: Mapping[str, Any]) -> str:
    return f'{result["unit"]}/K-{result["num_clusters"]}'


def _count_values(label_maps: Iterable[np.ndarray], void: int | None) -> int:
    values: set[int] = set()
    for labels in label_maps:
        values |= set(np.unique(labels).tolist())
    return len(values - {void})


def _positive(number: object) -> bool:
    return isinstance(number, int) and not isinstance(number, bool) and number > 0
