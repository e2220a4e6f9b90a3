"""Fair times: functions that are compared run in turn."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping


def alternate(
    runs: Mapping[str, Callable[[], object]],
    pairs: int,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, float]:
    """Median seconds of every function.

    Args:
        runs: functions by name; each runs once before anything is measured.
        pairs: rounds in which every function is called once, so that all of them see
            the same state of the machine.
        clock: ``time.perf_counter`` for wall time, ``time.process_time`` for CPU time.
    """
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for run in runs.values():
        run()
    for _ in range(pairs):
        for name, run in runs.items():
            start = clock()
            run()
            seconds[name].append(clock() - start)
    return {name: statistics.median(values) for name, values in seconds.items()}
