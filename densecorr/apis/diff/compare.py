"""Which factors of two results differ, and which are equal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from densecorr.apis.diff.factors import (
    KINDS,
    Fields,
    Result,
    check_comparable,
    read_result,
)

_ABSENT = '(absent)'
_BY_VIDEOS = ('max_frames',)  # settings whose effect the videos show


class Difference(NamedTuple):
    """One field in which two results differ.

    Attributes:
        kind: of ``KINDS``.
        field: dotted name within it.
        first: value of the first result.
        second: value of the second one.
    """

    kind: str
    field: str
    first: Any
    second: Any

    @property
    def factor(self) -> str:
        """What changes as one: a field of the protocol, else the kind."""
        return f'protocol {self.field}' if self.kind == 'protocol' else self.kind


@dataclass(frozen=True)
class Diff:
    """Two results side by side.

    Attributes:
        first: the result that one comes from.
        second: the result that one goes to.
        differences: every field that differs, in the order of ``KINDS``.
        equal: kinds without a difference.
        unknown: kinds that one of them does not record.
    """

    first: Result
    second: Result
    differences: Sequence[Difference]
    equal: Sequence[str]
    unknown: Sequence[str]

    @property
    def factors(self) -> list[str]:
        """Names of the factors that differ, each once."""
        return list(dict.fromkeys(d.factor for d in self.differences))


def diff_results(first: str | Path, second: str | Path) -> Diff:
    """Compare two evaluations by what their files say.

    Args:
        first: a ``metrics.json``, or the results folder that holds it.
        second: likewise.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: a file is no ``metrics.json``, is of another schema version, or
            the two are of other tasks or datasets.
    """
    return diff_of(read_result(first), read_result(second))


def diff_of(first: Result, second: Result) -> Diff:
    """:func:`diff_results` of results that were read.

    Raises:
        ValueError: they are of other tasks or datasets.
    """
    check_comparable(first, second)
    differences, equal, unknown = list[Difference](), list[str](), list[str]()
    names = [(r.factors['protocol name'] or {}).get('name') for r in (first, second)]
    for kind in KINDS:
        ours, theirs = first.factors[kind], second.factors[kind]
        if kind == 'frames':
            found, known = _frames(first, second)
        elif ours is None or theirs is None:
            found, known = [], False
        elif kind == 'protocol revision' and names[0] != names[1]:
            continue  # revisions count within one protocol
        else:
            found, known = _fields(kind, ours, theirs), True
        differences += found
        if not known:
            unknown.append(kind)
        if known and not found:
            equal.append(kind)
    return Diff(first, second, differences, equal, unknown)


def _fields(kind: str, first: Fields, second: Fields) -> list[Difference]:
    """Fields that differ, in the order of the first."""
    found = []
    for field in dict.fromkeys([*first, *second]):
        ours, theirs = first.get(field, _ABSENT), second.get(field, _ABSENT)
        if ours != theirs or isinstance(ours, bool) != isinstance(theirs, bool):
            found.append(Difference(kind, field, ours, theirs))
    return found


def _frames(first: Result, second: Result) -> tuple[list[Difference], bool]:
    """Differences of the videos, and whether both sides are known."""
    settings = [dict(r.factors['frames'] or {}) for r in (first, second)]
    both = all(r.factors['frames'] is not None for r in (first, second))
    known = first.videos is not None and second.videos is not None
    if first.videos is not None and second.videos is not None:
        found = _videos(first.videos, second.videos)
    else:
        counts = [
            {key: r.content.get(key) for key in ('num_videos', 'num_frames')}
            for r in (first, second)
        ]
        found = _fields('frames', *counts)
    ours, theirs = settings if both else ({}, {})
    changed = _fields('frames', ours, theirs)
    shown = known and not found  # then such settings have no effect
    kept = [d for d in changed if not (shown and d.field in _BY_VIDEOS)]
    return kept + found, known or bool(found)


def _videos(
    first: Mapping[str, Fields], second: Mapping[str, Fields]
) -> list[Difference]:
    """Videos that one lacks, and those of other frames, labels or bytes."""
    found = []
    if set(first) != set(second):
        only = [sorted(set(a) - set(b)) for a, b in ((first, second), (second, first))]
        found.append(Difference('frames', 'videos of one alone', *only))
    for name in sorted(set(first) & set(second)):
        different = _fields('frames', first[name], second[name])
        if len(different) > 1:  # other numbers of frames have other bytes, of course
            different = [d for d in different if d.field != 'inputs']
        found += [d._replace(field=f'{d.field} of {name}') for d in different]
    return found
