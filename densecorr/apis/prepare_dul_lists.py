"""The eight lists of DUL, made from the folders of the data sets.

Paths start with ``/`` and are relative to the folder that holds the data sets.

Reference: Araslanov et al., NeurIPS 2021, arXiv:2111.06265. Official:
    visinf/dense-ulearn-vos, 88e5e35; the lists themselves are on the authors' server.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from densecorr.apis.list_request import ListRequest, find_place, videos_below
from densecorr.datasets.davis import read_list
from densecorr.utils.list_files import check_fields
from densecorr.utils.video_source import list_frames

_VAL2_SEQUENCES = 5
_YTVOS_TRAIN = ('train/JPEGImages', '2018/train/JPEGImages', 'JPEGImages')


def train_ytvos(request: ListRequest) -> Iterator[str]:
    """``image`` of every frame of YouTube-VOS 2018 train."""
    yield from _images(request, _YTVOS_TRAIN)
    request.compare('ytvos', '2018/train')


def train_oxuva(request: ListRequest) -> Iterator[str]:
    """``image`` of every frame of OxUvA dev."""
    return _images(request, ('images/dev', 'dev'))


def train_tracking(request: ListRequest) -> Iterator[str]:
    """``image`` of every frame of TrackingNet train."""
    return _images(request, ('train/jpegs', 'jpegs'))


def train_kinetics400(request: ListRequest) -> Iterator[str]:
    """``folder`` of every video of Kinetics-400 train."""
    folder = find_place(request.folder, ('video_jpeg/train', 'train'))
    for _, frames in videos_below(folder):
        request.count(len(frames))
        yield request.relative(frames[0].parent)


def val_davis2017(request: ListRequest) -> Iterator[str]:
    """``image label_map`` of every frame of DAVIS-2017 val."""
    yield from _davis(request, _davis_names(request))
    request.compare('davis', '2017/val')


def val2_davis2017(request: ListRequest) -> Iterator[str]:
    """``image label_map`` of five sequences of DAVIS-2017 val.

    Which five the authors took is not known here. These are spread evenly over the
    sequences that the folder has: of all 30, every sixth.
    """
    names = _davis_names(request)
    if len(names) < _VAL2_SEQUENCES:
        raise ValueError(
            f'{request.folder} has {len(names)} sequences of DAVIS-2017 val; the list '
            f'takes {_VAL2_SEQUENCES} of them.'
        )
    count = _VAL2_SEQUENCES
    chosen = [names[i * len(names) // count] for i in range(count)]
    request.notes.append(
        f'the choice of sequences is ours, the official one is not known: {chosen}'
    )
    return _davis(request, chosen)


def test_davis2017(request: ListRequest) -> Iterator[str]:
    """``flag image label_map`` of every frame of DAVIS-2017 val, all flags 1."""
    for line in _davis(request, _davis_names(request)):
        yield f'1 {line}'
    request.compare('davis', '2017/val')


def test_ytvos2018(request: ListRequest) -> Iterator[str]:
    """``flag image label_map`` of YouTube-VOS 2018 valid.

    Flagged are the frames of ``valid/JPEGImages``, whose results the evaluation server
    wants. With ``all_frames`` the frames between them are listed too, with flag 0.
    Label maps need not exist.
    """
    roots = ('valid', '2018/valid')
    valid = find_place(request.folder, [f'{r}/JPEGImages' for r in roots]).parent
    source = valid / 'JPEGImages'
    if request.all_frames:
        places = [f'{r}_all_frames/JPEGImages' for r in roots]
        source = find_place(request.folder, places)
    flagged = 0
    for name, frames in videos_below(source):
        frames = request.thin(frames)
        request.count(len(frames))
        for path in frames:
            flag = (valid / 'JPEGImages' / name / path.name).is_file()
            flagged += flag
            label_map = valid / 'Annotations' / name / f'{path.stem}.png'
            paths = [request.relative(path), request.relative(label_map)]
            yield check_fields([str(int(flag)), *paths])
    request.notes.append(f'{flagged} of {request.frames} frames are flagged')
    request.compare('ytvos', '2018/valid')


def _images(request: ListRequest, places: Sequence[str]) -> Iterator[str]:
    for _, frames in videos_below(find_place(request.folder, places)):
        frames = request.thin(frames)
        if frames:
            request.count(len(frames))
        for path in frames:
            yield check_fields([request.relative(path)])


def _davis_names(request: ListRequest) -> list[str]:
    """Sequences of the root's list that have frames."""
    names = read_list(find_place(request.folder, ('ImageSets/2017/val.txt',)))
    frames = find_place(request.folder, ('JPEGImages/480p',))
    present = [name for name in names if (frames / name).is_dir()]
    request.note_missing(names, present, f'in {frames}')
    return present


def _davis(request: ListRequest, names: Sequence[str]) -> Iterator[str]:
    for name in names:
        frames = list_frames(request.folder / 'JPEGImages' / '480p' / name)
        request.count(len(frames))
        for path in frames:
            label_map = Path('Annotations', '480p', name, f'{path.stem}.png')
            yield check_fields(
                [request.relative(path), request.relative(request.folder / label_map)]
            )
