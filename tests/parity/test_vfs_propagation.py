"""VFS: the whole tracker."""

from __future__ import annotations

from .adapters_propagation import replay_vanilla_tracker
from .replay import Case, replay


@replay(
    'vfs',
    'vanilla_tracker',
    inputs=[
        'imgs',
        'ref_seg_map',
        'original_shape',
        'keys',
        'shapes',
        'mode',
        'precede_frames',
        'topk',
        'temperature',
        'neighbor_range',
        'strides',
        'pool',
        'out_index',
    ],
)
def test_vanilla_tracker(case: Case) -> None:
    replay_vanilla_tracker(
        case, suffix='', with_first=True, first_windowed=True, source='vfs'
    )
