"""A trained backbone as a file for timm or for the official program, with a card."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from torch import Tensor, nn

from densecorr.apis.config import load_config
from densecorr.apis.model_card import Exported, write_card
from densecorr.convert import SOURCES, Layout, export, load_backbone, open_checkpoint
from densecorr.convert.convert import fits
from densecorr.models.backbones.timm_features import TimmFeatures
from densecorr.registry import MODELS
from densecorr.utils.checkpoints import hash_tensors
from densecorr.utils.files import write_atomic

LAYOUTS = ('timm', 'official')
FORMATS = {'safetensors': '.safetensors', 'pth': '.pth'}
_RESNET = 'torchvision'  # whose names timm's ResNets have, too
_INNER = 'backbone.'  # in a tracker, and of a network with a plain one inside
_CARD = '.md'


@dataclass(frozen=True)
class ExportedFiles:
    """What :func:`export_backbone` wrote.

    Attributes:
        weights: the file of tensors.
        card: the model card.
        names: format that the names follow, a key of ``SOURCES``.
        fingerprint: hash of all tensors of the network, as results of it have it.
        lacks: what a file of the official program has besides.
    """

    weights: Path
    card: Path
    names: str
    fingerprint: str
    lacks: str


def export_backbone(
    config: str | Path,
    checkpoint: str,
    out: str | Path,
    layout: str = 'timm',
    file_format: str | None = None,
    source: str | None = None,
) -> ExportedFiles:
    """Write the backbone of a checkpoint for use elsewhere, and its card beside.

    The file is read back and must give the same tensors.

    Args:
        config: of the training or of an evaluation, whose ``model.backbone`` it is.
        checkpoint: of any known format, see :func:`densecorr.convert.load_backbone`.
        out: file to write; its ending is added if it has none.
        layout: ``'timm'``: names of ``timm.create_model``, a flat file; ``'official'``:
            those of the program that the config names by ``checkpoint_source``.
        file_format: ``'safetensors'``, always a flat file, or ``'pth'``, which has the
            container of the official program; by the ending of ``out`` where None.
        source: format of the checkpoint; recognised where None.

    Raises:
        FileNotFoundError: there is no config or checkpoint.
        KeyError: the config has no backbone, or no ``checkpoint_source``.
        ValueError: the layout or format is unknown, the ending is another one, the
            network has no such layout, or the checkpoint does not fit.
    """
    path, file_format = _file_of(Path(out), file_format)
    cfg = load_config(config)
    backbone = _build(cfg, config)
    report = load_backbone(
        backbone, checkpoint, source, expected=cfg.get('checkpoint_source')
    )
    state = backbone.state_dict()
    names = _names_of(layout, cfg, backbone)
    content, written = _layout_of(state, names, layout, backbone)
    if file_format == 'safetensors':
        content = _flat(content, names, layout)
    data = _packed(content, file_format)
    write_atomic(path, data)
    _check_back(path, names, written, backbone)
    known = SOURCES[names]
    lacks = known.export.lacks if known.export and layout == 'official' else ''
    exported = Exported(
        weights=path.name,
        layout=layout,
        names=names,
        fingerprint=hash_tensors({f'{_INNER}{key}': x for key, x in state.items()}),
        digest=hashlib.sha256(data).hexdigest(),
        tensors=len(written),
        numbers=sum(tensor.numel() for tensor in written.values()),
        lacks=lacks,
        note=report.note,
    )
    card = path.with_name(path.name + _CARD)
    content, _ = (
        open_checkpoint(checkpoint, source) if _is_file(checkpoint) else ({}, '')
    )
    write_card(card, exported, cfg, checkpoint, content)
    return ExportedFiles(path, card, names, exported.fingerprint, lacks)


def _file_of(out: Path, file_format: str | None) -> tuple[Path, str]:
    """The file with its ending, and its format."""
    endings = {ending: name for name, ending in FORMATS.items()}
    found = file_format or endings.get(out.suffix) or 'safetensors'
    if found not in FORMATS:
        raise ValueError(f'format is {file_format!r}, allowed are {list(FORMATS)}.')
    other = endings.get(out.suffix, found)
    if other != found:
        raise ValueError(
            f'{out} ends like a file of format {other!r}, and format is {found!r}. '
            'Give one of both.'
        )
    ending = FORMATS[found]
    return (out if out.suffix == ending else out.with_name(out.name + ending)), found


def _build(cfg: Config, config: str | Path) -> Any:
    if 'backbone' not in cfg.get('model', {}):
        raise KeyError(
            f'{config} has no model.backbone to export. Give the config of a training '
            'or of an evaluation.'
        )
    return MODELS.build(cfg.model.backbone.to_dict()).eval()


def _names_of(layout: str, cfg: Config, backbone: nn.Module) -> str:
    """The format whose names the file gets."""
    if layout == 'timm':
        return 'timm' if isinstance(backbone, TimmFeatures) else _RESNET
    if layout != 'official':
        raise ValueError(f'layout is {layout!r}, allowed are {LAYOUTS}.')
    name = cfg.get('checkpoint_source')
    if not name:
        raise KeyError(
            f'{cfg.filename} does not say which program has networks like its own: add '
            "checkpoint_source = 'catmae' (or another of "
            f"{sorted(SOURCES)}), or take layout='timm'."
        )
    return name


def _layout_of(
    state: Mapping[str, Tensor], names: str, layout: str, backbone: nn.Module
) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Content of the file, and the tensors that are in it under our names."""
    tensors = dict(state)
    if layout == 'timm' and isinstance(backbone, TimmFeatures):
        return {key: x.clone() for key, x in tensors.items()}, tensors
    if names == _RESNET and any(key.startswith(_INNER) for key in tensors):
        tensors = {
            key.removeprefix(_INNER): x
            for key, x in tensors.items()
            if key.startswith(_INNER)
        }
    return export(tensors, names), tensors


def _flat(content: dict[str, Any], names: str, layout: str) -> dict[str, Any]:
    """Tensors alone, which is all that a safetensors file holds."""
    known = SOURCES[names]
    container = known.export.container if known.export and layout == 'official' else ''
    flat = content[container] if container else content
    if container and not _reads_flat(flat, names, known.layout):
        raise ValueError(
            f'files of {names!r} have their tensors under {container!r}, which a '
            "safetensors file cannot hold. Take format='pth' or layout='timm'."
        )
    return flat


def _reads_flat(flat: Mapping[str, Tensor], names: str, layout: Layout) -> bool:
    return '' in layout.containers and fits(flat, names)


def _packed(content: dict[str, Any], file_format: str) -> bytes:
    if file_format == 'pth':
        buffer = io.BytesIO()
        torch.save(content, buffer)
        return buffer.getvalue()
    from safetensors.torch import save

    tensors = {key: x.contiguous() for key, x in content.items()}
    return save(tensors, metadata=dict(format='pt'))  # of several keys the order varies


def _check_back(
    path: Path, names: str, written: Mapping[str, Tensor], backbone: nn.Module
) -> None:
    """Read the file by the door; whole networks must come back as they were."""
    if set(written) != set(backbone.state_dict()):
        return  # a part of the network, which export() has read back
    before = hash_tensors(written)
    load_backbone(backbone, str(path), names)
    if hash_tensors(backbone.state_dict()) != before:
        path.unlink()
        raise ValueError(f'{path} did not give back the tensors that were written.')


def _is_file(checkpoint: str) -> bool:
    return Path(checkpoint).is_file()
