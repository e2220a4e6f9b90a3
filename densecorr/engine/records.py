"""The folder of one evaluation: which files it has, and which videos are finished.

::

    <out>/predictions/<video>/<frame>.png   label maps of the frames
    <out>/predictions/<video>/joint_positions.mat   or the joints, as JHMDB has them
    <out>/submission/*.zip                  predictions for a benchmark's server
    <out>/records/<video>.json              numbers and fingerprint of a finished video
    <out>/features/, attention/             cached features, where a task clusters them
    <out>/states/                           of long jobs, from which they go on
    <out>/metrics.json, *.csv, report.html  the summary, equal for equal runs
    <out>/yardsticks.json, yardsticks/      what the score is compared with
    <out>/votes/<video>.npz                 who decided the worst frame of a video
    <out>/sweep.*                           of a sweep, which has no predictions
    <out>/run.json, logs/                   time, host, command: never compared
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from densecorr.engine.fingerprint import canonical, check_same
from densecorr.structures import VideoSample
from densecorr.utils.files import make_folder, write_atomic

RECORD_SCHEMA = 1
_OURS = (
    'predictions',
    'records',
    'submission',
    'votes',
    'yardsticks',
    'overlays',
    'features',
    'attention',
    'states',
    'logs',
)
_OUR_FILES = (
    'metrics.json',
    'yardsticks.json',
    'run.json',
    'config.py',
    'report.html',
    'sweep.json',
    'sweep.png',
    '*.csv',
)
_TORN = ('predictions', 'records', 'votes')  # folders where a kill can leave some
_TEMPORARY = '.*.tmp'  # what utils.files.write_atomic leaves when it is killed


class ResultFolder:
    """Reads and writes the folder of one evaluation.

    Args:
        path: the folder, ``<out>`` above; made when something is written.
        fingerprint: of this run without the videos; None keeps no records, so that
            nothing is ever skipped.
    """

    def __init__(self, path: str | Path, fingerprint: Mapping | None = None) -> None:
        self.path = Path(path)
        self.fingerprint = None if fingerprint is None else canonical(fingerprint)
        self.videos: dict[str, dict[str, Any]] = {}  # loaded or saved, by name

    def frame_path(self, video: VideoSample, index: int) -> Path:
        """Where the result of a frame lies."""
        name = f'{video.frame_names[index]}.png'
        return self.path / 'predictions' / video.name / name

    def joints_path(self, video: VideoSample) -> Path:
        """Where the joints of a video lie."""
        return self.path / 'predictions' / video.name / 'joint_positions.mat'

    def record_path(self, video_name: str) -> Path:
        """Where the record of a video lies."""
        return self.path / 'records' / f'{video_name}.json'

    def clear(self) -> None:
        """Remove what an evaluation writes, and nothing else."""
        for name in _OURS:
            shutil.rmtree(self.path / name, ignore_errors=True)
        for pattern in (*_OUR_FILES, _TEMPORARY):
            for path in self.path.glob(pattern):
                path.unlink(missing_ok=True)

    def open(self) -> None:
        """Make the folder, check that it is of this run, remove torn files.

        Raises:
            ValueError: results of another run, or of another program, lie there.
            NotADirectoryError: the path, or a parent of it, is a regular file.
        """
        records = self.path / 'records'
        if (self.path / 'predictions').is_dir() and not records.is_dir():
            raise ValueError(
                f'{self.path} holds predictions but no records: another program made '
                'them. Choose another --out, or --overwrite to remove them.'
            )
        make_folder(records)
        for path in sorted(records.rglob('*.json')):
            self._check(_read_record(path), path)

    def remove_torn_files(self) -> None:
        """Remove the temporary files that a killed run left."""
        for place in (self.path, *(self.path / name for name in _TORN)):
            found = place.glob if place is self.path else place.rglob
            for path in sorted(found(_TEMPORARY)):
                path.unlink(missing_ok=True)

    def load(self, video: VideoSample, files: Iterable[Path]) -> list[dict] | None:
        """Results of a finished video, or None where it is still to be done.

        Args:
            video: that is asked for. It counts as finished if it has a record and
                all its files, and labels in the same frames as then.
            files: that it has when it is finished.

        Raises:
            ValueError: its frames or first labels are not those of the record.
        """
        path = self.record_path(video.name)
        if self.fingerprint is None or not path.is_file():
            return None
        if not all(file.is_file() for file in files):
            return None
        record = _read_record(path)
        inputs = video.hash_inputs()
        expected = {**self.fingerprint, 'inputs': inputs}
        check_same(expected, record['fingerprint'], str(path))
        if record.get('label_frames') != list(video.label_frames):
            return None  # labels to score with came or went
        self.videos[video.name] = _facts(video, inputs)
        return record['results']

    def begin(self, video: VideoSample) -> None:
        """Remove what is left of an unfinished attempt at a video."""
        self.record_path(video.name).unlink(missing_ok=True)
        folder = self.path / 'predictions' / video.name
        if folder.is_dir():
            for path in folder.iterdir():  # folders below are other videos
                if path.is_file():
                    path.unlink()

    def save(self, video: VideoSample, results: list[dict]) -> list[dict]:
        """Write the record of a video whose results are all written.

        Returns:
            the results as a later run will read them.
        """
        results = json.loads(json.dumps(results))
        if self.fingerprint is not None:
            inputs = video.hash_inputs()
            record = dict(
                schema=RECORD_SCHEMA,
                video=video.name,
                num_frames=video.num_frames,
                label_frames=list(video.label_frames),
                results=results,
                fingerprint={**self.fingerprint, 'inputs': inputs},
            )
            text = json.dumps(record, indent=1, sort_keys=True)
            write_atomic(self.record_path(video.name), text + '\n')
            self.videos[video.name] = _facts(video, inputs)
        return results

    def write_json(self, name: str, value: Any) -> None:
        """Write a summary; a number that is not finite becomes null."""
        text = json.dumps(_finite(value), indent=2, allow_nan=False)
        write_atomic(self.path / name, text + '\n')

    def _check(self, record: dict, path: Path) -> None:
        """The part of the fingerprint that all videos share must be this run's."""
        shared = {k: v for k, v in record['fingerprint'].items() if k != 'inputs'}
        check_same(self.fingerprint or {}, shared, str(path))


def _facts(video: VideoSample, inputs: str) -> dict[str, Any]:
    """What the summary says of a video: frames, labelled ones, hash of both."""
    labels = len(video.label_frames)
    return dict(frames=video.num_frames, labels=labels, inputs=inputs)


def _read_record(path: Path) -> dict:
    """One record; a file of another program or schema is an error."""
    remedy = 'Choose another --out, or --overwrite to start anew.'
    try:
        record = json.loads(path.read_text(encoding='utf-8'))
        schema, _ = record['schema'], record['fingerprint']
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f'{path} is not a record of densecorr: {error}. {remedy}'
        ) from error
    if schema != RECORD_SCHEMA:
        raise ValueError(
            f'{path} has record schema {schema}, this version writes '
            f'{RECORD_SCHEMA}. {remedy}'
        )
    return record


def _finite(value: Any) -> Any:
    """``value`` with every NaN and infinity replaced by None."""
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    if isinstance(value, float) and value - value != 0:
        return None
    return value
