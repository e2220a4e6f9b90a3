"""From what a user calls a model to a config and a checkpoint."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.logging import print_log
from torch import Tensor, nn

from densecorr.apis.config import apply_options, apply_protocol, load_config
from densecorr.apis.zoo import fetch_from_zoo, find_entry, is_zoo
from densecorr.convert import SOURCES, agreed, convert, open_checkpoint, recognise
from densecorr.registry import MODELS
from densecorr.utils.paths import config_root
from densecorr.utils.suggest import suggest

DEFAULT_MODEL = 'vit_small_patch16_224.dino'
_TASK = 'davis'  # the part of a protocol that propagates label maps
_DINO = 'dino'
_DEEPEST = 16  # stride of the deepest stage of a CNN that still tells places apart
_WEIGHTS = ('.pth', '.pt', '.tar', '.ckpt', '.bin', '.safetensors')
_TEST = Path('configs') / 'test'
# Configs of the networks that each program trains, among which shapes decide. Files
# of timm, DINO and iBOT have the same names, and here the same input.
_PLAIN_VITS = ('dino_vits16', 'dino_vits8', 'dino_vitb16', 'dino_vitb8')
_CONFIGS = {
    'catmae': ('catmae_vits16', 'catmae_vits8'),
    'crw': ('crw_res18',),
    'dino': (*_PLAIN_VITS, 'dino_res50'),
    'dinov2': ('dinov2_vits14', 'dinov2_reg4_vits14'),
    'dinov3': ('dinov3_vits16',),
    'dul': ('dul_res18',),
    'ibot': _PLAIN_VITS,
    'mae': ('mae_vitb16',),
    'moco_v2': ('moco_v2_res50',),
    'simsiam': ('simsiam_res50',),
    'smtc': ('smtc_vits16',),
    'spa_then_temp': ('res18_d8', 'res50_d8'),
    'timet': ('timet_vits16',),
    'timm': _PLAIN_VITS,
    'vfs': ('vfs_res18', 'vfs_res50'),
}


@dataclass(frozen=True)
class ModelSource:
    """A model that can be built and loaded.

    Attributes:
        name: what the user called it.
        cfg: config with ``model``, ``protocol`` and ``task``.
        checkpoint: for :func:`densecorr.convert.load_backbone`.
    """

    name: str
    cfg: Config
    checkpoint: str


def resolve_model(
    model: str | Path = DEFAULT_MODEL,
    checkpoint: str | Path | None = None,
    protocol: str | None = None,
    options: dict[str, Any] | None = None,
    source: str | None = None,
) -> ModelSource:
    """Find out what ``model`` is, and which weights belong to it.

    Args:
        model: a config file, which needs ``checkpoint``; a timm name, whose published
            weights are fetched unless ``checkpoint`` names others; ``zoo:NAME``; or a
            checkpoint file, whose config is found by its format and shapes.
        checkpoint: path, https address, ``timm:NAME``, ``torchvision:NAME``, ``zoo``,
            ``zoo:NAME``, or ``random``, which must be said.
        protocol: name or file that replaces the protocol of the config; a timm model
            has DINO's.
        options: changes of the config by dotted key.
        source: format of the checkpoint; recognised where None.

    Raises:
        FileNotFoundError: there is no such config or checkpoint file.
        KeyError: unknown protocol, option or format.
        ValueError: ``model`` is none of these, a config comes without checkpoint, or
            no config or several fit a checkpoint file.
    """
    name = str(model)
    if is_zoo(name):
        checkpoint = checkpoint or name
        model = find_entry(name, name).config
    path = Path(model)
    if path.suffix == '.py':
        cfg = load_config(path)
        checkpoint, expected = fetch_from_zoo(_checked(name, checkpoint), path)
        cfg.checkpoint_source = expected or cfg.get('checkpoint_source')
    elif path.is_file() or path.suffix.lower() in _WEIGHTS:
        if checkpoint is not None:
            raise ValueError(
                f'model {name} is a checkpoint file, and checkpoint {checkpoint} was '
                'given too. Give the file as checkpoint and a config as model.'
            )
        cfg, checkpoint = _config_of_file(path, source), name
    else:
        cfg = _config_of_timm(name.removeprefix('timm:'))
        checkpoint = checkpoint or f'timm:{name.removeprefix("timm:")}'
    if protocol is not None or 'protocol' not in cfg:
        cfg = apply_protocol(cfg, protocol or _DINO)
    cfg = apply_options(cfg, options)
    cfg.task = _TASK
    return ModelSource(name, cfg, str(checkpoint))


def _checked(config: str, checkpoint: str | Path | None) -> str:
    if not checkpoint:
        raise ValueError(
            f'model {config} is a config, which has no weights of its own. Name a '
            'checkpoint: a file, an https address, timm:NAME, torchvision:NAME or zoo; '
            "for random weights, say 'random'."
        )
    return str(checkpoint)


def _config_of_timm(name: str) -> Config:
    """Config of a timm model; DINO's models have the configs of their own."""
    import timm

    arch, _, tag = name.partition('.')
    if not timm.is_model(arch):
        raise ValueError(
            f'model {name!r} is no config (.py), no checkpoint file and no model of '
            f'timm {timm.__version__}. {suggest(arch, timm.list_models())}'
        )
    if tag == _DINO:
        for stem in _CONFIGS[_DINO]:
            cfg = load_config(_TEST / f'{stem}.py')
            if cfg.model.backbone.arch == arch:
                return cfg
    facts: Any = timm.get_pretrained_cfg(name, allow_unregistered=False)
    inputs: dict[str, Any] = dict(color='rgb')
    if facts is not None:
        inputs.update(mean=tuple(facts.mean), std=tuple(facts.std))
    backbone = dict(type='TimmFeatures', arch=name, **_timm_options(name))
    return Config(
        dict(
            model=dict(type='VideoTracker', backbone=backbone, inputs=inputs),
            checkpoint_source='timm',
        )
    )


def _timm_options(name: str) -> dict[str, Any]:
    """Arguments of TimmFeatures that suit a model: last tokens, or a stage of a CNN."""
    with torch.device('meta'):
        model = MODELS.build(dict(type='TimmFeatures', arch=name, norm=False)).model
    options: dict[str, Any] = {}
    stages = [stage['reduction'] for stage in _stages(model)]
    if stages[-1] > _DEEPEST:
        options['out_indices'] = (sum(s <= _DEEPEST for s in stages) - 1,)
    if isinstance(getattr(model, 'pos_embed', None), nn.Parameter):
        options['pos_embed_rule'] = 'size'
    if isinstance(getattr(model, 'norm', None), nn.Identity):
        options['norm'] = False
    return options


def _stages(model: Any) -> list[Mapping[str, Any]]:
    info = model.feature_info
    return list(info) if isinstance(info, list) else list(info.info)


def _config_of_file(path: Path, source: str | None) -> Config:
    """The config whose network has the keys and the shapes of a checkpoint file."""
    content, source = open_checkpoint(str(path), source)
    if source is None:
        names = recognise(content)
        state = agreed(content, names).state if names else {}
    else:
        names, state = [source], convert(content, source).state
    known = [stem for name in names for stem in _CONFIGS.get(name, ())]
    stems = [s for s in dict.fromkeys(known) if _fits(s, names, state)]
    sure = all(set(stems) <= set(_CONFIGS.get(name, ())) for name in names)
    if len(stems) == 1 and sure:
        config = (_TEST / f'{stems[0]}.py').as_posix()
        print_log(
            f'{path} is a checkpoint of {" or ".join(names)}: model {config}', 'current'
        )
        return load_config(config)
    what = f'its format is {" or ".join(names)}' if names else 'its format is unknown'
    all_stems = sorted(p.stem for p in (config_root() / 'test').glob('*.py'))
    reason = 'its network is not certain' if stems else 'no config fits it'
    raise ValueError(
        f'{path}: {what}, and {reason}. Say which one it is: --model CONFIG '
        f'--checkpoint {path}, where CONFIG is {_listed(stems or all_stems)} or one of '
        'your own.'
    )


def _fits(stem: str, names: Iterable[str], state: dict[str, Tensor]) -> bool:
    """Whether the network of a config has exactly these tensors."""
    backbone = load_config(_TEST / f'{stem}.py').model.backbone.to_dict()
    with torch.device('meta'):
        target = MODELS.build(backbone).state_dict()
    inner = next((SOURCES[n].rules.inner for n in names if SOURCES[n].rules.inner), '')
    if inner and not any(key.startswith(inner) for key in target):
        state = {k[len(inner) :]: v for k, v in state.items() if k.startswith(inner)}
    wanted = {key for key in target if not key.endswith('num_batches_tracked')}
    found = {key for key in state if not key.endswith('num_batches_tracked')}
    return wanted == found and all(state[k].shape == target[k].shape for k in wanted)


def _listed(stems: Iterable[str]) -> str:
    return ' or '.join(f'configs/test/{stem}.py' for stem in stems)
