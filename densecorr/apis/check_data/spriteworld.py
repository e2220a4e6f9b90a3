"""Folders that ``prepare_data.py spriteworld`` wrote: every layout in them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from densecorr.apis.check_data.davis import check_davis, listed_splits
from densecorr.apis.check_data.files import attempt, label_map_size, scan_video
from densecorr.apis.check_data.jhmdb import check_jhmdb
from densecorr.apis.check_data.results import Request, SplitCheck, names
from densecorr.apis.check_data.vip import check_vip
from densecorr.apis.check_data.ytvos import check_ytvos
from densecorr.apis.prepared_tree import Manifest, PreparedTree
from densecorr.utils.data_info import DataInfo, SplitCounts, load_data_info
from densecorr.utils.video_file import VideoFile

_MANIFEST = 'spriteworld.json'
_Checker = Callable[[Request], list[SplitCheck]]


def check_spriteworld(request: Request) -> list[SplitCheck]:
    """Wrong are: files of the manifest that are gone, and what each layout forbids.

    Raises:
        KeyError: a split was named; all of them are checked.
        FileNotFoundError: the root has no manifest.
    """
    if request.splits:
        raise KeyError('SpriteWorld is checked as a whole: leave --split out.')
    manifest = None
    if (request.root / _MANIFEST).is_file():
        manifest = PreparedTree(request.root, _MANIFEST).read()
    if manifest is None:
        raise request.nothing(request.root)
    checks = [
        replace(check, name=f'{folder} {check.name}')
        for folder, checker, info in _LAYOUTS
        if (request.root / folder).is_dir()
        for check in _run(folder, checker, info, request)
    ]
    return [_check_files(request.root, manifest), *checks]


def _check_files(root: Path, manifest: Manifest) -> SplitCheck:
    missing = [name for name in sorted(manifest.files) if not (root / name).is_file()]
    found = len(manifest.files) - len(missing)
    problems = []
    if missing:
        problems.append(f'{len(missing)} files are missing: {names(missing)}')
    if not manifest.complete:
        problems.append('the run that wrote it was stopped: the same command goes on')
    return SplitCheck(
        name=f'{found} of {len(manifest.files)} files',
        sequences=(len(manifest.clips), len(manifest.clips)),
        frames=(None, None),
        problems=problems,
    )


def _run(
    folder: str, checker: _Checker, facts: str | None, request: Request
) -> Iterator[SplitCheck]:
    """Checks of one layout, without the numbers of the published data."""
    root = request.root / folder
    info = request.info if facts is None else load_data_info(facts)
    info = _without_numbers(info, root)
    try:
        yield from checker(replace(request, info=info, root=root))
    except FileNotFoundError as error:
        problem = str(error).splitlines()[0]
        yield SplitCheck('', (None, 0), (None, 0), problems=[problem])


def _without_numbers(info: DataInfo, root: Path) -> DataInfo:
    unknown = dict.fromkeys(info.counts, SplitCounts(None))
    return replace(listed_splits(info, root), counts=unknown)


def _check_voc(request: Request) -> list[SplitCheck]:
    root = request.root
    scan = scan_video(
        root / 'JPEGImages',
        root / 'SegmentationClass',
        deep=request.deep,
        same_size=False,
    )
    bare = [stem for stem in scan.frames if stem not in scan.annotations]
    problems = scan.problems + [f'no annotation: {names(bare)}'] * bool(bare)
    return [SplitCheck('images', (None, len(scan.frames)), (None, None), [], problems)]


def _check_videos(request: Request) -> list[SplitCheck]:
    problems: list[str] = []
    frames = 0
    files = sorted(request.root.glob('*.mp4'))
    for path in files:
        video = attempt(VideoFile, path, problems)
        labels = path.with_name(f'{path.stem}_first.png')
        first = attempt(label_map_size, labels, problems)
        if video is None:
            continue
        frames += video.num_frames
        # H.264 has even sizes, for which frames are extended
        if first is not None and tuple(n + n % 2 for n in first) != video.size:
            problems.append(f'{labels.name} is {first}, its video {video.size}')
    return [SplitCheck('files', (None, len(files)), (None, frames), [], problems)]


_LAYOUTS: tuple[tuple[str, _Checker, str | None], ...] = (
    ('davis', check_davis, 'davis'),
    ('davis2016', check_davis, 'davis'),
    ('ytvos', check_ytvos, 'ytvos'),
    ('jhmdb', check_jhmdb, 'jhmdb'),
    ('vip/VIP_Fine', check_vip, 'vip'),
    ('voc', _check_voc, None),
    ('videos', _check_videos, None),
)
