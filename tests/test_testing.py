"""Toy configs keep their parts and lose their size."""

import pytest
from mmengine.config import Config

from densecorr.apis.config import resolve, tracker_config
from densecorr.registry import MODELS
from densecorr.testing import shrink


def test_a_vit_gets_small_and_keeps_its_patches():
    cfg = Config.fromfile('configs/test/dino_vitb8.py')
    toy = shrink(cfg)
    model = MODELS.build(tracker_config(resolve_toy(toy)))
    assert sum(p.numel() for p in model.parameters()) < 200_000
    assert (model.backbone.stride, model.backbone.channels) == (8, [32])
    assert 'depth' not in cfg.model.backbone  # the config itself is not changed
    assert toy.model.inputs == cfg.model.inputs


def resolve_toy(cfg):
    """The davis task of a config that is already read."""
    cfg.task = 'davis'
    return cfg


@pytest.mark.parametrize('task', ['davis', 'jhmdb', 'vip', 'ytvos18'])
def test_sizes_contexts_and_videos(task):
    cfg = resolve('configs/test/res18_d8.py', task)
    toy, part = shrink(cfg), cfg.task
    assert toy.test_dataset.max_frames == 3 and cfg.test_dataset.max_frames is None
    assert toy.protocol[part].context.num_frames == 2
    assert toy.protocol[part].window == cfg.protocol[part].window
    size = toy.protocol[part].size
    assert size.get('fixed', (64, 64)) == (64, 64) and size.get('short_side', 64) == 64
    assert toy.task_davis.test_dataset.max_frames == 3
