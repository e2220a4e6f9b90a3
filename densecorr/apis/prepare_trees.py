"""MOSE and VISOR in the layout of DAVIS, of links or copies; nothing is removed."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from densecorr.apis.prepare_copies import check_apart
from densecorr.datasets.davis import read_list
from densecorr.engine.progress import FrameProgress
from densecorr.utils.files import full_disk_named, make_folder, write_lines
from densecorr.utils.suggest import suggest
from densecorr.utils.video_source import list_frames

FOLDERS = ('JPEGImages', 'Annotations')
_RESOLUTION, _LISTS = '480p', 'ImageSets/2017'  # where readers of DAVIS look
_SHOWN = 5  # names in a message


@dataclass(frozen=True)
class TreeKind:
    """Where a release keeps its videos.

    Attributes:
        title: of the data set.
        splits: folders of a release that has one for each split.
        expected: what the source should hold, in words.
    """

    title: str
    splits: tuple[str, ...]
    expected: str


KINDS: Mapping[str, TreeKind] = {
    'mose': TreeKind(
        'MOSE',
        ('train', 'valid'),
        'train/ or valid/ with JPEGImages/<video> and Annotations/<video>, as '
        'train.tar.gz and valid.tar.gz have it',
    ),
    'visor': TreeKind(
        'VISOR',
        ('train', 'val'),
        'JPEGImages, Annotations and ImageSets/2022, as the converter of '
        'epic-kitchens/VISOR-VOS writes them: the release itself has polygons and '
        'archives of frames, which this program does not convert',
    ),
}


@dataclass(frozen=True)
class _Video:
    name: str
    frames: Path
    labels: Path | None


def prepare_tree(
    kind: str, source: str | Path, out: str | Path, *, copy: bool = False
) -> dict[str, Any]:
    """Write a data set in the layout of DAVIS.

    ``JPEGImages/480p/<video>`` and ``Annotations/480p/<video>`` are links to folders of
    the source, or copies; ``480p`` is only a name. ``ImageSets/2017/<split>.txt`` lists
    the videos of each split. A stopped run goes on where it stopped. Nothing is
    removed or replaced, neither in the source nor in ``out``.

    Args:
        kind: of ``KINDS``.
        source: folder that was downloaded.
        out: folder to write; other videos in it are left alone.
        copy: copy the files; otherwise the source has to stay where it is.

    Returns:
        ``out``, ``status`` (``'written'`` or ``'nothing to do'``), ``written`` (number
        of links or files), ``splits`` (split to its number of videos) and ``notes``.

    Raises:
        ValueError: unknown kind, ``out`` is the source or inside it, or one name
            stands for two videos.
        FileNotFoundError: the source is not laid out as expected.
        FileExistsError: a place in ``out`` is taken by something else.
        OSError: the folder cannot be written, or has no links.
    """
    if kind not in KINDS:
        raise ValueError(f'data set {kind!r} is unknown. {suggest(kind, KINDS)}')
    source, out = Path(source).expanduser(), Path(out).expanduser()
    check_apart(source, out)
    splits = _find_splits(KINDS[kind], source)
    named = {name: v for group in splits.values() for name, v in group.items()}
    videos = list(named.values())
    pairs = list(_folder_pairs(videos, out))
    if copy:
        files = [(f, t / f.name) for s, t in pairs for f in _copied(s, t)]
        written = _copy(files)
    else:
        written = _link(pairs)
    for split, group in splits.items():
        path = out / _LISTS / f'{split}.txt'
        written += write_lines(path, sorted(group))
    return dict(
        out=str(out),
        status='written' if written else 'nothing to do',
        written=written,
        splits={split: len(group) for split, group in splits.items()},
        notes=list(_notes(videos)),
    )


def _find_splits(kind: TreeKind, source: Path) -> dict[str, dict[str, _Video]]:
    """Split to its videos by name."""
    if not source.is_dir():
        raise FileNotFoundError(f'There is no folder {str(source)!r}.')
    roots = {s: source / s for s in kind.splits if _is_release(source / s)}
    if roots:
        splits = {split: _videos(root) for split, root in roots.items()}
    elif _is_release(source):
        splits = _listed(source, _videos(source), kind)
    else:
        held = sorted(path.name for path in source.iterdir() if path.name[0] != '.')
        raise FileNotFoundError(
            f'{source} is not laid out as {kind.title} is. Expected: {kind.expected}. '
            f'It holds {held[:_SHOWN]}.'
        )
    taken: dict[str, _Video] = {}
    for group in splits.values():
        for name, video in group.items():
            if taken.setdefault(name, video) != video:
                raise ValueError(
                    f'{video.frames} and {taken[name].frames} are two videos of one '
                    f'name, {name!r}. Prepare the splits into two folders.'
                )
    return splits


def _listed(
    source: Path, videos: dict[str, _Video], kind: TreeKind
) -> dict[str, dict[str, _Video]]:
    """Splits by the source's own lists; without any, all is one."""
    files = sorted((source / 'ImageSets').glob('*/*.txt'))
    splits = {path.stem: read_list(path) for path in files}
    found = {
        split: {name: videos[name] for name in names if name in videos}
        for split, names in splits.items()
    }
    found = {split: group for split, group in found.items() if group}
    if files and not found:
        raise FileNotFoundError(
            f'{source} has none of the videos that {files[0]} lists. Get both from one '
            f'release of {kind.title}.'
        )
    name = source.name if source.name in kind.splits else kind.splits[0]
    return found or {name: videos}


def _is_release(folder: Path) -> bool:
    return all((folder / name).is_dir() for name in FOLDERS)


def _videos(root: Path) -> dict[str, _Video]:
    """Videos below ``JPEGImages``, or below its only folder, such as ``480p``."""
    top, labels = (root / name for name in FOLDERS)
    names = _folders(top)
    inner = [name for name in names if _folders(top / name)]
    if len(names) == 1 and inner:
        top, labels = top / inner[0], labels / inner[0]
        names = _folders(top)
    elif inner:
        raise FileNotFoundError(
            f'{top} holds {names[:_SHOWN]}, and in {inner[0]!r} further folders. A '
            'folder is expected for each video, below one folder at most.'
        )
    if not names:
        raise FileNotFoundError(f'{top} holds no folder of a video.')
    return {
        name: _Video(
            name, top / name, labels / name if (labels / name).is_dir() else None
        )
        for name in names
    }


def _folders(folder: Path) -> list[str]:
    entries = [path for path in folder.iterdir() if path.name[0] != '.']
    return sorted(path.name for path in entries if path.is_dir())


def _folder_pairs(videos: Sequence[_Video], out: Path) -> Iterator[tuple[Path, Path]]:
    """Source and target of every folder."""
    for video in videos:
        for name, folder in zip(FOLDERS, (video.frames, video.labels), strict=True):
            if folder is not None:
                yield folder, out / name / _RESOLUTION / video.name


def _link(pairs: Sequence[tuple[Path, Path]]) -> int:
    written = 0
    with FrameProgress(len(pairs), 'Linking', unit='folders') as progress:
        for source, target in pairs:
            progress.advance()
            if target.is_symlink() and target.resolve() == source.resolve():
                continue
            if target.is_symlink() or target.exists():
                raise FileExistsError(
                    f'{target} is there and is no link to {source}; it was left alone. '
                    'Give another folder, or move it away.'
                )
            make_folder(target.parent)
            try:
                target.symlink_to(source.resolve(), target_is_directory=True)
            except OSError as error:
                raise OSError(
                    f'{target} cannot be made a link ({error}). Use --copy (copy=True).'
                ) from error
            written += 1
    return written


def _copied(source: Path, target: Path) -> list[Path]:
    """Files of a folder to copy; refuses a target that holds anything else."""
    files = sorted(
        path for path in source.iterdir() if path.is_file() and path.name[0] != '.'
    )
    if target.is_symlink():
        raise FileExistsError(
            f'{target} is a link, as a run without --copy makes it. Give another '
            'folder, or remove the link.'
        )
    if target.is_dir():
        strange = {path.name for path in target.iterdir() if path.name[0] != '.'}
        strange -= {path.name for path in files}
        if strange:
            raise FileExistsError(
                f'{target} holds {sorted(strange)[:_SHOWN]}, which {source} has not. '
                'Give another folder, or move them away.'
            )
    return files


def _copy(files: Sequence[tuple[Path, Path]]) -> int:
    written = 0
    with FrameProgress(len(files), 'Copying', unit='files') as progress:
        for source, target in files:
            progress.advance()
            if target.is_file():
                if target.stat().st_size == source.stat().st_size:
                    continue
                raise FileExistsError(
                    f'{target} is there and is no copy of {source}; it was left '
                    'alone. Give another folder, or move it away.'
                )
            make_folder(target.parent)
            temporary = target.with_name(f'.{target.name}.tmp')
            with full_disk_named(target):
                shutil.copyfile(source, temporary)
                temporary.replace(target)
            written += 1
    return written


def _notes(videos: Sequence[_Video]) -> Iterator[str]:
    """What a reader that pairs frames and labels by position would stumble over."""
    named: dict[str, list[str]] = {
        'no labels': [],
        'labels for some frames': [],
        'labels without frame': [],
    }
    for video in videos:
        if video.labels is None:
            named['no labels'].append(video.name)
            continue
        frames = {path.stem for path in list_frames(video.frames)}
        labels = {path.stem for path in list_frames(video.labels, ['.png'])}
        if labels - frames:
            named['labels without frame'].append(video.name)
        elif labels != frames:
            named['labels for some frames'].append(video.name)
    for what, names in named.items():
        if names:
            yield f'{len(names)} of {len(videos)} videos have {what}: {names[:_SHOWN]}'
