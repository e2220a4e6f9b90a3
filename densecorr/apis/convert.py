"""Write a checkpoint of any known format as densecorr's, timm's or a program's."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from densecorr.convert import (
    SOURCES,
    ConvertResult,
    choose,
    convert,
    export,
    note_of,
    open_checkpoint,
    tensors_of,
)
from densecorr.utils.checkpoints import hash_tensors
from densecorr.utils.files import write_atomic

_OURS = 'densecorr'
_SAFETENSORS = '.safetensors'
_SHOWN = 8  # keys of a list in the report


@dataclass(frozen=True)
class Conversion:
    """What :func:`convert_file` did; ``str()`` is the report to print.

    Attributes:
        source: name of the format that was read.
        to: name of the format that was written.
        result: the tensors by our names, and what became of every key.
        note: what every output has to say of these weights, ``''`` if nothing.
    """

    source: str
    to: str
    result: ConvertResult
    note: str = ''

    def __str__(self) -> str:
        source, to = SOURCES[self.source], SOURCES[self.to]
        dropped = self.result.dropped_by_rule
        shown = ', '.join(dropped[:_SHOWN]) or 'none'
        lines = [f'format           {self.source}, {source.status}']
        if self.note:
            lines.append(f'note             {self.note}')
        lines += [
            f'tensors          {len(self.result.state)}',
            f'dropped by rule  {len(dropped)}  {shown}',
            f'tensor hash      {hash_tensors(self.result.state)}',
            f'written as       {self.to}, {to.status}',
        ]
        if self.to != _OURS and to.export is not None:
            lines.append(f'not in the file  {to.export.lacks}: only the backbone is')
        return '\n'.join(lines)


def convert_file(
    checkpoint: str,
    out: str | Path,
    source: str | None = None,
    allow_unsafe: bool = False,
    to: str = _OURS,
) -> Conversion:
    """Convert the backbone of a checkpoint to another format.

    Args:
        checkpoint: path, http(s) address, ``timm:NAME`` or ``torchvision:NAME``.
        out: file to write; it can be read without running code from it. With the
            ending ``.safetensors`` it is one, for formats that are a plain state dict.
        source: format of the checkpoint; recognised where None.
        allow_unsafe: unpickle whatever the file holds, which may run any code.
        to: format to write: ``'densecorr'``, which knows where it came from,
            ``'timm'`` or ``'torchvision'``, or that of a program.

    Raises:
        KeyError: no such format.
        ValueError: the format is not recognised or is one of several, the file has
            unknown keys, or the tensors cannot be written as ``to``.
    """
    content, source = open_checkpoint(checkpoint, source, allow_unsafe)
    try:
        source = source or choose(content)
        result = convert(content, source)
    except ValueError as error:
        raise ValueError(f'{checkpoint}: {error}') from error
    if result.unknown:
        raise ValueError(
            f'{checkpoint} ({source}) has {len(result.unknown)} keys that no rule '
            f'knows: {result.unknown[:_SHOWN]}. Choose the format with --source, or '
            'add a rule to densecorr/convert/sources.'
        )
    written = export(result.state, to)
    if to == _OURS:
        written['meta'] = dict(densecorr_format=1, source=_origin(content, source))
    write_atomic(Path(out), _packed(written, Path(out), to))
    return Conversion(source, to, result, note_of(source, content))


def _origin(content: Any, source: str) -> str:
    """The program that trained the weights, through any number of conversions."""
    if source == _OURS and isinstance(content.get('meta'), dict):
        return str(content['meta'].get('source', source))
    return source


def _packed(content: dict[str, Any], out: Path, to: str) -> bytes:
    if out.suffix != _SAFETENSORS:
        buffer = io.BytesIO()
        torch.save(content, buffer)
        return buffer.getvalue()
    from safetensors.torch import save

    tensors = tensors_of(content)
    if tensors is None or len(tensors) != len(content):
        plain = [n for n, s in SOURCES.items() if s.export and not s.export.container]
        raise ValueError(
            f'{out}: a safetensors file holds tensors alone, and {to!r} has them in a '
            f'container. Give a name in .pth, or one of {plain} with --to.'
        )
    return save({key: tensor.contiguous() for key, tensor in tensors.items()})
