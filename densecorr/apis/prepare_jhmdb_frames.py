"""Frames of JHMDB from its videos, clip by clip."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from densecorr.utils.data_info import load_data_info
from densecorr.utils.files import make_folder, write_atomic
from densecorr.utils.interrupts import interrupts_held
from densecorr.utils.jhmdb_files import read_joint_positions
from densecorr.utils.suggest import suggest
from densecorr.utils.tree_listing import found_tree
from densecorr.utils.video_file import VideoFile

_VIDEOS, _FRAMES, _JOINTS = 'ReCompress_Videos', 'Rename_Images', 'joint_positions'
_INSIDE = ('', 'JHMDB', 'jhmdb', 'JHMDB_video')  # of the folder that a user names
_PNG_END = b'IEND\xaeB`\x82'  # the last chunk, of every PNG the same
_SHOWN = 6


@dataclass
class _Clip:
    """A video, its folder of frames, and what was found there.

    Attributes:
        name: ``'<action>/<clip>'``.
        there: names of the frames that the folder holds.
        broken: of them, those that end early.
    """

    name: str
    video: Path
    folder: Path
    there: set[str] = field(default_factory=set)
    broken: list[str] = field(default_factory=list)


def extract_jhmdb_frames(
    root: str | Path,
    *,
    actions: Sequence[str] | None = None,
    overwrite: bool = False,
) -> Iterator[str]:
    """Write ``Rename_Images/<action>/<clip>/00001.png`` ... from every video.

    A new folder of frames appears when it is complete. In a folder that is there,
    frames that are lacking are added and the others are left as they are; so a run that
    was stopped goes on when it is started again.

    Args:
        root: folder of ``ReCompress_Videos``, or the one above it.
        actions: take only these.
        overwrite: write all frames of a clip again whose folder is not complete or
            has broken frames.

    Yields:
        A line for every clip that was written or has a problem, and one at the end.

    Raises:
        FileNotFoundError: there are no videos; has the expected tree.
        ValueError: an action is unknown.
        OSError: some clips have problems, which were told.
    """
    base = _find(Path(root).expanduser())
    clips = _list_clips(base, actions)
    written, problems = 0, 0
    for clip in clips:
        try:
            line = _extract(base, clip, overwrite)
        except ValueError as error:  # of the video
            problems += 1
            yield f'{clip.name}: {error}'
            continue
        if line:
            written += 1
            yield f'{clip.name}: {line}'
        if clip.broken and not overwrite:
            problems += 1
            yield (
                f'{clip.name}: {len(clip.broken)} frames end early and were left as '
                f'they are: {clip.broken[:_SHOWN]}. --overwrite replaces them.'
            )
    yield f'{base / _FRAMES}: {len(clips)} clips, {written} written, {problems} failed'
    if problems:
        raise OSError(f'{problems} of {len(clips)} clips are not complete, see above.')


def _find(root: Path) -> Path:
    for inside in _INSIDE:
        if (root / inside / _VIDEOS).is_dir():
            return root / inside
    raise FileNotFoundError(
        f'{root} has no folder {_VIDEOS}.\nExpected tree:\n'
        f'  ROOT/{_VIDEOS}/<action>/<clip>.avi\n'
        f'Get it from {load_data_info("jhmdb").homepage} (JHMDB_video.zip)\n'
        f'{found_tree(root)}'
    )


def _list_clips(base: Path, actions: Sequence[str] | None) -> list[_Clip]:
    found = sorted((base / _VIDEOS).glob('*/*.avi'))
    known = {path.parent.name for path in found}
    for action in actions or ():
        if action not in known:
            raise ValueError(f'there is no action {action!r}. {suggest(action, known)}')
    if not found:
        raise FileNotFoundError(
            f'{base / _VIDEOS} holds no <action>/<clip>.avi.\n{found_tree(base)}'
        )
    kept = [p for p in found if actions is None or p.parent.name in actions]
    return [
        _Clip(
            name=f'{path.parent.name}/{path.stem}',
            video=path,
            folder=base / _FRAMES / path.parent.name / path.stem,
        )
        for path in kept
    ]


def _extract(base: Path, clip: _Clip, overwrite: bool) -> str:
    """Complete one clip; in words, what was done: nothing is an empty text.

    Raises:
        ValueError: the video cannot be decoded, or the folder holds frames that it has
            not.
    """
    _look(clip)
    sound = not clip.broken
    if sound and clip.there and len(clip.there) == _annotated(base, clip):
        return ''
    video = VideoFile(clip.video)
    names = [f'{index + 1:05d}.png' for index in range(video.num_frames)]
    others = sorted(clip.there.difference(names))
    if others:
        raise ValueError(
            f'{clip.folder} holds {others[:_SHOWN]}, but the video has {len(names)} '
            f'frames {names[0]} to {names[-1]}. Move the folder away to extract it.'
        )
    lacking = [name for name in names if name not in clip.there]
    if clip.there and not lacking and (sound or not overwrite):
        return ''
    if not clip.folder.exists():
        _write_new(clip, video, names)
        return f'{len(names)} frames'
    replaced = names if overwrite else lacking
    for index, name in enumerate(names):
        if name in replaced:
            write_atomic(clip.folder / name, _encode(video.read(index)))
    kind = 'written again' if overwrite else 'added'
    return (
        f'half extracted, {len(clip.there)} of {len(names)} frames: '
        f'{len(replaced)} {kind}'
    )


def _look(clip: _Clip) -> None:
    if not clip.folder.is_dir():
        return
    for path in sorted(clip.folder.glob('*.png')):
        if not path.name.startswith('.'):
            clip.there.add(path.name)
            if not _is_whole(path):
                clip.broken.append(path.name)


def _is_whole(path: Path) -> bool:
    """Whether a PNG has its last chunk."""
    size = path.stat().st_size
    with path.open('rb') as file:
        file.seek(max(0, size - len(_PNG_END)))
        return file.read() == _PNG_END


def _annotated(base: Path, clip: _Clip) -> int | None:
    """Number of frames with joints; None where that is not known."""
    path = base / _JOINTS / clip.name / 'joint_positions.mat'
    try:
        return len(read_joint_positions(path))
    except (FileNotFoundError, ValueError):
        return None


def _write_new(clip: _Clip, video: VideoFile, names: Sequence[str]) -> None:
    """All frames under a temporary name of the folder, which is then renamed."""
    temporary = clip.folder.with_name(f'.{clip.folder.name}.part')
    make_folder(temporary)
    for index, name in enumerate(names):
        write_atomic(temporary / name, _encode(video.read(index)))
    with interrupts_held():
        for path in temporary.iterdir():  # of a run with another video
            if path.name not in names:
                path.unlink()
        temporary.rename(clip.folder)


def _encode(frame: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(frame).save(buffer, format='PNG')
    return buffer.getvalue()
