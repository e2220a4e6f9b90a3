"""Write a checkpoint of any known format as a plain file in our names."""

from __future__ import annotations

import io
from pathlib import Path

import torch

from densecorr.convert import ConvertResult, choose, convert, open_checkpoint
from densecorr.utils.checkpoints import hash_tensors
from densecorr.utils.files import write_atomic


def convert_file(
    checkpoint: str,
    out: str | Path,
    source: str | None = None,
    allow_unsafe: bool = False,
) -> tuple[list[str], ConvertResult]:
    """Convert a checkpoint to a flat state dict in torchvision's or timm's names.

    Args:
        checkpoint: path, http(s) address, ``timm:NAME`` or ``torchvision:NAME``.
        out: file to write; it can be read without running code from it.
        source: format of the checkpoint; recognised where None.
        allow_unsafe: unpickle whatever the file holds, which may run any code.

    Returns:
        the names of the format, and what became of every key.

    Raises:
        ValueError: the format is not recognised, or the file has unknown keys.
    """
    content, source = open_checkpoint(checkpoint, source, allow_unsafe)
    if source is None:
        names, result = choose(content)
    else:
        names, result = [source], convert(content, source)
    if result.unknown:
        raise ValueError(
            f'{checkpoint} ({" = ".join(names)}) has {len(result.unknown)} keys that '
            f'no rule knows: {result.unknown[:8]}. Choose the format with --source, or '
            'add a rule to densecorr/convert/sources.py.'
        )
    buffer = io.BytesIO()
    torch.save({key: tensor.clone() for key, tensor in result.state.items()}, buffer)
    write_atomic(Path(out), buffer.getvalue())
    return names, result


def format_conversion(names: list[str], result: ConvertResult) -> str:
    """The report of a conversion, with the hash of the converted tensors."""
    dropped = ', '.join(result.dropped_by_rule[:8]) or 'none'
    return (
        f'format           {" = ".join(names)}\n'
        f'tensors          {len(result.state)}\n'
        f'dropped by rule  {len(result.dropped_by_rule)}  {dropped}\n'
        f'tensor hash      {hash_tensors(result.state)}'
    )
