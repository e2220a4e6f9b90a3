"""What stays float32 when everything around it is half precision.

Every sensitive function gets bfloat16 features under autocast. All sums of products,
exponentials and logarithms inside must then be float32, and the results those of a
float32 call with the same (rounded) features.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from densecorr.ops import (
    Keys,
    Rule,
    Window,
    full_precision,
    hard_cross_entropy,
    propagate,
    propagate_reference,
    sinkhorn_assignment,
    sinkhorn_plan,
    soft_cross_entropy,
    topk_slots,
    without_autocast,
)
from densecorr.ops.selection import slot_weights
from densecorr.ops.walk import transitions, walk_cycles

SENSITIVE = (
    *('mm', 'bmm', 'addmm', 'baddbmm', 'mv', 'dot', 'exp', 'log', 'logsumexp'),
    *('_softmax', '_log_softmax', '_embedding_bag', '_embedding_bag_forward_only'),
)


class Recorder(TorchDispatchMode):
    """Notes which sensitive operations run, and on which kinds of numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: dict[str, set[torch.dtype]] = {}

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        name = func._schema.name.removeprefix('aten::')
        if name in SENSITIVE:
            kinds = {
                value.dtype
                for value in (*args, *(kwargs or {}).values())
                if isinstance(value, Tensor) and value.is_floating_point()
            }
            self.seen.setdefault(name, set()).update(kinds)
        return func(*args, **(kwargs or {}))


def recorded(function: Callable[[], Tensor]) -> tuple[Tensor, Recorder]:
    with torch.autocast('cpu', dtype=torch.bfloat16), Recorder() as recorder:
        result = function()
    return result, recorder


def unit(*shape: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return F.normalize(torch.randn(*shape, generator=generator), dim=-1).bfloat16()


def labels_of(count: int) -> Tensor:
    return torch.rand(count, 3, generator=torch.Generator().manual_seed(5))


H, W, C = 5, 6, 8
QUERY, KEYS = unit(H, W, C), unit(3, H, W, C, seed=1)
TARGETS = torch.rand(7, 9, generator=torch.Generator().manual_seed(6)).softmax(-1)


def propagated(
    query: Tensor, keys: Tensor, rule: Rule, window: Window, method: str
) -> Tensor:
    memory = Keys(keys, near=(1, 1, 2), far=(1, 0, 0))
    soft = labels_of(3 * H * W)
    return propagate(query, memory, soft, window, rule, method=method).labels


def reference(query: Tensor, keys: Tensor, rule: Rule, window: Window) -> Tensor:
    memory = Keys(keys, near=(1, 1, 1), far=(1, 0, 0))
    return propagate_reference(query, memory, labels_of(3 * H * W), window, rule)


def slot_values(query: Tensor, keys: Tensor) -> Tensor:
    memory = Keys(keys, near=(1, 1, 1), far=(0, 0, 0))
    slots = topk_slots(query, memory, Window('square', 2), Rule(4))
    return slot_weights(slots.values, Rule(4))


def walked(nodes: Tensor) -> Tensor:
    return walk_cycles(transitions(nodes, 0.07)).losses


NEAR = Window('square', 2)
CASES: dict[str, tuple[Callable[..., Tensor], tuple[Tensor, ...], set[str]]] = {
    'propagate_dense': (
        lambda q, k: propagated(q, k, Rule(5), NEAR, 'dense'),
        (QUERY, KEYS),
        {'mm', '_softmax'},
    ),
    'propagate_windowed': (
        lambda q, k: propagated(q, k, Rule(5), NEAR, 'windowed'),
        (QUERY, KEYS),
        {'mm', '_softmax'},
    ),
    'propagate_all_ties': (
        lambda q, k: propagated(q, k, Rule(5, ties='all'), NEAR, 'auto'),
        (QUERY, KEYS),
        {'mm', '_softmax'},
    ),
    'propagate_all_keys': (
        lambda q, k: propagated(q, k, Rule(None), NEAR, 'auto'),
        (QUERY, KEYS),
        {'mm', 'exp'},
    ),
    'reference': (
        lambda q, k: reference(q, k, Rule(5), NEAR),
        (QUERY, KEYS),
        {'mm', '_softmax'},
    ),
    'topk_slots': (slot_values, (QUERY, KEYS), {'mm', '_softmax'}),
    'walk': (walked, (unit(2, 4, 9, C, seed=2),), {'bmm', '_softmax', 'log'}),
    'sinkhorn_assignment': (
        sinkhorn_assignment,
        (unit(20, 9, seed=3),),
        {'logsumexp', '_softmax'},
    ),
    'sinkhorn_plan': (sinkhorn_plan, (unit(20, 9, seed=3),), {'logsumexp', 'exp'}),
    'soft_cross_entropy': (
        lambda logits: soft_cross_entropy(logits, TARGETS, 0.1),
        (unit(7, 9, seed=4),),
        {'_log_softmax'},
    ),
    'hard_cross_entropy': (
        lambda logits: hard_cross_entropy(logits, TARGETS.argmax(-1), 0.1),
        (unit(7, 9, seed=4),),
        {'_log_softmax'},
    ),
}


@pytest.mark.parametrize('name', CASES)
def test_everything_sensitive_is_float32(name):
    function, inputs, expected = CASES[name]
    result, recorder = recorded(lambda: function(*inputs))
    assert result.dtype == torch.float32
    assert expected <= set(recorder.seen)
    assert set().union(*recorder.seen.values()) == {torch.float32}, recorder.seen
    plain = function(*(value.float() for value in inputs))
    assert torch.equal(result, plain)


def test_the_recorder_sees_what_autocast_does():
    feats = unit(5, 8).float()
    result, recorder = recorded(lambda: (feats @ feats.t()).softmax(-1))
    assert recorder.seen['mm'] == {torch.bfloat16}
    rounded = (feats @ feats.t()).softmax(-1)
    assert not torch.equal(result, rounded)


def test_float32_features_are_not_rounded_under_autocast():
    query, keys = (value.float() + 1e-4 for value in (QUERY, KEYS))
    result, _ = recorded(lambda: propagated(query, keys, Rule(5), NEAR, 'auto'))
    assert torch.equal(result, propagated(query, keys, Rule(5), NEAR, 'auto'))


@pytest.mark.parametrize('name', ['walk', 'soft_cross_entropy'])
def test_gradients_flow_back_in_the_precision_of_the_features(name):
    function, (feats,), _ = CASES[name]
    half = feats.clone().requires_grad_()
    wide = feats.float().requires_grad_()
    with torch.autocast('cpu', dtype=torch.bfloat16):
        total = function(half).sum()
    total.backward()
    function(wide).sum().backward()
    assert half.grad is not None and half.grad.dtype == torch.bfloat16
    assert torch.equal(half.grad, wide.grad.bfloat16())


def test_full_precision_widens_what_is_half_and_nothing_else():
    seen = {}

    @full_precision
    def look(first, *rest, **named):
        """Look."""
        seen.update(first=first, rest=rest, named=named)
        seen['autocast'] = torch.is_autocast_enabled('cpu')
        return first

    walk = transitions(unit(1, 3, 4, C), 0.1)
    double = torch.zeros(1, dtype=torch.float64)
    counts = torch.zeros(1, dtype=torch.int64)
    half = torch.zeros(1, dtype=torch.float16)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        pair = type(walk)(*(step.bfloat16() for step in walk))
        look(half, [half, (half, 'text')], double, pair, counts, deep=dict(x=half))
        assert torch.is_autocast_enabled('cpu')
    assert look.__doc__ == 'Look.'
    assert not seen['autocast']
    assert seen['first'].dtype == torch.float32
    inner, same, steps, whole = seen['rest']
    assert inner[0].dtype == inner[1][0].dtype == torch.float32
    assert inner[1][1] == 'text'
    assert same is double and whole is counts
    assert type(steps) is type(walk)
    assert steps.forward.dtype == torch.float32
    assert seen['named']['deep']['x'].dtype == torch.float32
    assert look(double) is double  # outside of autocast, too


def test_without_autocast_ends_with_its_block():
    feats = torch.randn(2, 3)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        with without_autocast(feats):
            assert (feats @ feats.t()).dtype == torch.float32
        assert (feats @ feats.t()).dtype == torch.bfloat16
    with without_autocast(torch.empty(1, device='meta')):
        assert not torch.is_autocast_enabled('cpu')
