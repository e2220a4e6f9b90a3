"""The layouts by name, and writing clips in one of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from densecorr.datasets.toy.layouts.base import ClipFacts, KeptClip, Layout, Scene
from densecorr.datasets.toy.layouts.davis import DAVIS, DAVIS_2016, DAVIS_UNSUPERVISED
from densecorr.datasets.toy.layouts.jhmdb import JHMDB
from densecorr.datasets.toy.layouts.videos import VIDEO
from densecorr.datasets.toy.layouts.vip import VIP
from densecorr.datasets.toy.layouts.voc import VOC
from densecorr.datasets.toy.layouts.ytvos import YTVOS
from densecorr.utils.suggest import suggest

LAYOUTS: dict[str, Layout] = {
    layout.name: layout
    for layout in (
        DAVIS,
        DAVIS_UNSUPERVISED,
        DAVIS_2016,
        YTVOS,
        JHMDB,
        VIP,
        VOC,
        VIDEO,
    )
}


def find_layout(name: str) -> Layout:
    """The layout of a name.

    Raises:
        ValueError: there is none; names the known ones.
    """
    if name not in LAYOUTS:
        raise ValueError(f'layout {name!r} is unknown. {suggest(name, LAYOUTS)}')
    return LAYOUTS[name]


def scenes_of(clips: Sequence[ClipFacts], train: int = 0) -> list[Scene]:
    """Clips as scenes; the last ``train`` of them are for training.

    Raises:
        ValueError: two clips have one name.
    """
    names = [clip.name for clip in clips]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f'clips {twice} occur twice. Give each clip its own seed.')
    splits = ['val'] * (len(clips) - train) + ['train'] * train
    return [
        Scene(clip, split, number)
        for number, (clip, split) in enumerate(zip(clips, splits, strict=True), 1)
    ]


def write_layout(
    name: str, clips: Sequence[ClipFacts], root: str | Path, train: int = 0
) -> list[Path]:
    """Write clips in one layout; files that exist are written again.

    Args:
        name: of the layout, a key of ``LAYOUTS``.
        clips: what to write; clips that the layout cannot take are left out.
        root: folder of the data set, for example ``data/davis``.
        train: the last so many clips go to the training split.

    Returns:
        The files.

    Raises:
        ValueError: the layout is unknown, two clips have one name, or no clip has what
            the layout needs.
    """
    layout = find_layout(name)
    scenes = [s for s in scenes_of(clips, train) if layout.accepts(s.clip)]
    if not scenes:
        raise ValueError(
            f'none of {len(clips)} clips can be written as {name}: it needs '
            f'{layout.needs or "a clip"}.'
        )
    kept = [Scene(KeptClip(s.clip), s.split, s.number) for s in scenes]
    files = layout.lists(kept)
    for scene in kept:
        files |= layout.files(scene)
    for path, write in files.items():
        write(Path(root, path))
    return [Path(root, path) for path in files]
