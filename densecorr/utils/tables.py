"""Tables as text: aligned columns for the screen, csv for files."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

_PERCENT = 100


def format_table(rows: Iterable[Mapping[str, Any]], columns: Sequence[str]) -> str:
    """Align rows under a header; fractions (floats) are shown as percent.

    Args:
        rows: cells by column name; a cell that is missing, None or NaN stays a dash.
        columns: names in the order to show.

    Returns:
        one line per row below the header and a rule, without a line end.
    """
    table = [dict(row) for row in rows]
    unknown = {name for row in table for name in row} - set(columns)
    if unknown:
        raise ValueError(
            f'rows have cells {sorted(unknown)}, columns are {list(columns)}. '
            'Name every column, or leave the cells out.'
        )
    texts = [[_cell(row.get(name)) for name in columns] for row in table]
    right = [
        bool(table) and not any(isinstance(row.get(name), str) for row in table)
        for name in columns
    ]
    widths = [max(map(len, cells)) for cells in zip(columns, *texts, strict=True)]
    rule = ['-' * width for width in widths]
    lines = [
        '  '.join(
            cell.rjust(width) if to_right else cell.ljust(width)
            for cell, width, to_right in zip(cells, widths, right, strict=True)
        ).rstrip()
        for cells in (list(columns), rule, *texts)
    ]
    return '\n'.join(lines)


def format_csv(
    rows: Iterable[Sequence[Any]], columns: Sequence[str], decimals: int
) -> str:
    """Text of a csv file: floats with fixed decimals, NaN and None empty.

    Cells are quoted where they need it and lines end with a line feed, as pandas
    writes them.
    """
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator='\n')
    writer.writerow(columns)
    for row in rows:
        if len(row) != len(columns):
            raise ValueError(
                f'row {list(row)} has {len(row)} cells for {len(columns)} columns.'
            )
        writer.writerow([_fixed(cell, decimals) for cell in row])
    return buffer.getvalue()


def format_markdown(rows: Iterable[Sequence[str]], columns: Sequence[str]) -> str:
    """A table of a docs page, without a line end; bars in cells are escaped.

    Raises:
        ValueError: a row has not a cell for each column.
    """
    lines = [columns, ['---'] * len(columns)]
    for row in rows:
        if len(row) != len(columns):
            raise ValueError(
                f'row {list(row)} has {len(row)} cells for {len(columns)} columns.'
            )
        lines.append([cell.replace('|', r'\|') for cell in row])
    return '\n'.join(f'| {" | ".join(cells)} |'.replace('  ', ' ') for cells in lines)


def _is_missing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))


def _cell(value: Any) -> str:
    if _is_missing(value):
        return '-'
    return f'{_PERCENT * value:.1f}' if isinstance(value, float) else str(value)


def _fixed(value: Any, decimals: int) -> Any:
    if _is_missing(value):
        return ''
    return f'{value:.{decimals}f}' if isinstance(value, float) else value
