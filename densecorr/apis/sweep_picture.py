"""A sweep as heat maps: two options inside a panel, the others across panels."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from densecorr.apis.sweep_settings import OPTIONS, Swept

_INNER = ('temperature', 'topk', 'radius', 'context')  # x first, then y
_CELL = (0.62, 0.36)  # inches
_MARGIN = (1.1, 0.75)  # of a panel, for its labels
_TOP = 0.7  # of the page, for its title
_DPI = 110
_MOST = 12_000  # pixels of a side; larger pages are drawn coarser
_PERCENT = 100
_LIGHT = 0.6  # of the colour range: darker cells get white numbers
_SIMILAR = '\N{ALMOST EQUAL TO}'


def heat_map(
    swept: Swept,
    scores: Sequence[float | None],
    title: str,
    best: int | None = None,
    similar: Sequence[int] = (),
) -> bytes:
    """A PNG with a cell for every setting; equal arguments give equal bytes.

    Args:
        swept: the settings.
        scores: of each, a fraction; None where there is none.
        title: above the picture.
        best: the setting to outline.
        similar: settings whose numbers get a sign: noise cannot tell them from it.
    """
    axes = [name for name in _INNER if len(swept.values[name]) > 1]
    axes += [name for name in _INNER if name not in axes]
    across, down, right, below = axes  # inside a panel, then across panels
    values = swept.values
    panels = [[right, value] for value in values[right]]
    rows = [[below, value] for value in values[below]]
    size = (
        len(panels) * (_MARGIN[0] + _CELL[0] * len(values[across])),
        _TOP + len(rows) * (_MARGIN[1] + _CELL[1] * len(values[down])),
    )
    figure = Figure(figsize=size, layout='constrained')
    FigureCanvasAgg(figure)
    grid = figure.subplots(len(rows), len(panels), squeeze=False)
    known = [score for score in scores if score is not None]
    low, high = (min(known), max(known)) if known else (0.0, 1.0)
    marks = dict.fromkeys(similar, _SIMILAR)
    for (_, lower), line in zip(rows, grid, strict=True):
        for (_, righter), panel in zip(panels, line, strict=True):
            fixed = {right: righter, below: lower}
            numbers = _numbers(swept, across, down, fixed)
            _draw(panel, numbers, scores, (low, high), best, marks)
            panel.set_xticks(range(len(values[across])), map(str, values[across]))
            panel.set_yticks(range(len(values[down])), map(str, values[down]))
            panel.set_xlabel(across)
            panel.set_ylabel(down)
            panel.set_title(_panel_title(fixed, swept), fontsize=9)
    single = [f'{name} {values[name][0]}' for name in OPTIONS if len(values[name]) == 1]
    figure.suptitle('\n'.join([title, *([', '.join(single)] if single else [])]))
    buffer = io.BytesIO()
    dpi = min(_DPI, _MOST / max(size))
    figure.savefig(buffer, format='png', dpi=dpi, metadata=dict(Software=None))
    return buffer.getvalue()


def _numbers(
    swept: Swept, across: str, down: str, fixed: Mapping[str, Any]
) -> np.ndarray:
    """``(down, across)`` numbers of the settings of a panel."""
    places = {tuple(row.items()): number for number, row in enumerate(swept.rows)}
    return np.array(
        [
            [
                places[
                    tuple(
                        {name: {**fixed, across: x, down: y}[name] for name in OPTIONS}
                        .items()
                    )
                ]
                for x in swept.values[across]
            ]
            for y in swept.values[down]
        ]
    )  # fmt: skip


def _draw(
    panel: Any,
    numbers: np.ndarray,
    scores: Sequence[float | None],
    limits: tuple[float, float],
    best: int | None,
    marks: Mapping[int, str],
) -> None:
    """One panel: coloured cells, their numbers in percent, the best outlined."""
    cells = np.array(
        [[np.nan if scores[i] is None else scores[i] for i in row] for row in numbers],
        np.float64,
    )
    panel.imshow(cells, vmin=limits[0], vmax=limits[1], cmap='viridis', aspect='auto')
    threshold = limits[0] + _LIGHT * (limits[1] - limits[0])
    for (row, column), number in np.ndenumerate(numbers):
        score = cells[row, column]
        text = '-' if np.isnan(score) else f'{_PERCENT * score:.1f}'
        color = 'black' if score > threshold else 'white'
        text += marks.get(int(number), '')
        panel.text(column, row, text, ha='center', va='center', color=color, fontsize=8)
        if number == best:
            outline = Rectangle(
                (column - 0.5, row - 0.5), 1, 1, fill=False, edgecolor='red', lw=2.5
            )
            panel.add_patch(outline)


def _panel_title(fixed: Mapping[str, Any], swept: Swept) -> str:
    names = [name for name in fixed if len(swept.values[name]) > 1]
    return ', '.join(f'{name} {fixed[name]}' for name in names)
