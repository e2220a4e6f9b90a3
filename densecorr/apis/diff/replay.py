"""Evaluations between two results, one factor changed at a time."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmengine.logging import print_log

from densecorr.apis.diff.bench import Bench
from densecorr.apis.diff.compare import Diff
from densecorr.apis.diff.shares import Share, State, shares_of, states_of
from densecorr.apis.diff.sides import Mixer, Side, open_side
from densecorr.apis.diff.ties import grouped
from densecorr.apis.report.measures import main_measure
from densecorr.engine.fingerprint import digest
from densecorr.registry import DATASETS
from densecorr.utils.files import make_folder, write_atomic

SCHEMA = 1
FILE = 'replay.json'
ORDER = (
    'weights',
    'frames',
    'size rule',
    'image reader',
    'features',
    'protocol',
    'decode',
    'measure',
)
_DIGITS = 12  # of the hash that names a folder


@dataclass(frozen=True)
class Replay:
    """What a replay found.

    Attributes:
        path: of its folder.
        measure: name of the score.
        recorded: scores of A and B in their files.
        replayed: scores of A and B as they were computed here and now.
        shares: of every factor, in the order in which they change.
        not_replayed: factors that differ and cannot be changed, as versions.
    """

    path: Path
    measure: str
    recorded: tuple[float, float]
    replayed: tuple[float, float]
    shares: Sequence[Share]
    not_replayed: Sequence[str]


def replay(
    diff: Diff,
    out: str | Path | None = None,
    *,
    data: str | None = None,
    checkpoints: Sequence[str] | None = None,
    allow_unsafe: bool = False,
    device: str | None = None,
    threads: int | None = None,
) -> Replay:
    """Evaluate A, B and what lies between them, changing one factor at a time.

    Every state has a folder ``<out>/states/<hash>`` with records and tables, and
    ``<out>/replay.json`` is written after each: a replay that was stopped goes on where
    it was.

    Args:
        diff: of two runs of ``tools/test.py`` whose folders are whole.
        out: folder; default ``work_dirs/diff/<hash of both>``.
        data: root of the dataset, where it is not that of the runs.
        checkpoints: of A and of B, where they are not where ``run.json`` says.
        allow_unsafe: unpickle whatever the checkpoints hold, which may run code.
        device: ``'cpu'`` or ``'cuda'``; CUDA where there is one.
        threads: compute threads.

    Raises:
        FileNotFoundError: config, weights or data of a run are not there.
        ValueError: a run cannot be set up again as it was; no factor can be changed.
        VideoError: a video cannot be evaluated; finished states are kept.
    """
    where = checkpoints or (None, None)
    pairs = zip('AB', (diff.first, diff.second), where, strict=True)
    first, second = (open_side(name, r, data, c) for name, r, c in pairs)
    factors = [f for kind in ORDER for f in diff.factors if _kind(f) == kind]
    left_out = [f for f in diff.factors if f not in factors]
    if not factors:
        raise ValueError(
            f'there is nothing to replay: the factors that differ are {diff.factors}, '
            f'those that can be changed are {list(ORDER)}.'
        )
    measure = _measure(diff)
    folder = Path(out) if out else _default_out(diff)
    make_folder(folder)
    mixer = Mixer(first, second, {})
    names = list(grouped(factors, mixer, _sizes(first, second, factors), allow_unsafe))
    states = states_of(names)
    print_log(f'{len(states)} evaluations: {", ".join(names)}', logger='current')
    bench = Bench(mixer, folder, device, threads, allow_unsafe)
    scores: dict[State, float] = {}
    for number, state in enumerate(states, 1):
        title = f'{number} of {len(states)}: {_in_words(state, names)}'
        end = dict(zip(states, (first, second), strict=False)).get(state)
        content = bench.evaluate(state, title, end)
        scores[state] = float(content['metrics'][measure])
        print_log(f'{title}: {measure} {100 * scores[state]:.1f}', logger='current')
        _write(folder, diff, measure, names, scores, bench)
    recorded = (diff.first.metrics[measure], diff.second.metrics[measure])
    replayed = (scores[states[0]], scores[states[1]])
    shares = shares_of(names, scores.__getitem__)
    return Replay(folder, measure, recorded, replayed, shares, left_out)


def _measure(diff: Diff) -> str:
    """The score whose difference is told."""
    measures = [main_measure(r.metrics) for r in (diff.first, diff.second)]
    name = measures[0]
    if name is None or name != measures[1]:
        raise ValueError(
            f'{diff.first.path} and {diff.second.path} have no score in common: their '
            f'main measures are {measures[0]} and {measures[1]}.'
        )
    return name


def _kind(factor: str) -> str:
    """Kind of a factor of :class:`Diff`."""
    whole = ('protocol name', 'protocol revision')
    if factor.startswith('protocol ') and factor not in whole:
        return 'protocol'
    return factor


def _default_out(diff: Diff) -> Path:
    """A folder of the two results alone."""
    contents = [dict(r.content) for r in (diff.first, diff.second)]
    return Path('work_dirs') / 'diff' / digest(contents)[:_DIGITS]


def _sizes(first: Side, second: Side, factors: Sequence[str]) -> list[tuple[int, int]]:
    """(H, W) of the videos, where a size rule may not fit the other network."""
    if not {'size rule', 'features'} <= set(factors):
        return []
    found = set()
    for side in (first, second):
        dataset: Any = DATASETS.build(side.cfg.test_dataset)
        found |= {dataset[index].size for index in range(len(dataset))}
    return sorted(found)


def _in_words(state: State, names: Sequence[str]) -> str:
    """A state: its factors are the first ones or the last ones of all."""
    changed = [name for name in names if name in state]
    if not changed:
        return 'A'
    if len(changed) == len(names):
        return 'B'
    ends = changed if len(changed) == 1 else [changed[0], changed[-1]]
    return f'A with {" to ".join(ends)} of B'


def _write(
    folder: Path,
    diff: Diff,
    measure: str,
    names: Sequence[str],
    scores: Mapping[State, float],
    bench: Bench,
) -> None:
    """``replay.json``: the states so far, and the shares when all are there."""
    states = [
        dict(
            changed=[name for name in names if name in state],
            score=score,
            folder=bench.folder_of(state).relative_to(folder).as_posix(),
        )
        for state, score in scores.items()
    ]
    content = dict(
        schema=SCHEMA, measure=measure, factors=list(names), states=states, shares=None
    )
    if len(states) == len(states_of(names)):
        shares = shares_of(names, scores.__getitem__)
        content['shares'] = [share._asdict() for share in shares]
    write_atomic(folder / FILE, json.dumps(content, indent=2) + '\n')
