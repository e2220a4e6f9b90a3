"""JHMDB: clips of the splits, joints of every clip, frames for all of them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from densecorr.apis.check_data.files import attempt, scan_video, subfolders, watched
from densecorr.apis.check_data.results import Request, SplitCheck, names
from densecorr.utils.jhmdb_files import (
    MARKS,
    read_clip_list,
    read_joint_positions,
    read_split,
)

_JOINTS = 15
_FRAMES, _POSITIONS, _VIDEOS = 'Rename_Images', 'joint_positions', 'ReCompress_Videos'
_SPLIT_FILE = re.compile(r'(?P<action>.+)_test_(?P<split>split[0-9]+)\.txt')
_PARTS = {'test': MARKS['val'], 'train': MARKS['train']}
_LIST = 'val_list.txt'
_TESTED = 'split1/test'
_NO_SPLITS = 'no folder splits: unpack splits.zip, which says which clips are tested'
_EXTRACT = 'python tools/prepare_data.py jhmdb-frames --data ROOT'


def check_jhmdb(request: Request) -> list[SplitCheck]:
    """Wrong are: clips of a split without frames or joints, and half-extracted clips.

    A clip is half extracted if it has fewer frames than joints. Also joint files that
    cannot be read, and lists with wrong lines. Without ``splits`` all clips are
    checked.

    Raises:
        KeyError: a split is unknown.
        FileNotFoundError: the root holds no clip.
    """
    clips = _Clips(request)
    problems: list[str] = []
    listed = _read_splits(request.root, problems)
    for split in request.splits or ():
        if split not in listed:
            request.info.expected(split)
    if not clips.present() and not listed:
        raise request.nothing(request.root)
    if not listed and not request.splits:
        checks = [clips.check('all clips', clips.present())]
        problems.append(_NO_SPLITS)
    else:
        chosen = request.splits or [s for s in request.info.counts if s in listed]
        checks = [clips.check(s, listed.get(s, [])) for s in chosen or listed]
        for check in checks:
            if check.name not in listed:
                check.problems.append('splits/ has no files of it: unpack splits.zip')
    checks[0].problems[:0] = problems + list(_list_problems(request.root, listed))
    return checks


class _Clips:
    """Looks at every clip once, however many splits it is in."""

    def __init__(self, request: Request) -> None:
        self.request, self.root = request, request.root
        self._seen: dict[str, tuple[int, list[str], int]] = {}

    def present(self) -> list[str]:
        """Clips with frames, joints or a video, ``'<action>/<clip>'``."""
        found = {
            f'{action}/{clip}'
            for kind in (_FRAMES, _POSITIONS)
            for action in subfolders(self.root / kind)
            for clip in subfolders(self.root / kind / action)
        }
        videos = (self.root / _VIDEOS).glob('*/*.avi')
        return sorted(found | {f'{p.parent.name}/{p.stem}' for p in videos})

    def check(self, split: str, listed: list[str]) -> SplitCheck:
        """One split."""
        counts = self.request.info.counts.get(split)
        missing = [name for name in listed if not self._frames(name).is_dir()]
        here = [name for name in listed if self._frames(name).is_dir()]
        title = f'{self.request.info.title} {split}'
        looked = [self._look(name) for name in watched(here, title)]
        longer = [n for n, (_, _, more) in zip(here, looked, strict=True) if more]
        notes = []
        if longer:
            notes.append(
                f'{len(longer)} clips go on behind their joints and are cut there: '
                f'{names(longer)}'
            )
        with_video = [n for n in missing if self._video(n).is_file()]
        if with_video:
            notes.append(
                f'{len(with_video)} of the missing have a video: {_EXTRACT} writes '
                'their frames'
            )
        return SplitCheck(
            name=split,
            sequences=(counts.sequences if counts else None, len(here)),
            frames=(counts.frames if counts else None, sum(n for n, _, _ in looked)),
            missing=missing,
            problems=[problem for _, found, _ in looked for problem in found],
            notes=notes,
        )

    def _frames(self, name: str) -> Path:
        return self.root / _FRAMES / name

    def _video(self, name: str) -> Path:
        return self.root / _VIDEOS / f'{name}.avi'

    def _look(self, name: str) -> tuple[int, list[str], int]:
        """Number of frames, problems, and number of frames behind the joints."""
        if name not in self._seen:
            self._seen[name] = self._scan(name)
        return self._seen[name]

    def _scan(self, name: str) -> tuple[int, list[str], int]:
        scan = scan_video(self._frames(name), deep=self.request.deep)
        problems = [f'{name}: {problem}' for problem in scan.problems]
        numbers = [int(stem) for stem in scan.frames if stem.isdigit()]
        gaps = sorted(set(range(1, max(numbers, default=0) + 1)) - set(numbers))
        if gaps:
            lacking = names([f'{number:05d}' for number in gaps])
            problems.append(f'{name}: frames are missing: {lacking}. {_EXTRACT}')
        path = self.root / _POSITIONS / name / 'joint_positions.mat'
        found: list[str] = []
        joints = attempt(read_joint_positions, path, found)
        problems += [f'{name}: {problem}' for problem in found]
        if joints is None:
            return len(scan.frames), problems, 0
        if joints.shape[1] != _JOINTS:
            problems.append(f'{name}: {joints.shape[1]} joints, expected {_JOINTS}')
        more = len(scan.frames) - len(joints)
        if more < 0:
            problems.append(
                f'{name}: {len(scan.frames)} frames for {len(joints)} annotated ones: '
                f'half extracted. Complete it with {_EXTRACT}'
            )
        return len(scan.frames), problems, max(more, 0)


def _read_splits(root: Path, problems: list[str]) -> dict[str, list[str]]:
    """``'split1/test'`` and so on to the clips, ``'<action>/<clip>'``."""
    splits: dict[str, list[str]] = {}
    for path in sorted((root / 'splits').glob('*.txt')):
        match = _SPLIT_FILE.fullmatch(path.name)
        if match is None:
            continue
        for part, mark in _PARTS.items():
            try:
                clips = read_split(path, mark)
            except ValueError as error:
                problems.append(str(error))
                break
            group = splits.setdefault(f'{match["split"]}/{part}', [])
            group += [f'{match["action"]}/{clip}' for clip in clips]
    return dict(sorted(splits.items()))


def _list_problems(root: Path, listed: dict[str, list[str]]) -> Iterator[str]:
    """How ``val_list.txt`` differs from the splits."""
    path = root / _LIST
    if not path.is_file():
        return
    try:
        own = {clip.name for clip in read_clip_list(path)}
    except ValueError as error:
        yield str(error)
        return
    tested = set(listed.get(_TESTED, own))
    more, fewer = sorted(own - tested), sorted(tested - own)
    if more:
        yield f'{_LIST} lists clips that {_TESTED} has not: {names(more)}'
    if fewer:
        yield f'{_LIST} lacks clips of {_TESTED}: {names(fewer)}'
