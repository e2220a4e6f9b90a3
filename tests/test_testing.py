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


def test_a_training_gets_short_and_its_clips_small():
    cfg = Config.fromfile('configs/train/crw_res18_k400.py')
    toy = shrink(cfg)
    loader, given = toy.train_dataloader, cfg.train_dataloader
    assert (loader.batch_size, loader.num_workers) == (2, 0)
    assert toy.train_cfg == dict(max_iters=2)
    crop, grid, pack = loader.dataset.pipeline
    assert crop == {**given.dataset.pipeline[0], 'size': 64}
    assert (grid.patch_size, grid.stride) == (32, 16)
    assert pack == dict(type='PackClip')
    assert loader.dataset.sampler == given.dataset.sampler  # four frames are few
    assert toy.model == cfg.model and toy.optim_wrapper == cfg.optim_wrapper
    assert given.batch_size == 20  # the config itself is not changed


def test_long_clips_and_validation_of_a_training():
    step = dict(type='ClipResize', short_side=(256, 320))
    dataset = dict(
        type='VideoClips',
        sampler=dict(type='GapSampler', num_frames=8, gap=3),
        pipeline=[step, dict(type='ClipRandomCrop', size=(224, 448))],
    )
    loader = dict(batch_size=9, num_workers=3, prefetch_factor=2, dataset=dataset)
    model = dict(backbone=dict(type='ResNet', depth=50), queue_length=65536)
    validation = dict(tasks=['davis'])
    fields = dict(model=model, train_dataloader=loader, validation=validation)
    toy = shrink(Config(fields))
    assert toy.train_dataloader.dataset.sampler == dict(
        type='GapSampler', num_frames=4, gap=2
    )
    assert toy.model == dict(backbone=dict(type='ResNet', depth=18), queue_length=8)
    resize, crop = toy.train_dataloader.dataset.pipeline
    assert resize.short_side == (64, 80)
    assert crop.size == (64, 128)
    assert 'prefetch_factor' not in toy.train_dataloader
    assert 'validation' not in toy
