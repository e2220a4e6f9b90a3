"""Facts of the datasets: splits, expected counts, roots, tree, where to get them."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from mmengine.logging import print_log

from densecorr.utils.paths import data_info_root
from densecorr.utils.suggest import suggest
from densecorr.utils.tree_listing import found_tree

_DATA_ENV = 'DENSECORR_DATA'  # the folder that holds davis/ and the others


@dataclass(frozen=True)
class SequenceInfo:
    """Expected content of one sequence; None = not known."""

    frames: int | None
    objects: int | None


@dataclass(frozen=True)
class SplitCounts:
    """Expected totals of a split whose names are not listed here; None = not known."""

    sequences: int | None
    frames: int | None = None


@dataclass(frozen=True)
class DataInfo:
    """Facts of one dataset, from ``data/data_info/<name>.json``.

    Attributes:
        name: of the file and of the default root.
        title: as papers write it.
        marker: folder that every root has; a default root without it is passed over.
        roots: default roots, most usual first, with the spellings of the originals.
        tree: expected files, one pattern an entry, relative to the root.
        homepage: where to get it.
        downloads: splits to archive addresses.
        check: command that checks a root.
        licence: terms of use in one line.
        reference: papers.
        source: where the counts come from.
        palette: name of the colours of its label maps.
        splits: ``'<year>/<split>'`` to sequence names, in the order of the list.
        counts: totals of splits that ``splits`` does not list.
        classes: names of its classes by number, background first; none where labels
            are objects.
        folders: splits to the folders of their videos, the spelling that exists
            counts; ``*`` stands for any name.
    """

    name: str
    title: str
    marker: str
    roots: tuple[str, ...]
    tree: tuple[str, ...]
    homepage: str
    downloads: Mapping[str, str]
    check: str
    licence: str
    reference: str
    source: str
    palette: str
    splits: Mapping[str, Mapping[str, SequenceInfo]]
    counts: Mapping[str, SplitCounts] = field(default_factory=dict)
    classes: tuple[str, ...] = ()
    folders: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def sequences(self, split: str) -> Mapping[str, SequenceInfo]:
        """Sequences of ``'<year>/<split>'``.

        Raises:
            KeyError: the split is unknown.
        """
        if split not in self.splits:
            raise KeyError(
                f'{self.title} has no split {split!r}. Known: {sorted(self.splits)}.'
            )
        return self.splits[split]

    def expected(self, split: str) -> SplitCounts:
        """Totals of a split, from ``counts`` or added up from ``splits``.

        Raises:
            KeyError: the split is unknown.
        """
        if split in self.counts:
            return self.counts[split]
        if split not in self.splits:
            known = sorted({*self.splits, *self.counts})
            raise KeyError(f'{self.title} has no split {split!r}. Known: {known}.')
        frames = [fact.frames for fact in self.splits[split].values()]
        known_frames = [count for count in frames if count is not None]
        whole = len(known_frames) == len(frames)
        return SplitCounts(len(frames), sum(known_frames) if whole else None)

    def instructions(self) -> str:
        """Expected tree, where to get it and how to check it, for error messages."""
        lines = ['Expected tree:', f'  ROOT, for example {self.roots[0]}']
        lines += [f'  ROOT/{pattern}' for pattern in self.tree]
        lines += [f'Get it from {self.homepage}']
        lines += [f'  {split}: {url}' for split, url in self.downloads.items()]
        lines += [f'Licence: {self.licence}', f'Check it with: {self.check}']
        return '\n'.join(lines)


def shortfall(
    facts: Mapping[str, SequenceInfo],
    frames: Mapping[str, int],
    labels: Mapping[str, int] | None = None,
    max_frames: int | None = None,
) -> list[str]:
    """In words, how what is evaluated differs from the whole split.

    Args:
        facts: expected sequences of the split.
        frames: sequence name to the number of its frames that are evaluated.
        labels: sequence name to the number of its label maps, where each frame should
            have one.
        max_frames: the cut that was asked for.

    Returns:
        Parts such as ``'8 of 30 sequences'``; none where nothing is lacking.
    """
    own = [name for name in frames if name in facts]
    others = len(frames) - len(own)
    parts = []
    if frames and not own:
        parts.append(f'{others} sequences of other data')
    elif others or len(own) < len(facts):
        extra = f' and {others} others' if others else ''
        parts.append(f'{len(own)} of {len(facts)} sequences{extra}')
    counted = {name: facts[name].frames or frames[name] for name in own}
    expected, found = sum(counted.values()), sum(frames[name] for name in own)
    unknown = SequenceInfo(None, None)
    cut = [n for n in frames if frames[n] == max_frames != facts.get(n, unknown).frames]
    if cut:
        parts.append(f'first {max_frames} frames')
    elif found != expected:
        parts.append(f'{found} of {expected} frames')
    if labels is not None and sum(labels.values()) != sum(frames.values()):
        parts.append(f'{sum(labels.values())} of {sum(frames.values())} annotations')
    return parts


def counts_shortfall(
    counts: SplitCounts, frames: Mapping[str, int], max_frames: int | None = None
) -> list[str]:
    """:func:`shortfall` of a split of which the totals alone are known.

    Totals tell nothing about single sequences, so frames are compared only where as
    many sequences are there as the split has.

    Args:
        counts: expected totals of the split.
        frames: sequence name to the number of its frames that are evaluated.
        max_frames: the cut that was asked for.

    Returns:
        Parts such as ``'12 of 474 sequences'``; none where nothing is lacking.
    """
    parts = []
    found = sum(frames.values())
    complete = counts.sequences in (None, len(frames))
    if not complete:
        parts.append(f'{len(frames)} of {counts.sequences} sequences')
    whole = complete and counts.frames == found
    if max_frames is not None and max_frames in frames.values() and not whole:
        parts.append(f'first {max_frames} frames')
    elif complete and counts.frames not in (None, found):
        parts.append(f'{found} of {counts.frames} frames')
    return parts


def data_info_names() -> list[str]:
    """Datasets that have a file of facts; other JSON files of the folder have none."""
    return sorted(p.stem for p in data_info_root().glob('*.json') if _holds_facts(p))


def _holds_facts(path: Path) -> bool:
    content = json.loads(path.read_text(encoding='utf-8'))
    return isinstance(content, dict) and {'name', 'marker', 'splits'} <= set(content)


def load_data_info(name: str) -> DataInfo:
    """Read the facts of dataset ``name``, for example ``'davis'``.

    Raises:
        KeyError: there is no such file; names the known and the nearest ones.
    """
    path = data_info_root() / f'{name}.json'
    if not path.is_file() or not _holds_facts(path):
        raise KeyError(
            f'no facts of dataset {name!r}. {suggest(name, data_info_names())}'
        )
    facts = json.loads(path.read_text(encoding='utf-8'))
    splits = {
        split: {key: SequenceInfo(**value) for key, value in sequences.items()}
        for split, sequences in facts.pop('splits').items()
    }
    counts = {
        split: SplitCounts(**value) for split, value in facts.pop('counts', {}).items()
    }
    roots, tree = tuple(facts.pop('roots')), tuple(facts.pop('tree'))
    facts['classes'] = tuple(facts.pop('classes', ()))
    places = facts.pop('folders', {}).items()
    facts['folders'] = {split: tuple(spellings) for split, spellings in places}
    return DataInfo(roots=roots, tree=tree, splits=splits, counts=counts, **facts)


def find_root(info: DataInfo, root: str | Path | None = None) -> Path:
    """The folder of a dataset: ``root``, or the first default root that exists.

    Default roots are looked for below the folder that ``DENSECORR_DATA`` names (it
    takes the place of ``data``), then from the working directory, then in the
    checkout. The one found is logged.

    Args:
        info: facts of the dataset.
        root: a folder that the user names; no other is tried.

    Raises:
        FileNotFoundError: nothing there; the message has the expected tree, where to
            get the data and the command that checks it.
    """
    if root is not None:
        return _check_root(info, Path(root).expanduser())
    places = list(dict.fromkeys(default_roots(info)))
    for place in places:
        if (place / info.marker).is_dir():
            print_log(f'{info.title} root: {place}', logger='current')
            return place
    tried = ', '.join(str(place) for place in places)
    raise FileNotFoundError(
        f'{info.title} was not found. Looked for a folder {info.marker} in: {tried}.\n'
        f'{info.instructions()}\n'
        f'Or name the folder: root=... in the config, or {_DATA_ENV}=FOLDER_OF_DATA.'
    )


def data_folders() -> list[Path]:
    """Folders that may hold ``davis`` and the others, first place first."""
    environment = os.environ.get(_DATA_ENV)
    if environment:
        return [Path(environment).expanduser(), Path('data')]
    return [Path('data'), Path(__file__).resolve().parents[2] / 'data']


def default_roots(info: DataInfo) -> list[Path]:
    """Where a dataset is looked for, first place first."""
    places = [Path(root).relative_to('data') for root in info.roots]
    return [folder / place for folder in data_folders() for place in places]


def _check_root(info: DataInfo, root: Path) -> Path:
    if (root / info.marker).is_dir():
        return root
    if not root.is_dir():
        problem = f'{info.title} root {str(root)!r} is not a folder.'
    else:
        inside = sorted(p.parent.name for p in root.glob(f'*/{info.marker}'))
        hint = f' Did you mean {str(root / inside[0])!r}?' if inside else ''
        problem = f'{info.title} root {str(root)!r} has no folder {info.marker}.{hint}'
    raise FileNotFoundError(f'{problem}\n{info.instructions()}\n{found_tree(root)}')
