"""Clusters of features against labels, over frames, clips and whole sets."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch

from densecorr.evaluation.functional.cluster_matching import (
    UNITS,
    Contingency,
    add_tables,
    contingency,
    match_clusters,
    matched_scores,
)
from densecorr.evaluation.metrics.cluster_tables import (
    per_class_csv,
    summary_csv,
    summary_metrics,
)
from densecorr.ops.cluster import assigned_map, project_maps
from densecorr.ops.kmeans import KMeansRule, kmeans
from densecorr.ops.pca import Projection
from densecorr.ops.points import MapPoints
from densecorr.registry import METRICS
from densecorr.structures import LabelledImage
from densecorr.utils.images import resize_nearest

OVER = ('batch', 'dataset')
CLASSES = 'classes'
_PROJECTION = dict(dim=50, over='batch', batch_size=16)


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
        projection: ``dim`` of the PCA (None: none), fitted ``over`` each ``'batch'``
            of ``batch_size`` clips (whole-set units: over all), or ``'dataset'``.
        kmeans: fields of :class:`densecorr.ops.kmeans.KMeansRule`.
        void: label of pixels that do not count.
        void_units: units in which they do not count; in the others they are a class.

    Reads ``classes`` of the dataset's metainfo, names of the classes.

    Reference: Salehi et al. (TimeT), ICCV 2023, arXiv:2308.11796, Sec. 4.
    """

    dataset_meta: Mapping[str, Any] | None = None

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
        self.seeds, self.sizes = tuple(seeds), dict(sizes or {})
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
            ``unit``, ``num_clusters`` (as it was asked for), ``seed``, ``name``, and
            ``tables``, one for every frame or one for all: ``[class, cluster,
            pixels]`` of every pair that occurs.
        """
        frames = [(number,) for number in job.images]
        units = frames if job.unit == 'frame' else [job.images]
        transform = self._transform(job, images, maps)
        tables = []
        for members in units:
            try:
                table = self._unit(job, members, images, maps, transform)
            except ValueError as error:
                raise ValueError(f'{images[members[0]].name}: {error}') from error
            tables.append(_triples(table))
        return dict(
            unit=job.unit,
            num_clusters=job.num_clusters,
            seed=job.seed,
            name=job.name,
            tables=tables,
        )

    def compute_metrics(self, results: Sequence[Mapping[str, Any]]) -> dict[str, float]:
        """Mean IoU by unit, number of clusters and rule; ``clusters.csv`` has all."""
        return summary_metrics(self._scores(results))

    def tables(self, results: Sequence[Mapping[str, Any]]) -> dict[str, str]:
        """``clusters.csv``, and ``per_class.csv`` of clusters over the whole set."""
        texts = {'clusters.csv': summary_csv(self._scores(results))}
        whole = [result for result in results if result['unit'] == 'dataset']
        if whole:
            names = list((self.dataset_meta or {}).get('classes', ()))
            texts['per_class.csv'] = per_class_csv(
                [(r['num_clusters'], r['seed'], _table(r['tables'][0])) for r in whole],
                names,
            )
        return texts

    def _unit(
        self,
        job: Job,
        members: tuple[int, ...],
        images: Sequence[LabelledImage],
        maps: np.ndarray,
        transform: Projection | None,
    ) -> Contingency:
        """Table of one frame, one clip, or the set."""
        void = self.void if job.unit in self.void_units else None
        side = self._size('labels', job.unit)
        number = job.num_clusters
        if isinstance(number, str):
            found = (self._labels(images[i], side) for i in members)
            number = _count_values(found, void)
            if not number:
                empty = np.zeros(0, np.int64)
                return contingency(empty, empty)
        whole = len(members) == len(maps)
        chosen = maps if whole else maps[list(members)]
        points_size = self._size('points', job.unit) or maps.shape[1:3]
        points = MapPoints(chosen, points_size, transform=transform)
        generator = torch.Generator().manual_seed(job.seed)
        centers = kmeans(points, number, generator, self.rule).centers
        tables = []
        for i in members:
            labels = self._labels(images[i], side)
            size = (labels.shape[0], labels.shape[1])
            pred = assigned_map(
                maps[i : i + 1], centers, size, self.rule, transform=transform
            )
            tables.append(contingency(pred[0].cpu().numpy(), labels, void))
        return add_tables(tables)

    def _labels(self, image: LabelledImage, size: tuple[int, int] | None) -> np.ndarray:
        labels = image.read_labels().indices
        return labels if size is None else resize_nearest(labels, size)

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

    def _scores(
        self, results: Sequence[Mapping[str, Any]]
    ) -> dict[tuple[str, str, str], dict[int, list[float]]]:
        """Mean IoU of every unit by (unit, K, measure), then by seed."""
        scores: dict[tuple[str, str, str], dict[int, list[float]]] = {}
        for result in results:
            for triples in result['tables']:
                table = _table(triples)
                for measure, value in _measures(table).items():
                    key = (result['unit'], str(result['num_clusters']), measure)
                    seeds = scores.setdefault(key, {})
                    seeds.setdefault(result['seed'], []).append(value)
        return scores


def _measures(table: Contingency) -> dict[str, float]:
    """Mean IoU by rule, with and without background; none where nothing counts."""
    if not len(table.classes):
        return {}
    found = {}
    for rule in ('hungarian', 'many_to_one', 'many_to_one_precision'):
        matched = match_clusters(table, rule)
        found[rule] = matched_scores(table, matched).miou
        found[f'{rule}_no_background'] = matched_scores(table, matched, False).miou
    return found


def _triples(table: Contingency) -> list[list[int]]:
    rows, columns = np.nonzero(table.counts)
    columns_of = (table.classes[rows], table.clusters[columns])
    parts = (*columns_of, table.counts[rows, columns])
    return np.stack(parts, axis=1).tolist()


def _table(triples: Sequence[Sequence[int]]) -> Contingency:
    array = np.asarray(triples, np.int64).reshape(-1, 3)
    classes, rows = np.unique(array[:, 0], return_inverse=True)
    clusters, columns = np.unique(array[:, 1], return_inverse=True)
    counts = np.zeros((len(classes), len(clusters)), np.int64)
    counts[rows, columns] = array[:, 2]
    return Contingency(counts, classes, clusters)


def _count_values(label_maps: Iterable[np.ndarray], void: int | None) -> int:
    values: set[int] = set()
    for labels in label_maps:
        values |= set(np.unique(labels).tolist())
    return len(values - {void})


def _positive(number: object) -> bool:
    return isinstance(number, int) and not isinstance(number, bool) and number > 0
