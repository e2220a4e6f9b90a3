import math

import pytest
import torch

from densecorr.ops.pos_embed import interpolate_pos_embed, sincos_pos_embed


def table(side, num_prefix=1, channels=3):
    generator = torch.Generator().manual_seed(0)
    return torch.randn(1, num_prefix + side * side, channels, generator=generator)


@pytest.mark.parametrize('rule', ['scale_factor', 'size', None])
def test_grid_of_the_table_is_untouched(rule):
    weights = table(4)
    assert interpolate_pos_embed(weights, (4, 4), rule) is weights


def cubic(x, a):
    x = abs(x)
    if x <= 1:
        return (a + 2) * x**3 - (a + 3) * x**2 + 1
    return a * x**3 - 5 * a * x**2 + 8 * a * x - 4 * a if x < 2 else 0.0


def test_scale_factor_uses_the_offset_as_coordinate_scale():
    """One output position by hand: source = (i + 0.5) * s / (h + 0.1) - 0.5."""
    weights, (h, w) = table(4, channels=1), (6, 9)
    grid = weights[0, 1:, 0].reshape(4, 4)
    row, col = 2, 7
    y, x = (row + 0.5) * 4 / (h + 0.1) - 0.5, (col + 0.5) * 4 / (w + 0.1) - 0.5
    expected = 0.0
    for i in range(int(y) - 1, int(y) + 3):
        for j in range(int(x) - 1, int(x) + 3):
            value = grid[min(max(i, 0), 3), min(max(j, 0), 3)].item()
            expected += value * cubic(y - i, -0.75) * cubic(x - j, -0.75)
    actual = interpolate_pos_embed(weights, (h, w), 'scale_factor')
    assert actual.shape == (1, 1 + h * w, 1)
    assert actual[0, 1 + row * w + col, 0].item() == pytest.approx(expected, abs=1e-5)


def test_size_rule_equals_timm():
    from timm.layers.pos_embed import resample_abs_pos_embed

    import densecorr  # noqa: F401  (guards of compat come before timm)

    weights = table(7, num_prefix=5)
    for grid in [(3, 11), (9, 9), (7, 8)]:
        expected = resample_abs_pos_embed(weights, list(grid), num_prefix_tokens=5)
        actual = interpolate_pos_embed(weights, grid, 'size', num_prefix=5)
        torch.testing.assert_close(actual, expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize('rule', ['scale_factor', 'size'])
def test_prefix_rows_constants_and_transposition(rule):
    weights = table(5, num_prefix=2)
    weights[:, 2:, 0] = 0.25
    out = interpolate_pos_embed(weights, (8, 6), rule, num_prefix=2)
    assert torch.equal(out[:, :2], weights[:, :2])
    torch.testing.assert_close(out[:, 2:, 0], torch.full((1, 48), 0.25))
    swapped = weights.clone()
    swapped[:, 2:] = weights[:, 2:].reshape(1, 5, 5, 3).transpose(1, 2).flatten(1, 2)
    out_swapped = interpolate_pos_embed(swapped, (6, 8), rule, num_prefix=2)
    back = out_swapped[:, 2:].reshape(1, 6, 8, 3).transpose(1, 2).flatten(1, 2)
    torch.testing.assert_close(back, out[:, 2:], rtol=0, atol=1e-6)


def test_table_that_is_not_square():
    weights = table(4)[:, :13]
    assert interpolate_pos_embed(weights, (3, 4), None, 1, (3, 4)) is weights
    for rule in ('size', 'scale_factor'):
        out = interpolate_pos_embed(weights, (6, 5), rule, 1, (3, 4))
        assert out.shape == (1, 31, 3)
    # constant along columns stays constant along columns
    weights[:, 1:] = torch.arange(3.0).repeat_interleave(4)[None, :, None]
    out = interpolate_pos_embed(weights, (6, 5), 'scale_factor', 1, (3, 4))[:, 1:]
    rows = out.reshape(6, 5, 3)
    torch.testing.assert_close(rows, rows[:, :1].expand_as(rows))


def test_errors():
    with pytest.raises(ValueError, match=r"6x9.*4x4.*pos_embed_rule.*'scale_factor'"):
        interpolate_pos_embed(table(4), (6, 9), None)
    with pytest.raises(ValueError, match=r"'bilinear', allowed are \('scale_factor'"):
        interpolate_pos_embed(table(4), (6, 9), 'bilinear')
    with pytest.raises(ValueError, match=r'17 positions.*4x4.*num_prefix'):
        interpolate_pos_embed(table(4), (6, 9), 'size', num_prefix=0)


def test_fixed_table_by_hand_and_its_symmetry():
    table = sincos_pos_embed(8, (3, 5))
    assert table.shape == (1, 16, 8)
    assert not table[0, 0].any()
    y, x = 2, 3
    slow = 10000**-0.5
    expected = [
        f(p * w) for p in (x, y) for f in (math.sin, math.cos) for w in (1, slow)
    ]
    row = table[0, 1 + y * 5 + x].tolist()
    assert row == pytest.approx(expected, abs=1e-6)
    cells = table[0, 1:].unflatten(0, (3, 5))
    turned = sincos_pos_embed(8, (5, 3))[0, 1:].unflatten(0, (5, 3)).transpose(0, 1)
    assert torch.equal(cells, turned.roll(4, dims=2))  # x and y change places
    with pytest.raises(
        ValueError, match=r'sin-cos table has 6 channels; give a multip'
    ):
        sincos_pos_embed(6, (2, 2))
