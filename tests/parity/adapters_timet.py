"""TimeT's shipped config with the sizes, settings and weights of a golden case."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F

from densecorr.apis.config import load_config
from densecorr.registry import MODELS

from .adapters_methods import renamed
from .replay import DEVICE, Case

_RENAME = (
    (r'^feature_extractor\.(backbone|model)\.', 'backbone.'),
    (r'^(feature_extractor\.head|mlp_head)\.', 'head.'),
    (r'^prototypes$', 'prototypes.weight'),
)
CONFIGS = Path(__file__).parents[2] / 'configs' / 'train'
CONFIG = CONFIGS / 'timet_vits16.py'
# inputs of the cases
LOSS = ['n_last_frames', 'radius', 'topk', 'epsilon', 'iterations', '*temperature']
NETWORK = [
    'keys',
    'shapes',
    'frames',
    'mean',
    'std',
    'depth',
    'num_heads',
    'patch_size',
]


def loss_settings(case: Case, **options: Any) -> dict[str, Any]:
    return dict(
        type='TimeTLoss',
        temperature=case.temperature,
        epsilon=case.epsilon,
        iterations=case.iterations,
        carry=dict(
            num_frames=case.n_last_frames,
            radius=case.radius,
            topk=case.topk,
            temperature=case.forward_temperature,
        ),
        **options,
    )


def model_of(case: Case, **options: Any) -> dict[str, Any]:
    """The shipped method with the case's network."""
    model = load_config(CONFIG).model.to_dict()
    state = official_state(case)
    side = 14 * case.patch_size  # of the positional table
    model['backbone'].update(
        depth=case.depth,
        num_heads=case.num_heads,
        patch_size=case.patch_size,
        img_size=side,
    )
    model['inputs'].update(mean=case.mean.tolist(), std=case.std.tolist())
    biases = [v for k, v in state.items() if k.startswith('head.') and v.ndim == 1]
    model['head'] = dict(type='MLPHead', channels=[len(bias) for bias in biases])
    model['num_prototypes'] = len(state['prototypes.weight'])
    model['loss'] = loss_settings(case, **options.pop('loss', {}))
    model['unfrozen'] = [f'blocks.{case.depth - 1}.', f'blocks.{case.depth - 2}.']
    return {**model, **options}


def official_state(case: Case) -> dict[str, torch.Tensor]:
    """Official weights of the student under our names, prototypes of length 1."""
    state = renamed(case.state_dict(), _RENAME)
    state['prototypes.weight'] = F.normalize(state['prototypes.weight'], dim=1)
    return {k: v for k, v in state.items() if not k.startswith('teacher')}


def load_official(case: Case, method: Any) -> Any:
    """Put the official weights into a method; its teacher copies them later."""
    result = method.load_state_dict(official_state(case), strict=False)
    assert not result.unexpected_keys
    assert all(key.startswith('teacher') for key in result.missing_keys)
    return method


def method_of(case: Case, **options: Any) -> Any:
    method = MODELS.build(model_of(case, **options))
    return load_official(case, method).train().to(DEVICE)


def our_names(names: Any) -> list[str]:
    """Official names of parameters as the method's checkpoints have them."""
    return list(renamed(dict.fromkeys(map(str, names)), _RENAME))


def named_parameters(method: Any) -> dict[str, torch.nn.Parameter]:
    """Parameters under the names that checkpoints have."""
    found = method.named_parameters()
    return {name.replace('.model.', '.'): value for name, value in found}
