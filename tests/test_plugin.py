"""The example plugin: from another folder, with the package installed."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

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
        path = os.pathsep.join([str(site), str(tmp_path / 'mine')])
        return subprocess.run(
            [sys.executable, str(site / 'bin' / 'densecorr'), *arguments],
            cwd=tmp_path / 'work',
            env={**os.environ, 'PYTHONPATH': path, 'OMP_NUM_THREADS': '1'},
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
    wanted = re.compile(r'^.*(?:custom_imports|test_dataset|protocol =).*$', re.M)
    lines = wanted.findall(config)
    assert len(lines) == 3
    for line in lines:
        assert line.strip() in text
