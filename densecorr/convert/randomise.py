"""Random weights that do not depend on how a network was built."""

from __future__ import annotations

import math
import re

import torch
from torch import nn

_STATISTICS = r'(^|\.)(running_mean|running_var|num_batches_tracked)$'
_TOKEN_STD = 0.02  # of random tokens and positions, as in timm
SEED = 0


def draw_weights(backbone: nn.Module, seed: int = SEED) -> list[str]:
    """Draw every weight anew from a seed; returns the names of the tensors.

    Kernels and matrices are normal with variance 2 / fan-in, tokens and positions
    normal with deviation 0.02; norms become the identity, biases zero. Tables that are
    computed, not learned, stay.

    Reference: He et al., ICCV 2015, arXiv:1502.01852, Sec. 2.2.
    """
    generator = torch.Generator().manual_seed(seed)
    learned = {parameter.data_ptr() for parameter in backbone.parameters()}
    state = {}
    for key, tensor in sorted(backbone.state_dict().items()):
        is_learned = tensor.data_ptr() in learned
        if is_learned and tensor.ndim >= 2:
            token = tensor.ndim == 3 and tensor.shape[0] == 1
            std = _TOKEN_STD if token else math.sqrt(2 / tensor[0].numel())
            state[key] = torch.randn(tensor.shape, generator=generator) * std
        elif is_learned or re.search(_STATISTICS, key):
            one = key.endswith(('weight', 'running_var', 'gamma'))
            state[key] = torch.full_like(tensor, int(one))
        else:
            state[key] = tensor
    backbone.load_state_dict(state, strict=True)
    return sorted(state)
