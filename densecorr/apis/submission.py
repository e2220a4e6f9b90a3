"""Predictions as the zip archive that a benchmark's server takes."""

from __future__ import annotations

import logging
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from mmengine.logging import print_log

from densecorr.engine.records import ResultFolder
from densecorr.structures import VideoSample
from densecorr.utils.files import full_disk_named, make_folder

FOLDER = 'submission'
_DATE = (1980, 1, 1, 0, 0, 0)  # of every member: equal results give equal archives


def write_submission(
    settings: Mapping[str, Any] | None, folder: ResultFolder, dataset: Any
) -> Path | None:
    """Pack the predictions of a finished run; nothing where the task has no server.

    Args:
        settings: of the task: ``file``, name of the archive, and ``folder``, the one
            inside it that holds the videos, or ``''``.
        folder: of the run; the archive gets to ``<out>/submission``.
        dataset: of :class:`VideoSample`.

    Returns:
        the archive; None where some predictions lie on other machines, which share no
        folder with this one.

    Raises:
        FileExistsError: another program's file has its name.
    """
    if not settings:
        return None
    path = folder.path / FOLDER / settings['file']
    members = dict(_members(settings['folder'], folder, dataset))
    _refuse_foreign(path, set(members))
    elsewhere = [name for name, file in members.items() if not file.is_file()]
    if elsewhere:
        print_log(
            f'no {path.name}: {len(elsewhere)} of {len(members)} files are not on this '
            f'machine, such as {elsewhere[0]}. Copy the predictions of all machines '
            'together and run again: finished videos are skipped.',
            'current',
            logging.WARNING,
        )
        return None
    make_folder(path.parent)
    temporary = path.with_name(f'.{path.name}.tmp')
    try:
        with full_disk_named(path):
            with zipfile.ZipFile(temporary, 'w') as archive:
                for name, file in members.items():
                    archive.writestr(zipfile.ZipInfo(name, _DATE), file.read_bytes())
            temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    print_log(f'{path}: {len(members)} files to hand in', logger='current')
    note = dataset.metainfo.get('note', '')
    if note:
        print_log(
            f'{path.name} is not a whole submission: {note}', 'current', logging.WARNING
        )
    return path


def _members(
    inside: str, folder: ResultFolder, dataset: Any
) -> Iterator[tuple[str, Path]]:
    """Names in the archive and their files, in the order of videos and frames."""
    for index in range(len(dataset)):
        video: VideoSample = dataset[index]
        for frame in video.result_frames:
            file = folder.frame_path(video, frame)
            name = PurePosixPath(inside, video.name, file.name)
            yield str(name), file


def _refuse_foreign(path: Path, names: set[str]) -> None:
    """An archive of an earlier run is replaced, anything else is left alone."""
    if not path.exists():
        return
    try:
        with zipfile.ZipFile(path) as archive:
            others = sorted(set(archive.namelist()) - names)
    except (zipfile.BadZipFile, OSError) as error:
        others = [f'it cannot be read ({error})']
    if others:
        raise FileExistsError(
            f'{path} is there already and not of this run: {others[:3]}. Move it away, '
            'or --overwrite to remove the results of this folder.'
        )
