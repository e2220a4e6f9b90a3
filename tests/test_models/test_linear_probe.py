"""The linear probe: order of its steps, pixels without a class, error text."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from densecorr.models.heads.linear_probe import LinearProbeHead


def _maps() -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(2, 8, 4, 5, generator=generator, dtype=torch.float64)


def test_features_are_resized_then_classified() -> None:
    torch.manual_seed(0)
    head, maps = LinearProbeHead(8, 3).double(), _maps()
    large = F.interpolate(maps, (9, 7), mode='bilinear', align_corners=False)
    torch.testing.assert_close(head(maps, (9, 7)), head.conv(large))


def test_batch_norm_sees_the_resized_features() -> None:
    torch.manual_seed(0)
    head, maps = LinearProbeHead(8, 3, batch_norm=True).double(), _maps()
    large = F.interpolate(maps, (9, 7), mode='bilinear', align_corners=False)
    mean = large.mean((0, 2, 3), keepdim=True)
    deviation = (large.var((0, 2, 3), correction=0, keepdim=True) + 1e-5).sqrt()
    expected = head.conv((large - mean) / deviation)
    torch.testing.assert_close(head(maps, (9, 7)), expected)


def test_loss_is_the_mean_over_pixels_with_a_class() -> None:
    torch.manual_seed(0)
    head, maps = LinearProbeHead(8, 3).double(), _maps()
    target = torch.full((2, 9, 7), 255)
    target[0, 2, 3], target[1, 0, 0] = 1, 2
    logits = head(maps, (9, 7)).log_softmax(1)
    expected = -(logits[0, 1, 2, 3] + logits[1, 2, 0, 0]) / 2
    torch.testing.assert_close(head.loss(maps, target), expected)
    assert head.loss(maps, torch.full((2, 9, 7), 255)).item() == 0
    parameters = tuple(head.parameters())
    assert torch.autograd.gradcheck(lambda *_: head.loss(maps, target), parameters)


def test_wrong_labels_are_named() -> None:
    head = LinearProbeHead(8, 3).double()
    target = torch.tensor([3, 255, 7, 0]).view(1, 2, 2).expand(2, 2, 2)
    with pytest.raises(ValueError, match=r'labels are \[3, 7\]; the probe .* 0 to 2'):
        head.loss(_maps(), target)
