import pytest
import torch

from densecorr.ops.selection import (
    Rule,
    exact_slots,
    fill_slots,
    slot_weights,
    sort_canonically,
    weighted_labels,
)


def test_copies_take_slots_until_they_are_full():
    values = torch.tensor([[0.9, 0.8, 0.7]])
    index = torch.tensor([[4, 2, 9]])
    slots = fill_slots(values, index, torch.tensor([[2, 1, 5]]), topk=4)
    assert slots.index.tolist() == [[4, 4, 2, 9]]
    assert slots.values.tolist() == [pytest.approx([0.9, 0.9, 0.8, 0.7])]


def test_slots_that_no_key_takes_have_weight_zero():
    values, index = torch.tensor([[0.5]]), torch.tensor([[7]])
    slots = fill_slots(values, index, torch.tensor([[1]]), topk=3)
    assert slots.values.tolist() == [[0.5, -torch.inf, -torch.inf]]
    weights = slot_weights(slots.values, Rule(3, 0.1))
    assert weights.tolist() == [[1.0, 0.0, 0.0]]


def test_equal_keys_enter_by_index_or_all():
    values = torch.tensor([[1.0, 2.0, 1.0, 1.0, 3.0]])
    index, copies = torch.arange(5) * 10, torch.tensor([[1, 1, 1, 1, 0]])
    lowest = exact_slots(values, index, copies, Rule(2, 1.0))
    assert lowest.index.tolist() == [[10, 0]]
    every = exact_slots(values, index, copies, Rule(2, 1.0, ties='all'))
    assert every.index.tolist() == [[10, 0, 20, 30]]


def test_all_ties_keep_every_copy_of_the_last_key():
    values, copies = torch.tensor([[2.0, 1.0]]), torch.tensor([[1, 3]])
    every = exact_slots(values, torch.arange(2), copies, Rule(2, 1.0, ties='all'))
    assert every.index.tolist() == [[0, 1, 1, 1]]
    lowest = exact_slots(values, torch.arange(2), copies, Rule(2, 1.0))
    assert lowest.index.tolist() == [[0, 1]]


def test_weights_are_softmax_or_squares():
    values = torch.tensor([[1.0, 0.5, -1.0]])
    expected = torch.tensor([[10.0, 5.0, -10.0]]).softmax(1)
    torch.testing.assert_close(slot_weights(values, Rule(3, 0.1)), expected)
    squares = slot_weights(values, Rule(3, 0.5, weighting='relu_squared'))
    torch.testing.assert_close(squares, torch.tensor([[4.0, 1.0, 0.0]]))


def test_weighted_labels_are_the_sum_over_slots():
    labels, index = torch.rand(9, 3), torch.randint(9, (4, 5))
    weights = torch.rand(4, 5)
    expected = (labels[index] * weights[..., None]).sum(1)
    torch.testing.assert_close(weighted_labels(labels, index, weights), expected)


def test_canonical_order_is_by_value_then_index():
    values, index = torch.tensor([[1.0, 2.0, 1.0]]), torch.tensor([[8, 5, 3]])
    values, index = sort_canonically(values, index)
    assert values.tolist() == [[2.0, 1.0, 1.0]]
    assert index.tolist() == [[5, 3, 8]]


@pytest.mark.parametrize(
    ('arguments', 'text'),
    [
        (dict(topk=0), 'topk is 0.*at least 1'),
        (dict(temperature=0.0), 'temperature is 0.0.*> 0'),
        (dict(ties='some'), "ties is 'some'.*'lowest', 'all'"),
        (dict(weighting='max'), "weighting is 'max'.*'softmax', 'relu_squared'"),
    ],
)
def test_impossible_rules_are_refused(arguments, text):
    with pytest.raises(ValueError, match=text):
        Rule(**arguments)
