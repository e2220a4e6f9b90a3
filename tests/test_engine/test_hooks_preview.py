import random

import cv2
import numpy as np
import pytest
import torch

from densecorr.apis.train import train
from densecorr.engine.hooks import PreviewHook
from densecorr.engine.hooks.preview import random_states_kept
from densecorr.registry import MODELS
from tests.parity.pipelines import protocol_of
from tests.test_engine.hook_toys import IMPORTS, INPUTS, METHOD, call, fake_runner
from tests.training_toys import write_config

SPRITES = dict(type='SpriteWorld', num_clips=1, size=(32, 48), num_frames=5)


def tracker(**kwargs):
    protocol = {**protocol_of('crw'), 'size': {}}
    return dict(backbone=dict(type='Edges', **kwargs), inputs=INPUTS, protocol=protocol)


def hook(**kwargs):
    return PreviewHook(SPRITES, **{'tracker': tracker(), 'unit': 'iter', **kwargs})


def run(folder, out, *hooks):
    """Final checkpoint and all outputs of a training with dropout."""
    model = {**METHOD, 'backbone': dict(type='Edges', dropout=0.3)}
    outputs = dict(type='OutputsHook', path=str(folder / f'{out}.txt'))
    config = write_config(
        folder,
        custom_imports=IMPORTS,
        model=model,
        train_cfg=dict(max_iters=4),
        custom_hooks=[*hooks, outputs],
        visualizer=dict(type='Visualizer', vis_backends=[dict(type='LocalVisBackend')]),
    )
    train(config, folder / out, device='cpu', threads=1)
    state = torch.load(folder / out / 'iter_4.pth', weights_only=True)
    return state, (folder / f'{out}.txt').read_text()


def test_previews_change_nothing_and_are_written(tmp_path):
    preview = dict(
        type='PreviewHook',
        video=SPRITES,
        tracker=tracker(),
        interval=2,
        unit='iter',
        num_frames=3,
    )
    plain, plain_outputs = run(tmp_path, 'plain')
    seen, seen_outputs = run(tmp_path, 'seen', preview)
    assert plain_outputs == seen_outputs
    for name, value in plain['state_dict'].items():
        assert torch.equal(value, seen['state_dict'][name]), name
    moments = plain['optimizer']['state']
    assert moments
    for key, entries in moments.items():
        for name, value in entries.items():
            assert torch.equal(value, seen['optimizer']['state'][key][name])
    files = sorted(p.name for p in (tmp_path / 'seen/previews').iterdir())
    assert files == ['iter_0.jpg', 'iter_2.jpg', 'iter_4.jpg']
    picture = cv2.imread(str(tmp_path / 'seen/previews/iter_4.jpg'))
    assert picture.shape == (32, 3 * 48, 3)
    assert len(list((tmp_path / 'seen').rglob('vis_image/preview_*.png'))) == 3


def method(seed=0):
    torch.manual_seed(seed)
    return MODELS.build(METHOD)


def test_the_weights_of_the_student_are_shown(tmp_path):
    preview = hook()
    runner = fake_runner([preview], model=method())
    runner.work_dir = tmp_path
    call(runner, 'before_train')
    first = runner.visualizer.images[0]
    with torch.no_grad():
        runner.model.backbone.conv.weight.zero_()
        runner.model.backbone.conv.bias.fill_(1)
    arguments = dict(batch_idx=0, data_batch=None, outputs={})
    call(runner, 'after_train_iter', **arguments)
    assert not np.array_equal(first, runner.visualizer.images[1])
    assert torch.equal(
        preview._model.backbone.conv.weight, runner.model.backbone.conv.weight
    )
    assert runner.model.training  # the method itself was not touched


def test_a_teacher_can_be_shown_and_a_resumed_run_starts_without(tmp_path):
    preview = hook(student='teacher', interval=3)
    runner = fake_runner([preview], model=method())
    runner.work_dir, runner.iter = tmp_path, 1
    call(runner, 'before_train')
    assert not runner.visualizer.images
    arguments = dict(batch_idx=0, data_batch=None, outputs={})
    for runner.iter in (1, 2, 3):
        call(runner, 'after_train_iter', **arguments)
    assert list(runner.visualizer.images) == [3]


def test_frames_are_spread_over_the_clip_and_shrunk(tmp_path):
    preview = hook(num_frames=4, width=24)
    runner = fake_runner([preview], model=method())
    runner.work_dir = tmp_path
    call(runner, 'before_train')
    assert runner.visualizer.images[0].shape == (16, 4 * 24, 3)


def test_random_states_are_put_back():
    def draws():
        return random.random(), np.random.random(), float(torch.rand(()))  # noqa: NPY002

    random.seed(1), np.random.seed(1), torch.manual_seed(1)  # noqa: NPY002
    expected = draws()
    random.seed(1), np.random.seed(1), torch.manual_seed(1)  # noqa: NPY002
    with random_states_kept():
        draws()
        torch.manual_seed(5)
    assert draws() == expected


def test_bad_arguments_are_named(tmp_path):
    with pytest.raises(ValueError, match='num_frames of PreviewHook is 0; at least 1'):
        hook(num_frames=0)
    with pytest.raises(ValueError, match="unit of PreviewHook is 'step'"):
        hook(unit='step')
    for kwargs, text in (
        (dict(student='techer'), "student of PreviewHook is 'techer'.*'teacher'"),
        (dict(tracker=tracker(norm=False)), "another network than 'backbone'.*norm"),
    ):
        runner = fake_runner([hook(**kwargs)], model=method())
        runner.work_dir = tmp_path
        with pytest.raises(ValueError, match=r'(?s)' + text):
            call(runner, 'before_train')
