"""A page about one evaluation, with pictures, in one file."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment

from densecorr.structures import VideoSample
from densecorr.utils.files import write_atomic
from densecorr.utils.images import read_label_map
from densecorr.utils.tables import format_table
from densecorr.visualization.overlay import jpeg_uri, overlay, shrink

_WIDTH = 400  # pixels of a picture
_PICTURES = 3  # first, middle and last frame
_PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>{{ title }}</title><style>
body { font: 15px/1.5 system-ui, sans-serif; margin: 2em auto; max-width: 66em }
table { border-collapse: collapse; margin: 1em 0 }
td, th { border-bottom: 1px solid #ccc; padding: .2em .8em; text-align: right }
td:first-child, th:first-child { text-align: left }
.note { background: #fff3cd; padding: .5em 1em }
figure { display: inline-block; margin: 0 .5em 1em 0 }
figcaption { color: #555; font-size: 85% }
</style></head><body>
<h1>{{ title }}</h1>
{% for note in notes %}<p class="note">{{ note }}</p>
{% endfor %}<table><tr><th>measure</th><th>percent</th></tr>
{% for name, value in metrics.items() %}<tr><td>{{ name }}</td><td>{{ percent(value) }}</td></tr>
{% endfor %}</table>
<p>{{ facts }}</p>
{% if rows %}<h2>Videos</h2>
<table><tr>{% for name in columns %}<th>{{ name }}</th>{% endfor %}</tr>
{% for row in rows %}<tr>{% for cell in row %}<td>{{ cell }}</td>{% endfor %}</tr>
{% endfor %}</table>
{% endif %}<h2>Pictures</h2>
{% for video in videos %}<h3>{{ video.name }}</h3>
{% for picture in video.pictures %}<figure><img src="{{ picture.uri }}" alt="{{ video.name }}, frame {{ picture.frame }}"><figcaption>frame {{ picture.frame }}</figcaption></figure>
{% else %}<p>The results of this video are not in this folder.</p>
{% endfor %}{% endfor %}</body></html>
"""  # noqa: E501


def write_report(out_dir: str | Path, content: Mapping[str, Any], dataset: Any) -> Path:
    """Write ``report.html`` from the files of a finished evaluation.

    Equal results give equal bytes: no time, host or path is on the page.

    Args:
        out_dir: the results folder.
        content: what ``metrics.json`` says.
        dataset: of :class:`VideoSample`, for the images below the overlays.

    Returns:
        the path of the page.
    """
    out_dir = Path(out_dir)
    columns, rows = _read_table(out_dir / 'per_video.csv')
    videos = [dataset[i] for i in range(len(dataset))]
    page = Environment(autoescape=True).from_string(_PAGE)
    text = page.render(
        title=f'{content["config"]} on {content["dataset"].get("name", "")}',
        notes=notes_of(content),
        metrics=content['metrics'],
        percent=percent,
        facts=_facts(content),
        columns=columns,
        rows=rows,
        videos=[
            dict(name=v.name, pictures=list(_pictures(out_dir, v))) for v in videos
        ],
    )
    write_atomic(out_dir / 'report.html', text)
    return out_dir / 'report.html'


def notes_of(content: Mapping[str, Any]) -> list[str]:
    """What a reader of the numbers must know: a part of a split, another stride."""
    places = (content['dataset'], content['protocol'])
    return [place['note'] for place in places if place.get('note')]


def percent(value: float | None) -> str:
    """A fraction as percent with one digit; ``-`` where it is not known."""
    return '-' if value is None else f'{100 * value:.1f}'


def _facts(content: Mapping[str, Any]) -> str:
    protocol = content['protocol']
    return (
        f'{content["num_videos"]} videos, {content["num_frames"]} frames; protocol '
        f'{protocol["name"]} revision {protocol["revision"]}, stride '
        f'{protocol["stride"]}.'
    )


def _read_table(path: Path) -> tuple[list[str], list[list[str]]]:
    """Header and rows of a table of fractions, shown in percent."""
    if not path.is_file():
        return [], []
    header, *rows = csv.reader(io.StringIO(path.read_text(encoding='utf-8')))
    return header, [[_show(cell) for cell in row] for row in rows]


def _show(cell: str) -> str:
    """A cell as it stands, or in percent where it is a fraction."""
    try:
        return percent(float(cell)) if '.' in cell else cell
    except ValueError:
        return cell


def _pictures(out_dir: Path, video: VideoSample) -> list[dict[str, str]]:
    """Overlays of a few frames whose results lie in the folder."""
    chosen = np.linspace(0, video.num_frames - 1, _PICTURES).round().astype(int)
    pictures = []
    for index in dict.fromkeys(int(i) for i in chosen):
        name = video.frame_names[index]
        path = out_dir / 'predictions' / video.name / f'{name}.png'
        if path.is_file():
            label_map, palette = read_label_map(path)
            drawn = overlay(video.read_frame(index), label_map, palette)
            uri = jpeg_uri(shrink(drawn, _WIDTH))
            pictures.append(dict(frame=name, uri=uri))
    return pictures


def format_result(content: Mapping[str, Any]) -> str:
    """The numbers of an evaluation as a table for the screen, with its notes."""
    metrics = content['metrics']
    row = {'task': content['task'], 'protocol': content['protocol']['name'], **metrics}
    lines = [format_table([row], list(row)), *notes_of(content)]
    return '\n'.join([*lines, f'results: {content["out"]}'])
