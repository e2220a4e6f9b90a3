"""The example plugin: from another folder, with the package installed."""

import importlib
import json
import math
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from densecorr.structures import ClipKey

from .installed import CHECKOUT, install

PLUGIN = CHECKOUT / 'examples' / 'plugin'


@pytest.fixture(scope='module')
def site(tmp_path_factory):
    return install(tmp_path_factory.mktemp('install'))


@pytest.fixture
def run(site, tmp_path):
    """The installed command, in an empty folder beside a copy of the plugin."""
    shutil.copytree(PLUGIN, tmp_path / 'mine', ignore=shutil.ignore_patterns('__*'))
    (tmp_path / 'work').mkdir()

    def densecorr(*arguments: str) -> subprocess.CompletedProcess:
        command = [sys.executable, str(site / 'bin' / 'densecorr')]
        if arguments[0].endswith('.sh'):
            command = ['bash', str(site / 'densecorr' / 'tools' / arguments[0])]
            arguments = arguments[1:]
        path = os.pathsep.join([str(site), str(tmp_path / 'mine')])
        given = dict(PYTHONPATH=path, PYTHON=sys.executable, OMP_NUM_THREADS='1')
        return subprocess.run(
            [*command, *arguments],
            cwd=tmp_path / 'work',
            env={**os.environ, **given},
            capture_output=True,
            text=True,
            check=False,
        )

    return densecorr


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_plugin_is_evaluated_from_another_folder(run, tmp_path):
    done = run('test', '../mine/config.py', 'squares', 'random')
    assert done.returncode == 0, done.stderr
    out = tmp_path / 'work' / 'work_dirs' / 'config' / 'squares'
    content = json.loads((out / 'metrics.json').read_text())
    assert content['dataset']['name'] == 'Squares'
    assert content['protocol']['name'] == 'nearest_patch'
    assert (content['num_videos'], content['num_frames']) == (2, 10)
    # patches of 8 pixels on a square that moves by 8: every patch finds its like
    assert content['metrics']['accuracy'] > 0.95
    assert len(list((out / 'predictions').rglob('*.png'))) == 10
    assert re.search(r'squares +nearest_patch', done.stdout)


def test_registered_protocol_can_be_asked_for_by_name(run, tmp_path):
    edit(tmp_path / 'mine' / 'config.py', "protocol = dict(type='nearest_patch')\n", '')
    arguments = ('test', '../mine/config.py', 'squares', 'random')
    done = run(*arguments, '--protocol', 'nearest_patch')
    assert done.returncode == 0, done.stderr
    done = run(*arguments, '--protocol', 'nearest_path')
    assert done.returncode == 1
    assert "no protocol 'nearest_path'. Did you mean 'nearest_patch'?" in done.stderr


def test_plugin_trains_two_steps(run, tmp_path):
    done = run('dist_train.sh', '../mine/config.py', '1')
    assert done.returncode == 0, done.stderr
    out = tmp_path / 'work' / 'work_dirs' / 'config'
    history = json.loads((out / 'validation.json').read_text())
    assert [entry['iter'] for entry in history] == [0, 2]
    done = run('test', '../mine/config.py', 'squares', str(out / 'iter_2.pth'))
    assert done.returncode == 0, done.stderr
    metrics = json.loads((out / 'squares' / 'metrics.json').read_text())['metrics']
    assert metrics['accuracy'] == history[1]['metrics']['squares/accuracy'] > 0.95


@pytest.mark.parametrize(
    ('file', 'old', 'new', 'message'),
    [
        ('config.py', "'PlaceContrastLoss'", "'ClipDim'", "'ClipDim' is a transform"),
        ('config.py', 'darkest', 'darkness', "Did you mean 'darkest'?"),
    ],
)
def test_mistakes_of_training_are_named(run, tmp_path, file, old, new, message):
    edit(tmp_path / 'mine' / file, old, new)
    done = run('train', '../mine/config.py')
    assert done.returncode == 1
    assert message in done.stderr
    assert not list((tmp_path / 'work').rglob('*.pth'))


@pytest.fixture(scope='module')
def learning():
    """The plugin's components, registered in this process."""
    sys.path.insert(0, str(PLUGIN))
    try:
        yield importlib.import_module('learning')
    finally:
        sys.path.remove(str(PLUGIN))


def test_loss_of_the_plugin(learning):
    eye = torch.eye(3, dtype=torch.float64)[None]  # every place unlike the others
    loss = learning.place_contrast(eye, eye, temperature=0.5)
    assert loss.item() == pytest.approx(math.log(math.e**2 + 2) - 2)
    same = learning.place_contrast(eye[..., :1].expand(1, 3, 3), eye, temperature=0.5)
    assert same.item() == pytest.approx(math.log(3))
    noise = torch.Generator().manual_seed(0)
    first, second = torch.randn(2, 1, 3, 4, dtype=torch.float64, generator=noise)
    inputs = (first.requires_grad_(), second.requires_grad_())
    assert torch.autograd.gradcheck(learning.place_contrast, inputs)


def test_clips_of_the_plugin_are_functions_of_their_keys(learning):
    clips = learning.SquareClips([dict(type='ClipDim')])
    one, two = (clips[ClipKey(1, 3)]['frames'] for _ in range(2))
    assert (one == two).all()
    assert not (one[0] == one[1]).all()  # each frame in its own light
    assert not (clips[ClipKey(2, 3)]['frames'] == one).all()


@pytest.mark.parametrize(
    ('file', 'old', 'new', 'message'),
    [
        ('config.py', "'Patches'", "'Patchs'", "'Patchs' is not in the 'model' reg"),
        ('config.py', 'num_videos', 'num_video', "Did you mean 'num_videos'?"),
        (
            'config.py',
            "'PixelAccuracy'",
            "'Squares'",
            "'Squares' is a dataset, but",
        ),
        (
            'squares.py',
            'class Patches',
            'class ResNet',
            "'ResNet' is already",
        ),
        ('config.py', "'squares']", "'squars']", 'squars'),
    ],
)
def test_mistakes_are_named(run, tmp_path, file, old, new, message):
    edit(tmp_path / 'mine' / file, old, new)
    done = run('test', '../mine/config.py', 'squares', 'random')
    assert done.returncode == 1
    assert message in done.stderr
    assert not list((tmp_path / 'work').rglob('metrics.json'))


def test_documented_config_is_that_of_the_example():
    text = (CHECKOUT / 'docs' / 'extend.md').read_text()
    config = (PLUGIN / 'config.py').read_text()
    wanted = r'^.*(?:custom_imports|test_dataset|protocol =|SamePlace).*$'
    lines = re.findall(wanted, config, re.M)
    assert len(lines) == 5  # the header, too
    for line in lines[1:]:
        assert line.strip() in text
    training = config[config.index('pipeline = ') : config.index('validation = ')]
    assert training in text
