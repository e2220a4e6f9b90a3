"""Nearest known names for error messages."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

_SHOWN = 12  # more names than this do not help a reader


def suggest(name: str, known: Iterable[str]) -> str:
    """One sentence that helps a user who misspelt ``name``.

    Args:
        name: what was given.
        known: the names that exist.

    Returns:
        ``"Did you mean 'a' or 'b'? Known names: a, b, c."``; the question is left out
        where nothing is near, the list is cut after a dozen names.
    """
    names = sorted(set(known))
    if not names:
        return 'No names are known here.'
    by_lower = {n.lower(): n for n in names}
    near = difflib.get_close_matches(name.lower(), by_lower, n=3, cutoff=0.6)
    listed = ', '.join(names[:_SHOWN])
    if len(names) > _SHOWN:
        listed += f', ... ({len(names)} in all)'
    question = ' or '.join(repr(by_lower[n]) for n in near)
    start = f'Did you mean {question}? ' if near else ''
    return f'{start}Known names: {listed}.'
