import ast
import filecmp
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from .installed import CHECKOUT, install


@pytest.fixture(scope='module')
def site(tmp_path_factory):
    return install(tmp_path_factory.mktemp('install'))


def run(site: Path, folder: Path, *command: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, *command],
        cwd=folder,
        env={**os.environ, 'PYTHONPATH': str(site)},
        capture_output=True,
        text=True,
        check=False,
    )


def requirements(name: str) -> dict[str, str]:
    lines = (CHECKOUT / 'requirements' / name).read_text().splitlines()
    lines = [line.split('#')[0].strip() for line in lines]
    parts = (re.match(r'([\w-]+)(.*)', line) for line in lines if line)
    return {part.group(1): part.group(2) for part in parts}


def declared() -> list[str]:
    for node in ast.walk(ast.parse((CHECKOUT / 'setup.py').read_text())):
        if isinstance(node, ast.keyword) and node.arg == 'install_requires':
            return ast.literal_eval(node.value)
    raise AssertionError('setup.py declares no requirements')


def test_setup_requires_no_package_that_comes_in_flavours():
    names = {re.match(r'[\w-]+', line).group() for line in declared()}
    assert 'torch>=2.6' in declared()
    assert not {n for n in names if n.startswith(('mmcv', 'opencv'))}


def test_requirements_pin_the_tested_versions():
    assert requirements('torch.txt') == dict(torch='==2.13.0', torchvision='==0.28.0')
    runtime = requirements('runtime.txt')
    assert runtime['mmcv-lite'] == requirements('mmcv-full.txt')['mmcv'] == '==2.1.0'
    assert runtime['mmengine'] == '==0.10.7'
    assert {'ftfy', 'regex', 'mmsegmentation', 'opencv-python'} <= set(runtime)
    assert 'vos-benchmark' in requirements('tests.txt')


def test_installation_finds_itself_away_from_the_checkout(site, tmp_path):
    code = (
        'import densecorr; from densecorr.utils import paths\n'
        'print(densecorr.__file__, paths.config_root(), paths.data_info_root(), '
        'paths.tools_root(), sep="\\n")'
    )
    done = run(site, tmp_path, '-c', code)
    assert done.returncode == 0, done.stderr
    package = site / 'densecorr'
    wanted = [package / n for n in ('__init__.py', 'configs', 'data_info', 'tools')]
    assert [Path(line) for line in done.stdout.splitlines()] == wanted


@pytest.mark.parametrize(
    ('name', 'origin', 'pattern'),
    [
        ('configs', 'configs', '*.py'),
        ('data_info', 'data/data_info', '*.json'),
        ('tools', 'tools', '*.py'),
        ('tools', 'tools', '*.sh'),
        ('', 'densecorr', '*.py'),
        ('', 'densecorr', '*.html'),
        ('', 'densecorr', '*.css'),
        ('', 'densecorr', '*.js'),
    ],
)
def test_installation_carries_every_file(site, name, origin, pattern):
    folder = CHECKOUT / origin
    files = [str(path.relative_to(folder)) for path in folder.rglob(pattern)]
    assert files
    same, differ, missing = filecmp.cmpfiles(
        folder, site / 'densecorr' / name, files, shallow=False
    )
    assert (differ, missing) == ([], [])
    assert len(same) == len(files)


def test_console_command_of_the_installation(site, tmp_path):
    script = site / 'bin' / 'densecorr'
    done = run(site, tmp_path, str(script), '--help')
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith('usage: densecorr COMMAND')
    assert re.search(r'^  score  +\w', done.stdout, re.MULTILINE)
