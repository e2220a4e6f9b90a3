"""A copy of DAVIS-2017 at 480 x 880, as CRW, SMTC and CatMAE scripts read it."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from densecorr.apis.list_request import find_place
from densecorr.apis.prepared_tree import Manifest, PreparedTree
from densecorr.datasets.davis import read_list
from densecorr.engine.progress import FrameProgress
from densecorr.propagation.labels import nearest_labels
from densecorr.utils.data_info import load_data_info, shortfall
from densecorr.utils.files import write_atomic
from densecorr.utils.images import encode_label_map, read_image, read_label_map
from densecorr.utils.list_files import check_fields
from densecorr.utils.video_source import list_frames

MANIFEST = 'davis480x880.json'
PAIRS = 'davis480x880_list.txt'  # image folder, annotation folder
SIZE = (480, 880)
_SPLIT = '2017/val'


@dataclass(frozen=True)
class _Source:
    """A file to resize: where it is, and its copy's path below the output folder."""

    path: Path
    copy: str
    is_image: bool


def prepare_davis480x880(
    root: str | Path, out: str | Path, *, png: bool = False, overwrite: bool = False
) -> dict[str, Any]:
    """Copy DAVIS-2017 val at 480 x 880 into another folder; never in place.

    Frames and label maps are resized by nearest neighbour, frames too, and frames are
    saved as JPEG of Pillow's default quality (75), as published. A stopped run goes
    on where it stopped. Beside the tree lies ``davis480x880_list.txt``: a line for
    each sequence with the absolute folders of its frames and its label maps.

    Args:
        root: folder of DAVIS.
        out: folder to write; new, or of such a run.
        png: save frames without loss; not as published.
        overwrite: replace what was written with other settings; only files that this
            function wrote are removed.

    Returns:
        ``out``, ``list`` (its path), ``status`` (``'written'``, ``'completed'`` or
        ``'nothing to do'``), ``written`` (number of files), ``sequences``,
        ``frames`` and ``note`` (how the copy differs from the whole split, or empty).

    Raises:
        FileNotFoundError: the root has no frames, label maps or list.
        ValueError: ``out`` is the root or inside it, has foreign content or other
            settings, its path has spaces, or a file of the root cannot be read.
        OSError: the folder cannot be written.

    Reference: Jiang et al., CatMAE; Jabri et al., NeurIPS 2020, arXiv:2006.14613. Their
        scripts resize the data set itself.
    """
    root, out = Path(root).expanduser(), Path(out).expanduser()
    check_apart(root, out)
    frames = find_place(root, ('JPEGImages/480p',))
    labels = find_place(root, ('Annotations/480p',))
    listed = read_list(find_place(root, ('ImageSets/2017/val.txt',)))
    names = [name for name in listed if (frames / name).is_dir()]
    if not names:
        raise FileNotFoundError(f'{frames} holds none of the sequences {listed}.')
    sources = [s for name in names for s in _sources(frames, labels, name, png)]
    pairs = ''.join(f'{line}\n' for line in _pairs(out.resolve(), names))
    tree = PreparedTree(out, MANIFEST)
    settings = dict(size=list(SIZE), split=_SPLIT, images='png' if png else 'jpeg')
    lists = {'ImageSets/2017/val.txt': ''.join(f'{n}\n' for n in names), PAIRS: pairs}
    plan = {source.copy for source in sources} | set(lists)
    found = tree.open(settings, plan, overwrite)
    manifest = found or Manifest(settings)
    manifest.files |= plan
    missing = tree.missing(plan) | _stale(out, lists)
    if missing:
        manifest.complete = False
        tree.write(manifest)
        _write(sources, out, missing, png)
        for path in set(lists) & missing:
            write_atomic(out / path, lists[path])
        manifest.complete = not tree.missing(manifest.files)
        tree.write(manifest)
    counts = {n: sum(s.is_image for s in sources if _name(s) == n) for n in names}
    status = 'completed' if found else 'written'
    return dict(
        out=str(out),
        list=str(out / PAIRS),
        status=status if missing else 'nothing to do',
        written=len(missing),
        sequences=len(names),
        frames=sum(counts.values()),
        note=_note(counts, len(sources) - sum(counts.values())),
    )


def check_apart(source: Path, out: Path) -> None:
    """Refuse to write into the folder that is read.

    Raises:
        ValueError: ``out`` is ``source`` or inside it.
    """
    if out.resolve().is_relative_to(source.resolve()):
        raise ValueError(
            f'{out} is {source} or inside it. The data set is not changed: give a '
            'folder outside it.'
        )


def _name(source: _Source) -> str:
    return source.copy.split('/')[-2]


def _note(counts: dict[str, int], num_labels: int) -> str:
    parts = shortfall(load_data_info('davis').sequences(_SPLIT), counts)
    if num_labels != sum(counts.values()):
        parts.append(f'{num_labels} of {sum(counts.values())} annotations')
    return f'{", ".join(parts)}: not DAVIS-2017 val' if parts else ''


def _sources(frames: Path, labels: Path, name: str, png: bool) -> Iterator[_Source]:
    suffix = 'png' if png else 'jpg'
    for path in list_frames(frames / name):
        copy = f'JPEGImages/480p/{name}/{path.stem}.{suffix}'
        yield _Source(path, copy, is_image=True)
    for path in list_frames(labels / name, ['.png']):
        copy = f'Annotations/480p/{name}/{path.stem}.png'
        yield _Source(path, copy, is_image=False)


def _pairs(out: Path, names: Sequence[str]) -> Iterator[str]:
    for name in names:
        folders = (out / 'JPEGImages/480p' / name, out / 'Annotations/480p' / name)
        yield check_fields(map(str, folders))


def _stale(out: Path, lists: dict[str, str]) -> set[str]:
    """Lists of another content: the folder was moved, or the root has more now."""
    return {
        path
        for path, content in lists.items()
        if (out / path).is_file() and (out / path).read_text('utf-8') != content
    }


def _write(sources: Sequence[_Source], out: Path, missing: set[str], png: bool) -> None:
    todo = [source for source in sources if source.copy in missing]
    with FrameProgress(len(todo), 'Resizing', unit='files') as progress:
        for source in todo:
            write_atomic(out / source.copy, _resized(source, png))
            progress.advance()


def _resized(source: _Source, png: bool) -> bytes:
    if not source.is_image:
        indices, palette = read_label_map(source.path)
        return encode_label_map(nearest_labels(indices, SIZE), palette)
    buffer = io.BytesIO()
    frame = read_image(source.path, 'pillow')
    image = Image.fromarray(nearest_labels(frame, SIZE))  # as published: frames too
    image.save(buffer, 'PNG' if png else 'JPEG')  # JPEG of default quality: 75
    return buffer.getvalue()
