"""MMEngine's test loop for videos that are read, tracked and scored frame by frame."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from mmengine.dist import get_rank, get_world_size
from mmengine.logging import print_log
from mmengine.model import is_model_wrapper
from mmengine.runner import BaseLoop

from densecorr.engine.launch import gather
from densecorr.engine.look_ahead import LookAhead, SeenFrames, raise_named
from densecorr.engine.progress import FrameProgress, format_seconds
from densecorr.engine.records import ResultFolder
from densecorr.engine.writers import ResultWriter, writers_of
from densecorr.propagation.tracker import results_of
from densecorr.registry import DATASETS, LOOPS, METRICS
from densecorr.structures import FrameResult, JointResult, VideoSample
from densecorr.utils.checkpoints import hash_tensors
from densecorr.utils.files import write_atomic

METRICS_SCHEMA = 2  # 2 has the inputs of each video


def deal_videos(lengths: Sequence[int], num_ranks: int) -> list[list[int]]:
    """Deal videos to ranks: the longest first, each to the rank with fewest frames.

    Args:
        lengths: frames of every video.
        num_ranks: ranks to deal to; some stay empty where there are fewer videos.

    Returns:
        numbers of the videos of each rank, longest first. Equal arguments give equal
        shares on every rank.
    """
    if num_ranks < 1:
        raise ValueError(f'num_ranks is {num_ranks}; give at least 1.')
    shares: list[list[int]] = [[] for _ in range(num_ranks)]
    loads = [0] * num_ranks
    for video in sorted(range(len(lengths)), key=lambda i: (-lengths[i], i)):
        rank = loads.index(min(loads))
        shares[rank].append(video)
        loads[rank] += lengths[video]
    return shares


@LOOPS.register_module()
class VideoTestLoop(BaseLoop):
    """Tracks every video of a dataset once and scores it.

    Each rank takes its share of the videos; there is no padding, and a rank without
    videos is fine. A result leaves memory frame by frame: as a PNG in the colours of
    the input's palette, and as numbers in the metrics. When a video is done its record
    is written, and a rerun skips it if the fingerprint is the same. At the end numbers
    alone are gathered, and rank 0 writes the summary.

    Args:
        runner: MMEngine's Runner; its model has ``track(video)``, which yields a
            :class:`FrameResult` per frame in order, and ``track_joints(video)`` where
            videos have joints.
        dataloader: ``dict(dataset=...)``; an item of the dataset is a
            :class:`VideoSample`, and ``weights()`` gives their numbers of frames.
        evaluator: configs of metrics that have ``start``, ``update``, ``finish``,
            ``compute_metrics`` and ``tables``.
        out_dir: folder of the results, see :class:`ResultFolder`.
        fingerprint: of the run, see :mod:`densecorr.engine.fingerprint`, without the
            weights and the videos, which are added; None keeps no records.
        summary: what ``metrics.json`` says besides the numbers.
        title: before the progress bar.
        out_layout: see :func:`densecorr.engine.writers.writers_of`.
    """

    def __init__(
        self,
        runner: Any,
        dataloader: dict,
        evaluator: list[dict] | dict,
        out_dir: str,
        fingerprint: Mapping | None = None,
        summary: Mapping | None = None,
        title: str = 'evaluating',
        out_layout: str | None = None,
    ) -> None:
        self.dataset: Any = DATASETS.build(dataloader['dataset'])
        super().__init__(runner, self.dataset)  # a dict would become a DataLoader
        configs = [evaluator] if isinstance(evaluator, Mapping) else evaluator
        self.metrics: list[Any] = [METRICS.build(config) for config in configs]
        for metric in self.metrics:
            metric.dataset_meta = self.dataset.metainfo
        self.out_dir, self.fingerprint = out_dir, fingerprint
        self.summary, self.title = dict(summary or {}), title
        self.out_layout = out_layout
        self.content: dict[str, Any] = {}  # of metrics.json, on every rank
        self.results: dict[int, list[dict]] = {}  # what metrics finished with

    def run(self) -> dict[str, float]:
        """Track and score all videos; the metrics are returned on every rank.

        Raises:
            VideoError: a video cannot be evaluated; finished ones are kept.
            ValueError: results of another run lie in the folder.
        """
        self.runner.call_hook('before_test')
        self.runner.call_hook('before_test_epoch')
        self.folder = ResultFolder(self.out_dir, self._fingerprint())
        self.folder.open()
        gather(None)  # nobody writes before all have checked the folder
        share = deal_videos(self.dataset.weights(), get_world_size())[get_rank()]
        self._log_share(len(share))
        finished = {i: self._load(self.dataset[i]) for i in share}
        results = {i: found for i, found in finished.items() if found is not None}
        self._run_share([i for i in share if i not in results], results)
        gathered = self.results = {}
        videos: dict[str, dict[str, Any]] = {}
        for part, seen in gather((results, self.folder.videos)):
            gathered.update(part)
            videos.update(seen)
        content = self._summarise(gathered, videos) if get_rank() == 0 else {}
        self.content = gather(content)[0]
        metrics = self.content['metrics']
        self.runner.call_hook('after_test_epoch', metrics=metrics)
        self.runner.call_hook('after_test')
        return metrics

    def _fingerprint(self) -> dict | None:
        """The given fingerprint and a hash of the weights that are in the model."""
        if self.fingerprint is None:
            return None
        weights = hash_tensors(self._model().state_dict())
        return {**self.fingerprint, 'weights': weights}

    def _load(self, video: VideoSample) -> list[dict] | None:
        """Results of a finished video."""
        files = [path for w in self._writers(video) for path in w.paths()]
        return self.folder.load(video, files)

    def _writers(self, video: VideoSample) -> list[ResultWriter]:
        outputs = getattr(getattr(self._model(), 'backbone', None), 'outputs', ())
        layer = outputs[-1] if outputs else 'features'
        return writers_of(video, self.folder, self.out_layout, layer)

    def _model(self) -> Any:
        model = self.runner.model
        return model.module if is_model_wrapper(model) else model

    def _log_share(self, num_videos: int) -> None:
        print_log(
            f'world size {get_world_size()}: rank {get_rank()} has {num_videos} of '
            f'{len(self.dataset)} videos, {torch.get_num_threads()} threads',
            logger='current',
        )

    def _run_share(self, videos: list[int], results: dict[int, list[dict]]) -> None:
        """Track and score ``videos``; adds to ``results``."""
        if results:
            print_log(f'{len(results)} videos are finished: skipped', logger='current')
        weights = self.dataset.weights()
        rank, world_size = get_rank(), get_world_size()
        title = f'{self.title}, rank {rank} of {world_size}'
        title = title if world_size > 1 else self.title
        total = sum(weights[i] for i in videos)
        with FrameProgress(total, title, visible=rank == 0) as progress:
            for i in videos:
                started, video = time.monotonic(), self.dataset[i]
                self.folder.begin(video)
                found = self.run_video(video, progress)
                results[i] = self.folder.save(video, found)
                seconds = format_seconds(time.monotonic() - started)
                print_log(
                    f'{video.name}: {video.num_frames} frames in {seconds} '
                    f'({progress.line()})',
                    logger='current',
                )

    @torch.inference_mode()
    def run_video(
        self, video: VideoSample, progress: FrameProgress | None = None
    ) -> list[dict]:
        """Track one video, write its files, and return what each metric finished with.

        Raises:
            VideoError: it cannot be read, tracked or scored; names video and frame.
        """
        index = -1
        for metric in self.metrics:
            metric.start(video)
        with LookAhead(video) as ahead:
            writers = self._writers(video)
            seen = SeenFrames(ahead) if self.out_layout else None
            try:
                for result in self._track(seen.video if seen else ahead):
                    index = result.index
                    frame = seen.take(index) if seen else None
                    for writer in writers:
                        writer.write(result, frame)
                    self._score(ahead, result)
                    if progress is not None:
                        progress.advance()
            except Exception as error:
                raise_named(error, video, index + 1)
        for writer in writers:
            writer.finish()
        return [metric.finish() for metric in self.metrics]

    def _track(self, video: VideoSample) -> Iterator[FrameResult | JointResult]:
        """Results of the model; every frame once, in order."""
        model = self._model().eval()
        expected = 0
        for result in results_of(model, video):
            if result.index != expected:
                raise ValueError(
                    f'the tracker gave frame {result.index} where {expected} is next.'
                )
            if isinstance(result, FrameResult) and result.label_map.shape != video.size:
                raise ValueError(
                    f'the tracker gave a label map of {result.label_map.shape}, the '
                    f'frame has {video.size}.'
                )
            expected += 1
            yield result
        if expected != video.num_frames:
            raise ValueError(
                f'the tracker stopped after {expected} of {video.num_frames} frames.'
            )

    def _score(self, video: VideoSample, result: FrameResult | JointResult) -> None:
        target = truth_of(video, result.index)
        for metric in self.metrics:
            metric.update(result.index, found_in(result), target)

    def _summarise(
        self, gathered: dict[int, list[dict]], videos: dict[str, dict[str, Any]]
    ) -> dict[str, Any]:
        """Compute the metrics over all videos and write the summary files."""
        results = [
            [gathered[i][number] for i in sorted(gathered)]
            for number in range(len(self.metrics))
        ]
        metrics, tables = score_all(self.metrics, results)
        for name, text in tables.items():
            write_atomic(self.folder.path / name, text)
        weights = self.dataset.weights()
        content = dict(
            schema=METRICS_SCHEMA,
            metrics=metrics,
            dataset=self.dataset.metainfo,
            num_videos=len(weights),
            num_frames=sum(weights),
            **self.summary,
            fingerprint=self.folder.fingerprint,
        )
        if videos:
            content['videos'] = {name: videos[name] for name in sorted(videos)}
        self.folder.write_json('metrics.json', content)
        return content


def found_in(result: FrameResult | JointResult) -> np.ndarray:
    """The label map or the joints of a result."""
    return result.joints if isinstance(result, JointResult) else result.label_map


def truth_of(video: VideoSample, index: int) -> np.ndarray | None:
    """Labels or joints that a frame is scored with; None where it has none."""
    if index not in video.label_frames:
        return None
    if video.read_joints is not None:
        return video.read_joints(index)
    return video.read_labels(index).indices


def score_all(
    metrics: Sequence[Any], results: Sequence[Sequence[dict]]
) -> tuple[dict[str, float], dict[str, str]]:
    """Numbers and tables of several metrics over all videos.

    Args:
        metrics: their names are put before numbers that an earlier one has, too.
        results: for each metric what it finished every video with.

    Returns:
        numbers by name, and texts of files by name.
    """
    values: dict[str, float] = {}
    texts: dict[str, str] = {}
    for metric, found in zip(metrics, results, strict=True):
        numbers, tables = metric.compute_metrics(found), metric.tables(found)
        prefix = f'{type(metric).__name__}_' if values.keys() & numbers else ''
        values.update({f'{prefix}{key}': value for key, value in numbers.items()})
        texts.update({f'{prefix}{name}': text for name, text in tables.items()})
    return values, texts
