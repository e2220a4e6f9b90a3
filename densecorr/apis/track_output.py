"""What tracking writes, frame by frame, so that a stop leaves whole files.

::

    <out>/predictions/00000.png   label maps, where a label map was given
    <out>/objects.csv             frame, time, id, area and box of each object
    <out>/tracks.csv              frame, time, id, x, y, confidence of each point
    <out>/overlay.mp4             the clip with what was found, at the times of the clip
    <out>/frames.csv              frame, time and name of each frame of the clip
    <out>/record.json             fingerprint, and how many frames are done
    <out>/config.py, run.json     the resolved config; time, host, command
"""

from __future__ import annotations

import contextlib
import csv
import io
import json
import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, TextIO

import numpy as np

from densecorr.apis.track_inputs import Clip
from densecorr.engine.fingerprint import canonical, check_same
from densecorr.propagation.points import PointResult
from densecorr.structures import FrameResult
from densecorr.utils.files import full_disk_named, make_folder, write_atomic
from densecorr.utils.images import write_label_map
from densecorr.utils.interrupts import interrupts_held
from densecorr.utils.video_writer import VideoWriter
from densecorr.visualization.overlay import overlay
from densecorr.visualization.points import draw_points

SCHEMA = 1
RECORD, PREDICTIONS, FRAMES = 'record.json', 'predictions', 'frames.csv'
OBJECTS, TRACKS, OVERLAY = 'objects.csv', 'tracks.csv', 'overlay'
OVERLAYS = ('mp4', 'gif', 'none')
OBJECT_COLUMNS = ('frame', 'time', 'id', 'area', 'left', 'top', 'width', 'height')
FRAME_COLUMNS = ('frame', 'time', 'name')
TRACK_COLUMNS = ('frame', 'time', 'id', 'x', 'y', 'confidence')
_FILES = (
    FRAMES,
    OBJECTS,
    TRACKS,
    f'{OVERLAY}.mp4',
    f'{OVERLAY}.gif',
    'config.py',
    'run.json',
    RECORD,
)
_REMEDY = 'Choose another --out, or --overwrite to start anew.'


class TrackFolder:
    """The folder of one tracked clip.

    Args:
        path: ``<out>`` above.
        fingerprint: what decides the results.
    """

    def __init__(self, path: str | Path, fingerprint: Mapping[str, Any]) -> None:
        self.path, self.fingerprint = Path(path), canonical(fingerprint)

    def refuse_inputs(self, *inputs: object) -> None:
        """Refuse a folder in which an input of the run would be overwritten.

        Raises:
            ValueError: names the file.
        """
        ours = [(self.path / name).resolve() for name in _FILES]
        folder = (self.path / PREDICTIONS).resolve()
        for given in inputs:
            if isinstance(given, (str, Path)):
                place = Path(given).resolve()
                if place in ours or place == folder or folder in place.parents:
                    raise ValueError(
                        f'{given} lies where results are written. Choose another --out.'
                    )

    def prepare(self, wanted: Iterable[Path], overwrite: bool) -> bool:
        """Make the folder ready; whether it holds the finished result of this run.

        Args:
            wanted: files of the finished result.
            overwrite: remove whatever tracking wrote there.

        An unfinished result of the same fingerprint is removed: tracking needs the
        frames before, so it starts anew.

        Raises:
            ValueError: results of another run or program lie there.
            NotADirectoryError: the path, or a parent of it, is a regular file.
        """
        make_folder(self.path)
        record = None if overwrite else self._read()
        if record is not None:
            place = str(self.path / RECORD)
            check_same(self.fingerprint, record['fingerprint'], place)
            if record['complete'] and all(path.is_file() for path in wanted):
                return True
        self._clear()
        return False

    def write_record(self, frames_done: int, num_frames: int) -> None:
        """Say how far the run is."""
        record = dict(
            schema=SCHEMA,
            complete=frames_done == num_frames,
            frames_done=frames_done,
            num_frames=num_frames,
            fingerprint=self.fingerprint,
        )
        self.write_json(RECORD, record)

    def write_json(self, name: str, value: Any) -> None:
        """Write a small file of facts."""
        write_atomic(self.path / name, json.dumps(value, indent=2) + '\n')

    def _read(self) -> dict[str, Any] | None:
        """The record that lies there; files of ours without one are refused."""
        path = self.path / RECORD
        if not path.is_file():
            found = [name for name in (PREDICTIONS, *_FILES) if self._exists(name)]
            if found:
                raise ValueError(
                    f'{self.path} holds {found[0]} but no {RECORD}: another program '
                    f'made it. {_REMEDY}'
                )
            return None
        try:
            record = json.loads(path.read_text(encoding='utf-8'))
            if record['schema'] != SCHEMA:
                raise ValueError(f'schema {record["schema"]}, not {SCHEMA}')
            return {k: record[k] for k in ('fingerprint', 'complete')}
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(
                f'{path} is not a record of tracking: {error}. {_REMEDY}'
            ) from error

    def _exists(self, name: str) -> bool:
        return (self.path / name).exists()

    def _clear(self) -> None:
        """Remove what tracking writes, and nothing else."""
        shutil.rmtree(self.path / PREDICTIONS, ignore_errors=True)
        for name in _FILES:
            (self.path / name).unlink(missing_ok=True)
            (self.path / f'.{name}.tmp').unlink(missing_ok=True)


class Table:
    """A CSV file that grows row by row and gets its name when it is closed.

    Args:
        path: of the file.
        columns: names in the first line.
    """

    def __init__(self, path: Path, columns: Iterable[str]) -> None:
        self.path = path
        self._temporary = path.with_name(f'.{path.name}.tmp')
        self._handle: TextIO = self._temporary.open('w', encoding='utf-8', newline='\n')
        self.add(columns)

    def __enter__(self) -> Table:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with full_disk_named(self.path):
            self._handle.close()
            self._temporary.replace(self.path)

    def add(self, *rows: Iterable[object]) -> None:
        """Add whole rows."""
        with full_disk_named(self.path):
            self._handle.write(''.join(map(_line, rows)))
            self._handle.flush()  # a killed run leaves whole rows


class TrackWriter:
    """Writes the results of a clip frame by frame; a context manager.

    Args:
        folder: prepared folder.
        clip: the clip that is tracked.
        ids: objects or points, ascending.
        kind: ``'labels'`` or ``'points'``.
        overlay: suffix of the overlay video, one of ``OVERLAYS``.
        palette: ``(256, 3)`` colours of the label maps; None are those of DAVIS.

    Attributes:
        table: name of the table.
        video: name of the overlay video, or None.
        done: frames whose results are all written. Ctrl-C waits for those of a frame
            that is being written.
    """

    def __init__(
        self,
        folder: TrackFolder,
        clip: Clip,
        ids: Sequence[int],
        kind: str,
        overlay: str = 'mp4',
        palette: np.ndarray | None = None,
    ) -> None:
        self.path, self.clip, self.ids, self.palette = folder.path, clip, ids, palette
        objects = kind == 'labels'
        self.table = OBJECTS if objects else TRACKS
        self.columns = OBJECT_COLUMNS if objects else TRACK_COLUMNS
        self.video = None if overlay == 'none' else f'{OVERLAY}.{overlay}'
        self.done = 0
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> TrackWriter:
        times, names = self.clip.times, self.clip.video.frame_names
        rows = (
            _line((index, _time(time), name))
            for index, (time, name) in enumerate(zip(times, names, strict=True))
        )
        write_atomic(self.path / FRAMES, _line(FRAME_COLUMNS) + ''.join(rows))
        with contextlib.ExitStack() as stack:
            self._rows = stack.enter_context(
                Table(self.path / self.table, self.columns)
            )
            self._overlay: VideoWriter | None = None
            if self.video:
                self._overlay = stack.enter_context(
                    VideoWriter(
                        self.path / self.video, self.clip.video.size, self.clip.fps
                    )
                )
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with interrupts_held():
            self._stack.__exit__(kind, error, trace)

    def add_label_map(self, result: FrameResult, frame: np.ndarray) -> None:
        """The label map of the next frame, and the frame itself."""
        drawn = overlay(frame, result.label_map, self.palette) if self.video else None
        boxes = [(n, *_box(result.label_map == n)) for n in self.ids]
        with interrupts_held():
            path = label_map_path(self.path, result.index)
            write_label_map(path, result.label_map, self.palette)
            self._add(result.index, boxes, drawn)

    def add_points(self, result: PointResult, frame: np.ndarray) -> None:
        """The points of the next frame, and the frame itself."""
        found = zip(result.ids, result.points, result.confidence, strict=True)
        rows = [(n, *map(_pixel, xy), f'{sure:.4f}') for n, xy, sure in found]
        drawn = None
        if self.video:
            drawn = draw_points(frame, result.points, result.ids, result.confidence)
        with interrupts_held():
            self._add(result.index, rows, drawn)

    def _add(
        self, index: int, rows: Iterable[Iterable[object]], drawn: np.ndarray | None
    ) -> None:
        """The rows and the picture of the next frame."""
        time = self.clip.times[index]
        self._rows.add(*((index, _time(time), *row) for row in rows))
        if self._overlay and drawn is not None:
            self._overlay.write(drawn, time)
        self.done += 1


def label_map_path(folder: Path, index: int) -> Path:
    """Where the label map of a frame lies."""
    return folder / PREDICTIONS / f'{index:05d}.png'


def _box(inside: np.ndarray) -> tuple[int | str, ...]:
    """Area, left, top, width, height in pixels; an empty box where there is nothing."""
    rows, columns = np.flatnonzero(inside.any(1)), np.flatnonzero(inside.any(0))
    if not len(rows):
        return 0, '', '', '', ''
    left, top = int(columns[0]), int(rows[0])
    width, height = int(columns[-1]) - left + 1, int(rows[-1]) - top + 1
    return int(inside.sum()), left, top, width, height


def _pixel(value: float) -> str:
    """A coordinate; empty where it is not known."""
    return '' if np.isnan(value) else f'{value:.3f}'


def _time(seconds: float) -> str:
    return f'{seconds:.6f}'


def _line(values: Iterable[object]) -> str:
    """One line of a CSV file, quoted where a value needs it."""
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator='\n').writerow(values)
    return buffer.getvalue()
