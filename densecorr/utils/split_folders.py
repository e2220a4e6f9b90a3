"""Where the videos or images of a split lie."""

from __future__ import annotations

import re
from pathlib import Path

from mmengine.logging import print_log

from densecorr.utils.data_info import DataInfo, default_roots
from densecorr.utils.suggest import suggest
from densecorr.utils.tree_listing import found_tree

_YEAR = re.compile(r'20(\d\d)/')


def find_split(
    info: DataInfo, split: str | None, root: str | Path | None = None
) -> tuple[Path, list[Path]]:
    """The root of a dataset and the folders of one split.

    The folders are those of the first spelling in ``info.folders`` that is there.
    Default roots that are named by another year than the split are passed over.

    Args:
        info: facts of the dataset.
        split: a key of ``info.folders``.
        root: a folder that the user names; no other is tried.

    Returns:
        The root and its folders, sorted.

    Raises:
        ValueError: the split is unknown.
        FileNotFoundError: nothing is there; the message has the expected tree, where
            to get the data and the command that checks it.
    """
    if split is None or split not in info.folders:
        raise ValueError(
            f'{info.title} has no split {split!r}. {suggest(str(split), info.folders)}'
        )
    if root is not None:
        base = Path(root).expanduser()
        found = _folders(info, split, base)
        if found:
            return base, found
        known = ' or '.join(info.folders[split])
        raise FileNotFoundError(
            f'{info.title} root {str(base)!r} has no folder {known}, of split '
            f'{split!r}.\n{info.instructions()}\n{found_tree(base)}'
        )
    places = _roots_of_year(info, split)
    for place in places:
        found = _folders(info, split, place)
        if found:
            print_log(f'{info.title} {split}: {found[0]}', logger='current')
            return place, found
    tried = ', '.join(str(place) for place in places)
    raise FileNotFoundError(
        f'{info.title} {split} was not found. Looked for a folder '
        f'{" or ".join(info.folders[split])} in: {tried}.\n{info.instructions()}\n'
        'Or name the folder: root=... in the config, or '
        'DENSECORR_DATA=FOLDER_OF_DATA.'
    )


def _folders(info: DataInfo, split: str, root: Path) -> list[Path]:
    for spelling in info.folders[split]:
        found = sorted(path for path in root.glob(spelling) if path.is_dir())
        if found:
            return found
    return []


def _roots_of_year(info: DataInfo, split: str) -> list[Path]:
    """Default roots; those that end in the year of the split first, others left out."""
    places = list(dict.fromkeys(default_roots(info)))
    year = _YEAR.match(split)
    if year is None:
        return places
    others = {found[1] for key in info.folders if (found := _YEAR.match(key))}
    others.discard(year[1])
    kept = [place for place in places if not place.name.endswith(tuple(others))]
    return sorted(kept, key=lambda place: not place.name.endswith(year[1]))
