"""Score a folder of label maps of any tool, without a model."""

from __future__ import annotations

import json
import multiprocessing
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
from mmengine.logging import print_log

from densecorr.datasets import DAVISDataset
from densecorr.engine.launch import available_cores
from densecorr.engine.progress import FrameProgress
from densecorr.engine.test_loop import METRICS_SCHEMA
from densecorr.evaluation.metrics import VOSMetric
from densecorr.evaluation.metrics.vos_tables import set_name
from densecorr.structures import VideoSample
from densecorr.utils.files import write_atomic
from densecorr.utils.images import read_label_map
from densecorr.utils.suggest import suggest
from densecorr.utils.tables import format_table

SCORE_TASKS = {
    'davis': 'semi-supervised',
    'semi-supervised': 'semi-supervised',
    'unsupervised': 'unsupervised',
}
_BINARY_YEAR = 2016
_FRAMES_PER_WORKER = 600  # starting a process takes as long as scoring so many
_SHOWN = 10  # names in a message


@dataclass(frozen=True)
class Job:
    """One video to score; goes to a worker process.

    Attributes:
        video: annotations.
        files: prediction of every frame that counts, by frame number.
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

    Written are ``global_results-<set>.csv`` and ``per-sequence_results-<set>.csv`` of
    the official package, ``per_object.csv``, ``per_video.csv`` and ``metrics.json``.
    Nothing is reused of earlier runs.

    Args:
        results: folder of palette or grey PNGs, or that of a run of ``tools/test.py``,
            which has them in ``predictions``.
        task: ``'davis'`` or ``'semi-supervised'``; ``'unsupervised'``.
        data: arguments of :class:`DAVISDataset` but ``task``, such as ``root``.
        options: arguments of :class:`VOSMetric` but ``task``, such as ``bound_th``.
        workers: processes; None takes one per core, fewer where there is little to do.
        out: folder for the tables; None puts them beside the sequences.

    Returns:
        the content of ``metrics.json``, the folder ``out``, and ``objects``: a row of
        numbers for each.

    Raises:
        ValueError: unknown task; label maps that cannot be scored.
        FileNotFoundError: no dataset, or sequences or frames lack predictions.
    """
    results = _prediction_root(Path(results))
    if task not in SCORE_TASKS:
        raise ValueError(f'task {task!r} is not scored. {suggest(task, SCORE_TASKS)}')
    if workers is not None and workers < 1:
        raise ValueError(f'workers should be at least 1, not {workers}.')
    dataset = DAVISDataset(task=SCORE_TASKS[task], **(data or {}))
    binary = dataset.year == _BINARY_YEAR
    settings = dict(task=SCORE_TASKS[task], binary=binary, **(options or {}))
    metric = VOSMetric(**settings)
    metric.dataset_meta = dataset.metainfo
    jobs = make_jobs(results, dataset, metric)
    found = score_jobs(jobs, settings, workers)
    content = dict(
        schema=METRICS_SCHEMA,
        metrics=metric.compute_metrics(found),
        dataset=dataset.metainfo,
        set=set_name(dataset.metainfo),
        num_videos=len(jobs),
        num_frames=sum(dataset.weights()),
        task=task,
        options=dict(settings, bound_th=metric.bound_th, skip_ends=metric.skip_ends),
    )
    folder = Path(out) if out else results
    for name, text in metric.tables(found).items():
        write_atomic(folder / name, text)
    text = json.dumps(content, indent=2, allow_nan=False)
    write_atomic(folder / 'metrics.json', f'{text}\n')
    return {**content, 'out': str(folder), 'objects': _object_rows(metric, found)}


def format_score(content: Mapping[str, Any]) -> str:
    """Tables for the screen, in percent, and what a reader must know of the set."""
    summary = dict(content['metrics'])
    difference = summary.pop('official-difference', None)
    meta, objects = content['dataset'], content['objects']
    title = f'{meta["name"]} {meta["split"]}, {content["task"]}, percent'
    parts = [
        f'{title}\n{meta["note"]}'.rstrip(),
        format_table([summary], list(summary)),
        format_table(objects, list(objects[0])),
    ]
    if difference is not None:
        parts.append(f'largest difference to the official package: {difference:.3g}')
    return '\n\n'.join([*parts, f'tables: {content["out"]}'])


def make_jobs(results: Path, dataset: DAVISDataset, metric: VOSMetric) -> list[Job]:
    """Find all predictions before any is read.

    Raises:
        FileNotFoundError: some are missing; names them.
    """
    names = [video.name for video in dataset.videos]
    missing = [name for name in names if not (results / name).is_dir()]
    if missing:
        held = sorted(p.name for p in results.glob('*') if p.is_dir())
        raise FileNotFoundError(
            f'{results} has no folder for {len(missing)} of the {len(names)} sequences '
            f'of {dataset.root}: {missing[:_SHOWN]}. It holds {held[:_SHOWN]}. '
            'Predictions are RESULTS/<sequence>/<frame>.png; name the folder above the '
            'sequences, the split that was predicted, or some of its sequences.'
        )
    videos = (dataset[index] for index in range(len(dataset)))
    return [Job(video, _predictions(results, video, metric)) for video in videos]


def _predictions(
    results: Path, video: VideoSample, metric: VOSMetric
) -> dict[int, Path]:
    folder = results / video.name
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
        settings: arguments of :class:`VOSMetric`.
        workers: processes; None takes one per core, fewer where there is little to do.
    """
    total = sum(len(job.files) for job in jobs)
    useful = -(-total // _FRAMES_PER_WORKER)
    workers = min(workers or min(available_cores(), useful), len(jobs))
    with FrameProgress(total, 'scoring', interval=5.0) as progress:
        if workers == 1:
            metric = VOSMetric(**settings)
            found = [score_video(job, metric, progress.advance) for job in jobs]
        else:
            finished = dict(_score_parallel(jobs, settings, workers, progress))
            found = [finished[index] for index in range(len(jobs))]
    print_log(f'{progress.line()}, {workers} processes', logger='current')
    return found


def score_video(
    job: Job, metric: VOSMetric, seen: Callable[[], None] | None = None
) -> dict[str, Any]:
    """Score one video, holding one frame at a time; ``seen`` is called after each."""
    metric.start(job.video)
    for index, path in job.files.items():
        pred, _ = read_label_map(path)
        metric.update(index, pred, job.video.read_labels(index).indices)
        if seen:
            seen()
    return metric.finish()


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


_worker_metric: VOSMetric | None = None  # of a worker process


def _start_worker(settings: Mapping[str, Any]) -> None:
    """One thread in every library, because there is a worker per core."""
    global _worker_metric
    cv2.setNumThreads(0)
    if 'torch' in sys.modules:
        sys.modules['torch'].set_num_threads(1)
    _worker_metric = VOSMetric(**settings)


def _score_in_worker(job: Job) -> dict[str, Any]:
    assert _worker_metric is not None  # _start_worker has run
    return score_video(job, _worker_metric)


def _object_rows(
    metric: VOSMetric, found: Sequence[Mapping[str, Any]]
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


def _prediction_root(results: Path) -> Path:
    """The folder itself, or the part with PNGs of a run of ``tools/test.py``."""
    is_run = all((results / part).is_dir() for part in ('predictions', 'records'))
    return results / 'predictions' if is_run else results
