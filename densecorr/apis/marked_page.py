"""Generated parts of docs pages, which stand between two marks."""

from __future__ import annotations

from pathlib import Path

_END = '<!-- end -->'


def read_marked(text: str, mark: str, path: Path) -> str:
    """What stands between a mark and the end after it; see :func:`replace_marked`."""
    return _split(text, mark, path)[1]


def replace_marked(text: str, mark: str, content: str, path: Path) -> str:
    """The text of a page with ``content`` between a mark and the end after it.

    Args:
        text: of the page.
        mark: a line of its own; the line of the end follows it in the page.
        content: without line ends around it.
        path: of the page, for the error.

    Raises:
        ValueError: the page lacks the mark or its end.
    """
    before, _, after = _split(text, mark, path)
    return f'{before}{mark}\n\n{content}\n\n{_END}{after}'


def _split(text: str, mark: str, path: Path) -> tuple[str, str, str]:
    """What stands before the mark, after it, and after its end."""
    before, found, rest = text.partition(f'{mark}\n')
    content, ended, after = rest.partition(_END)
    if not (found and ended):
        raise ValueError(f'{path} has no lines {mark!r} and {_END!r}.')
    return before, content, after
