"""Tracking in a user's own clip: a label map or points in, results in a folder."""

from __future__ import annotations

import csv
import logging
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import av
import numpy as np
import torch
from mmengine.logging import print_log

from densecorr.apis.config import tracker_config
from densecorr.apis.evaluate import describe_protocol, load_weights, run_facts
from densecorr.apis.model_source import DEFAULT_MODEL, ModelSource, resolve_model
from densecorr.apis.track_inputs import Clip, open_clip, read_points, with_labels
from densecorr.apis.track_output import (
    OVERLAYS,
    TrackFolder,
    TrackWriter,
    label_map_path,
)
from densecorr.engine.fingerprint import code_version
from densecorr.engine.launch import Processes, start_processes, stop_processes
from densecorr.engine.look_ahead import LookAhead, SeenFrames
from densecorr.engine.progress import FrameProgress
from densecorr.propagation.points import PointFollower, PointQueries
from densecorr.propagation.tracker import VideoTracker, objects_of
from densecorr.registry import MODELS
from densecorr.utils.checkpoints import hash_tensors
from densecorr.utils.files import write_atomic
from densecorr.utils.images import read_label_map


@dataclass(frozen=True)
class TrackResult:
    """What :func:`track` wrote.

    Attributes:
        folder: of the results.
        num_frames: frames of the clip, all tracked.
        times: seconds from the first frame to each.
        ids: objects of the label map, or points, ascending.
        table: CSV file, one row per frame and object or point.
        overlay: video of the clip with the results drawn, None where not asked for.
        label_maps: palette PNG of each frame; empty where points were tracked.
    """

    folder: Path
    num_frames: int
    times: tuple[float, ...]
    ids: tuple[int, ...]
    table: Path
    overlay: Path | None
    label_maps: tuple[Path, ...]

    def files(self) -> list[Path]:
        """Everything that is looked at: table, overlay and label maps."""
        return [p for p in (self.table, self.overlay, *self.label_maps) if p]

    def label_map(self, index: int) -> np.ndarray:
        """``(H, W)`` uint8 object numbers of a frame, from its PNG."""
        return read_label_map(self.label_maps[index])[0]

    def points(self) -> np.ndarray:
        """``(t, o, 3)`` float64: x, y in pixels, confidence; o in the order of ``ids``.

        Read from the table. NaN before a point is given and where it is lost; the
        confidence of a lost point is 0.
        """
        found = np.full((self.num_frames, len(self.ids), 3), np.nan)
        columns = {number: column for column, number in enumerate(self.ids)}
        with self.table.open(encoding='utf-8', newline='') as handle:
            for row in csv.DictReader(handle):
                values = [row[name] or 'nan' for name in ('x', 'y', 'confidence')]
                found[int(row['frame']), columns[int(row['id'])]] = values
        return found


def track(
    clip: str | Path,
    out: str | Path,
    *,
    labels: str | Path | np.ndarray | None = None,
    points: str | Path | np.ndarray | None = None,
    model: str | Path = DEFAULT_MODEL,
    checkpoint: str | Path | None = None,
    protocol: str | None = None,
    frame: int = 0,
    fps: float | None = None,
    max_frames: int | None = None,
    overlay: str = 'mp4',
    overwrite: bool = False,
    cfg_options: Mapping[str, Any] | None = None,
    source: str | None = None,
    allow_unsafe: bool = False,
    device: str | None = None,
    threads: int | None = None,
    tf32: bool = False,
) -> TrackResult:
    """Track objects or points through a clip; memory does not grow with its length.

    Args:
        clip: video file, GIF or folder of frames.
        out: folder of the results.
        labels: label map of frame ``frame``: a palette or grey PNG, or ``(H, W)``
            integers; 0 is background.
        points: CSV file with the columns ``frame,id,x,y``, or an ``(o, 4)`` array of
            them; (x, y) in pixels, the centre of the first pixel is (0, 0). Either
            ``labels`` or ``points`` is given.
        model: config file, timm name, or checkpoint file, see
            :func:`densecorr.apis.model_source.resolve_model`.
        checkpoint: path, https address, ``timm:NAME``, ``torchvision:NAME`` or
            ``random``, which must be said.
        protocol: name or file of a protocol that replaces the config's.
        frame: to which ``labels`` belong.
        fps: frames per second of a folder, 25 by default.
        max_frames: only so many frames from the start.
        overlay: ``'mp4'``, ``'gif'`` or ``'none'``.
        overwrite: remove the results that lie in ``out`` and start anew.
        cfg_options: changes of the config by dotted key.
        source: format of the checkpoint; recognised where None.
        allow_unsafe: unpickle whatever the checkpoint holds, which may run code.
        device: ``'cpu'`` or ``'cuda'``; CUDA where there is one.
        threads: compute threads; all cores by default.
        tf32: allow TF32 on a GPU.

    Raises:
        ValueError: the clip, the label map, the points or the model cannot be used;
            results of another run lie in ``out``.
        FileNotFoundError: there is no such file.
        KeyError: unknown protocol or option.
        KeyboardInterrupt: Ctrl-C; what is done is kept.
        VideoError: a frame cannot be read; what is done is kept.
    """
    if overlay not in OVERLAYS:
        raise ValueError(f'overlay is {overlay!r}; it should be one of {OVERLAYS}.')
    if (labels is None) == (points is None):
        raise ValueError(
            'give either labels (a label map) or points, not '
            f'{"both" if points is not None else "none"}.'
        )
    started = time.time()
    opened = open_clip(clip, fps, max_frames)
    task = _Task.of(opened, labels, points, frame)
    found = resolve_model(model, checkpoint, protocol, dict(cfg_options or {}), source)
    processes = start_processes(device, threads, tf32)
    try:
        tracker = _build(found, source, allow_unsafe, processes)
        facts = _fingerprint(found, task, tracker, processes.tf32)
        folder = TrackFolder(out, facts)
        folder.refuse_inputs(labels, points)
        if folder.prepare(task.result(folder, overlay).files(), overwrite):
            print_log(f'{folder.path} holds this result already: skipped', 'current')
        else:
            write_atomic(folder.path / 'config.py', found.cfg.pretty_text)
            _run(task, tracker, folder, overlay)
            facts = run_facts(processes, started, found.name, found.checkpoint)
            folder.write_json('run.json', facts)
        return task.result(folder, overlay)
    finally:
        stop_processes()


@dataclass(frozen=True)
class _Task:
    """A clip and what is tracked in it."""

    clip: Clip
    queries: PointQueries | None

    @classmethod
    def of(
        cls,
        clip: Clip,
        labels: str | Path | np.ndarray | None,
        points: str | Path | np.ndarray | None,
        frame: int,
    ) -> _Task:
        if points is not None:
            queries = read_points(points)
            queries.check(clip.video.num_frames, clip.video.size)
            return cls(clip, queries)
        assert labels is not None  # one of both is there
        return cls(replace(clip, video=with_labels(clip, labels, frame)), None)

    @property
    def kind(self) -> str:
        return 'labels' if self.queries is None else 'points'

    def ids(self) -> tuple[int, ...]:
        if self.queries is None:
            return tuple(number for number in objects_of(self.clip.video)[0] if number)
        return tuple(sorted({int(number) for number in self.queries.ids}))

    def result(self, folder: TrackFolder, overlay: str) -> TrackResult:
        """The result of a finished run."""
        video = self.clip.video
        writer = TrackWriter(folder, self.clip, (), self.kind, overlay)
        maps = range(video.num_frames if self.queries is None else 0)
        return TrackResult(
            folder=folder.path,
            num_frames=video.num_frames,
            times=self.clip.times,
            ids=self.ids(),
            table=folder.path / writer.table,
            overlay=folder.path / writer.video if writer.video else None,
            label_maps=tuple(label_map_path(folder.path, index) for index in maps),
        )


def _build(
    found: ModelSource, source: str | None, allow_unsafe: bool, processes: Processes
) -> VideoTracker:
    """The tracker of a model with its weights."""
    tracker: Any = MODELS.build(tracker_config(found.cfg))
    try:
        expected = found.cfg.get('checkpoint_source')
        load_weights(
            tracker, found.checkpoint, source, allow_unsafe, processes, expected
        )
    except FileNotFoundError as error:
        if not found.checkpoint.startswith('timm:'):
            raise
        raise FileNotFoundError(
            f'{error} Then say --model {found.name} --checkpoint FILE.'
        ) from error
    note = describe_protocol(found.cfg, tracker.backbone.stride)['note']
    if note:
        print_log(note, 'current', logging.WARNING)
    return tracker.to(processes.device).eval()


def _fingerprint(
    found: ModelSource, task: _Task, tracker: VideoTracker, tf32: bool
) -> dict[str, Any]:
    """All that decides the results."""
    model = tracker_config(found.cfg)
    queries = task.queries
    return dict(
        task='track',
        kind=task.kind,
        points=None
        if queries is None
        else [queries.frames.tolist(), queries.ids.tolist(), queries.points.tolist()],
        protocol={**model.pop('protocol'), 'name': found.cfg.protocol.name},
        model=model,
        tf32=tf32,
        weights=hash_tensors(tracker.state_dict()),
        inputs=task.clip.video.hash_inputs(),
        times=[task.clip.times[0], task.clip.times[-1]],
        code={**code_version(), 'av': av.__version__},
    )


@torch.inference_mode()
def _run(task: _Task, tracker: VideoTracker, folder: TrackFolder, overlay: str) -> None:
    """Track the clip; whatever happens, what is done is complete."""
    video = task.clip.video
    palette = None
    if task.queries is None:
        palette = video.read_labels(video.first_label_frames[0]).palette
    writer = TrackWriter(folder, task.clip, task.ids(), task.kind, overlay, palette)
    folder.write_record(0, video.num_frames)
    try:
        with (
            LookAhead(video) as ahead,
            FrameProgress(video.num_frames, 'tracking') as progress,
            writer,
        ):
            for _ in _steps(task, tracker, SeenFrames(ahead), writer):
                progress.advance()
    except BaseException as error:
        stopped = isinstance(error, KeyboardInterrupt)
        print_log(
            f'{"stopped" if stopped else "failed"} after {writer.done} of '
            f'{video.num_frames} frames; their results are complete in {folder.path}. '
            'The same command starts anew: a frame needs those before it.',
            'current',
            logging.WARNING,
        )
        raise
    finally:
        folder.write_record(writer.done, video.num_frames)
    print_log(f'results: {folder.path}', 'current')


def _steps(
    task: _Task, tracker: VideoTracker, seen: SeenFrames, writer: TrackWriter
) -> Iterator[int]:
    """Track and write frame by frame; yields their numbers."""
    if task.queries is None:
        for label_map in tracker.track(seen.video):
            writer.add_label_map(label_map, seen.take(label_map.index))
            yield label_map.index
    else:
        for found in PointFollower(tracker).track(seen.video, task.queries):
            writer.add_points(found, seen.take(found.index))
            yield found.index
