"""The fused kernel equals the definition; without CUDA Triton interprets it."""

import os
import subprocess
import sys

import pytest
import torch

from densecorr.ops.fused_search import FusedSearch
from densecorr.ops.keys import Keys
from densecorr.ops.propagate import propagate, slots_reference
from densecorr.ops.selection import Rule, Slots
from densecorr.ops.window import Window

pytest.importorskip('triton')
DEVICE = 'cuda' if torch.cuda.is_available() else 'cpu'
NONE = Window()
WINDOWS = [
    Window('circle', 2.0, inclusive=False),
    Window('square', 1, inclusive=True),
    NONE,
]


def integers(*shape: int, seed: int = 0) -> torch.Tensor:
    """Features whose sums of products are exact in float32, with many equal scores."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(-2, 3, shape, generator=generator).float().to(DEVICE)


def unit(*shape: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    feats = torch.randn(*shape, generator=generator)
    return torch.nn.functional.normalize(feats, dim=-1).to(DEVICE)


def copies_for(window: Window) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """A first frame that is always seen and stands twice, a skipped one, a near one."""
    return (2, 0, 1), (1, 0, 1 if window.shape == 'none' else 0)


def slots_of(search: FusedSearch) -> Slots:
    pieces = list(search.blocks())
    ids = torch.cat([ids for ids, _ in pieces])
    assert ids.sort().values.tolist() == list(range(search.statistics.queries))
    order = ids.argsort()
    values = torch.cat([slots.values for _, slots in pieces])[order]
    return Slots(values, torch.cat([slots.index for _, slots in pieces])[order])


@pytest.mark.parametrize('window', WINDOWS, ids=lambda window: window.shape)
def test_integer_features_give_the_slots_of_the_definition(window):
    near, far = copies_for(window)
    keys = Keys(integers(3, 5, 9, 20, seed=1), near, far)
    query, rule = integers(5, 9, 20), Rule(topk=5)
    found = slots_of(FusedSearch(query, keys, window, rule, 10**8))
    expected = slots_reference(query, keys, window, rule)
    assert torch.equal(found.values, expected.values)
    assert torch.equal(found.index, expected.index)


def test_queries_on_another_grid():
    keys = Keys(integers(2, 3, 4, 16, seed=1), (1, 1), (1, 1))
    query, rule = integers(2, 10, 16), Rule(topk=3)
    found = slots_of(FusedSearch(query, keys, NONE, rule, 10**8))
    expected = slots_reference(query, keys, NONE, rule)
    assert torch.equal(found.index, expected.index)


def test_a_window_with_fewer_keys_than_slots():
    window, rule = Window('circle', 1.0, inclusive=True), Rule(topk=7)
    keys, query = Keys(integers(1, 3, 3, 16, seed=1), (1,), (0,)), integers(3, 3, 16)
    found = slots_of(FusedSearch(query, keys, window, rule, 10**8))
    expected = slots_reference(query, keys, window, rule)
    assert torch.equal(found.values, expected.values)
    assert (found.values == -torch.inf).any()


@pytest.mark.parametrize('limit', [10**8, 5000], ids=['whole', 'in_pieces'])
@pytest.mark.parametrize('precision', ['float32', 'bfloat16'])
@pytest.mark.parametrize('ties', ['lowest', 'all'])
def test_labels_equal_those_of_the_windowed_path(ties, precision, limit):
    window, rule = WINDOWS[0], Rule(topk=3, ties=ties)
    near, far = copies_for(window)
    keys = Keys(integers(3, 4, 6, 16, seed=1), near, far)
    query = integers(4, 6, 16)
    labels = torch.rand(72, 3, generator=torch.Generator().manual_seed(2)).to(DEVICE)
    fused = propagate(
        query, keys, labels, window, rule,
        method='fused', max_memory=limit, precision=precision,
    )  # fmt: skip
    assert str(fused.plan) == 'fused, blocks of 8x8 queries'
    expected = propagate(query, keys, labels, window, rule, method='windowed')
    torch.testing.assert_close(fused.labels, expected.labels, atol=1e-6, rtol=0)


@pytest.mark.parametrize('store', [torch.float32, torch.float16, torch.bfloat16])
def test_real_features_to_the_stated_tolerance(store):
    feats = unit(2, 4, 6, 40, seed=1).to(store)
    keys = Keys(feats, (1, 1), (0, 1), center=feats.float().mean((0, 1, 2)))
    query, rule = unit(4, 6, 40), Rule(topk=4)
    expected = slots_reference(query, keys, WINDOWS[0], rule)
    for bfloat16 in (False, True):
        search = FusedSearch(query, keys, WINDOWS[0], rule, 10**8, bfloat16)
        found = slots_of(search)
        torch.testing.assert_close(found.values, expected.values, atol=1e-5, rtol=0)
        assert torch.equal(found.index, expected.index)  # no gap of 1e-5 here


def test_without_cuda_and_interpreter_the_error_says_so(monkeypatch):
    monkeypatch.delenv('TRITON_INTERPRET', raising=False)
    keys = Keys(torch.ones(1, 2, 2, 4), (1,), (1,))
    with pytest.raises(ValueError, match="'fused' cannot be used: the tensors are on"):
        FusedSearch(torch.ones(2, 2, 4), keys, NONE, Rule(topk=1), 10**6)


def test_more_keys_than_the_kernel_can_number_are_refused():
    from densecorr.ops.kernels.fused_topk import fused_candidates

    feats = torch.empty(1, device='meta').expand(2**11, 2**11, 2**10, 1)
    keys = Keys(feats, (1,) * 2**11, (1,) * 2**11)
    with pytest.raises(ValueError, match="Take method='windowed'"):
        fused_candidates(torch.ones(1, 1, 1), keys, NONE, 2, torch.float32)


COMPILE = """
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource, compile
from densecorr.ops.kernels import fused_topk

kernel = fused_topk._search
for numbers, centered, kept in (('fp32', False, 16), ('bf16', True, 64)):
    types = dict.fromkeys(kernel.arg_names, 'i32')
    types |= dict(query=f'*{numbers}', keys='*fp32', center='*fp32', limit='fp32')
    types |= dict(frames='*i32', restricted='*i32', out='*i64')
    fixed = dict(SHAPE=2, INCLUSIVE=False, CENTERED=centered, KEPT=kept)
    fixed |= dict(ROWS=8, COLS=8, CELLS=64, CHANNELS=64)
    types |= dict.fromkeys(fixed, 'constexpr')
    source = ASTSource(kernel, signature=types, constexprs=fixed)
    for capability in (80, 90):
        built = compile(source, target=GPUTarget('cuda', capability, 32))
        print(len(built.asm['cubin']) > 0)
"""


@pytest.mark.slow
def test_the_kernel_compiles_for_gpus_that_are_not_here():
    env = {key: value for key, value in os.environ.items() if key != 'TRITON_INTERPRET'}
    command = [sys.executable, '-c', COMPILE]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert done.stdout.split() == ['True'] * 4, done.stderr
