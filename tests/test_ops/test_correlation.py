import math
import re

import pytest
import torch
import torch.nn.functional as F
from torch.autograd import gradcheck

from densecorr.ops import correlation_blocks
from densecorr.ops.correlation import (
    dense_local_correlation,
    displacement_volume,
    global_correlation,
    local_correlation,
)


def maps(*shape, seed=0, dtype=torch.float64, **options):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=dtype, **options)


def all_pairs(windows):
    """``(b, h, w, d, d)`` windows as ``(b, n, n)``; nothing may lie outside the map."""
    b, h, w, side, _ = windows.shape
    out = windows.new_zeros(b, h, w, h + side - 1, w + side - 1)
    for y in range(h):
        for x in range(w):
            out[:, y, x, y : y + side, x : x + side] = windows[:, y, x]
    reach = side // 2
    inside = out[..., reach : reach + h, reach : reach + w]
    torch.testing.assert_close(inside.sum((3, 4)), windows.sum((3, 4)))
    return inside.reshape(b, h * w, h * w)


def test_a_match_by_hand():
    """Products 0, 1, 2 along a row; the radius leaves two or three of them."""
    target = torch.ones(1, 1, 1, 3)
    reference = torch.tensor([0.0, 1.0, 2.0]).view(1, 1, 1, 3)
    source = torch.tensor([3.0, 5.0, 7.0]).view(1, 1, 1, 3)
    found = local_correlation(target, reference, source, 1, scale=1.0)
    e = math.e
    rows = [[1 / (1 + e), e / (1 + e)], [1, e, e * e], [1 / (1 + e), e / (1 + e)]]
    rows[1] = [value / (1 + e + e * e) for value in rows[1]]
    middle = found.windows[0, 0, :, 1]  # (x, displacement)
    assert middle[0].tolist() == pytest.approx([0, *rows[0]])
    assert middle[1].tolist() == pytest.approx(rows[1])
    assert middle[2].tolist() == pytest.approx([*rows[2], 0])
    assert not found.windows[0, 0, :, [0, 2]].any()  # rows outside the map
    moved = found.transported.flatten().tolist()
    expected = [sum(p * c for p, c in zip(rows[1], (3, 5, 7), strict=True))]
    expected = [3 * rows[0][0] + 5 * rows[0][1], *expected]
    assert moved == pytest.approx([*expected, 5 * rows[2][0] + 7 * rows[2][1]])


@pytest.mark.parametrize(
    ('size', 'radius', 'cell'),
    [
        ((10, 9), 3, 1),
        ((20, 12), 3, 2),
        ((10, 18), 4, 2),
        ((9, 18), 5, 3),
        ((4, 2), 0, 2),
    ],
)
def test_windows_are_the_dense_softmax(size, radius, cell):
    target, reference = (maps(5, 3, *size, seed=s) for s in (0, 1))
    source = maps(5, 2, *size, seed=2)
    found = local_correlation(target, reference, source, radius, cell=cell)
    dense = dense_local_correlation(target, reference, radius)
    moved = source.flatten(2) @ dense.transpose(1, 2)
    torch.testing.assert_close(found.transported.flatten(2), moved)
    h, w = (side // cell for side in size)
    cells = dense.view(5, h, cell, w, cell, h, cell, w, cell)
    pooled = cells.mean((2, 4)).sum((4, 6)).flatten(3).flatten(1, 2)
    torch.testing.assert_close(all_pairs(found.windows), pooled)
    torch.testing.assert_close(pooled.sum(-1), torch.ones_like(pooled[..., 0]))


def test_dense_windows_allow_what_the_radius_says():
    dense = dense_local_correlation(maps(1, 2, 5, 4), maps(1, 2, 5, 4), 1)
    rows, cols = torch.arange(20) // 4, torch.arange(20) % 4
    near = ((rows[:, None] - rows).abs() <= 1) & ((cols[:, None] - cols).abs() <= 1)
    assert torch.equal(dense[0] > 0, near)


@pytest.mark.parametrize('side', [1, 3, 8, 32])
def test_blocks_do_not_matter(side, monkeypatch):
    inputs = [maps(2, 3, 12, 10, seed=s) for s in range(3)]
    expected = local_correlation(*inputs, 4, cell=2)
    volume = displacement_volume(*inputs[:2], 4)
    monkeypatch.setitem(correlation_blocks._SIDES, 'cpu', side)
    found = local_correlation(*inputs, 4, cell=2)
    torch.testing.assert_close(tuple(found), tuple(expected))
    torch.testing.assert_close(displacement_volume(*inputs[:2], 4), volume)


def test_gradients():
    target, reference = (maps(1, 2, 10, 9, seed=s).requires_grad_() for s in (0, 1))
    source = maps(1, 1, 10, 9, seed=2).requires_grad_()

    def local(*inputs):
        return tuple(local_correlation(*inputs, 2))

    assert gradcheck(local, (target, reference, source), fast_mode=True)
    volume = lambda a, b: displacement_volume(a, b, 2)  # noqa: E731
    assert gradcheck(volume, (target, reference), fast_mode=True)
    target, reference = (maps(1, 2, 12, 8, seed=s).requires_grad_() for s in (0, 1))

    def pooled(*inputs):
        return tuple(local_correlation(*inputs, maps(1, 2, 12, 8), 3, cell=2))

    assert gradcheck(pooled, (target, reference), fast_mode=True)


def test_gradients_of_one_result_alone():
    inputs = [maps(1, 2, 6, 6, seed=s).requires_grad_() for s in range(3)]
    for name in ('transported', 'windows'):
        loss = getattr(local_correlation(*inputs, 2), name).square().sum()
        found = torch.autograd.grad(loss, inputs[:2])
        dense = dense_local_correlation(*inputs[:2], 2)
        if name == 'transported':
            expected = (dense @ inputs[2].flatten(2).transpose(1, 2)).square().sum()
        else:
            expected = dense.square().sum()
        torch.testing.assert_close(found, torch.autograd.grad(expected, inputs[:2]))


def test_volume_by_the_definition():
    target, reference = (maps(2, 3, 5, 6, seed=s) for s in (0, 1))
    volume = displacement_volume(target, reference, 2)
    padded = F.pad(reference, (2, 2, 2, 2))
    for p in range(5):
        for q in range(5):
            expected = (target * padded[:, :, p : p + 5, q : q + 6]).sum(1)
            torch.testing.assert_close(volume[..., p, q], expected)


def test_global_correlation():
    target, reference = maps(2, 3, 2, 4), maps(2, 3, 5, 2, 4, seed=1)
    found = global_correlation(target, reference)
    assert found.shape == (2, 8, 40)
    scores = torch.einsum('bcq,bcm->bqm', target.flatten(2), reference.flatten(2))
    torch.testing.assert_close(found, (scores / math.sqrt(3)).softmax(-1))
    once = global_correlation(target, reference, 1 / 0.07, unit=True)
    again = global_correlation(9 * target, 0.3 * reference, 1 / 0.07, unit=True)
    torch.testing.assert_close(once, again)


def test_half_precision_is_widened():
    feats = maps(1, 4, 6, 6, dtype=torch.bfloat16)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        found = local_correlation(feats, feats, feats, 2)
        assert found.windows.dtype == found.transported.dtype == torch.float32
        assert displacement_volume(feats, feats, 2).dtype == torch.float32
        assert global_correlation(feats, feats).dtype == torch.float32


def test_refused_inputs():
    feats = torch.zeros(1, 2, 4, 6)
    for radius in (-1, 6):
        text = f'radius of the windows is {radius}, the feature map (4, 6). Give a '
        with pytest.raises(ValueError, match=re.escape(text)):
            displacement_volume(feats, feats, radius)
    with pytest.raises(ValueError, match=r'reference \(1, 2, 4, 4\); both should be'):
        local_correlation(feats, feats[..., :4], feats, 1)
    with pytest.raises(ValueError, match=r'source has \(2, 6\) positions'):
        local_correlation(feats, feats, feats[:, :, :2], 1)
    with pytest.raises(ValueError, match=r'give \(b, k, h, w\) with b of 1'):
        local_correlation(feats, feats, feats[0], 1)
    with pytest.raises(ValueError, match=r'\(4, 6\) cannot be divided into cells of 4'):
        local_correlation(feats, feats, feats, 1, cell=4)
