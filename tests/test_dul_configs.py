"""DUL's configs: what they build, what they make of a clip, and short trainings."""

from pathlib import Path

import numpy as np
import pytest
import torch

from densecorr.apis.config import load_config, resolve, tracker_config
from densecorr.apis.evaluate import evaluate
from densecorr.apis.train import train
from densecorr.apis.validation import validation_tasks
from densecorr.engine.optim.param_groups import ParamGroupsConstructor
from densecorr.ops.schedule import make_schedule
from densecorr.registry import DATASETS, MODELS, TASK_UTILS, TRANSFORMS
from tests.coded_clips import write_coded
from tests.trees import moving_blobs, write_image

CONFIGS = Path(__file__).resolve().parents[1] / 'configs' / 'train'
PUBLISHED = ('ytvos', 'oxuva', 'trackingnet', 'kinetics')
SPRITEWORLD = CONFIGS / 'dul_res18_spriteworld.py'
VIDEOS = CONFIGS / 'dul_res18_videos.py'


def config_of(name):
    return CONFIGS / f'dul_res18_{name}.py'


@pytest.mark.parametrize('name', PUBLISHED)
def test_clips(name):
    frames = np.random.default_rng(0).integers(0, 256, (5, 300, 420, 3), np.uint8)
    rng = np.random.default_rng(0)
    sample = dict(frames=frames, video='clip', seed=3, rng=rng, replaced=())
    for step in load_config(config_of(name)).train_dataloader.dataset.pipeline:
        sample = TRANSFORMS.build(step)(sample)
    shapes = {key: tuple(value.shape) for key, value in sample['inputs'].items()}
    views = (5, 3, 256, 256)
    assert shapes == dict(frames=views, second_frames=views, theta=(2, 3))


FACTS = {
    # gap, frames of the shortest video, short sides, crop
    'ytvos': (2, 5, (256, 319), 'ClipRandomCrop'),
    'oxuva': (10, 5, (256, 319), 'ClipRandomCrop'),
    'trackingnet': (10, 5, (256, 256), 'ClipCenterCrop'),
    'kinetics': (10, 1, (256, 256), 'ClipCenterCrop'),
}
TRAINED = {
    # optimiser, rate, epochs, validation, factors of the rate at the start of epochs
    'ytvos': ('Adam', 1e-4, 501, 10, {99: 1, 100: 0.5, 499: 0.0625, 500: 0.03125}),
    'oxuva': ('Adam', 1e-4, 501, 10, {99: 1, 100: 0.5, 499: 0.0625, 500: 0.03125}),
    'trackingnet': ('SGD', 1e-3, 251, 2, {19: 1, 20: 0.9, 250: 0.9**12}),
    'kinetics': ('SGD', 1e-3, 81, 2, {19: 1, 20: 0.5, 80: 0.0625}),
}


@pytest.mark.parametrize('name', PUBLISHED)
def test_published_values(name):
    cfg = load_config(config_of(name))
    data, (gap, least, sides, crop) = cfg.train_dataloader.dataset, FACTS[name]
    sampler = TASK_UTILS.build(data.sampler)
    assert (sampler.num_frames, sampler.gap, sampler.min_frames) == (5, gap, least)
    assert sampler.permute is (name != 'kinetics')
    assert TRANSFORMS.build(data.pipeline[0]).short_side == sides
    assert data.pipeline[1].type == crop
    assert (cfg.train_dataloader.batch_size, data.clips_per_video) == (16, 1)
    optimizer, wanted = cfg.optim_wrapper.optimizer, TRAINED[name]
    assert wanted[:4] == (
        optimizer.type, optimizer.lr, cfg.train_cfg.max_epochs, cfg.validation.interval
    )  # fmt: skip
    other = optimizer.get('betas') or optimizer.momentum
    assert other == ((0.5, 0.999) if optimizer.type == 'Adam' else 0.9)
    (rate,) = cfg.default_hooks.schedules['values']
    schedule = make_schedule(rate.schedule.to_dict(), 7, 7 * wanted[2])
    for epoch, factor in wanted[4].items():
        assert schedule(7 * epoch) == pytest.approx(factor)


def test_parameters_and_their_groups():
    cfg = load_config(config_of('ytvos'))
    method = MODELS.build(cfg.model)
    assert sum(p.numel() for p in method.parameters()) == 11_505_856
    wrapper = dict(cfg.optim_wrapper)
    wrapper.pop('constructor')
    build = ParamGroupsConstructor(wrapper, wrapper.pop('paramwise_cfg'))
    groups = {group['name']: group for group in build(method).optimizer.param_groups}
    assert {name: len(group['params']) for name, group in groups.items()} == dict(
        default=43, biases=23
    )
    assert (groups['biases']['lr'], groups['biases']['weight_decay']) == (2e-4, 0)
    assert groups['default']['weight_decay'] == 5e-4


@pytest.mark.parametrize('name', [*PUBLISHED, 'spriteworld', 'videos'])
def test_training_and_evaluation_fit_together(name):
    with torch.device('meta'):
        method = MODELS.build(load_config(config_of(name)).model)
        cfg = resolve(config_of(name), 'davis')
        tracker = MODELS.build(tracker_config(cfg))
    assert method.backbone.state_dict().keys() == tracker.backbone.state_dict().keys()
    assert (tracker.backbone.stride, tracker.backbone.channels) == (8, [512])
    assert (method.backbone.channels, cfg.protocol.name) == ([128], 'dul')
    DATASETS.get(load_config(config_of(name)).train_dataloader.dataset.type)


def test_snapshots_are_chosen_by_two_layers():
    tasks = validation_tasks(load_config(config_of('ytvos')))
    layers = {k: entry['tracker']['backbone']['outputs'] for k, entry in tasks.items()}
    assert layers == dict(key=('key',), res4=('res4',))
    assert {entry['task'] for entry in tasks.values()} == {'davis'}


def test_two_steps_and_an_evaluation(tmp_path):
    options = {
        'train_cfg.max_iters': 2,
        'train_dataloader.num_workers': 0,
        'train_dataloader.batch_size': 1,
        'train_dataloader.dataset.worlds.num_clips': 2,
        'train_dataloader.dataset.pipeline.0.size': 64,
        'model.grid': 4,
        'task_spriteworld.test_dataset.num_clips': 1,
        'task_spriteworld.test_dataset.num_frames': 3,
        'new:validation.at_start': False,
    }
    settings = dict(cfg_options=options, device='cpu', threads=1)
    found = train(SPRITEWORLD, tmp_path / 'run', **settings)
    assert found['iterations'] == 2
    scores = evaluate(
        SPRITEWORLD,
        'spriteworld',
        found['checkpoint'],
        tmp_path / 'results',
        yardsticks='none',
        votes=False,
        **settings,
    )['metrics']
    last = found['validation'][-1]['metrics']
    assert last == {f'spriteworld/{name}': value for name, value in scores.items()}


def folder_of_videos(folder, num_frames=8):
    """A folder of frames and a video file, both small."""
    frames, _ = moving_blobs(num_frames, size=(48, 64))
    for t, frame in enumerate(frames):
        write_image(folder / 'blobs' / f'{t:05d}.png', frame)
    write_coded(folder / 'coded.mp4', count=num_frames)
    return folder


def small(folder):
    """Changes of the config of videos: two videos of 48x64, six iterations at most."""
    return {
        'train_dataloader.num_workers': 0,
        'train_dataloader.batch_size': 2,
        'train_dataloader.dataset.root': str(folder),
        'train_dataloader.dataset.pipeline.0.short_side': 40,
        'train_dataloader.dataset.pipeline.1.size': 32,
        'model.grid': 4,
        'train_cfg.max_iters': 4,
        'default_hooks.checkpoint.interval': 2,
        'default_hooks.checkpoint.max_keep': None,
    }


def test_a_resumed_run_is_an_unbroken_one(tmp_path):
    options = small(folder_of_videos(tmp_path / 'videos'))
    settings = dict(cfg_options=options, device='cpu', threads=1)
    whole = train(VIDEOS, tmp_path / 'run', **settings)
    expected = torch.load(whole['checkpoint'], weights_only=True)
    Path(whole['checkpoint']).unlink()
    again = train(VIDEOS, tmp_path / 'run', resume='auto', **settings)
    assert again['checkpoint'] == whole['checkpoint']
    found = torch.load(again['checkpoint'], weights_only=True)
    assert found['meta']['iter'] == 4
    states = [content['optimizer']['state'] for content in (found, expected)]
    assert len(states[0]) == 66
    for now, before in (states, (found['state_dict'], expected['state_dict'])):
        torch.testing.assert_close(now, before, rtol=0, atol=0)


def test_what_cannot_be_trained_on_is_told(tmp_path):
    options = small(folder_of_videos(tmp_path / 'videos'))

    def fails(error, text, **changes):
        changed = options | {k.replace('__', '.'): v for k, v in changes.items()}
        settings = dict(cfg_options=changed, device='cpu', threads=1)
        with pytest.raises(error, match=text):
            train(VIDEOS, tmp_path / 'run', overwrite=True, **settings)

    (tmp_path / 'empty').mkdir()
    data = 'train_dataloader__dataset__'
    fails(
        FileNotFoundError,
        'No video was found',
        **{f'{data}root': str(tmp_path / 'empty')},
    )
    only = str(tmp_path / 'videos' / 'blobs')
    long = {f'{data}sampler__num_frames': 9, f'{data}root': only}
    fails(ValueError, 'is long enough: DULSampler takes 9 frames, the longest', **long)
    fails(ValueError, 'raise num_frames', **{f'{data}sampler__num_frames': 1})
    crop = {f'{data}pipeline__1__size': 44}
    fails(ValueError, r'larger than the frame of 40x53', **crop)
    fails(ValueError, 'no regular grid of 8x8 anchors', model__grid=8)
