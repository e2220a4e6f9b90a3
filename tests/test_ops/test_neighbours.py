import itertools

import pytest
import torch
import torch.nn.functional as F

from densecorr.ops.keys import Keys
from densecorr.ops.neighbours import View, nearest, select
from densecorr.ops.propagate import propagate, topk_slots
from densecorr.ops.selection import Rule, Slots, exact_slots, labels_of
from densecorr.ops.window import Window

GRID, CHANNELS = (7, 10), 6
NONE = Window()
WINDOWS = [
    (Window('square', 4), Window('square', 2)),
    (Window('circle', 5, inclusive=False), Window('circle', 3, inclusive=False)),
    (NONE, Window('circle', 3)),
    (NONE, NONE),
]
COPIES = [
    ((1, 1, 1, 1), (0, 0, 0, 0)),
    ((4, 1, 1, 1), (1, 0, 0, 0)),  # CRW at the start: copies, a global first frame
    ((1, 0, 1, 1), (0, 0, 0, 0)),  # a shorter context
]


def features(integer, seed=0, frames=4):
    generator = torch.Generator().manual_seed(seed)
    shape = (frames + 1, *GRID, CHANNELS)
    if integer:
        feats = torch.randint(-3, 4, shape, generator=generator).float()
    else:
        feats = F.normalize(torch.randn(shape, generator=generator), dim=-1)
    return feats[0].contiguous(), feats[1:].contiguous()


def found_slots(
    query, feats, copies, windows, number, topks, ties='lowest', limit=10**8
):
    """Slots of all queries for each k, and the number of queries not proven."""
    searched, window = windows
    near, far = copies
    keys = Keys(feats, (1,) * len(feats), tuple(int(f > 0) for f in far))
    used = [i for i, count in enumerate(near) if count]
    view = View(
        tuple(used),
        tuple(used),
        tuple(near[i] for i in used),
        tuple(far[i] for i in used),
        window,
    )
    total = query.shape[0] * query.shape[1]
    slots = {
        k: Slots(torch.empty(total, k), torch.empty(total, k, dtype=torch.long))
        for k in topks
    }
    unproven = dict.fromkeys(topks, 0)
    for block in nearest(query, keys, searched, number, limit):
        for chosen in select(block, keys, view, topks, 'lowest', limit):
            unproven[chosen.topk] += chosen.unproven
            for some, part in chosen.pieces:
                ids = block.ids if some is None else block.ids[some]
                slots[chosen.topk].values[ids] = part.values
                slots[chosen.topk].index[ids] = part.index
    return slots, unproven


@pytest.mark.parametrize('number', [1, 9, 500])
@pytest.mark.parametrize('copies', COPIES, ids=str)
@pytest.mark.parametrize('windows', WINDOWS, ids=str)
def test_selections_equal_a_search_bit_for_bit(windows, copies, number):
    query, feats = features(integer=True)
    keys = Keys(feats, *copies)
    slots, unproven = found_slots(query, feats, copies, windows, number, [1, 5, 9])
    for k in (1, 5, 9):
        wanted = topk_slots(query, keys, windows[1], Rule(k))
        assert torch.equal(slots[k].values, wanted.values)
        assert torch.equal(slots[k].index, wanted.index)
    assert unproven[1] <= unproven[5] <= unproven[9]
    assert unproven[9] > 0 if number == 1 else True
    assert unproven[9] == 0 if number == 500 else True


def test_small_blocks_find_the_same():
    query, feats = features(integer=True)
    arguments = (query, feats, COPIES[1], WINDOWS[0], 20, [5])
    large, _ = found_slots(*arguments)
    small, _ = found_slots(*arguments, limit=60_000)
    assert torch.equal(large[5].values, small[5].values)
    assert torch.equal(large[5].index, small[5].index)


@pytest.mark.parametrize('seed', range(2))
def test_a_certificate_is_never_false(seed, monkeypatch):
    """Without the second search, what is called proven is right all the same."""
    query, feats = features(integer=False, seed=seed)
    proven = []

    def nothing(found, keys, view, rule, again, limit):
        proven.append((found.ids, ~again))
        return iter(())

    monkeypatch.setattr('densecorr.ops.neighbours._searched_again', nothing)
    for windows, copies, number in itertools.product(WINDOWS, COPIES, (2, 8)):
        proven.clear()
        slots, unproven = found_slots(query, feats, copies, windows, number, [6])
        wanted = topk_slots(query, Keys(feats, *copies), windows[1], Rule(6))
        right = torch.cat([ids[fine] for ids, fine in proven])
        assert len(right) >= query.shape[0] * query.shape[1] - unproven[6]
        torch.testing.assert_close(
            slots[6].values[right], wanted.values[right], atol=1e-5, rtol=0
        )
        assert torch.equal(
            slots[6].index[right].sort(1).values, wanted.index[right].sort(1).values
        )


def test_what_is_not_proven_would_often_be_wrong(monkeypatch):
    query, feats = features(integer=False)
    windows, copies = WINDOWS[2], COPIES[0]
    wanted = topk_slots(query, Keys(feats, *copies), windows[1], Rule(6))
    right, unproven = found_slots(query, feats, copies, windows, 6, [6])
    assert unproven[6] > 30
    torch.testing.assert_close(right[6].values, wanted.values, atol=1e-5, rtol=0)
    monkeypatch.setattr(
        'densecorr.ops.neighbours._searched_again', lambda *arguments: iter(())
    )
    wrong, _ = found_slots(query, feats, copies, windows, 6, [6])
    assert int((wrong[6].index != wanted.index).any(1).sum()) > 30


def test_in_the_window_searched_k_neighbours_prove_everything():
    query, feats = features(integer=False)
    windows = (WINDOWS[0][0], WINDOWS[0][0])
    _, unproven = found_slots(query, feats, COPIES[0], windows, 6, [6])
    assert unproven[6] == 0


def test_places_decide_the_order_of_equal_keys():
    query, feats = features(integer=True)
    keys = Keys(feats[:2], (1, 1), (0, 0))
    turned = View((0, 1), (1, 0), (1, 1), (0, 0), WINDOWS[0][0])
    wanted = topk_slots(
        query, Keys(feats[:2].flip(0), (1, 1), (0, 0)), WINDOWS[0][0], Rule(5)
    )
    for block in nearest(query, keys, WINDOWS[0][0], 30, 10**8):
        (chosen,) = select(block, keys, turned, [5])
        assert torch.equal(chosen.pieces[0][1].index, wanted.index[block.ids])


def test_all_ties_are_kept_for_every_k():
    query, feats = features(integer=True)
    keys, window = Keys(feats, *COPIES[0]), WINDOWS[0][1]
    labels = torch.rand(feats.shape[:3].numel(), 3)
    every = Keys(feats, (1,) * 4, (0,) * 4)
    view = View((0, 1, 2, 3), (0, 1, 2, 3), (1,) * 4, (0,) * 4, window)
    for block in nearest(query, every, WINDOWS[0][0], 30, 10**8):
        for chosen in select(block, every, view, [1, 4], 'all'):
            rule = Rule(chosen.topk, 0.5, ties='all')
            out = torch.empty(len(block.ids), 3)
            for some, slots in chosen.pieces:
                rows = slice(None) if some is None else some
                out[rows] = labels_of(labels, slots, rule)
            wanted = propagate(query, keys, labels, window, rule).labels
            assert torch.equal(out, wanted.flatten(0, 1)[block.ids])


def test_labels_of_rows_do_not_depend_on_their_neighbours():
    generator = torch.Generator().manual_seed(0)
    values = torch.randint(0, 3, (40, 60), generator=generator).float()
    index, copies = torch.arange(60), torch.ones(40, 60, dtype=torch.long)
    labels = torch.rand(60, 4, generator=generator)
    rule = Rule(5, 0.3, ties='all')
    together = labels_of(labels, exact_slots(values, index, copies, rule), rule)
    for row in range(40):
        slots = exact_slots(values[row, None], index, copies[row, None], rule)
        assert torch.equal(labels_of(labels, slots, rule)[0], together[row])


def test_bad_arguments_are_named():
    query, feats = features(integer=False)
    keys = Keys(feats, *COPIES[2])
    with pytest.raises(ValueError, match=r'number of neighbours is 0; give at least 1'):
        next(nearest(query, keys, NONE, 0, 10**8))
    block = next(nearest(query, keys, NONE, 3, 10**8))
    view = View((0, 1), (0, 1), (1, 1), (0, 0), NONE)
    with pytest.raises(ValueError, match=r'frames \[1\] were not searched; .*\(0, 2'):
        next(select(block, keys, view, [2]))
