"""Lists of published formats, made from the folders of a data set."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from densecorr.apis import prepare_dul_lists as dul
from densecorr.apis.list_request import ListRequest, find_place, videos_below
from densecorr.datasets.davis import read_list
from densecorr.utils.data_info import load_data_info
from densecorr.utils.files import write_lines
from densecorr.utils.jhmdb_files import MARKS, read_split
from densecorr.utils.list_files import check_fields, frame_index_lines, read_lines
from densecorr.utils.suggest import suggest
from densecorr.utils.video_source import frame_order, is_frame, list_frames

_JHMDB_PAGE = 'http://jhmdb.is.tue.mpg.de'
_SPLIT = '_test_split1.txt'
_VIP_FOLDERS = ('VIP_Fine', 'VIP')
_SHOWN = 5  # names in a note


@dataclass(frozen=True)
class ListKind:
    """A list that can be made.

    Attributes:
        file: its name in the original.
        text: what it holds and what ``--data`` is, in one line.
        make: from a request to the lines.
        needs_data: whether a folder has to be named.
    """

    file: str
    text: str
    make: Callable[[ListRequest], Iterator[str]]
    needs_data: bool = True


def write_list(
    name: str,
    out: str | Path,
    data: str | Path | None = None,
    *,
    base: str | Path | None = None,
    every: int = 1,
    all_frames: bool = False,
    overwrite: bool = False,
) -> dict[str, Any]:
    """Make a list and write it.

    Args:
        name: of ``KINDS``.
        out: file to write, or a folder, in which it gets the original's name.
        data: folder of the data set.
        base: folder to which the paths in DUL's lists are relative; None is the
            parent of ``data``.
        every: keep frames whose number is a multiple of it (YouTube-VOS).
        all_frames: read frames from the release of all frames, and flag those of the
            ordinary one (``val_ytvos2018_test``).
        overwrite: replace a file of other content.

    Returns:
        ``path``, ``status`` (``'written'`` or ``'nothing to do'``), ``videos`` and
        ``frames`` (numbers; a folder list counts no frames) and ``notes`` (what a
        reader should know).

    Raises:
        ValueError: unknown name, or wrong content in ``data``.
        FileNotFoundError: something that the list needs is not there.
        FileExistsError: the file is there with other content.
    """
    if name not in KINDS:
        raise ValueError(f'list {name!r} is unknown. {suggest(name, KINDS)}')
    if every < 1:
        raise ValueError(f'every should be at least 1, not {every}.')
    kind = KINDS[name]
    if data is None and kind.needs_data:
        raise ValueError(f'list {name} needs a folder: --data FOLDER (data=...).')
    request = ListRequest(
        data=None if data is None else Path(data).expanduser(),
        base=None if base is None else Path(base).expanduser(),
        every=every,
        all_frames=all_frames,
    )
    out = Path(out).expanduser()
    path = out / kind.file if out.is_dir() else out
    written = write_lines(path, kind.make(request), overwrite=overwrite)
    return dict(
        path=str(path),
        status='written' if written else 'nothing to do',
        videos=request.videos,
        frames=request.frames,
        notes=request.notes,
    )


def davis2017_val_index() -> dict[str, list[str]]:
    """Sequences of DAVIS-2017 val and their frames, from the published counts."""
    facts = load_data_info('davis').sequences('2017/val')
    return {
        name: [f'{t:05d}.jpg' for t in range(info.frames or 0)]
        for name, info in facts.items()
    }


def _davis2017_val(request: ListRequest) -> Iterator[str]:
    """From the root's own list and frames, or without a root from the counts."""
    if request.data is None:
        index = davis2017_val_index()
    else:
        root = request.data
        frames = find_place(root, ('JPEGImages/480p',))
        names = read_list(find_place(root, ('ImageSets/2017/val.txt',)))
        present = [name for name in names if (frames / name).is_dir()]
        request.note_missing(names, present, f'in {frames}')
        index = {name: [p.name for p in list_frames(frames / name)] for name in present}
    for paths in index.values():
        request.count(len(paths))
    request.compare('davis', '2017/val')
    yield from frame_index_lines(index)


def _youtube2018_train(request: ListRequest) -> Iterator[str]:
    places = ('train/JPEGImages', '2018/train/JPEGImages', 'JPEGImages')
    index = {}
    for name, frames in videos_below(find_place(request.folder, places)):
        names = [path.name for path in request.thin(frames)]
        if names:
            request.count(len(names))
            index[name] = names
    request.compare('ytvos', '2018/train')
    yield from frame_index_lines(index)


def _jhmdb_val(request: ListRequest) -> Iterator[str]:
    joints = find_place(request.folder, ('joint_positions', 'JHMDB/joint_positions'))
    root, missing = joints.parent, []
    if not (root / 'splits').is_dir():
        raise FileNotFoundError(
            f'There is no folder {root / "splits"}. Only the split files tell which '
            f'clips are tested: take splits.zip from {_JHMDB_PAGE} and unpack it there.'
        )
    files = sorted((root / 'splits').glob(f'*{_SPLIT}'))
    if not files:
        raise FileNotFoundError(
            f'{root / "splits"} holds no file <action>{_SPLIT}. Unpack splits.zip of '
            f'{_JHMDB_PAGE} there.'
        )
    for path in files:
        action = path.name.removesuffix(_SPLIT)
        for clip in read_split(path, MARKS['val']):
            mat = f'joint_positions/{action}/{clip}/joint_positions.mat'
            frames = f'Rename_Images/{action}/{clip}'
            count = _count_frames(root / frames)
            request.count(count)
            if not count or not (root / mat).is_file():
                missing.append(f'{action}/{clip}')
            yield check_fields([f'JHMDB/{mat}', f'JHMDB/{frames}'])
    if missing:
        request.notes.append(
            f'{len(missing)} of {request.videos} clips lack frames or joints: '
            f'{missing[:_SHOWN]}'
        )
    request.compare('jhmdb', 'split1/test')


def _count_frames(folder: Path) -> int:
    if not folder.is_dir():
        return 0
    return sum(is_frame(path) for path in folder.iterdir())


def _vip(split: str) -> Callable[[ListRequest], Iterator[str]]:
    """Makes the list of a split; what other lists of the root name is left out."""

    def make(request: ListRequest) -> Iterator[str]:
        inside = [f'{name}/Images' for name in _VIP_FOLDERS]
        images = find_place(request.folder, ['Images', *inside])
        root = images.parent
        taken = _named_elsewhere(root / 'lists', split)
        folders = [path for path in images.iterdir() if path.is_dir()]
        names = [path.name for path in folders if path.name[0] != '.']
        labels, labelled = root / 'Annotations', 0
        for name in sorted(set(names) - taken, key=frame_order):
            request.count(_count_frames(images / name))
            places = (labels / 'Category_ids' / name, labels / name)
            labelled += any(place.is_dir() for place in places)
            yield check_fields([name])
        if not request.videos:
            raise ValueError(
                f'{images} holds no folder of frames that is free for {split}: the '
                f'lists in {root / "lists"} name {len(taken)} for other splits.'
            )
        request.notes.append(
            'which videos are train, val or test cannot be known from the folders: '
            f'all {request.videos} in {images} are listed'
            + (f', but for {len(taken)} that other lists name' if taken else '')
            + f'. {labelled} of them have labels. The release has lists of its own.'
        )
        request.compare('vip', split)

    return make


def _named_elsewhere(folder: Path, split: str) -> set[str]:
    """Videos that the root's own lists of other splits name."""
    own = f'{split}_videos.txt'
    lists = [path for path in folder.glob('*_videos.txt') if path.name != own]
    return {line.text for path in lists for line in read_lines(path)}


KINDS: Mapping[str, ListKind] = {
    'davis2017_val_list': ListKind(
        'davis2017_val_list.json',
        'DAVIS-2017 val with all frames; without --data from the published counts',
        _davis2017_val,
        needs_data=False,
    ),
    'youtube2018_train': ListKind(
        'youtube2018_train.json',
        'YouTube-VOS 2018 train; --data holds train/JPEGImages',
        _youtube2018_train,
    ),
    'jhmdb_val_list': ListKind(
        'val_list.txt',
        'JHMDB test clips of split 1; --data holds joint_positions and splits',
        _jhmdb_val,
    ),
    'vip_train_videos': ListKind(
        'train_videos.txt', 'VIP; --data holds Images', _vip('train')
    ),
    'vip_val_videos': ListKind(
        'val_videos.txt', 'VIP; --data holds Images', _vip('val')
    ),
    'train_ytvos': ListKind(
        'train_ytvos.txt', 'DUL; --data holds train/JPEGImages', dul.train_ytvos
    ),
    'train_oxuva': ListKind(
        'train_oxuva.txt', 'DUL; --data holds images/dev', dul.train_oxuva
    ),
    'train_tracking': ListKind(
        'train_tracking.txt', 'DUL; --data holds train/jpegs', dul.train_tracking
    ),
    'train_kinetics400': ListKind(
        'train_kinetics400.txt',
        'DUL, folders; --data holds video_jpeg/train',
        dul.train_kinetics400,
    ),
    'val_davis2017_480p': ListKind(
        'val_davis2017_480p.txt', 'DUL; --data is DAVIS', dul.val_davis2017
    ),
    'val2_davis2017_480p': ListKind(
        'val2_davis2017_480p.txt',
        'DUL, five sequences of our choice; --data is DAVIS',
        dul.val2_davis2017,
    ),
    'val_davis2017_test': ListKind(
        'val_davis2017_test.txt', 'DUL, flags; --data is DAVIS', dul.test_davis2017
    ),
    'val_ytvos2018_test': ListKind(
        'val_ytvos2018_test.txt',
        'DUL, flags; --data holds valid/JPEGImages',
        dul.test_ytvos2018,
    ),
}
