"""How sure a mean over objects is, and the difference of two: noise from the videos."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from scipy.special import stdtrit

_DRAWS = 9999  # (draws + 1) * (1 - level) / 2 is whole for levels of two decimals
_FEW = 5  # with fewer videos a draw often repeats one video alone
_EPS = 1e-12  # relative rounding of sums of scores
_CELLS = 2_000_000  # numbers of an array of draws that are held at once
_FINITE = (-1e300, 1e300)  # a standard error of 0 times these is 0
_SHOWN = 5  # objects in a message


class Interval(NamedTuple):
    """A mean over objects and where that of other videos of the kind would lie.

    Attributes:
        mean: over all objects.
        low: lower end of the interval.
        high: upper end.
        level: share of such intervals that hold the true mean.
        num_videos: that were resampled.
        num_objects: in them.
        method: ``'bootstrap-t'``, or ``'student-t'`` below five videos.
    """

    mean: float
    low: float
    high: float
    level: float
    num_videos: int
    num_objects: int
    method: str


class PairedDifference(NamedTuple):
    """The mean difference of two results on the same objects.

    Attributes:
        difference: mean of the first minus mean of the second.
        low: lower end of its interval.
        high: upper end.
        p_value: share of the ways to name the two results, video by video, in which
            the difference would be as large as this one or larger.
        level: of the interval.
        num_videos: that were resampled.
        num_objects: in them.
        method: of the interval, as in :class:`Interval`.
    """

    difference: float
    low: float
    high: float
    p_value: float
    level: float
    num_videos: int
    num_objects: int
    method: str


def bootstrap_interval(
    scores: Sequence[float] | np.ndarray,
    groups: Sequence[str] | np.ndarray,
    level: float = 0.95,
    draws: int = _DRAWS,
    seed: int = 0,
    bounds: tuple[float, float] | None = (0.0, 1.0),
) -> Interval:
    r"""Confidence interval of the mean over objects, with videos as clusters.

    The mean of ``o`` objects in ``v`` videos is :math:`m = \sum_v s_v / \sum_v n_v`
    with the sum of scores and the number of objects of a video; its standard error is
    that of a ratio, :math:`e^2 = v / (v-1) \sum_v (s_v - m n_v)^2 / (\sum_v n_v)^2`.
    Videos are drawn with replacement, each with all its objects (they are no sample: a
    video has no others; drawing them as well would count the spread inside videos
    twice). Of every draw :math:`t^* = (m^* - m) / e^*` is kept, and the interval is
    ``[m - t*_high e, m - t*_low e]``, cut to ``bounds``.

    Percentiles of ``m*`` alone are too narrow. Measured with scores of a skewed
    distribution, 1500 sets each, 95 % intervals held the true mean in (percent):

    ======  ==========  ====  =========  ===========
    videos  percentile  BCa   Student t  bootstrap-t
    ======  ==========  ====  =========  ===========
    5       74.7        75.7  82.8       91.7
    8       80.6        82.7  83.5       93.2
    30      91.1        92.8  91.3       95.3
    60      93.3        94.0  93.1       95.8
    ======  ==========  ====  =========  ===========

    Below five videos draws of one video alone make ``t*`` useless: there Student's t
    with ``v - 1`` degrees of freedom is used, and ``method`` says so.

    Args:
        scores: ``(o,)`` a score per object.
        groups: ``(o,)`` the video of each object.
        level: share of the intervals that should hold the true mean.
        draws: number of resampled sets.
        seed: of the draws; equal arguments give equal intervals.
        bounds: smallest and largest possible score; None where there are none.

    Raises:
        ValueError: fewer than two videos; scores that are NaN, not one per group or
            out of bounds; ``level`` or ``draws`` out of range.

    Reference: Davison and Hinkley, Bootstrap Methods and their Application, 1997,
        Sec. 3.8 (whole clusters) and 5.2 (bootstrap-t); Field and Welsh, JRSS B 69,
        2007; Cochran, Sampling Techniques, 1977, Sec. 6.4 (error of a ratio).
    """
    scores, groups = _checked(scores, groups)
    _check_options(level, draws)
    if bounds is not None:
        _check_bounds(scores, groups, bounds)
    totals, sizes = _per_video(scores, groups)
    mean, error = _ratio(totals, sizes)
    low, high = _factors(totals, sizes, level, draws, np.random.default_rng(seed))
    floor, ceiling = bounds or (-np.inf, np.inf)
    return Interval(
        mean=mean,
        low=max(mean - high * error, floor),
        high=min(mean - low * error, ceiling),
        level=level,
        num_videos=len(sizes),
        num_objects=len(scores),
        method='bootstrap-t' if len(sizes) >= _FEW else 'student-t',
    )


def paired_bootstrap(
    first: Sequence[float] | np.ndarray,
    second: Sequence[float] | np.ndarray,
    groups: Sequence[str] | np.ndarray,
    level: float = 0.95,
    draws: int = _DRAWS,
    seed: int = 0,
    bounds: tuple[float, float] | None = (0.0, 1.0),
) -> PairedDifference:
    """Difference of two results on the same objects: interval and test.

    The interval is :func:`bootstrap_interval` of the differences. The test exchanges
    the two results in whole videos, which changes nothing if they are equally good:
    ``p_value`` is the share of exchanges whose mean difference is as far from 0 as the
    one found. With few videos all ``2 ** v`` exchanges are counted and ``p_value`` is
    exact, at least ``2 ** (1 - v)``; else it is estimated from ``draws`` of them, the
    one found among them.

    Args:
        first: ``(o,)`` a score per object.
        second: ``(o,)`` those of the other result, in the same order.
        groups: ``(o,)`` the video of each object.
        level: of the interval.
        draws: number of resampled sets, and of exchanges.
        seed: of the draws.
        bounds: smallest and largest possible score; None where there are none.

    Raises:
        ValueError: the two have different lengths; or as in
            :func:`bootstrap_interval`.

    Reference: Fisher, The Design of Experiments, 1935, Sec. 21; Phipson and Smyth,
        Stat. Appl. Genet. Mol. Biol. 9, 2010 (the one found counts).
    """
    first, groups = _checked(first, groups)
    second, _ = _checked(second, groups)
    if bounds is not None:
        for scores in (first, second):
            _check_bounds(scores, groups, bounds)
    widest = None if bounds is None else (bounds[0] - bounds[1], bounds[1] - bounds[0])
    found = bootstrap_interval(first - second, groups, level, draws, seed, widest)
    totals, _ = _per_video(first - second, groups)
    p_value = _exchange_test(totals, draws, np.random.default_rng([seed, 1]))
    return PairedDifference(found.mean, found.low, found.high, p_value, *found[3:])


def holm(p_values: Sequence[float]) -> list[float]:
    """P values of several tests, so that all of them together err as rarely as one.

    The smallest of ``k`` is multiplied by ``k``, the next one by ``k - 1`` and so on;
    none becomes smaller than one before it, none larger than 1.

    Reference: Holm, Scandinavian Journal of Statistics 6, 1979.
    """
    values = np.asarray(p_values, np.float64)
    order = np.argsort(values, kind='stable')
    raised = values[order] * np.arange(len(values), 0, -1)
    found = np.empty_like(values)
    found[order] = np.maximum.accumulate(raised).clip(max=1)
    return found.tolist()


def _per_video(scores: np.ndarray, groups: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """``(v,)`` sums of scores and ``(v,)`` numbers of objects."""
    _, place, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    return np.bincount(place, scores, len(sizes)), sizes.astype(np.float64)


def _ratio(totals: np.ndarray, sizes: np.ndarray) -> tuple[float, float]:
    """The mean over objects and its standard error."""
    videos, rest = len(sizes), _rest(totals, sizes)
    variance = videos / (videos - 1) * (rest @ rest) / sizes.sum() ** 2
    return float(totals.sum() / sizes.sum()), float(np.sqrt(variance))


def _rest(totals: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """``(v,)`` what a video adds to the deviation of the mean; rounding becomes 0."""
    rest = totals - totals.sum() / sizes.sum() * sizes
    return np.where(np.abs(rest) > _EPS * np.abs(totals).max(), rest, 0.0)


def _factors(
    totals: np.ndarray,
    sizes: np.ndarray,
    level: float,
    draws: int,
    rng: np.random.Generator,
) -> tuple[float, float]:
    """Quantiles of ``(m* - m) / e*`` at both ends; infinite where ``e*`` is 0."""
    tail = (1 - level) / 2
    if len(sizes) < _FEW:
        high = float(stdtrit(len(sizes) - 1, 1 - tail))
        return -high, high
    found = np.sort(np.concatenate(list(_studentised(totals, sizes, draws, rng))))
    place = min(max(round(tail * (draws + 1)), 1), draws)
    # no interpolation, which would make NaN of two infinite neighbours
    ends = np.clip(found[[place - 1, draws - place]], *_FINITE)
    return float(ends[0]), float(ends[1])


def _studentised(
    totals: np.ndarray, sizes: np.ndarray, draws: int, rng: np.random.Generator
) -> Iterator[np.ndarray]:
    """``t*`` of the draws, in parts."""
    videos = len(sizes)
    rest = _rest(totals, sizes)
    chance, scale = np.full(videos, 1 / videos), np.abs(rest).max()
    for part in _parts(draws, videos):
        times = rng.multinomial(videos, chance, size=part).astype(np.float64)
        drawn = times @ sizes  # (draws,)
        sums = times @ rest
        shift = sums / drawn  # m* - m
        squares = times @ rest**2 - 2 * shift * (times @ (rest * sizes))
        squares += shift**2 * (times @ sizes**2)
        spread = np.sqrt(videos / (videos - 1) * squares.clip(0))  # e* times drawn
        alone = np.where(np.abs(sums) > _EPS * scale, np.copysign(np.inf, sums), 0.0)
        with np.errstate(divide='ignore', invalid='ignore'):
            yield np.where(spread > _EPS**0.5 * scale, sums / spread, alone)


def _exchange_test(totals: np.ndarray, draws: int, rng: np.random.Generator) -> float:
    """Two-sided p value of exchanging the results in some of the videos.

    Args:
        totals: ``(v,)`` sum of the differences in each video.
        draws: of exchanges, where not all are counted.
        rng: of the draws.
    """
    videos = len(totals)
    limit = abs(totals.sum()) - _EPS * np.abs(totals).sum()
    if 2**videos <= draws + 1:
        numbers = np.arange(2 ** (videos - 1))[:, None]  # the last sign is +: symmetry
        signs = 1 - 2 * ((numbers >> np.arange(videos)) & 1)
        return float(np.mean(np.abs(signs @ totals) >= limit))
    hits = 1  # the exchange that was found
    for part in _parts(draws, videos):
        signs = 1 - 2 * rng.integers(0, 2, (part, videos))
        hits += int(np.count_nonzero(np.abs(signs @ totals) >= limit))
    return hits / (draws + 1)


def _parts(draws: int, videos: int) -> Iterator[int]:
    """Numbers of draws that are held at once."""
    step = max(1, _CELLS // videos)
    for start in range(0, draws, step):
        yield min(step, draws - start)


def _checked(
    scores: Sequence[float] | np.ndarray, groups: Sequence[str] | np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Scores and groups as arrays, or an error."""
    values, names = np.asarray(scores, np.float64), np.asarray(groups)
    if values.ndim != 1 or values.shape != names.shape:
        raise ValueError(
            f'scores are of shape {values.shape}, groups {names.shape}; give one score '
            'and the name of its video for every object.'
        )
    unknown = np.flatnonzero(~np.isfinite(values))
    if unknown.size:
        raise ValueError(
            f'{unknown.size} of {len(values)} scores are not finite, such as number '
            f'{unknown[:_SHOWN].tolist()} of {names[unknown[:_SHOWN]].tolist()}. Leave '
            'objects without a score out, in both results.'
        )
    videos = len(np.unique(names))
    if videos < 2:
        raise ValueError(
            f'the scores are of {videos} video{"s" if videos != 1 else ""}; the noise '
            'is that between videos, so at least 2 are needed.'
        )
    return values, names


def _check_bounds(
    scores: np.ndarray, groups: np.ndarray, bounds: tuple[float, float]
) -> None:
    outside = np.flatnonzero((scores < bounds[0]) | (scores > bounds[1]))
    if outside.size:
        place = int(outside[0])
        raise ValueError(
            f'score {scores[place]:g} of {groups[place]} is not in {list(bounds)}. '
            'Scores are fractions: divide percent by 100, or give other bounds.'
        )


def _check_options(level: float, draws: int) -> None:
    if not 0 < level < 1:
        raise ValueError(f'level is {level}; it should be between 0 and 1, as 0.95.')
    if draws < 1:
        raise ValueError(f'draws is {draws}; give at least 1, better some thousand.')
