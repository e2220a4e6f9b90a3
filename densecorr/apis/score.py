"""Score a folder or an archive of predictions of any tool, without a model."""

from __future__ import annotations

import csv
import io
import json
import multiprocessing
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from mmengine.logging import print_log

from densecorr.engine.launch import available_cores
from densecorr.engine.progress import FrameProgress
from densecorr.engine.test_loop import METRICS_SCHEMA
from densecorr.evaluation.metrics.vos_tables import set_name
from densecorr.registry import DATASETS, METRICS
from densecorr.structures import VideoSample
from densecorr.utils.archives import unpack
from densecorr.utils.files import write_atomic
from densecorr.utils.images import read_label_map
from densecorr.utils.jhmdb_files import read_joint_positions
from densecorr.utils.suggest import suggest
from densecorr.utils.tables import format_table


@dataclass(frozen=True)
class ScoreTask:
    """What a task is scored with.

    Attributes:
        dataset: registered name of the dataset.
        metric: registered name of the metric.
        kind: ``task`` of both, where they have one.
        details: table of the metric that is shown besides the summary.
    """

    dataset: str
    metric: str
    kind: str | None = None
    details: str = ''

    @property
    def fixed(self) -> dict[str, Any]:
        """Arguments of dataset and metric that the task decides."""
        return {} if self.kind is None else dict(task=self.kind)


_SEMI, _UNSUPERVISED = 'semi-supervised', 'unsupervised'
SCORE_TASKS = {
    'davis': ScoreTask('DAVISDataset', 'VOSMetric', _SEMI),
    _SEMI: ScoreTask('DAVISDataset', 'VOSMetric', _SEMI),
    _UNSUPERVISED: ScoreTask('DAVISDataset', 'VOSMetric', _UNSUPERVISED),
    'jhmdb': ScoreTask('JHMDBDataset', 'PCKMetric', details='per_joint.csv'),
    'vip': ScoreTask('VIPDataset', 'PartsMetric', details='per_class.csv'),
    'ytvos': ScoreTask('YouTubeVOSDataset', 'YouTubeVOSMetric', None, 'per_object.csv'),
}
_JOINTS = 'joint_positions.mat'
_BINARY_YEAR = 2016
_FRAMES_PER_WORKER = 600  # starting a process takes as long as scoring so many
_SHOWN = 10  # names in a message


@dataclass(frozen=True)
class Job:
    """One video to score; goes to a worker process.

    Attributes:
        video: annotations.
        files: prediction of every frame that counts, by frame number; joints have one
            file for all frames.
    """

    video: VideoSample
    files: Mapping[int, Path]


def score(
    results: str | Path,
    task: str,
    data: Mapping[str, Any] | None = None,
    options: Mapping[str, Any] | None = None,
    *,
    workers: int | None = None,
    out: str | Path | None = None,
) -> dict[str, Any]:
    """Score ``results/<sequence>/<frame>.png`` and write the tables.

    Joints are read from ``results/<sequence>/joint_positions.mat``, in JHMDB's form:
    ``pos_img`` ``(2, j, t)``, the first pixel being 1, NaN where a joint is lost.

    Written are ``metrics.json`` and the tables of the metric; for DAVIS these are
    ``global_results-<set>.csv`` and ``per-sequence_results-<set>.csv`` of the official
    package, ``per_object.csv`` and ``per_video.csv``. Nothing is reused of earlier
    runs.

    Args:
        results: folder of palette or grey PNGs, or that of a run of ``tools/test.py``,
            which has them in ``predictions``, or an archive for a benchmark's server.
        task: of ``SCORE_TASKS``.
        data: arguments of the dataset but ``task``, such as ``root``.
        options: arguments of the metric but ``task``, such as ``bound_th``.
        workers: processes; None takes one per core, fewer where there is little to do.
        out: folder for the tables; None puts them beside the sequences.

    Returns:
        the content of ``metrics.json``, the folder ``out``, and ``objects``: a row of
        numbers for each object (joint, class).

    Raises:
        ValueError: unknown task; predictions that cannot be scored; nothing to score.
        FileNotFoundError: no dataset, or sequences or frames lack predictions.
    """
    results = Path(results)
    if task not in SCORE_TASKS:
        raise ValueError(f'task {task!r} is not scored. {suggest(task, SCORE_TASKS)}')
    if workers is not None and workers < 1:
        raise ValueError(f'workers should be at least 1, not {workers}.')
    if results.suffix.lower() == '.zip' and results.is_file():
        with tempfile.TemporaryDirectory(prefix='densecorr-') as folder:
            unpack(results, folder)
            beside = out or results.with_suffix('')
            return score(
                _top(Path(folder)), task, data, options, workers=workers, out=beside
            )
    results = _prediction_root(results)
    kind = SCORE_TASKS[task]
    settings = dict(type=kind.dataset, **kind.fixed, **(data or {}))
    dataset: Any = DATASETS.build(settings)
    if getattr(dataset, 'year', None) == _BINARY_YEAR:
        options = dict(binary=True, **(options or {}))
    metric_config = dict(type=kind.metric, **kind.fixed, **(options or {}))
    metric: Any = METRICS.build(metric_config)
    metric.dataset_meta = dataset.metainfo
    jobs = make_jobs(results, dataset, metric)
    if not any(job.files for job in jobs):
        raise ValueError(
            f'{dataset.root} has no labels to score the predictions with: those of '
            f'{dataset.metainfo["name"]} {dataset.metainfo["split"]} are not published.'
        )
    found = score_jobs(jobs, metric_config, workers)
    used = {k: v for k, v in metric_config.items() if k != 'type'}
    content = dict(
        schema=METRICS_SCHEMA,
        metrics=metric.compute_metrics(found),
        dataset=dataset.metainfo,
        set=set_name(dataset.metainfo),
        num_videos=len(jobs),
        num_frames=sum(dataset.weights()),
        task=task,
        options={**used, **_known_options(metric)},
    )
    folder_out = Path(out) if out else results
    tables = metric.tables(found)
    for name, text in tables.items():
        write_atomic(folder_out / name, text)
    text = json.dumps(content, indent=2, allow_nan=False)
    write_atomic(folder_out / 'metrics.json', f'{text}\n')
    rows = _rows_of(tables[kind.details]) if kind.details else None
    rows = _object_rows(metric, found) if rows is None else rows
    return {**content, 'out': str(folder_out), 'objects': rows}


def format_score(content: Mapping[str, Any]) -> str:
    """Tables for the screen, in percent, and what a reader must know of the set."""
    summary = dict(content['metrics'])
    difference = summary.pop('official-difference', None)
    meta, objects = content['dataset'], content['objects']
    title = f'{meta["name"]} {meta["split"]}, {content["task"]}, percent'
    parts = [
        f'{title}\n{meta["note"]}'.rstrip(),
        format_table([summary], list(summary)),
        *([format_table(objects, list(objects[0]))] if objects else []),
    ]
    if difference is not None:
        parts.append(f'largest difference to the official package: {difference:.3g}')
    return '\n\n'.join([*parts, f'tables: {content["out"]}'])


def make_jobs(results: Path, dataset: Any, metric: Any) -> list[Job]:
    """Find all predictions before any is read.

    Raises:
        FileNotFoundError: some are missing; names them.
    """
    videos = [dataset[index] for index in range(len(dataset))]
    videos = [video for video in videos if metric.scored_frames(video)]
    names = [video.name for video in videos]
    missing = [name for name in names if not (results / name).is_dir()]
    if missing:
        held = sorted(p.name for p in results.glob('*') if p.is_dir())
        raise FileNotFoundError(
            f'{results} has no folder for {len(missing)} of the {len(names)} sequences '
            f'of {dataset.root}: {missing[:_SHOWN]}. It holds {held[:_SHOWN]}. '
            'Predictions are RESULTS/<sequence>/<frame>.png; name the folder above the '
            'sequences, the split that was predicted, or some of its sequences.'
        )
    return [Job(video, _predictions(results, video, metric)) for video in videos]


def _predictions(results: Path, video: VideoSample, metric: Any) -> dict[int, Path]:
    folder = results / video.name
    if video.read_joints is not None:
        path = folder / _JOINTS
        if not path.is_file():
            raise FileNotFoundError(f'{folder} lacks the predictions, {_JOINTS}.')
        return dict.fromkeys(metric.scored_frames(video), path)
    files = {
        path.stem: path
        for path in sorted(folder.iterdir(), reverse=True)
        if path.suffix.lower() == '.png'
    }
    wanted = {index: video.frame_names[index] for index in metric.scored_frames(video)}
    missing = [f'{name}.png' for name in wanted.values() if name not in files]
    if missing:
        raise FileNotFoundError(
            f'{folder} lacks the predictions of {len(missing)} of its {len(wanted)} '
            f'frames: {missing[:_SHOWN]}. They are named like the annotations.'
        )
    return {index: files[name] for index, name in wanted.items()}


def score_jobs(
    jobs: Sequence[Job], settings: Mapping[str, Any], workers: int | None = None
) -> list[dict[str, Any]]:
    """Score videos in one or several processes; equal results in the order of jobs.

    Args:
        jobs: the videos.
        settings: config of the metric.
        workers: processes; None takes one per core, fewer where there is little to do.
    """
    total = sum(len(job.files) for job in jobs)
    useful = -(-total // _FRAMES_PER_WORKER)
    workers = min(workers or min(available_cores(), useful), len(jobs))
    with FrameProgress(total, 'scoring', interval=5.0) as progress:
        if workers == 1:
            metric = METRICS.build(dict(settings))
            found = [score_video(job, metric, progress.advance) for job in jobs]
        else:
            finished = dict(_score_parallel(jobs, settings, workers, progress))
            found = [finished[index] for index in range(len(jobs))]
    print_log(f'{progress.line()}, {workers} processes', logger='current')
    return found


def score_video(
    job: Job, metric: Any, seen: Callable[[], None] | None = None
) -> dict[str, Any]:
    """Score one video, holding one frame at a time; ``seen`` is called after each."""
    video = job.video
    metric.start(video)
    joints = None
    if video.read_joints is not None and job.files:
        joints = _read_joints(next(iter(job.files.values())), video.num_frames)
    for index, path in job.files.items():
        if joints is not None and video.read_joints is not None:
            metric.update(index, joints[index], video.read_joints(index))
        else:
            pred, _ = read_label_map(path)
            metric.update(index, pred, video.read_labels(index).indices)
        if seen:
            seen()
    return metric.finish()


def _read_joints(path: Path, num_frames: int) -> np.ndarray:
    """``(t, j, 2)`` predicted joints of a video."""
    joints = read_joint_positions(path, lost=True)
    if len(joints) != num_frames:
        raise ValueError(
            f'{path} has joints of {len(joints)} frames, the clip has {num_frames}. '
            'Predict every frame.'
        )
    return joints


def _score_parallel(
    jobs: Sequence[Job],
    settings: Mapping[str, Any],
    workers: int,
    progress: FrameProgress,
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Number and result of every video as they finish; the longest start first."""
    with ProcessPoolExecutor(
        workers,
        mp_context=multiprocessing.get_context('spawn'),
        initializer=_start_worker,
        initargs=(settings,),
    ) as pool:
        order = sorted(range(len(jobs)), key=lambda i: -len(jobs[i].files))
        futures = {pool.submit(_score_in_worker, jobs[i]): i for i in order}
        try:
            for future in as_completed(futures):
                index = futures[future]
                yield index, future.result()
                progress.advance(len(jobs[index].files))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


_worker_metric: Any = None  # of a worker process


def _start_worker(settings: Mapping[str, Any]) -> None:
    """One thread in every library, because there is a worker per core."""
    global _worker_metric
    cv2.setNumThreads(0)
    if 'torch' in sys.modules:
        sys.modules['torch'].set_num_threads(1)
    _worker_metric = METRICS.build(dict(settings))


def _score_in_worker(job: Job) -> dict[str, Any]:
    assert _worker_metric is not None  # _start_worker has run
    return score_video(job, _worker_metric)


def _known_options(metric: Any) -> dict[str, Any]:
    """Values of options that stand for a default of the task."""
    names = ('bound_th', 'skip_ends', 'skip_first')
    return {name: getattr(metric, name) for name in names if hasattr(metric, name)}


def _rows_of(table: str) -> list[dict[str, Any]]:
    """Rows of a table of a metric; numbers with a point are fractions."""
    rows = csv.DictReader(io.StringIO(table))
    return [{k: float(v) if '.' in v else v for k, v in row.items()} for row in rows]


def _object_rows(
    metric: Any, found: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """Name in the official table, true object and statistics of every object."""
    rows = []
    for result in found:
        for item in result['objects']:
            numbers = metric.compute_metrics([{**result, 'objects': [item]}])
            numbers.pop('official-difference', None)
            name = f'{result["video"]}_{item["id"]}'
            rows.append(dict(Sequence=name, Object=item['object'], **numbers))
    return rows


def _top(folder: Path) -> Path:
    """The folder of the videos in an unpacked archive."""
    inside = [path for path in folder.iterdir() if path.name != '__MACOSX']
    if len(inside) == 1 and inside[0].is_dir():
        below = list(inside[0].iterdir())
        if below and all(path.is_dir() for path in below):
            return inside[0]
    return folder


def _prediction_root(results: Path) -> Path:
    """The folder itself, or the part with PNGs of a run of ``tools/test.py``."""
    is_run = all((results / part).is_dir() for part in ('predictions', 'records'))
    return results / 'predictions' if is_run else results
