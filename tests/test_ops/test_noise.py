import pytest
import torch

from densecorr.ops.noise import item_noise


@pytest.mark.parametrize('normal', [False, True])
def test_noise_belongs_to_its_item(normal):
    both = item_noise([3, 4], 1, (5, 6), normal=normal)
    assert torch.equal(both[1:], item_noise([4], 1, (5, 6), normal=normal))
    assert not torch.equal(both[0], both[1])
    assert not torch.equal(both, item_noise([3, 4], 2, (5, 6), normal=normal))


def test_distributions():
    uniform = item_noise([1, 2], 0, (50000,))
    assert float(uniform.min()) >= 0
    assert float(uniform.max()) < 1
    normal = item_noise([1, 2], 0, (50000,), normal=True)
    assert normal.mean(1).abs().max() < 0.02
    assert (normal.std(1) - 1).abs().max() < 0.02


def test_bad_arguments_are_named():
    with pytest.raises(ValueError, match=r'seeds are \[-1\] and the stream is 0'):
        item_noise([-1], 0, (2,))
