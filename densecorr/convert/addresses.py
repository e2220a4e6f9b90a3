"""From what a user calls a checkpoint to the content of a file."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from densecorr.utils.checkpoints import read_checkpoint
from densecorr.utils.download import download
from densecorr.utils.suggest import suggest


def open_checkpoint(
    address: str, source: str | None = None, unsafe: bool = False
) -> tuple[Any, str | None]:
    """Content of a checkpoint, and its format where the address says it.

    Args:
        address: as in :func:`densecorr.convert.load_backbone`, but not ``'random'``.
        source: format that the caller names, or None.
        unsafe: see :func:`densecorr.utils.checkpoints.read_checkpoint`.
    """
    scheme, _, name = address.partition(':')
    if scheme in ('http', 'https'):
        return read_checkpoint(download(address), unsafe), source
    if scheme == 'timm':
        return _from_timm(name), source or 'timm'
    if scheme == 'torchvision':
        path = download(_torchvision_address(name))
        return read_checkpoint(path, unsafe), source or 'torchvision'
    return read_checkpoint(address, unsafe), source


def _from_timm(name: str) -> dict[str, Tensor]:
    import timm

    if not timm.is_model(name):
        near = suggest(name, timm.list_models())
        raise ValueError(f'timm has no model {name!r}. {near}')
    try:  # the hub shows a progress bar
        return timm.create_model(name, pretrained=True, num_classes=0).state_dict()
    except Exception as error:  # whatever hub, network or file system come to
        raise FileNotFoundError(
            f'The weights of timm:{name} could not be fetched ({error}). Download them '
            'on a machine with a network and give the path of the file instead.'
        ) from error


def _torchvision_address(name: str) -> str:
    import torchvision

    arch, _, version = name.partition('/')
    try:
        weights = torchvision.models.get_model_weights(arch)
    except ValueError as error:
        near = suggest(arch, torchvision.models.list_models())
        raise ValueError(f'torchvision has no model {arch!r}. {near}') from error
    versions = {w.name: w.url for w in weights}
    version = version or next(iter(versions))
    if version not in versions:
        raise ValueError(
            f'torchvision has no weights {version!r} of {arch!r}, it has '
            f'{sorted(versions)}.'
        )
    return versions[version]
