"""A test loop that tracks every video once for many settings, and scores each."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import torch
from mmengine.logging import MMLogger, print_log

from densecorr.engine.look_ahead import LookAhead, raise_named
from densecorr.engine.progress import FrameProgress
from densecorr.engine.test_loop import VideoTestLoop, found_in, score_all, truth_of
from densecorr.engine.writers import ResultWriter
from densecorr.propagation.settings import Setting
from densecorr.propagation.sweep import NEIGHBOURS, SweepTracker
from densecorr.registry import METRICS
from densecorr.structures import VideoSample


class SweepLoop(VideoTestLoop):
    """Scores of several settings on every video of a dataset.

    Videos are dealt to ranks, recorded and skipped on a rerun as in
    :class:`VideoTestLoop`; there are no predictions, and a record has the numbers of
    all settings.

    Args:
        runner: see :class:`VideoTestLoop`; its model is a
            :class:`densecorr.propagation.tracker.VideoTracker`.
        dataloader: see :class:`VideoTestLoop`.
        evaluator: see :class:`VideoTestLoop`; each setting gets metrics of its own.
        out_dir: see :class:`VideoTestLoop`.
        settings: that are propagated side by side.
        fingerprint: of the run, to which the settings are added.
        neighbours: see :class:`densecorr.propagation.sweep.SweepPropagator`.
    """

    def __init__(
        self,
        runner: Any,
        dataloader: dict,
        evaluator: list[dict] | dict,
        out_dir: str,
        settings: Sequence[Setting],
        fingerprint: Mapping | None = None,
        neighbours: int = NEIGHBOURS,
    ) -> None:
        chosen = dict(sweep=[asdict(setting) for setting in settings])
        if fingerprint is not None:
            fingerprint = {**fingerprint, **chosen}
        super().__init__(
            runner, dataloader, evaluator, out_dir, fingerprint, title='sweeping'
        )
        configs = [evaluator] if isinstance(evaluator, Mapping) else evaluator
        self.sweep = SweepTracker(self._model(), settings, neighbours)
        self.sets = [[METRICS.build(c) for c in configs] for _ in settings]
        for metric in (metric for metrics in self.sets for metric in metrics):
            metric.dataset_meta = self.dataset.metainfo
        self.settings = list(settings)

    @torch.inference_mode()
    def run_video(
        self, video: VideoSample, progress: FrameProgress | None = None
    ) -> list[dict]:
        """Track one video with all settings; see :meth:`VideoTestLoop.run_video`.

        Returns:
            for each setting a dict of ``metrics``, what each of them finished with,
            ``queries`` and ``unproven``, those that were searched again.

        Raises:
            VideoError: it cannot be read, tracked or scored; names video and frame.
        """
        index = -1
        before = self._counts()
        with LookAhead(video) as ahead:
            try:
                for number, metrics in enumerate(self.sets):
                    with _said_once(number):
                        for metric in metrics:
                            metric.start(video)
                for index, results in enumerate(self.sweep.results(ahead)):
                    target = truth_of(ahead, index)
                    for metrics, result in zip(self.sets, results, strict=True):
                        for metric in metrics:
                            metric.update(index, found_in(result), target)
                    if progress is not None:
                        progress.advance()
            except Exception as error:
                raise_named(error, video, index + 1)
        counts = [
            dict(queries=now[0] - old[0], unproven=now[1] - old[1])
            for now, old in zip(self._counts(), before, strict=True)
        ]
        self._report(video, counts)
        return [
            dict(metrics=[metric.finish() for metric in metrics], **count)
            for metrics, count in zip(self.sets, counts, strict=True)
        ]

    def _counts(self) -> list[tuple[int, int]]:
        """Queries of each setting so far, and those of them that were not proven."""
        statistics = self.sweep.propagator.statistics
        return [(statistics.queries, unproven) for unproven in statistics.unproven]

    def _report(self, video: VideoSample, counts: Sequence[Mapping[str, int]]) -> None:
        total = sum(count['queries'] for count in counts)
        again = sum(count['unproven'] for count in counts)
        print_log(
            f'{video.name}: {again} of {total} selections of all settings were not '
            'certified and searched again',
            logger='current',
        )

    def _writers(self, video: VideoSample) -> list[ResultWriter]:
        """None: the maps of a sweep are scored and forgotten."""
        return []

    def _summarise(
        self, gathered: dict[int, list[dict]], videos: dict[str, dict[str, Any]]
    ) -> dict[str, Any]:
        """Numbers and tables of every setting; files are for the caller to write."""
        found = []
        for number, metrics in enumerate(self.sets):
            records = [gathered[i][number] for i in sorted(gathered)]
            results = [
                [record['metrics'][column] for record in records]
                for column in range(len(metrics))
            ]
            with _said_once(number):
                values, tables = score_all(metrics, results)
            counts = {
                name: sum(record[name] for record in records)
                for name in ('queries', 'unproven')
            }
            found.append(dict(metrics=values, tables=tables, **counts))
        weights = self.dataset.weights()
        return dict(
            metrics={},
            settings=found,
            dataset=self.dataset.metainfo,
            num_videos=len(weights),
            num_frames=sum(weights),
            fingerprint=self.folder.fingerprint,
            videos={name: videos[name] for name in sorted(videos)},
        )


@contextlib.contextmanager
def _said_once(number: int) -> Iterator[None]:
    """What metrics say of a video is the same for all settings: the first one says it.

    Args:
        number: of the setting.
    """
    logger = MMLogger.get_current_instance()
    level = logger.level
    if number:
        logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
