"""A linear probe on cached features: how much of the classes one layer reads off."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from densecorr.evaluation.functional.cluster_matching import (
    add_tables,
    contingency,
    match_clusters,
    matched_scores,
)
from densecorr.evaluation.metrics.cluster_tables import from_triples, to_triples
from densecorr.evaluation.metrics.probe_tables import (
    curve_csv,
    probe_metrics,
    probe_per_class_csv,
)
from densecorr.evaluation.metrics.probe_training import ProbeSchedule, train_probe
from densecorr.evaluation.metrics.seed_jobs import (
    SeedJob,
    check_sizes,
    labels_of,
    part_places,
    seed_jobs,
)
from densecorr.evaluation.metrics.seg_tables import (
    ImageScore,
    check_pictures,
    confusion_csv,
    per_image_csv,
    shown_places,
    write_shown,
)
from densecorr.evaluation.metrics.semantic_seg import (
    area_scores,
    check_classes,
    class_areas,
)
from densecorr.registry import METRICS, MODELS
from densecorr.structures import LabelledImage
from densecorr.utils.mapped import release_pages

VIEW = 'probe'
_SIZES = dict(train=100, labels=None)


@METRICS.register_module()
class LinearProbeMetric:
    """Mean IoU of a 1x1 convolution that is trained on frozen features.

    It learns from the images of part ``'train'`` and is scored on the others, by
    MMSegmentation's ``IoUMetric``. After every epoch its state is kept.

    Args:
        schedule: fields of :class:`ProbeSchedule`.
        head: laid over ``dict(type='LinearProbeHead', batch_norm=False)``; any module
            of ``MODELS`` with its interface.
        sizes: (H, W) or one side to which features and labels are resized: ``train``,
            and ``labels`` of the test images; None: their own.
        seeds: of the first weights, and of the order where images are shuffled; means
            and deviations over them are reported.
        num_classes: None: as many as ``classes`` of the dataset's metainfo.
        void: label of pixels that do not count.
        pictures: how many of the best and of the worst images the report shows.

    Reference: Salehi et al. (TimeT), ICCV 2023, arXiv:2308.11796.
    """

    dataset_meta: Mapping[str, Any] | None = None
    out_dir: str | None = None
    state_dir: Path | None = None
    device: torch.device | str = 'cpu'

    def __init__(
        self,
        schedule: Mapping[str, Any] | None = None,
        head: Mapping[str, Any] | None = None,
        sizes: Mapping[str, Any] | None = None,
        seeds: Sequence[int] = (0,),
        num_classes: int | None = None,
        void: int = 255,
        pictures: int = 6,
    ) -> None:
        self.schedule = ProbeSchedule(**(schedule or {}))
        self.head = dict(dict(type='LinearProbeHead', batch_norm=False), **(head or {}))
        self.sizes = check_sizes(sizes, _SIZES)
        if self.sizes['train'] is None:
            raise ValueError(
                'sizes has train=None; images of a batch have one size. Give it.'
            )
        self.seeds, self.void = tuple(seeds), void
        self.num_classes, self.pictures = num_classes, check_pictures(pictures)
        self._labels: dict[int, np.ndarray] = {}

    def jobs(self, images: Sequence[LabelledImage]) -> list[SeedJob]:
        """A probe for every seed."""
        return seed_jobs('probe', self.seeds, images)

    def run(
        self, job: SeedJob, images: Sequence[LabelledImage], maps: np.ndarray
    ) -> dict[str, Any]:
        """Train and score: plain values that JSON can hold.

        Args:
            job: of :meth:`jobs`.
            images: the dataset.
            maps: ``(n, h, w, c)`` features of all images.

        Returns:
            ``seed``, ``curve`` (a dict for every epoch: ``epoch`` and ``numbers``, the
            learning rate, loss and mean IoU, None where there is none), ``areas`` of
            :func:`class_areas`, ``table`` (pixels by class and predicted class), and
            ``images`` (name, clip and mean IoU of each, None where nothing counts).

        Raises:
            ValueError: a part is missing, or labels are no classes.
        """
        train = part_places(images, 'train', 'a linear probe')
        test = part_places(images, 'test', 'a linear probe')
        self._check_labels(images, train)
        head = self._head(maps.shape[3], job.seed)

        def batches(numbers: list[int]) -> tuple[Tensor, Tensor]:
            places = train[numbers]
            labels = [self._cached(images, i, self.sizes['train']) for i in places]
            target = torch.from_numpy(np.stack(labels)).to(self.device)
            return self._maps(maps, places), target

        def validate(head: nn.Module) -> float:
            areas = np.zeros((4, self._classes()), np.int64)
            for _, pred, labels in self._predicted(head, images, maps, test):
                areas += class_areas(pred, labels, self._classes(), self.void)
            return area_scores(areas).miou

        state = None
        if self.state_dir is not None:
            state = Path(self.state_dir) / f'{job.name}.pth'
        curve = train_probe(
            head, len(train), batches, validate, self.schedule, job.seed, state
        )
        numbers = [[entry[key] for key in ('lr', 'loss', 'miou')] for entry in curve]
        return dict(
            seed=job.seed,
            curve=[
                dict(epoch=epoch, numbers=[_known(value) for value in row])
                for epoch, row in enumerate(numbers)
            ],
            **self._score(head.eval(), job, images, maps, test),
        )

    def compute_metrics(self, results: Sequence[Mapping[str, Any]]) -> dict[str, float]:
        """See :func:`probe_metrics`."""
        return probe_metrics(results)

    def tables(self, results: Sequence[Mapping[str, Any]]) -> dict[str, str]:
        """``probe.csv``, the curves, ``per_class.csv``, and those of the report."""
        names = list((self.dataset_meta or {}).get('classes', ()))
        first = [result for result in results if result['seed'] == self.seeds[0]]
        return {
            'probe.csv': curve_csv(results),
            'per_class.csv': probe_per_class_csv(results, names),
            'per_image.csv': per_image_csv(
                ImageScore(VIEW, name, clip, np.nan if miou is None else miou)
                for result in first
                for name, clip, miou in result['images']
            ),
            'confusion.csv': confusion_csv(
                (VIEW, from_triples(result['table'])) for result in first
            ),
        }

    @torch.no_grad()
    def _score(
        self,
        head: nn.Module,
        job: SeedJob,
        images: Sequence[LabelledImage],
        maps: np.ndarray,
        places: np.ndarray,
    ) -> dict[str, Any]:
        """Numbers of the trained head; keeps maps of some images."""
        number = self._classes()
        areas, table = np.zeros((4, number), np.int64), add_tables([])
        rows: list[list[Any]] = []
        for i, pred, labels in self._predicted(head, images, maps, places):
            areas += class_areas(pred, labels, number, self.void)
            one = contingency(pred, labels, self.void)
            table = add_tables([table, one])
            found = matched_scores(one, match_clusters(one, 'linear_probe'))
            miou = found.miou if len(one.classes) else None
            rows.append([images[i].name, images[i].group, miou])
        if self.out_dir is not None and job.seed == self.seeds[0]:
            scores = [np.nan if row[2] is None else row[2] for row in rows]
            shown = places[shown_places(scores, self.pictures)]
            for i, pred, _ in self._predicted(head, images, maps, shown):
                write_shown(self.out_dir, VIEW, images[i].name, pred)
        return dict(areas=areas.tolist(), table=to_triples(table), images=rows)

    def _predicted(
        self,
        head: nn.Module,
        images: Sequence[LabelledImage],
        maps: np.ndarray,
        places: np.ndarray,
    ) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
        """Number, predicted classes and labels of images, one after the other."""
        size, step = self.sizes['labels'], self.schedule.batch_size
        step = 1 if size is None else step  # labels of several sizes
        for start in range(0, len(places), step):
            batch = places[start : start + step]
            labels = [self._cached(images, i, size) for i in batch]
            shape = (labels[0].shape[0], labels[0].shape[1])
            pred = head(self._maps(maps, batch), shape).argmax(1).cpu().numpy()
            yield from zip(batch.tolist(), pred, labels, strict=True)

    def _head(self, channels: int, seed: int) -> nn.Module:
        config = dict(
            in_channels=channels,
            num_classes=self._classes(),
            ignore_index=self.void,
            **self.head,
        )
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return MODELS.build(config).to(self.device)

    def _maps(self, maps: np.ndarray, places: np.ndarray) -> Tensor:
        """``(b, c, h, w)`` float32; the memory map is not kept in memory."""
        batch = torch.from_numpy(maps[places]).to(self.device).float()
        release_pages(maps)
        return batch.permute(0, 3, 1, 2).contiguous()

    def _cached(
        self, images: Sequence[LabelledImage], i: int, size: tuple[int, int] | None
    ) -> np.ndarray:
        """Labels of an image; those of a fixed size are read once."""
        if i in self._labels:
            return self._labels[i]
        labels = labels_of(images[i], size)
        try:
            check_classes(labels, self._classes(), self.void)
        except ValueError as error:
            raise ValueError(f'{images[i].name}: {error}') from error
        if size is not None:
            self._labels[i] = labels
        return labels

    def _check_labels(
        self, images: Sequence[LabelledImage], places: np.ndarray
    ) -> None:
        """Some pixel to learn from has a class."""
        size = self.sizes['train']
        if not any((self._cached(images, i, size) != self.void).any() for i in places):
            raise ValueError(
                'no pixel of the images to train on has a class: all are void. Give '
                'images with labels.'
            )

    def _classes(self) -> int:
        """Number of classes.

        Raises:
            ValueError: neither the metric nor the dataset says it.
        """
        known = (self.dataset_meta or {}).get('classes')
        if self.num_classes is None and not known:
            raise ValueError(
                f'{(self.dataset_meta or {}).get("name", "the dataset")} names no '
                'classes. Give num_classes, background among them.'
            )
        return self.num_classes or len(known or ())


def _known(value: float) -> float | None:
    return None if np.isnan(value) else value
