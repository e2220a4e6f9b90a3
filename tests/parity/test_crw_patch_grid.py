import numpy as np
import torch

from densecorr.models.methods.base import ImageNormalizer
from densecorr.registry import TRANSFORMS

from .replay import replay

INPUTS = ['image', 'patch_size', 'stride', 'boxes', 'mean', 'std']


def patches_of(case, resizer):
    grid = TRANSFORMS.build(
        dict(
            type='PatchGrid',
            patch_size=case.patch_size,
            stride=case.stride,
            resizer=resizer,
        )
    )
    cut = grid.apply(dict(frames=case.image[None]), boxes=case.boxes[None])
    pack = TRANSFORMS.build(dict(type='PackClip'))
    return pack(cut)['inputs']['frames'][0]  # (n, 3, p, p)


@replay('crw', 'patch_grid', inputs=INPUTS)
def test_patch_grid(case):
    patches = patches_of(case, 'pillow')
    case.exact('patches', patches)
    normalize = ImageNormalizer(mean=case.mean.tolist(), std=case.std.tolist())
    case.close('first_patch_normalised', normalize(patches)[0], atol=1e-6)


@replay('crw', 'patch_grid', inputs=[*INPUTS, 'first_patch_normalised'])
def test_fast_resizers_are_one_level_off_at_most(case):
    case.compared('patches')
    for resizer in ('opencv', 'torch_antialias'):
        patches = patches_of(case, resizer).int()
        difference = patches - torch.from_numpy(case.patches).int()
        assert difference.abs().max() <= 1


@replay('crw', 'patch_grid', inputs=['*'])
def test_drawn_boxes_are_of_the_recorded_kind(case):
    """Seven to nine tenths of the window, ratios from 3/4 to 4/3, inside it."""
    grid = TRANSFORMS.build(
        dict(type='PatchGrid', patch_size=case.patch_size, stride=case.stride)
    )
    sample = dict(frames=case.image[None])
    boxes = grid.draw(np.random.default_rng(0), sample)['boxes']
    assert boxes.shape == (1, *case.boxes.shape)
    p = case.patch_size
    for top, left, height, width in [*boxes[0], *case.boxes]:
        assert 0 <= top <= p - height
        assert 0 <= left <= p - width
        assert 0.65 < height * width / p**2 < 0.95
        assert 0.7 < width / height < 1.42
