"""Weights that a training starts from."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from mmengine.config import Config
from mmengine.logging import print_log

from densecorr.convert import load_backbone
from densecorr.models.methods.base import BaseMethod
from densecorr.registry import MODELS

INIT = 'init'
_BACKBONE = 'backbone'
_OPTIONS = ('source', 'allow_unsafe', 'address')


class _Request(NamedTuple):
    """A checkpoint and how to read it: arguments of ``load_backbone``."""

    checkpoint: str
    source: str | None
    allow_unsafe: bool
    expected: str | None


def build_with_weights(cfg: Config) -> BaseMethod:
    """The method of ``cfg.model`` with its initial weights.

    ``cfg.init`` gives those of the backbone: a checkpoint, or ``dict(backbone=...,
    source=..., allow_unsafe=..., address=...)``, where the address is told if the
    checkpoint is missing. A network that the method never trains, such as
    ``teacher``, has a field of its name: a checkpoint, or ``dict(checkpoint=...,
    source=..., allow_unsafe=...)``; None leaves the network out of the model. See
    :func:`densecorr.convert.load_backbone`.

    Raises:
        TypeError: ``model`` is no training method.
        KeyError: a field has unknown keys or belongs to no network.
        FileNotFoundError: there is no such checkpoint.
        ValueError: a frozen network has no weights, or a checkpoint does not fit.
    """
    kind = MODELS.get(cfg.model.type)
    frozen = getattr(kind, 'frozen', ())
    settings = cfg.model.to_dict()
    given = {name: _request(cfg, name, 'checkpoint') for name in frozen}
    for name, request in given.items():
        if request is None and name in cfg and settings.get(name) is not None:
            print_log(
                f'no {name}: its loss is left out ({name}=PATH names its weights)',
                logger='current',
            )
            settings[name] = None
    model = MODELS.build(settings)
    if not isinstance(model, BaseMethod):
        raise TypeError(
            f'model of {cfg.filename} is a {type(model).__name__}, which has no loss. '
            'Train one of the methods of densecorr.models.methods.'
        )
    _load(model, _BACKBONE, _request(cfg, INIT, _BACKBONE))
    for name, request in given.items():
        if getattr(model, name, None) is None and request is not None:
            raise KeyError(
                f'{cfg.filename} has {name}={request.checkpoint!r}, but its model has '
                f'no {name}. Give model.{name}, or set {name}=None.'
            )
        if getattr(model, name, None) is not None and request is None:
            raise ValueError(
                f'model of {cfg.filename} has a {name}, which is never trained, but no '
                f'weights for it. Name a checkpoint: {name}=PATH.'
            )
        _load(model, name, request)
    return model


def missing_weights(cfg: Config) -> str:
    """What to do about named files of weights that are not there; ``''`` if all are."""
    kind = MODELS.get(cfg.model.type)
    fields = {
        INIT: _BACKBONE,
        **dict.fromkeys(getattr(kind, 'frozen', ()), 'checkpoint'),
    }
    lines = []
    for field, key in fields.items():
        request = _request(cfg, field, key)
        if request is None or _is_there(request.checkpoint):
            continue
        value = cfg.get(field)
        plain = isinstance(value, str)
        address = None if plain else value.get('address')
        option = field if plain else f'{field}.{key}'
        where = f' It can be fetched from {address}.' if address else ''
        lines.append(
            f'There are no weights {request.checkpoint!r}, which {field} of '
            f'{cfg.filename} names.{where} Put the file there, or name another one: '
            f'--cfg-options {option}=PATH; an https address is fetched.'
        )
    return '\n'.join(lines)


def _is_there(checkpoint: str) -> bool:
    """Whether a checkpoint is a file, or something that is found in another way."""
    scheme = checkpoint.partition(':')[0]
    return (
        checkpoint == 'random'
        or scheme in ('http', 'https', 'timm', 'torchvision')
        or Path(checkpoint).expanduser().exists()
    )


def _request(cfg: Config, field: str, key: str) -> _Request | None:
    """What a field of the config asks for; ``key`` names the checkpoint in a dict."""
    value = cfg.get(field)
    if not value:
        return None
    entries: dict[str, Any] = {key: value} if isinstance(value, str) else dict(value)
    unknown = sorted(set(entries) - {key, *_OPTIONS})
    if unknown or key not in entries:
        raise KeyError(
            f'{field} of {cfg.filename} has {sorted(entries)}; give a checkpoint, or a '
            f'dict of {[key, *_OPTIONS]}.'
        )
    if entries[key] is None:
        return None
    return _Request(
        entries[key],
        entries.get('source'),
        entries.get('allow_unsafe', False),
        cfg.get('checkpoint_source'),
    )


def _load(model: BaseMethod, name: str, request: _Request | None) -> None:
    if request is not None:
        report = load_backbone(getattr(model, name), *request)
        print_log(f'initial weights of {name}\n{report}', logger='current')
