"""Every path of the operator against its definition."""

import itertools

import pytest
import torch
import torch.nn.functional as F

from densecorr.ops.keys import Keys, rounding_norms
from densecorr.ops.propagate import (
    propagate,
    propagate_reference,
    slots_reference,
    topk_slots,
)
from densecorr.ops.selection import Rule
from densecorr.ops.window import Window

WINDOWS = [
    Window('circle', 3, inclusive=False),
    Window('circle', 2, inclusive=True),
    Window('square', 2, inclusive=True),
    Window('square', 4, inclusive=False),
]
COPIES = [
    ((1, 1, 1, 1), (0, 0, 0, 0)),  # all restricted
    ((4, 1, 1, 1), (1, 0, 0, 0)),  # CRW at the start: copies and a global first frame
    ((2, 0, 1, 1), (0, 0, 0, 0)),  # Spa-then-Temp; one place of the bank is empty
    ((1, 1, 1, 1), (1, 1, 1, 1)),  # nothing restricted
]
PATHS = [
    dict(method='dense'),
    dict(method='windowed'),
    dict(method='windowed', max_memory='60KB'),
    dict(method='dense', max_memory='60KB'),
]


def unit(*shape, generator):
    feats = F.normalize(torch.randn(shape, generator=generator), dim=-1)
    return feats.contiguous()


def problem(integer, seed=0, grid=(9, 13), channels=8, copies=COPIES[0], objects=3):
    generator = torch.Generator().manual_seed(seed)
    frames, shape = len(copies[0]), (*grid, channels)
    if integer:
        query = torch.randint(-3, 4, shape, generator=generator).float()
        feats = torch.randint(-3, 4, (frames, *shape), generator=generator).float()
    else:
        query = unit(*shape, generator=generator)
        feats = unit(frames, *shape, generator=generator)
    count = frames * grid[0] * grid[1]
    labels = torch.rand(count, objects, generator=generator)
    return query, Keys(feats, *copies), labels


@pytest.mark.parametrize('precision', ['float32', 'bfloat16'])
@pytest.mark.parametrize('copies', COPIES, ids=str)
@pytest.mark.parametrize('window', WINDOWS, ids=str)
def test_integer_features_are_equal_bit_for_bit(window, copies, precision):
    query, keys, labels = problem(True, copies=copies)
    exact = precision == 'float32'  # a product that is added up in another order too
    for path, ties in itertools.product(PATHS, ['lowest', 'all']):
        rule = Rule(5, 0.1, ties)
        expected = propagate_reference(query, keys, labels, window, rule)
        found = propagate(
            query, keys, labels, window, rule, precision=precision, **path
        )
        if exact:
            assert torch.equal(found.labels.flatten(0, 1), expected), path
        torch.testing.assert_close(
            found.labels.flatten(0, 1), expected, atol=1e-6, rtol=0
        )
    rule = Rule(5, 0.1)
    wanted = slots_reference(query, keys, window, rule)
    slots = topk_slots(query, keys, window, rule, precision=precision)
    assert torch.equal(slots.values, wanted.values)
    assert torch.equal(slots.index, wanted.index)


@pytest.mark.parametrize('precision', ['float32', 'bfloat16'])
@pytest.mark.parametrize('copies', COPIES, ids=str)
def test_real_features_are_equal_to_rounding(copies, precision):
    window, rule = WINDOWS[0], Rule(7, 0.07)
    query, keys, labels = problem(False, grid=(11, 17), copies=copies)
    wanted = slots_reference(query, keys, window, Rule(8, 0.07))
    clear = wanted.values[:, 6] - wanted.values[:, 7] > 1e-5
    expected = propagate_reference(query, keys, labels, window, rule)
    for path in PATHS:
        slots = topk_slots(query, keys, window, rule, precision=precision, **path)
        torch.testing.assert_close(
            slots.values, wanted.values[:, :7], atol=1e-5, rtol=0
        )
        same = slots.index.sort(1).values == wanted.index[:, :7].sort(1).values
        assert same.all(1)[clear].all()
        found = propagate(
            query, keys, labels, window, rule, precision=precision, **path
        )
        difference = (found.labels.flatten(0, 1) - expected).abs().amax(1)
        assert float(difference[clear].max()) < 1e-5
        assert float(clear.float().mean()) > 0.5


def test_identical_frames_give_the_identity():
    query, _, _ = problem(False)
    labels = F.one_hot(torch.arange(9 * 13)).float()
    keys = Keys(query[None].contiguous(), (1,), (0,))
    for method in ('dense', 'windowed'):
        out = propagate(query, keys, labels, WINDOWS[2], Rule(1, 0.1), method=method)
        assert torch.equal(out.labels.flatten(0, 1), labels)


def test_weights_sum_to_one_and_flipping_commutes():
    query, keys, labels = problem(False)
    labels[:, 0] = 1
    out = propagate(query, keys, labels, WINDOWS[0], Rule(5, 0.1)).labels
    torch.testing.assert_close(out[..., 0], torch.ones(9, 13))
    flipped = Keys(keys.feats.flip(2), keys.near, keys.far)
    turned = labels.view(4, 9, 13, 3).flip(2).reshape(-1, 3)
    mirror = propagate(query.flip(1), flipped, turned, WINDOWS[0], Rule(5, 0.1)).labels
    torch.testing.assert_close(mirror.flip(1), out, atol=1e-6, rtol=0)


def test_all_keys_may_be_weighted():
    query, keys, labels = problem(False, copies=COPIES[1])
    rule = Rule(None, 0.2)
    expected = propagate_reference(query, keys, labels, WINDOWS[0], rule)
    found = propagate(query, keys, labels, WINDOWS[0], rule)
    assert found.plan is None
    torch.testing.assert_close(
        found.labels.flatten(0, 1), expected, atol=1e-6, rtol=1e-5
    )


def test_half_precision_stores_are_scored_in_float32():
    query, keys, labels = problem(False)
    half = Keys(keys.feats.half(), keys.near, keys.far)
    rounded = Keys(keys.feats.half().float(), keys.near, keys.far)
    for method in ('dense', 'windowed'):
        out = [
            propagate(query, k, labels, WINDOWS[0], Rule(5, 0.1), method=method)
            for k in (half, rounded)
        ]
        torch.testing.assert_close(out[0].labels, out[1].labels, atol=1e-6, rtol=0)


def test_a_duplicated_frame_does_not_make_the_fast_path_slow():
    query, keys, labels = problem(False)
    twice = Keys(keys.feats[[0, 0, 1, 1]], keys.near, keys.far)
    found = propagate(query, twice, labels, WINDOWS[0], Rule(4, 0.1))
    assert found.statistics.tied == 0


def test_uncertified_queries_are_counted_and_right():
    """Nearly equal keys: bfloat16 cannot tell them apart, float32 must."""
    generator = torch.Generator().manual_seed(1)
    base = torch.randn(1, 1, 8, generator=generator)
    noise = 1e-3 * torch.randn(4, 24, 24, 8, generator=generator)
    feats = F.normalize(base + noise, dim=-1)
    keys, query = Keys(feats, *COPIES[0]), feats[0].roll(1, 0).contiguous()
    labels = torch.rand(4 * 24 * 24, 2, generator=generator)
    window, rule = Window('square', 8), Rule(3, 1e-4)
    found = propagate(query, keys, labels, window, rule, precision='bfloat16')
    assert found.statistics.uncertified > 0
    slots = topk_slots(query, keys, window, rule, precision='bfloat16')
    expected = slots_reference(query, keys, window, rule)
    torch.testing.assert_close(slots.values, expected.values, atol=1e-6, rtol=0)


def test_rounding_norms_bound_what_bfloat16_loses():
    feats = torch.randn(9, 5, 16)
    length, lost = rounding_norms(feats)
    assert length == pytest.approx(float(feats.norm(dim=-1).max()))
    residue = (feats - feats.bfloat16().float()).norm(dim=-1)
    assert lost == pytest.approx(float(residue.max()))
    center = feats.mean((0, 1))
    assert rounding_norms(feats, center) == rounding_norms(feats - center)


def test_a_centre_proves_more_and_changes_nothing():
    """Features around a common mean, as behind a ReLU."""
    generator = torch.Generator().manual_seed(0)
    feats = F.normalize(torch.rand(4, 24, 24, 32, generator=generator) + 2, dim=-1)
    query, labels = feats[1].roll(1, 0).contiguous(), torch.rand(4 * 576, 2)
    window, rule = Window('square', 8), Rule(3, 0.05)
    plain = Keys(feats, *COPIES[1])
    centred = Keys(feats, *COPIES[1], center=feats[0].mean((0, 1)))
    expected = propagate(query, plain, labels, window, rule)
    found = [
        propagate(query, keys, labels, window, rule, precision='bfloat16')
        for keys in (plain, centred)
    ]
    for result in found:
        torch.testing.assert_close(result.labels, expected.labels, atol=1e-4, rtol=0)
    shares = [result.statistics.certified for result in found]
    assert shares[0] < shares[1] - 0.3


def test_bad_shapes_and_options_name_what_is_wrong():
    query, keys, labels = problem(False)
    window, rule = WINDOWS[0], Rule(5, 0.1)
    with pytest.raises(ValueError, match=r'query is \(9, 13, 4\).*c=8'):
        propagate(query[..., :4], keys, labels, window, rule)
    with pytest.raises(ValueError, match=r'queries on a 5x13 grid.*keys of 9x13'):
        propagate(query[:5], keys, labels, window, rule)
    with pytest.raises(ValueError, match='labels hold 7 keys, the memory 468'):
        propagate(query, keys, labels[:7], window, rule)
    with pytest.raises(ValueError, match="precision is 'int8'"):
        propagate(query, keys, labels, window, rule, precision='int8')
    with pytest.raises(ValueError, match=r"ties='lowest'.*ties='all'"):
        topk_slots(query, keys, window, Rule(5, 0.1, 'all'))


@pytest.mark.parametrize(
    ('near', 'far', 'text'),
    [
        ((1, 1), (0, 0), '4 key frames need as many copies'),
        ((1, 1, 1, 1), (2, 0, 0, 0), 'should be between 0 and those inside'),
        ((0, 0, 0, 0), (0, 0, 0, 0), 'the memory is empty.*frame that has labels'),
    ],
)
def test_impossible_memories_are_refused(near, far, text):
    with pytest.raises(ValueError, match=text):
        Keys(torch.zeros(4, 3, 3, 2), near, far)
