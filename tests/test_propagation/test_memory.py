import errno
import os

import pytest
import torch

from densecorr.propagation.memory import FrameMemory, choose_store


def frame(value, grid=(2, 3), channels=4, objects=2):
    labels = torch.full((grid[0] * grid[1], objects), float(value))
    return torch.full((*grid, channels), float(value)), labels


def test_places_are_used_again():
    memory = FrameMemory(2)
    memory.add(0, *frame(0))
    memory.add(1, *frame(1))
    memory.keep([0])
    memory.add(2, *frame(2))
    keys = memory.keys({0: (3, 1), 2: (1, 0)})
    assert keys.near == (3, 1)
    assert keys.far == (1, 0)
    assert keys.feats[:, 0, 0, 0].tolist() == [0, 2]
    assert memory.labels[:, 0].tolist() == [0] * 6 + [2] * 6
    assert 1 not in memory


@pytest.mark.parametrize('bound', [None, '100B', '1B'])
def test_one_more_place_is_made_when_all_are_taken(bound):
    memory = FrameMemory(1, max_bank=bound)
    for value in range(3):
        memory.add(value, *frame(value))
    keys = memory.keys(dict.fromkeys(range(3), (1, 0)))
    assert keys.feats[:, 1, 2, 3].float().tolist() == [0, 1, 2]
    assert memory.labels[::6, 1].tolist() == [0, 1, 2]


def test_the_store_follows_the_bound():
    assert choose_store(100, None) == 'float32'
    assert choose_store(100, 400) == 'float32'
    assert choose_store(100, 399) == 'float16'
    assert choose_store(100, 199) == 'disk'


def test_a_bank_on_disk_holds_the_same_as_half_precision():
    half, disk = FrameMemory(2, max_bank='100B'), FrameMemory(2, max_bank='1B')
    feats, labels = torch.randn(2, 3, 4), torch.rand(6, 2)
    for memory in (half, disk):
        memory.add(0, feats, labels)
    assert (half.store, disk.store) == ('float16', 'disk')
    assert torch.equal(half.keys({0: (1, 0)}).feats[0], feats.half())
    assert torch.equal(disk.keys({0: (1, 0)}).feats[0], feats.half())


def test_a_full_disk_is_named_before_anything_is_computed(monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, 'posix_fallocate', full)
    with pytest.raises(
        OSError, match=r'no room for 96 bytes.*TMPDIR.*max_bank'
    ) as found:
        FrameMemory(2, max_bank='1B').add(0, *frame(0))
    assert found.value.errno == errno.ENOSPC


def test_an_empty_memory_says_so():
    with pytest.raises(ValueError, match='memory is empty: start the propagation'):
        FrameMemory(2).keys({})
    with pytest.raises(ValueError, match='memory is empty: start the propagation'):
        _ = FrameMemory(2).labels
