"""Which numbers there are, and which is the main one."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

_SMALL_IS_GOOD = ('Decay', 'difference')  # ends of names of measures without a bar


def main_measure(metrics: Mapping[str, Any]) -> str | None:
    """The first measure that is a fraction of which more is better."""
    for name, value in metrics.items():
        good = not name.endswith(_SMALL_IS_GOOD)
        if good and not is_unknown(value) and 0 <= float(value) <= 1:
            return name
    return None


def is_unknown(value: Any) -> bool:
    """None, NaN, infinite, or no number at all."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return True
    return not math.isfinite(value)
