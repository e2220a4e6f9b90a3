"""Dense nearest-neighbour retrieval: labels from patches of other images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from densecorr.evaluation.functional.cluster_matching import (
    Contingency,
    add_tables,
    contingency,
    match_clusters,
    matched_scores,
)
from densecorr.evaluation.metrics.cluster_tables import (
    from_triples,
    over_seeds,
    to_triples,
)
from densecorr.evaluation.metrics.retrieval_memory import (
    VOID,
    build_memory,
    check_backend,
    make_search,
)
from densecorr.evaluation.metrics.seed_jobs import check_sizes, labels_of, part_places
from densecorr.evaluation.metrics.seg_tables import (
    ImageScore,
    check_pictures,
    confusion_csv,
    per_image_csv,
    write_shown,
)
from densecorr.ops.points import enlarge
from densecorr.ops.precision import full_precision
from densecorr.ops.retrieval import Search, vote
from densecorr.registry import METRICS
from densecorr.structures import LabelledImage
from densecorr.utils.tables import format_csv

VIEW = 'retrieval'
MATCHES = ('none', 'hungarian')
_RULES = dict(none='linear_probe', hungarian='hungarian')
_SIZES = dict(memory=224, labels=None)
_SEARCH = dict(backend='torch', max_memory='256MB')
_BLOCK = 32  # images of a job
_DECIMALS = 6


class Job(NamedTuple):
    """Some images that are labelled, and kept as one record.

    Attributes:
        name: unique; a path of its record.
        seed: of the memory.
        images: numbers of the images.
    """

    name: str
    seed: int
    images: tuple[int, ...]


@METRICS.register_module()
class RetrievalMetric:
    """Mean IoU of labels that every patch gets from its nearest patches of a memory.

    The memory are patches of the images of part ``'train'`` with the shares of classes
    in them. A patch of a test image gets the shares of its most similar patches,
    weighted by a softmax of the cosines; these are enlarged bilinearly, and every
    pixel takes the largest.

    Args:
        memory_size: patches of the memory, equally many of every image, those of rare
            classes first; None: all. It takes 4 bytes for every channel and class.
        neighbours: k.
        temperature: of the softmax.
        sizes: (H, W) or one side: ``memory``, at which shares are counted, and
            ``labels`` of the test images; None: their own.
        match: ``'none'``, or ``'hungarian'``: predicted classes are matched with
            annotated ones first, as the official evaluation does.
        seeds: of the draw of patches; means and deviations are reported.
        search: ``backend`` and ``max_memory`` of
            :func:`densecorr.evaluation.metrics.retrieval_memory.make_search`.
        num_classes: None: as many as ``classes`` of the dataset's metainfo.
        pictures: 0 keeps no label maps for the report.

    Reference: Balazevic et al. (Hummingbird), NeurIPS 2023, arXiv:2306.01667;
        vpariza/open-hummingbird-eval (5e79da2) ``hbird_eval.py``.
    """

    dataset_meta: Mapping[str, Any] | None = None
    out_dir: str | None = None
    device: torch.device | str = 'cpu'

    def __init__(
        self,
        memory_size: int | None = None,
        neighbours: int = 30,
        temperature: float = 0.02,
        sizes: Mapping[str, Any] | None = None,
        match: str = 'none',
        seeds: Sequence[int] = (0,),
        search: Mapping[str, Any] | None = None,
        num_classes: int | None = None,
        pictures: int = 1,
    ) -> None:
        if neighbours < 1 or not temperature > 0:
            raise ValueError(
                f'neighbours is {neighbours} and temperature {temperature}; they '
                'should be at least 1 and above 0.'
            )
        if match not in MATCHES:
            raise ValueError(f'match is {match!r}; it should be one of {MATCHES}.')
        self.memory_size, self.neighbours = memory_size, neighbours
        self.temperature, self.match = temperature, match
        self.sizes = check_sizes(sizes, _SIZES)
        side = self.sizes['memory']
        if side is None:
            raise ValueError('sizes has memory=None; give the size of its labels.')
        self.memory_side: tuple[int, int] = side
        self.seeds, self.search = tuple(seeds), {**_SEARCH, **(search or {})}
        check_backend(self.search['backend'])
        self.num_classes, self.pictures = num_classes, check_pictures(pictures)
        self._memory: tuple[int, Tensor, Search] | None = None

    def jobs(self, images: Sequence[LabelledImage]) -> list[Job]:
        """All work on a dataset: blocks of test images, for every seed."""
        places = part_places(images, 'test', 'retrieval').tolist()
        return [
            Job(f'seed-{seed}/{start // _BLOCK:05d}', seed, tuple(block))
            for seed in self.seeds
            for start in range(0, len(places), _BLOCK)
            if (block := places[start : start + _BLOCK])
        ]

    def run(
        self, job: Job, images: Sequence[LabelledImage], maps: np.ndarray
    ) -> dict[str, Any]:
        """Label some images: plain values that JSON can hold.

        Args:
            job: of :meth:`jobs`.
            images: the dataset.
            maps: ``(n, h, w, c)`` features of all images.

        Returns:
            ``seed``, ``table`` (``[class, predicted, pixels]`` of every pair that
            occurs), and ``images``: name, clip and mean IoU of each, None where
            nothing counts.
        """
        tables, rows = [], []
        for i in job.images:
            labels = labels_of(images[i], self.sizes['labels'])
            size = (labels.shape[0], labels.shape[1])
            pred = self._predict(job.seed, images, maps, i, size)
            table = contingency(pred, labels, VOID)
            score = _scores(table, 'none').miou if len(table.classes) else None
            tables.append(table)
            rows.append([images[i].name, images[i].group, score])
            if self.out_dir is not None and self.pictures and job.seed == self.seeds[0]:
                write_shown(self.out_dir, VIEW, images[i].name, pred)
        total = to_triples(add_tables(tables))
        return dict(seed=job.seed, table=total, images=rows)

    def compute_metrics(self, results: Sequence[Mapping[str, Any]]) -> dict[str, float]:
        """``mIoU``, and with several seeds ``mIoU-deviation``.

        Raises:
            ValueError: no pixel of the test images counts.
        """
        scores = {}
        for seed, table in _by_seed(results).items():
            if not len(table.classes):
                raise ValueError('no pixel of the test images has a class.')
            scores[seed] = [_scores(table, self.match).miou]
        mean, deviation = over_seeds(scores)
        more = {'mIoU-deviation': deviation} if len(scores) > 1 else {}
        return {'mIoU': mean, **more}

    def tables(self, results: Sequence[Mapping[str, Any]]) -> dict[str, str]:
        """``per_class.csv``, and what the report takes."""
        names = self._names()
        rows: list[list] = []
        for seed, table in _by_seed(results).items():
            found = _scores(table, self.match)
            for place, number in enumerate(found.classes.tolist()):
                name = names[number] if number < len(names) else str(number)
                pixels = int(table.counts[place].sum())
                rows.append([seed, number, name, pixels, float(found.iou[place])])
        columns = ['Seed', 'Class', 'Name', 'Annotated', 'IoU']
        first = [result for result in results if result['seed'] == self.seeds[0]]
        return {
            'per_class.csv': format_csv(rows, columns, _DECIMALS),
            'per_image.csv': per_image_csv(
                ImageScore(VIEW, *row) for result in first for row in result['images']
            ),
            'confusion.csv': confusion_csv(
                (VIEW, table) for table in _by_seed(first).values()
            ),
        }

    @torch.no_grad()
    @full_precision
    def _predict(
        self,
        seed: int,
        images: Sequence[LabelledImage],
        maps: np.ndarray,
        i: int,
        size: tuple[int, int],
    ) -> np.ndarray:
        """``(H, W)`` classes of an image."""
        shares, search = self._remembered(seed, images, maps)
        feats = torch.from_numpy(np.array(maps[i])).to(self.device).float()
        h, w, channels = feats.shape
        queries = F.normalize(feats.view(-1, channels), dim=1)
        values, rows = search(queries, self.neighbours)
        soft = vote(values, shares[rows], self.temperature).view(1, h, w, -1)
        return enlarge(soft, size)[0].argmax(-1).cpu().numpy()

    def _remembered(
        self, seed: int, images: Sequence[LabelledImage], maps: np.ndarray
    ) -> tuple[Tensor, Search]:
        """Shares of the memory and its search, made once for a seed."""
        if self._memory is None or self._memory[0] != seed:
            self._memory = None  # before the next one is made
            memory = build_memory(
                images,
                maps,
                part_places(images, 'train', 'retrieval').tolist(),
                classes=self._classes(),
                memory_size=self.memory_size,
                side=self.memory_side,
                seed=seed,
            )
            feats = memory.feats.to(self.device)
            search = make_search(feats, **self.search)
            self._memory = (seed, memory.shares.to(self.device), search)
        return self._memory[1:]

    def _names(self) -> list[str]:
        return list((self.dataset_meta or {}).get('classes') or ())

    def _classes(self) -> int:
        if self.num_classes is None and not self._names():
            raise ValueError(
                'the dataset names no classes. Give num_classes, background among them.'
            )
        return self.num_classes or len(self._names())


def _by_seed(results: Sequence[Mapping[str, Any]]) -> dict[int, Contingency]:
    parts: dict[int, list[Contingency]] = {}
    for result in results:
        parts.setdefault(result['seed'], []).append(from_triples(result['table']))
    return {seed: add_tables(tables) for seed, tables in parts.items()}


def _scores(table: Contingency, match: str) -> Any:
    return matched_scores(table, match_clusters(table, _RULES[match]))
