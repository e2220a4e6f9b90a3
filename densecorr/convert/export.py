"""Write our tensors in the layout of another program."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from densecorr.convert.convert import check_source, convert
from densecorr.convert.sources import SOURCES

OURS = 'densecorr'
_SHOWN = 4  # names in an error


def export(state: Mapping[str, Tensor], to: str) -> dict[str, Any]:
    """The content of a file of format ``to`` with the tensors of a backbone.

    What a backbone does not have, such as heads, is not there: see
    :attr:`densecorr.convert.sources.Export.lacks`. The result is read back by the rules
    of the format and must give the same tensors.

    Args:
        state: our names to tensors, as :func:`densecorr.convert.convert` gives them.
        to: name of the format, a key of ``SOURCES``.

    Raises:
        KeyError: no such format.
        ValueError: the format cannot be written, or not with these tensors.
    """
    source = check_source(to)
    if source.export is None:
        able = sorted(name for name, s in SOURCES.items() if s.export is not None)
        raise ValueError(
            f'{to!r} cannot be written: its conversion cannot be undone ({source.note})'
            f'. Formats that can: {able}.'
        )
    tensors = {key: tensor.detach().clone() for key, tensor in state.items()}
    for rule in source.export.tensors:
        tensors = rule(tensors)
    written = {_theirs(key, source.export.rename): t for key, t in tensors.items()}
    container = source.export.container
    content: dict[str, Any] = {container: written} if container else written
    if to == OURS:
        content['meta'] = {}  # what tells our files from others
    _check_back(content, state, to)
    return content


def _theirs(key: str, rename: tuple[tuple[str, str], ...]) -> str:
    for pattern, replacement in rename:
        key = re.sub(pattern, replacement, key)
    return key


def _check_back(content: Any, state: Mapping[str, Tensor], to: str) -> None:
    """What was written must be read as what it came from."""
    source = SOURCES[to]
    try:
        back = convert(content, to)
    except ValueError as error:
        raise ValueError(
            f'These tensors cannot be written as {to!r} ({source.title}): their '
            f'network is another one. They are {_some(sorted(state))}. Choose the '
            'format of their network with --to.'
        ) from error
    spare = re.compile('|'.join(source.rules.spare) or r'(?!)')
    lost = [
        key
        for key, tensor in state.items()
        if key not in back.state or not torch.equal(back.state[key], tensor)
    ]
    added = [
        key
        for key, tensor in back.state.items()
        if key not in state and not (spare.search(key) and not tensor.count_nonzero())
    ]
    if lost or added or back.unknown:
        names = _some([*lost, *added, *back.unknown])
        raise ValueError(
            f'These tensors cannot be written as {to!r} ({source.title}): {names} '
            'would not come back as they are. Choose another format with --to.'
        )


def _some(keys: list[str]) -> str:
    more = f' and {len(keys) - _SHOWN} more' if len(keys) > _SHOWN else ''
    return ', '.join(keys[:_SHOWN]) + more
