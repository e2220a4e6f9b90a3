import cv2
import numpy as np
import torch

from densecorr.ops.color import rgb_to_lab


def test_lab_is_that_of_opencv():
    levels = np.linspace(0, 255, 18).round().astype(np.uint8)
    colors = np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(54, -1, 3)
    expected = cv2.cvtColor(colors.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    images = torch.from_numpy(colors).permute(2, 0, 1) / 255
    found = rgb_to_lab(images).permute(1, 2, 0).numpy()
    difference = np.abs(found - expected) / (50, 127, 127)
    assert difference.max() < 5e-3


def test_lab_of_known_colors():
    colors = torch.tensor([[0.0, 0, 0], [1, 1, 1], [0.5, 0.5, 0.5], [1, 0, 0]])
    lab = rgb_to_lab(colors.t()[:, :, None])[..., 0].t()
    expected = torch.tensor(
        [[0, 0, 0], [100, 0, 0], [53.389, 0, 0], [53.24, 80.09, 67.20]]
    )
    torch.testing.assert_close(lab, expected, atol=0.02, rtol=0)


def test_lab_has_finite_gradients():
    images = torch.zeros(3, 2, 2, requires_grad=True)  # the cube root's end
    rgb_to_lab(images).sum().backward()
    assert images.grad.isfinite().all()
