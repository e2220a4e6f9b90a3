"""The tables of docs/zoo.md, made from the metafile."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from densecorr.apis.marked_page import replace_marked
from densecorr.apis.zoo import Entry, Result, Zoo, read_zoo
from densecorr.utils.files import write_atomic
from densecorr.utils.tables import format_markdown

_MARKED = '<!-- {name}: made from configs/metafile.yml -->'
_SHORT = {'J&F-Mean': 'J&F', 'J-Mean': 'J', 'F-Mean': 'F'}


def results_table(zoo: Zoo) -> str:
    """Published and re-measured numbers in percent, a row for a task and protocol."""
    rows = []
    for entry in zoo.entries:
        groups = groupby(entry.results, key=lambda r: (r.task, r.protocol))
        for (task, protocol), group in groups:
            results = list(group)
            rows.append(
                [
                    f'`{entry.name}`',
                    f'`{Path(entry.config).name}`',
                    entry.backbone,
                    task,
                    f'`{protocol}`',
                    _numbers(results, 'paper'),
                    _numbers(results, 'measured'),
                    _sources(results),
                ]
            )
    head = ['Entry', 'Config', 'Backbone', 'Task', 'Protocol', 'Published']
    return format_markdown(
        rows, [*head, 'Re-measured', 'Source of the number, options']
    )


def weights_table(zoo: Zoo) -> str:
    """Where the weights are, their checksums and licences."""
    rows = []
    for entry in zoo.entries:
        weights = entry.weights
        checksum = f'`{weights.checksum}`' if weights.checksum else ''
        source = f'`{weights.source}`'
        data = ', '.join(zoo.datasets[name]['title'] for name in entry.data)
        place = _place(entry)
        origin = '; '.join(filter(None, [weights.origin, entry.note]))
        name = f'`{entry.name}`'
        rows.append([name, place, source, checksum, weights.licence, data, origin])
    head = ['Entry', 'Weights', 'Format', 'Checksum', 'Licence', 'Trained on']
    return format_markdown(rows, [*head, 'Source of the address'])


def trainings_table(zoo: Zoo) -> str:
    """Configs to train with, a row each."""
    rows = []
    for training in zoo.trainings:
        results = training.results
        tasks = dict.fromkeys(f'{r.task}, `{r.protocol}`' for r in results)
        rows.append(
            [
                f'`{Path(training.config).name}`',
                f'[{training.method}]({training.address})',
                training.backbone,
                ', '.join(zoo.datasets[name]['title'] for name in training.data),
                f'{training.clips} clips, {training.length}',
                '; '.join(tasks),
                _numbers(results, 'paper'),
                _numbers(results, 'measured'),
                '; '.join(filter(None, [_sources(results), training.note])),
            ]
        )
    head = ['Config', 'Method', 'Backbone', 'Data', 'Batch, length', 'Task, protocol']
    return format_markdown(rows, [*head, 'Published', 'Trained here', 'Source, note'])


def data_table(zoo: Zoo) -> str:
    """Licences of the data that the weights were trained on."""
    rows = [[facts['title'], facts['licence']] for facts in zoo.datasets.values()]
    return format_markdown(rows, ['Training data', 'Licence'])


def update_page(path: str | Path, zoo: Zoo | None = None) -> str:
    """Put the tables of the metafile into the page; returns the new text.

    Raises:
        ValueError: the page lacks the marks of a table.
    """
    zoo = zoo or read_zoo()
    path = Path(path)
    text = path.read_text('utf-8')
    tables = dict(
        results=results_table(zoo),
        weights=weights_table(zoo),
        trainings=trainings_table(zoo),
        data=data_table(zoo),
    )
    for name, table in tables.items():
        mark = _MARKED.format(name=name)
        text = replace_marked(text, mark, table, path)
    write_atomic(path, text)
    return text


def _numbers(results: Sequence[Result], kind: str) -> str:
    """``'J&F 66.7, J 64.0, F 69.5'``; nothing where there is no number."""
    found = [(r.measure, getattr(r, kind)) for r in results]
    return ', '.join(
        f'{_SHORT.get(measure, measure)} {100 * score:.1f}'
        for measure, score in found
        if score is not None
    )


def _sources(results: Iterable[Result]) -> str:
    """Texts, then options, each once."""
    parts = []
    for result in results:
        options = _options(result.options)
        released = _options(result.released)
        parts += [
            result.origin,
            f'with {options}' if options else '',
            f'as the released script: {released}' if released else '',
        ]
    return '; '.join(dict.fromkeys(filter(None, parts)))


def _options(options: Mapping[str, Any]) -> str:
    return ' '.join(f'`{key}={_value(v)}`' for key, v in options.items())


def _value(value: Any) -> str:
    """As it is written after ``--cfg-options``: without spaces."""
    return str(value).replace(' ', '')


def _place(entry: Entry) -> str:
    weights = entry.weights
    if weights.address is not None:
        if weights.address.startswith('http'):
            return f'[download]({weights.address})'
        return f'`{weights.address}`'
    return f'[page]({weights.page})' if weights.page else 'none published'
