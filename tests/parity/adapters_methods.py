"""Official weights of whole methods, as our methods name them."""

from __future__ import annotations

import re
from collections.abc import Mapping

from torch import Tensor

from .replay import Case

DUL_RENAME = ((r'^fast_net\.', 'backbone.'),)
CATMAE_RENAME = (
    (r'^decoder_frame_info$', 'decoder.frame_embed'),
    (r'^mask_token$', 'decoder.mask_token'),
    (r'^decoder_', 'decoder.'),
    (r'^', 'backbone.'),
)
SMTC_RENAME = ((r'^encoder\.', 'backbone.'), (r'^', 'head.'))
TIMET_RENAME = (
    (r'^feature_extractor\.(backbone|model)\.', 'backbone.'),
    (r'^(feature_extractor\.head|mlp_head)\.', 'head.'),
    (r'^prototypes$', 'prototypes.weight'),
)
CRW_RENAME = ((r'^encoder\.model\.', 'backbone.'), (r'^selfsim_fc\.', 'head.'))
VFS_RENAME = (  # of a training checkpoint
    (r'^backbone\.conv1\.conv\.', 'backbone.conv1.'),
    (r'^backbone\.conv1\.bn\.', 'backbone.bn1.'),
    (r'(\.conv(\d))\.conv\.', r'\1.'),
    (r'\.conv(\d)\.bn\.', r'.bn\1.'),
    (r'\.downsample\.conv\.', '.downsample.0.'),
    (r'\.downsample\.bn\.', '.downsample.1.'),
    (r'^img_head\.', 'head.'),
)


def renamed(
    state: Mapping[str, Tensor], rules: tuple[tuple[str, str], ...]
) -> dict[str, Tensor]:
    """The tensors under the names that the first matching rule gives."""
    found = {}
    for key, value in state.items():
        for pattern, new in rules:
            if re.search(pattern, key):
                key = re.sub(pattern, new, key)
                break
        found[key] = value
    return found


def scaled_state(case: Case) -> dict[str, Tensor]:
    """Official weights of a case, each times its entry of ``scales``."""
    pairs = zip(case.state_dict().items(), case.scales.tolist(), strict=True)
    return {key: value * scale for (key, value), scale in pairs}
