"""Foreground made of clusters that lie where the class token looks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch

from densecorr.evaluation.functional.foreground import (
    CONTOURS,
    CutSearch,
    cluster_precision,
    contour_f,
    jaccard,
    search_cut,
)
from densecorr.evaluation.metrics.cluster_seg import ClusterMetric
from densecorr.evaluation.metrics.foreground_tables import (
    cuts_csv,
    foreground_csv,
    foreground_metrics,
)
from densecorr.evaluation.metrics.seed_jobs import (
    SeedJob,
    check_sizes,
    labels_of,
    laid_over,
    part_maps,
    part_places,
    seed_jobs,
)
from densecorr.evaluation.metrics.seg_tables import (
    ImageScore,
    check_pictures,
    per_image_csv,
    shown_places,
    write_shown,
)
from densecorr.ops.attention_mask import attention_mask
from densecorr.ops.cluster import assigned_map, project_maps
from densecorr.ops.kmeans import KMeansRule, kmeans
from densecorr.ops.points import MapPoints, enlarge
from densecorr.registry import METRICS
from densecorr.structures import LabelledImage
from densecorr.utils.mapped import release_pages

VIEW = 'foreground'
MASKS = ('attention', 'foreground')
_SIZES = dict(points=100, labels=None)
_CLUSTERS: dict[str, Any] = dict(num_clusters=300, dim=50, kmeans={})
_CUT: dict[str, Any] = dict(threshold=None, cuts=(0.55, 0.75), step=0.05)
_BOUNDARY: dict[str, Any] = dict(distance=16, contour='foreground')
_TASK = 'foreground extraction'
_IMAGES = 64  # at a time


class _Found(NamedTuple):
    """Clusters of a part and how much of each is attended."""

    clusters: np.ndarray  # (n, h, w) of the cells
    precisions: np.ndarray  # (k,)
    attended: np.ndarray  # (n, h, w) bool


@METRICS.register_module()
class ForegroundMetric:
    """Jaccard and boundary F of clusters that are called foreground.

    Of the images of part ``'train'`` the clusters are ranked by how much of them is
    attended, and their labels choose the cut; on the others clusters whose precision
    reaches that of the cut are foreground.

    Args:
        clusters: ``num_clusters``, ``dim`` of the PCA (None: none), and ``kmeans``,
            fields of :class:`densecorr.ops.kmeans.KMeansRule`; of each part alone.
        seeds: of k-means; means and deviations over them are reported.
        sizes: (H, W) or one side: ``points``, at which clusters are made and the cut is
            searched, by nearest cells, and ``labels`` at which the test images are
            scored; None: their own.
        mask: options of :func:`densecorr.ops.attention_mask.attention_mask`.
        cut: ``threshold``, of precision (None: searched on the labels of the train
            part), ``cuts`` and ``step`` of :func:`search_cut`.
        boundary: ``distance`` and ``contour`` of :func:`contour_f`.
        within: also cluster the test images by features multiplied by a mask: ``mask``,
            ``'attention'`` or ``'foreground'``, and arguments of
            :class:`ClusterMetric`; None: not.
        void_is_foreground: see :func:`jaccard`.
        pictures: how many of the best and of the worst images the report shows.

    Reference: Salehi et al. (TimeT), ICCV 2023, arXiv:2308.11796; Ziegler and Asano
        (Leopart), CVPR 2022, arXiv:2204.13101, Sec. 3.3.
    """

    reads_attention = True
    dataset_meta: Mapping[str, Any] | None = None
    out_dir: str | None = None
    device: torch.device | str = 'cpu'

    def __init__(
        self,
        clusters: Mapping[str, Any] | None = None,
        seeds: Sequence[int] = (1,),
        sizes: Mapping[str, Any] | None = None,
        mask: Mapping[str, Any] | None = None,
        cut: Mapping[str, Any] | None = None,
        boundary: Mapping[str, Any] | None = None,
        within: Mapping[str, Any] | None = None,
        void_is_foreground: bool = True,
        pictures: int = 6,
    ) -> None:
        self.clusters = laid_over('clusters', clusters, _CLUSTERS)
        self.rule = KMeansRule(**self.clusters['kmeans'])
        self.seeds, self.sizes = tuple(seeds), check_sizes(sizes, _SIZES)
        self.mask = dict(mask or {})
        self.cut = laid_over('cut', cut, _CUT)
        self.boundary = laid_over('boundary', boundary, _BOUNDARY)
        if self.boundary['contour'] not in CONTOURS:
            raise ValueError(
                f'boundary has contour={self.boundary["contour"]!r}; choose of '
                f'{CONTOURS}.'
            )
        within = dict(within or {})
        self.within_mask = within.pop('mask', None)
        if within and self.within_mask not in MASKS:
            raise ValueError(
                f'within has mask={self.within_mask!r}; choose of {MASKS}.'
            )
        self.within = {'units': ['dataset'], **within, 'pictures': 0}
        self.void_is_foreground = void_is_foreground
        self.pictures = check_pictures(pictures)

    def jobs(self, images: Sequence[LabelledImage]) -> list[SeedJob]:
        """An extraction for every seed."""
        return seed_jobs('foreground', self.seeds, images)

    def run(
        self,
        job: SeedJob,
        images: Sequence[LabelledImage],
        maps: np.ndarray,
        attention: np.ndarray,
    ) -> dict[str, Any]:
        """Extract and score: plain values that JSON can hold.

        Args:
            job: of :meth:`jobs`.
            images: the dataset.
            maps: ``(n, h, w, c)`` features of all images.
            attention: ``(n, h, w, heads)`` of the class token, in any unit.

        Returns:
            ``seed``, ``threshold``, ``cuts`` (rank, precision and mean Jaccard of each
            cut), ``images`` (name, clip, Jaccard and boundary F, None where there is
            none), and ``within``, results of :class:`ClusterMetric`.

        Raises:
            ValueError: a part is missing, or there are more clusters than cells.
        """
        threshold, search = self.cut['threshold'], None
        if threshold is None:
            places = part_places(images, 'train', _TASK)
            found = self._clustered(job.seed, maps, attention, places)
            search = self._search(found, [images[i] for i in places])
            threshold = search.threshold
        places = part_places(images, 'test', _TASK)
        found = self._clustered(job.seed, maps, attention, places)
        chosen = [images[i] for i in places]
        kept = (found.precisions >= threshold)[found.clusters]  # (n, h, w) bool
        return dict(
            seed=job.seed,
            threshold=threshold,
            cuts=_rows(search),
            images=self._score(job, chosen, kept),
            within=self._within(job, chosen, part_maps(maps, places), found, kept),
        )

    def compute_metrics(self, results: Sequence[Mapping[str, Any]]) -> dict[str, float]:
        """``jaccard``, ``boundary-f``, and ``masked-<name>`` of the clusters within."""
        numbers = foreground_metrics(results)
        if any(result['within'] for result in results):
            found = self._cluster_metric().compute_metrics(_all_within(results))
            numbers.update({f'masked-{name}': value for name, value in found.items()})
        return numbers

    def tables(self, results: Sequence[Mapping[str, Any]]) -> dict[str, str]:
        """``foreground.csv``, ``cuts.csv``, ``per_image.csv``; those of clusters."""
        texts: dict[str, str] = {}
        if any(result['within'] for result in results):
            texts = self._cluster_metric().tables(_all_within(results))
            texts = {name: texts[name] for name in ('clusters.csv', 'per_class.csv')}
        first = [result for result in results if result['seed'] == self.seeds[0]]
        return {
            'foreground.csv': foreground_csv(results),
            'cuts.csv': cuts_csv(results),
            'per_image.csv': per_image_csv(
                ImageScore(VIEW, name, clip, np.nan if score is None else score)
                for result in first
                for name, clip, score, _ in result['images']
            ),
            **texts,
        }

    def _clustered(
        self, seed: int, maps: np.ndarray, attention: np.ndarray, places: np.ndarray
    ) -> _Found:
        """Clusters of the images of a part alone."""
        maps, attention = part_maps(maps, places), part_maps(attention, places)
        number, cells = self.clusters['num_clusters'], int(np.prod(maps.shape[:3]))
        if number > cells:
            raise ValueError(
                f'num_clusters is {number}, the {len(maps)} images of a part have '
                f'{cells} features. Give fewer clusters, or more images.'
            )
        dim = self.clusters['dim']
        transform = None if dim is None else project_maps(maps, dim)
        size = self.sizes['points'] or maps.shape[1:3]
        options: Any = dict(how='nearest', transform=transform)
        points = MapPoints(maps, size, device=self.device, **options)
        generator = torch.Generator().manual_seed(seed)
        centers = kmeans(points, number, generator, self.rule).centers
        clusters = np.empty(maps.shape[:3], np.min_scalar_type(number - 1))
        for place, part in _pieces(maps):
            on_device = torch.from_numpy(part).to(self.device)
            grid = maps.shape[1:3]
            nearest = assigned_map(on_device, centers, grid, self.rule, **options)
            clusters[place] = nearest.cpu().numpy()
        attended = self._attended(attention)
        big, seen = _enlarged(clusters, size), _enlarged(attended, size)
        return _Found(clusters, cluster_precision(big, seen, number), attended)

    def _attended(self, attention: np.ndarray) -> np.ndarray:
        """Masks ``(n, h, w)`` bool of attention maps."""
        grid = (attention.shape[1], attention.shape[2])
        masks = np.empty(attention.shape[:3], bool)
        for place, part in _pieces(attention):
            seen = torch.from_numpy(part).permute(0, 3, 1, 2).flatten(2)
            masks[place] = attention_mask(seen, grid, **self.mask).numpy()
        return masks

    def _search(self, found: _Found, images: Sequence[LabelledImage]) -> CutSearch:
        size = self.sizes['points'] or found.clusters.shape[1:3]
        labels = np.stack([labels_of(image, size) for image in images])
        return search_cut(
            _enlarged(found.clusters, size),
            labels,
            found.precisions,
            tuple(self.cut['cuts']),
            self.cut['step'],
            self.void_is_foreground,
        )

    def _score(
        self, job: SeedJob, images: Sequence[LabelledImage], kept: np.ndarray
    ) -> list[list]:
        """Name, clip, Jaccard and boundary F of images; keeps masks of some."""
        rows, scores = [], []
        for image, cells in zip(images, kept, strict=True):
            labels = labels_of(image, self.sizes['labels'])
            pred = _enlarged(cells[None], labels.shape)
            score = jaccard(pred, labels[None], self.void_is_foreground)[0]
            both = (score, contour_f(pred[0], labels, **self.boundary))
            numbers = [None if np.isnan(one) else float(one) for one in both]
            rows.append([image.name, image.group, *numbers])
            scores.append(float(score))
        if self.out_dir is not None and job.seed == self.seeds[0]:
            for place in shown_places(scores, self.pictures):
                image = images[place]
                size = image.read_labels().indices.shape
                mask = _enlarged(kept[place : place + 1], size)[0]
                write_shown(self.out_dir, VIEW, image.name, mask)
        return rows

    def _within(
        self,
        job: SeedJob,
        images: Sequence[LabelledImage],
        maps: np.ndarray,
        found: _Found,
        kept: np.ndarray,
    ) -> list[dict[str, Any]]:
        """Results of clusters of masked features; in memory, of the test part alone."""
        if self.within_mask is None:
            return []
        mask = found.attended if self.within_mask == 'attention' else kept
        masked = np.empty(maps.shape, maps.dtype)
        for start in range(0, len(maps), _IMAGES):
            some = slice(start, start + _IMAGES)
            masked[some] = maps[some] * mask[some][..., None]
        release_pages(maps)
        metric = self._cluster_metric((job.seed,))
        return [metric.run(one, images, masked) for one in metric.jobs(images)]

    def _cluster_metric(self, seeds: Sequence[int] | None = None) -> ClusterMetric:
        metric = ClusterMetric(**{**self.within, 'seeds': seeds or self.seeds})
        metric.dataset_meta = self.dataset_meta
        return metric


def _rows(search: CutSearch | None) -> list[list]:
    if search is None:
        return []
    columns = (search.starts, search.precisions, search.jaccards)
    return [list(row) for row in zip(*(c.tolist() for c in columns), strict=True)]


def _all_within(results: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [found for result in results for found in result['within']]


def _pieces(maps: np.ndarray) -> Iterator[tuple[slice, np.ndarray]]:
    """Some images at a time, copied, and which; mapped pages are given back."""
    for start in range(0, len(maps), _IMAGES):
        place = slice(start, start + _IMAGES)
        yield place, np.array(maps[place], np.float32)
        release_pages(maps)


def _enlarged(cells: np.ndarray, size: Sequence[int]) -> np.ndarray:
    """``(n, h, w)`` numbers at ``size`` by nearest cells, of their type."""
    height, width = cells.shape[1:]
    places = torch.arange(height * width).view(1, height, width, 1).double()
    chosen = enlarge(places, (size[0], size[1]), 'nearest').long().flatten().numpy()
    flat = cells.reshape(len(cells), -1)
    return flat[:, chosen].reshape(len(cells), size[0], size[1])
