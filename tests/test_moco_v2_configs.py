"""MoCo v2's configs, and its training: teacher, queue, resume, checkpoints."""

from pathlib import Path

import numpy as np
import pytest
import torch

from densecorr.apis.config import load_config, resolve, tracker_config
from densecorr.apis.convert import convert_file
from densecorr.apis.train import train
from densecorr.convert import load_backbone
from densecorr.ops.schedule import make_schedule
from densecorr.registry import MODELS, TRANSFORMS

from .training_toys import write_config

CONFIGS = Path(__file__).resolve().parents[1] / 'configs' / 'train'
RES50, RES18 = CONFIGS / 'moco_v2_res50.py', CONFIGS / 'moco_v2_res18.py'
SPRITEWORLD = CONFIGS / 'moco_v2_res18_spriteworld.py'
DECAY = 0.9


@pytest.mark.parametrize('config', [RES50, SPRITEWORLD])
def test_two_views_of_an_image(config):
    image = np.random.default_rng(0).integers(0, 256, (1, 256, 340, 3), np.uint8)
    sample = dict(frames=image, video='image', rng=np.random.default_rng(0))
    sample['frame_indices'] = np.zeros(1, np.int64)
    for step in load_config(config).train_dataloader.dataset.pipeline:
        sample = TRANSFORMS.build(step)(sample)
    frames = sample['inputs']['frames']
    side = 224 if config == RES50 else 96
    assert frames.shape == (2, 3, side, side)
    assert not torch.equal(frames[0], frames[1])
    assert sample['data_samples']['frame_indices'].tolist() == [0, 0]


@pytest.mark.parametrize('config', [RES50, RES18, SPRITEWORLD])
def test_training_and_evaluation_fit_together(config):
    with torch.device('meta'):
        method = MODELS.build(load_config(config).model)
        tracker = MODELS.build(tracker_config(resolve(config, 'davis')))
    assert method.backbone.state_dict().keys() == tracker.backbone.state_dict().keys()
    wide = 4 if config == RES50 else 1
    assert (method.backbone.stride, method.backbone.channels) == (32, [512 * wide])
    assert (tracker.backbone.stride, tracker.backbone.channels) == (8, [256 * wide])


@pytest.mark.parametrize(('config', 'channels'), [(RES50, 2048), (RES18, 512)])
def test_values_of_the_recipe(config, channels):
    cfg = load_config(config)
    with torch.device('meta'):
        method = MODELS.build(cfg.model)
    shapes = [tuple(v.shape) for k, v in method.head.state_dict().items() if 'w' in k]
    assert shapes == [(channels, channels), (128, channels)]
    assert method.queue.keys.shape == (65536, 128)
    assert (method.contrast.temperature, method.shuffle) == (0.2, True)
    assert cfg.optim_wrapper.optimizer == dict(
        type='SGD', lr=0.03, momentum=0.9, weight_decay=1e-4
    )
    assert (cfg.auto_scale_lr.base_batch_size, cfg.train_cfg.max_epochs) == (256, 200)
    (rate,) = cfg.default_hooks.schedules['values']
    schedule = make_schedule(rate.schedule.to_dict(), 10, 2000)
    expected = [1, 1, 0.5, 0.5 * (1 + np.cos(np.pi * 199 / 200))]
    assert [schedule(i) for i in (0, 9, 1000, 1999)] == pytest.approx(expected)
    teachers = [h for h in cfg.custom_hooks if h.type == 'EMATeacherHook']
    assert [(h.student, h.teacher) for h in teachers] == [
        ('backbone', 'teacher.backbone'),
        ('head', 'teacher.head'),
    ]
    assert {(h.ema_decay, h.buffers) for h in teachers} == {(0.999, 'keep')}


def toy(folder, iterations):
    """A training of the smallest network, a checkpoint every other iteration."""
    ema = dict(type='EMATeacherHook', ema_decay=DECAY, buffers='keep')
    model = dict(
        type='MoCoV2',
        backbone=dict(type='Edges', stride=4),
        inputs=dict(color='rgb', mean=(0.5,) * 3, std=(0.25,) * 3),
        queue_length=12,
    )
    hook = dict(type='TrainCheckpointHook', interval=1, unit='iter', max_keep=None)
    return write_config(
        folder,
        model=model,
        train_cfg=dict(max_iters=iterations),
        default_hooks=dict(checkpoint=hook),
        custom_hooks=[
            {**ema, 'student': part, 'teacher': f'teacher.{part}'}
            for part in ('backbone', 'head')
        ],
    )


def states(folder):
    return {
        path.stem: torch.load(path, weights_only=True)['state_dict']
        for path in folder.glob('iter_*.pth')
    }


def test_the_teacher_follows_and_the_queue_is_resumed(tmp_path):
    train(toy(tmp_path, 5), tmp_path / 'whole', device='cpu', threads=1)
    whole = states(tmp_path / 'whole')
    for before, after in (('iter_1', 'iter_2'), ('iter_4', 'iter_5')):
        old, new = whole[before], whole[after]
        for name in ('backbone.conv.weight', 'backbone.norm.bias', 'head.2.weight'):
            expected = DECAY * old[f'teacher.{name}'] + (1 - DECAY) * new[name]
            torch.testing.assert_close(new[f'teacher.{name}'], expected)
    means = [
        whole['iter_5'][f'{t}backbone.norm.running_mean'] for t in ('', 'teacher.')
    ]
    assert not torch.equal(*means)  # the teacher's statistics are its own
    places = [int(whole[f'iter_{i}']['queue.place']) for i in range(1, 6)]
    assert places == [4, 8, 0, 4, 8]
    train(toy(tmp_path, 2), tmp_path / 'parts', device='cpu', threads=1)
    train(toy(tmp_path, 5), tmp_path / 'parts', resume='auto', device='cpu', threads=1)
    parts = states(tmp_path / 'parts')
    for name, value in whole['iter_5'].items():
        assert torch.equal(value, parts['iter_5'][name]), name


def test_checkpoints_are_written_as_the_official_ones(tmp_path):
    torch.manual_seed(0)
    model = {**load_config(RES18).model.to_dict(), 'queue_length': 4}
    method = MODELS.build(model)
    path, out = tmp_path / 'iter_1.pth', tmp_path / 'moco.pth.tar'
    torch.save(dict(meta=dict(method='MoCoV2'), state_dict=method.state_dict()), path)
    assert convert_file(str(path), out, to='moco_v2').source == 'densecorr'
    keys = torch.load(out, weights_only=True)['state_dict'].keys()
    assert all(key.startswith('module.encoder_q.') for key in keys)
    assert 'module.encoder_q.layer4.1.bn2.running_var' in keys
    for file, source in ((path, 'densecorr'), (out, 'moco_v2')):
        backbone = MODELS.build(model['backbone'])
        assert load_backbone(backbone, file).source == source
        for name, value in method.backbone.state_dict().items():
            assert torch.equal(backbone.state_dict()[name], value), name
