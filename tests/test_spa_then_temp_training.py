"""Spa-then-Temp's configs, where their weights come from, and both steps in a row."""

import os
import re
import subprocess
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config

from densecorr.apis.config import load_config, resolve, tracker_config
from densecorr.apis.initial_weights import build_with_weights
from densecorr.apis.train import train
from densecorr.convert import export, load_backbone
from densecorr.ops.schedule import make_schedule
from densecorr.registry import DATASETS, MODELS, OPTIM_WRAPPER_CONSTRUCTORS
from densecorr.utils.checkpoints import read_checkpoint

ROOT = Path(__file__).resolve().parents[1]
CONFIGS = ROOT / 'configs' / 'train'
RES18, RES50 = (CONFIGS / f'spa_then_temp_res{depth}.py' for depth in (18, 50))
SPRITEWORLD = CONFIGS / 'spa_then_temp_res18_spriteworld.py'
MOCO = CONFIGS / 'moco_v2_res18_spriteworld.py'
TOY = {
    'train_cfg.max_iters': 3,
    'train_dataloader.num_workers': 0,
    'train_dataloader.batch_size': 2,
    'train_dataloader.dataset.worlds.num_clips': 2,
    'train_dataloader.dataset.worlds.num_frames': 3,
    'validation': None,
}
MOCO_SIDE = 'train_dataloader.dataset.pipeline.1.size'
SMALL = {'train_dataloader.dataset.pipeline.0.size': 64, 'model.radii': [4, 2]}


def with_weights(**fields):
    """The toy config's method with ``init``, ``teacher`` and so on as given."""
    content = {**load_config(SPRITEWORLD).to_dict(), **fields}
    return build_with_weights(Config(content, filename=str(SPRITEWORLD)))


def network(depth=18, seed=0):
    torch.manual_seed(seed)
    return MODELS.build(dict(type='ResNet', depth=depth)).state_dict()


def same(module, state):
    found = module.state_dict()
    return all(torch.equal(found[name], value) for name, value in state.items())


@pytest.mark.parametrize(
    'form', ['torchvision', 'moco_v2', 'spa_then_temp', 'densecorr']
)
def test_both_networks_start_from_any_checkpoint(form, tmp_path):
    state = network()
    content = export(state, form)
    if form == 'torchvision':
        content['fc.weight'] = torch.zeros(1000, 512)
    torch.save(content, tmp_path / 'first.pth')
    path = str(tmp_path / 'first.pth')
    method = with_weights(init=path, teacher=path)
    assert same(method.backbone, state)
    assert same(method.teacher, state)
    other = network(seed=1)
    torch.save(export(other, 'densecorr'), tmp_path / 'other.pth')
    named = dict(checkpoint=str(tmp_path / 'other.pth'), source='densecorr')
    method = with_weights(init=dict(backbone=path), teacher=named)
    assert same(method.backbone, state)
    assert same(method.teacher, other)


def test_without_a_path_there_is_no_teacher():
    assert with_weights().teacher is None
    assert with_weights(init=dict(backbone=None), teacher=None).teacher is None


def test_the_teacher_is_never_optimised(tmp_path):
    torch.save(export(network(), 'densecorr'), tmp_path / 'first.pth')
    method = with_weights(teacher=str(tmp_path / 'first.pth'))
    settings = load_config(SPRITEWORLD).optim_wrapper.to_dict()
    kind = OPTIM_WRAPPER_CONSTRUCTORS.get(settings.pop('constructor'))
    optimizer = kind(settings)(method).optimizer
    trained = {id(p) for group in optimizer.param_groups for p in group['params']}
    assert trained == {id(p) for p in method.backbone.parameters()}


def test_missing_weights_are_told_before_training(tmp_path):
    for field in ('init', 'teacher'):
        with pytest.raises(
            FileNotFoundError, match=rf"no weights 'lost\.pth', which {field} of"
        ):
            train(
                SPRITEWORLD,
                tmp_path / field,
                cfg_options={**TOY, field: 'lost.pth'},
                device='cpu',
                threads=1,
            )
        assert not list((tmp_path / field).glob('*.pth'))


def test_fields_that_do_not_fit(tmp_path):
    torch.save(export(network(34), 'densecorr'), tmp_path / 'deep.pth')
    deep = str(tmp_path / 'deep.pth')
    text = r'does not fit ResNet. .* Use the config of its architecture'
    with pytest.raises(ValueError, match=text):
        with_weights(teacher=deep)
    model = load_config(SPRITEWORLD).model.to_dict()
    text = r'model of \S+ has a teacher, which is never trained, but no weights for'
    fields = {**load_config(SPRITEWORLD).to_dict()}
    del fields['teacher']
    with pytest.raises(ValueError, match=text):
        build_with_weights(Config(fields, filename=str(SPRITEWORLD)))
    text = r"\S+ has teacher='.*deep.pth', but its model has no teacher. Give model.te"
    with pytest.raises(KeyError, match=text):
        with_weights(model={**model, 'teacher': None}, teacher=deep)
    text = r"init of \S+ has \['path'\]; give a checkpoint, or a dict of \['backbone'"
    with pytest.raises(KeyError, match=text):
        with_weights(init=dict(path=deep))
    with pytest.raises(TypeError, match=r'model of \S+ is a ResNet, which has no lo'):
        with_weights(model=dict(type='ResNet'))


def test_values_of_the_release():
    cfg = load_config(RES50)
    assert (
        cfg.train_dataloader.batch_size * 4 == cfg.auto_scale_lr.base_batch_size == 64
    )
    assert (cfg.optim_wrapper.optimizer.lr, cfg.train_cfg.max_epochs) == (5e-5, 800)
    (rate,) = cfg.default_hooks.schedules['values']
    schedule = make_schedule(rate.schedule.to_dict(), 55, 44000)
    assert schedule(0) == pytest.approx(0.001, rel=1e-3)
    assert schedule(1100) == pytest.approx(1, rel=2e-3)
    assert schedule(43999) == pytest.approx(0.001, rel=1e-3)
    with torch.device('meta'):
        method = MODELS.build(cfg.model)
    assert method.backbone.out_strides == [4, 8, 32]
    assert method.backbone.channels == [512, 1024, 2048]
    assert (method.teacher.stride, method.teacher.channels) == (32, [2048])
    weights = [part.weight for part in (method.reconstruction, method.local)]
    assert [*weights, method.distant.weight] == [1, 1000, 50]


@pytest.mark.parametrize('config', [RES18, RES50, SPRITEWORLD])
def test_training_and_evaluation_fit_together(config):
    cfg = resolve(config, 'davis')
    with torch.device('meta'):
        method = MODELS.build(load_config(config).model)
        tracker = MODELS.build(tracker_config(cfg))
    assert method.backbone.state_dict().keys() == tracker.backbone.state_dict().keys()
    depth = 50 if config == RES50 else 18
    published = resolve(ROOT / f'configs/test/res{depth}_d8.py', 'davis')
    assert tracker_config(cfg) == tracker_config(published)


def test_one_frame_videos_are_left_out(tmp_path):
    for video, frames in (('one', 1), ('two', 2)):
        (tmp_path / video).mkdir()
        for i in range(frames):
            image = np.full((80, 120, 3), 40 * i + 9, np.uint8)
            cv2.imwrite(str(tmp_path / video / f'{i:05d}.jpg'), image)
    settings = load_config(RES18).train_dataloader.dataset.to_dict()
    settings.update(data=None, split=None, root=str(tmp_path))
    dataset = DATASETS.build(settings)
    assert dataset.video_names() == ['two']
    inputs = dataset[0]['inputs']
    assert inputs['frames'].shape == inputs['images_lab'].shape == (2, 3, 256, 256)
    assert (inputs['images_lab'][0] < inputs['images_lab'][1])[0].all()
    (tmp_path / 'two' / '00001.jpg').unlink()
    with pytest.raises(ValueError, match=r'none of the 2 videos .* is long enough'):
        DATASETS.build(settings)


def test_both_steps_and_an_evaluation(tmp_path):
    """MoCo v2, then Spa-then-Temp from its checkpoint, then ``dist_test.sh``."""
    settings = dict(device='cpu', threads=1)
    step1 = train(
        MOCO,
        tmp_path / 'one',
        cfg_options={**TOY, 'model.queue_length': 8, MOCO_SIDE: 64},
        **settings,
    )
    first = step1['checkpoint']
    options = {**TOY, **SMALL, 'init': first, 'teacher': first}
    step2 = train(SPRITEWORLD, tmp_path / 'two', cfg_options=options, **settings)
    assert step1['iterations'] == step2['iterations'] == 3
    learnt = read_checkpoint(step2['checkpoint'])['state_dict']
    for name, value in read_checkpoint(first)['state_dict'].items():
        if name.startswith('backbone.'):
            frozen = learnt[name.replace('backbone.', 'teacher.', 1)]
            assert torch.equal(frozen, value), name
    first_conv = 'backbone.conv1.weight'
    assert not torch.equal(learnt[first_conv], learnt['teacher.conv1.weight'])
    done = subprocess.run(
        [
            'bash', str(ROOT / 'tools/dist_test.sh'), str(SPRITEWORLD), '1',
            'spriteworld', step2['checkpoint'], '--out', str(tmp_path / 'three'),
            '--device', 'cpu', '--threads', '1', '--yardsticks', 'none', '--no-votes',
            '--cfg-options', 'task_spriteworld.test_dataset.num_clips=1',
            'task_spriteworld.test_dataset.num_frames=3',
            'protocol.davis.size.short_side=64',
        ],
        capture_output=True, text=True, env={**os.environ, 'PORT': ''},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert (tmp_path / 'three' / 'metrics.json').is_file()
    assert re.search(r'dropped by rule +12\d', done.stdout + done.stderr)  # the teacher
    report = load_backbone(MODELS.build(dict(type='ResNet')), step2['checkpoint'])
    assert len(report.loaded) == 120
