"""The part of a page about clusters, probes and retrieval: pictures and confusions."""

from __future__ import annotations

import base64
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from densecorr.apis.report.numbers import percent
from densecorr.apis.report.segment_files import Segments
from densecorr.utils.segment_colors import class_label, segment_palette
from densecorr.utils.video_writer import VideoWriter
from densecorr.visualization.overlay import jpeg_uri
from densecorr.visualization.panels import Panel, join_panels, panel_size

FPS = 2.0  # of a GIF: frames are seconds apart
_COLUMNS = 3  # panels of a row
_SHOWN = 6  # best and worst images of a view
_RANKED = 4  # views whose best and worst images are shown
_CLIPS = 60  # with more, those with the best and the worst scores have pictures
_CLASSES = 24  # rows of a confusion matrix, those with the most pixels
_BLANK = 0.005  # shares below it are not written
_MARKUP = 700  # bytes of the page around a picture, at most


@dataclass(frozen=True)
class Size:
    """How large the pictures of a clip are.

    Attributes:
        width: of a panel in pixels.
        frames: of a GIF, at most.
        quality: of a JPEG.
    """

    width: int
    frames: int
    quality: int


LADDER = (
    Size(220, 32, 82),
    Size(200, 16, 78),
    Size(160, 8, 75),
    Size(130, 6, 70),
    Size(110, 4, 60),
    Size(90, 2, 50),
)


def segment_parts(found: Segments, limit: int) -> dict[str, Any]:
    """What the template shows.

    Args:
        found: files of the run.
        limit: bytes for all pictures.

    Returns:
        ``confusions``, ``ranked``, ``clips``, ``table`` (of clips, by view),
        ``legend``, ``hidden`` (number of clips without pictures), ``clustered``
        (whether the classes are those of clusters) and ``missing``, sentences.
    """
    names = [clip for clip, images in found.clips.items() if len(images) > 1]
    ranked = ranked_views(found)
    shown = _extremes(found)
    share = limit // (1 + bool(shown)) if ranked else limit
    ranked_parts = _ranked(found, ranked, share)
    left = limit - sum(_bytes(group['pictures']) for group in ranked_parts)
    clips = list(_clips(found, shown, left))
    return dict(
        confusions=[confusion_table(found, view) for view in found.confusions],
        ranked=ranked_parts,
        clips=clips,
        table=_clip_table(found, names),
        legend=_legend(found),
        hidden=len(names) - len(clips),
        clustered=(found.out / 'clusters.csv').is_file(),
        missing=_missing(found),
    )


def confusion_table(found: Segments, view: str) -> dict[str, Any]:
    """Shares of the pixels of every annotated class, by predicted class.

    Returns:
        ``view``, ``columns``, ``rows`` of ``name``, ``pixels`` and ``cells`` with
        ``text`` (percent) and ``share``, and ``left_out``, a number of classes.
    """
    pixels: dict[int, int] = {}
    counts: dict[tuple[int, int], int] = {}
    for target, pred, number in found.confusions[view]:
        pixels[target] = pixels.get(target, 0) + number
        counts[target, pred] = counts.get((target, pred), 0) + number
    rows = sorted(sorted(pixels, key=lambda c: (-pixels[c], c))[:_CLASSES])
    seen = {pred for target, pred in counts if target in rows}
    columns = sorted(seen & set(rows)) + sorted(seen - set(rows))[:_CLASSES]
    return dict(
        view=view,
        columns=[found.class_name(number) for number in columns],
        rows=[
            dict(
                name=found.class_name(target),
                pixels=pixels[target],
                cells=[_cell(counts, pixels, target, pred) for pred in columns],
            )
            for target in rows
        ],
        left_out=len(pixels) - len(rows),
    )


def ranked_views(found: Segments) -> list[str]:
    """Views whose best and worst images are shown: those that not all clips show."""
    shown = [set(clip_views(found, clip)) for clip in clips_with_maps(found)]
    in_clips = set.intersection(*shown) if shown else set()
    others = [view for view in found.scores if view not in in_clips]
    return (others or list(found.scores)[:1])[:_RANKED]


def clip_views(found: Segments, clip: str) -> list[str]:
    """Views of which a clip has maps of all its images that have any."""
    images = found.clips[clip]
    counts = {v: sum(found.has_map(v, image) for image in images) for v in found.views}
    most = max(counts.values(), default=0)
    return [view for view, count in counts.items() if count == most > 1]


def clips_with_maps(found: Segments) -> list[str]:
    """Clips of several images of which maps were kept."""
    clips = [clip for clip, images in found.clips.items() if len(images) > 1]
    return [clip for clip in clips if clip_views(found, clip)]


def clip_frames(
    found: Segments, clip: str, width: int = LADDER[0].width, number: int | None = None
) -> Iterator[tuple[str, np.ndarray]]:
    """Images of a clip side by side with labels and maps, by the end of their names.

    Args:
        found: files of the run.
        clip: its name.
        width: of a panel in pixels.
        number: of frames, at most, evenly spaced; None: all that have maps.
    """
    views = clip_views(found, clip)
    images = found.clips[clip]
    kept = [i for i in images if any(found.has_map(view, i) for view in views)]
    number = min(number or len(kept), len(kept))
    places = np.linspace(0, len(kept) - 1, number).round().astype(int).tolist()
    size = None
    for image in (kept[place] for place in dict.fromkeys(places)):
        panels = found.panels(image, views)
        size = size or _size(panels, width)
        yield image.rsplit('/', 1)[-1], join_panels(panels, size, _COLUMNS)


def _cell(
    counts: Mapping[tuple[int, int], int],
    pixels: Mapping[int, int],
    target: int,
    pred: int,
) -> dict[str, Any]:
    share = counts.get((target, pred), 0) / pixels[target] if pixels[target] else 0.0
    text = f'{100 * share:.0f}' if share >= _BLANK else ''
    return dict(text=text, share=round(share, 3), right=target == pred)


def _extremes(found: Segments) -> list[str]:
    """Clips with pictures, in their order; of many the best and the worst."""
    with_maps = clips_with_maps(found)
    if len(with_maps) <= _CLIPS:
        return with_maps
    view = clip_views(found, with_maps[0])[0]
    known = {clip: found.clip_score(view, clip) for clip in with_maps}
    order = sorted(with_maps, key=lambda clip: known[clip] or 0.0)
    kept = {*order[: _CLIPS // 2], *order[-_CLIPS // 2 :]}
    return [clip for clip in with_maps if clip in kept]


def _clips(
    found: Segments, clips: Sequence[str], limit: int
) -> Iterator[dict[str, Any]]:
    """A GIF of each clip, every one within a share of what is left of the bytes."""
    first = 0
    for place, clip in enumerate(clips):
        share = limit // (len(clips) - place)
        picture = None
        for step in range(first, len(LADDER)):
            picture, first = _gif(found, clip, LADDER[step]), step
            if picture is None or _bytes([picture]) <= share:
                break
        if picture is None or _bytes([picture]) > share:
            continue
        limit -= _bytes([picture])
        scores = [(v, found.clip_score(v, clip)) for v in clip_views(found, clip)]
        texts = [f'{view} {percent(s)}' for view, s in scores if s is not None]
        yield dict(picture, name=clip, scores=texts)


def _gif(found: Segments, clip: str, size: Size) -> dict[str, Any] | None:
    made = clip_frames(found, clip, size.width, size.frames)
    frames = [frame for _, frame in made]
    if not frames:
        return None
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / 'clip.gif'
        with VideoWriter(path, frames[0].shape[:2], FPS) as writer:
            for frame in frames:
                writer.write(frame)
        code = base64.b64encode(path.read_bytes()).decode('ascii')
    height, width = frames[0].shape[:2]
    return dict(image=f'data:image/gif;base64,{code}', height=height, width=width)


def _size(panels: Sequence[Panel], width: int) -> tuple[int, int]:
    shown = next((p.image for p in panels if p.image is not None), None)
    shape = (3, 4) if shown is None else (shown.shape[0], shown.shape[1])
    return panel_size(shape, width)


def _ranked(found: Segments, views: Sequence[str], limit: int) -> list[dict[str, Any]]:
    """Best and worst images of some views, as large as the bytes allow."""
    for size in LADDER:
        groups: list[dict[str, Any]] = [
            dict(
                view=view,
                title=title,
                pictures=[_still(found, view, i, size) for i in images],
            )
            for view in views
            for title, images in _best_and_worst(found, view)
        ]
        if sum(_bytes(group['pictures']) for group in groups) <= limit:
            return groups
    return []


def _best_and_worst(found: Segments, view: str) -> list[tuple[str, list[str]]]:
    """Images with maps, each once: the worst first, then the best first."""
    scores = found.scores[view]
    kept = sorted(
        (image for image in scores if found.has_map(view, image)),
        key=lambda image: (scores[image], image),
    )
    worst = kept[: min(_SHOWN, (len(kept) + 1) // 2)]
    best = kept[len(worst) :][-_SHOWN:][::-1]
    return [(title, p) for title, p in (('Worst', worst), ('Best', best)) if p]


def _still(found: Segments, view: str, image: str, size: Size) -> dict[str, Any]:
    panels = found.panels(image, [view])
    joined = join_panels(panels, _size(panels, size.width), _COLUMNS)
    return dict(
        name=image,
        score=percent(found.scores[view][image]),
        image=jpeg_uri(joined, size.quality),
        height=joined.shape[0],
        width=joined.shape[1],
    )


def _clip_table(found: Segments, clips: Sequence[str]) -> dict[str, Any]:
    columns = [view for view in found.scores if found.scores[view]]
    rows = [
        [clip, *(percent(found.clip_score(view, clip)) for view in columns)]
        for clip in clips
    ]
    return dict(columns=['clip', *columns], rows=rows)


def _legend(found: Segments) -> list[dict[str, str]]:
    """Names and colours of the classes that are annotated or predicted."""
    pairs = [row for rows in found.confusions.values() for row in rows]
    classes = {number for target, pred, _ in pairs for number in (target, pred)}
    colors = segment_palette()
    return [
        dict(
            name=found.class_name(number),
            color='#' + bytes(colors[int(class_label(np.array(number)))]).hex(),
        )
        for number in sorted(classes)
    ]


def _missing(found: Segments) -> list[str]:
    """Sentences about what the page lacks."""
    sentences = []
    known = [image for images in found.clips.values() for image in images]
    if not any(found.has_map(v, image) for v in found.views for image in known):
        sentences.append(
            'No label maps were kept. Run the evaluation into a new --out with '
            '--cfg-options new:test_evaluator.0.pictures=6'
        )
    if not found.images:
        sentences.append(
            'No images and no labels: the dataset was not found when this page was '
            'made. Make it again with: python tools/report.py RESULTS --data ROOT'
        )
    return sentences


def _bytes(pictures: Sequence[Mapping[str, Any]]) -> int:
    return sum(_MARKUP + len(picture['image']) for picture in pictures)
