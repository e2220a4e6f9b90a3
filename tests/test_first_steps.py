"""The commands of docs/first_steps.md, run as they stand in a copy of the checkout."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[1]
PAGE = CHECKOUT / 'docs/first_steps.md'
COPIED = ('configs', 'data/data_info', 'densecorr', 'docs', 'requirements', 'tools')
FILES = ('README.md', 'pyproject.toml', 'setup.py')


def blocks(page: Path) -> list[str]:
    """The shell blocks of a page, in order."""
    return re.findall(r'^```bash\n(.*?)^```', page.read_text('utf-8'), re.M | re.S)


def environment_is_set_up() -> bool:
    """Whether tools/setup_env.sh has made the environment that runs this test."""
    return any(Path(sys.prefix).glob('densecorr-*'))


@pytest.fixture(scope='module')
def copy(tmp_path_factory):
    """A copy of the checkout; its .venv is the environment of this process."""
    if not environment_is_set_up():
        pytest.skip('this environment was not made by tools/setup_env.sh')
    root = tmp_path_factory.mktemp('first') / 'densecorr'
    for part in COPIED:
        ignored = shutil.ignore_patterns('__pycache__')
        shutil.copytree(CHECKOUT / part, root / part, ignore=ignored)
    for name in FILES:
        shutil.copy(CHECKOUT / name, root / name)
    (root / '.venv').symlink_to(sys.prefix)
    return root


def run(script: str, where: Path) -> subprocess.CompletedProcess:
    """A shell that stops at the first error, without an active environment."""
    env = {
        k: v for k, v in os.environ.items() if k not in ('VIRTUAL_ENV', 'PYTHONPATH')
    }
    env['DENSECORR_PIP_ARGS'] = os.environ.get('DENSECORR_PIP_ARGS', '')
    # the training's minute and the length of clips are not what is tested
    env['ITERATIONS'], env['FRAMES'] = '6', '7'
    env['HTTPS_PROXY'] = env['HTTP_PROXY'] = 'http://127.0.0.1:9'  # no network
    return subprocess.run(
        ['bash', '-ec', script], cwd=where, env=env, capture_output=True, text=True
    )


@pytest.fixture(scope='module')
def followed(copy):
    """The copy after every command of the page, and what they printed."""
    done = run('\n'.join(blocks(PAGE)), copy)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    return copy, done.stdout


def test_every_command_of_the_page_runs(followed):
    root, text = followed
    assert len(blocks(PAGE)) >= 7
    results = root / 'work_dirs/quickstart/results'
    yardsticks = json.loads((results / 'yardsticks.json').read_text())['yardsticks']
    scores = {k: v['metrics']['J&F-Mean'] for k, v in yardsticks.items()}
    assert scores['ceiling'] > scores['colors'] > scores['copy']
    assert scores['ceiling'] > scores['random'] > scores['copy']
    history = json.loads((results.parent / 'training/validation.json').read_text())
    trained = json.loads((results / 'metrics.json').read_text())['metrics']
    last = history[-1]['metrics']
    assert [entry['iter'] for entry in history] == [0, 6]
    assert trained['J&F-Mean'] == pytest.approx(last['davis/J&F-Mean'])
    assert scores['copy'] < trained['J&F-Mean'] < scores['ceiling']
    table = text.partition('before and after 6 iterations of training:')[2]
    (row,) = re.findall(r'^J&F-Mean +(\S+) +(\S+) +(\S+)$', table, re.M)
    values = [history[0]['metrics']['davis/J&F-Mean'], last['davis/J&F-Mean']]
    shown = [f'{100 * value:.1f}' for value in (*values, values[1] - values[0])]
    assert [*row] == shown
    assert ('It got worse.' in table) == (values[1] < values[0])
    page = (results / 'report.html').read_text('utf-8')
    assert not re.search(r'(src|href)="(https?:)?//', page)
    for suffix in ('png', 'gif', 'mp4'):
        assert list((results / 'overlays').rglob(f'*.{suffix}'))
    assert 'encode-decode ceiling of the true labels' in text
    for folder in ('dino_vits16/davis', 'dino_vits16/davis-vfs', 'config/davis'):
        metrics = json.loads((root / 'work_dirs' / folder / 'metrics.json').read_text())
        assert 0 < metrics['metrics']['J&F-Mean'] < 1
    assert not (CHECKOUT / 'mine').exists()


@pytest.mark.slow
def test_quickstart_runs_twice_and_from_anywhere(followed, tmp_path):
    root, _ = followed
    results = root / 'work_dirs/quickstart/results'
    first = (results / 'metrics.json').read_bytes()
    done = run(f'bash {root}/tools/quickstart.sh {results.parent}', tmp_path)
    assert done.returncode == 0, done.stderr[-4000:]
    assert (results / 'metrics.json').read_bytes() == first
    assert list(tmp_path.iterdir()) == []
    assert f'report      {results}/report.html' in done.stdout


def test_quickstart_says_how_it_is_called():
    script = str(CHECKOUT / 'tools/quickstart.sh')
    for wrong in (['--help'], ['a', 'b']):
        done = subprocess.run(['bash', script, *wrong], capture_output=True, text=True)
        assert done.returncode == 2
        assert 'usage: bash tools/quickstart.sh [OUT]' in done.stderr
