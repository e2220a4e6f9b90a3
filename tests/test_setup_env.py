"""The functions of tools/setup_env.sh, with a stand-in for the interpreter."""

import os
import subprocess
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[1]
# Logs its arguments; import cv2 fails until the headless flavour is installed.
PYTHON = """#!/usr/bin/env bash
printf '%s\\n' "$*" >> "$LOG"
case "$*" in
  *"import cv2"*)
    grep -q 'install.*opencv-python-headless' "$LOG" && exit 0
    [ -z "$CV2_ERROR" ] && exit 0
    echo "ImportError: $CV2_ERROR" >&2
    exit 1 ;;
  *metadata*) echo 5.0.0.93 ;;
  *"pip show"*) case " $INSTALLED " in *" ${!#} "*) ;; *) exit 1 ;; esac ;;
esac
"""


@pytest.fixture
def bash(tmp_path):
    python = tmp_path / 'python'
    python.write_text(PYTHON)
    python.chmod(0o755)
    log = tmp_path / 'log'
    log.touch()

    def run(command: str, **env: str) -> tuple[subprocess.CompletedProcess, list[str]]:
        done = subprocess.run(
            ['bash', '-c', f'. tools/setup_env.sh --functions; {command}'],
            cwd=CHECKOUT,
            env={**os.environ, 'PY': str(python), 'LOG': str(log), **env},
            capture_output=True,
            text=True,
            check=False,
        )
        return done, log.read_text().splitlines()

    return run


def test_opencv_that_imports_is_left_alone(bash):
    done, calls = bash('mend_opencv', CV2_ERROR='')
    assert done.returncode == 0
    assert calls == ['-c import cv2']


@pytest.mark.parametrize(
    'error',
    [
        'libGL.so.1: cannot open shared object file: No such file or directory',
        'libgthread-2.0.so.0: cannot open shared object file',
    ],
)
def test_opencv_without_system_library_becomes_headless(bash, error):
    done, calls = bash('mend_opencv', CV2_ERROR=error, DENSECORR_PIP_ARGS='--no-cache')
    assert done.returncode == 0, done.stderr
    assert 'Replacing opencv-python by opencv-python-headless 5.0.0.93' in done.stdout
    removed = calls.index('-m pip uninstall --quiet --yes opencv-python')
    added = [i for i, c in enumerate(calls) if 'install' in c and 'headless' in c]
    assert added == [removed + 1]
    assert calls[removed + 1].endswith('--no-cache opencv-python-headless==5.0.0.93')
    assert calls[-1] == '-c import cv2'


def test_other_failures_of_opencv_are_shown(bash):
    done, calls = bash('mend_opencv', CV2_ERROR='numpy.core failed to import')
    assert done.returncode == 1
    assert 'numpy.core failed to import' in done.stderr
    assert 'import cv2 fails' in done.stderr
    assert calls == ['-c import cv2']


def test_torch_comes_first_and_torchvision_alone(bash):
    done, calls = bash('install_requirements', DENSECORR_PIP_ARGS='--no-cache')
    assert done.returncode == 0, done.stderr
    installs = [call for call in calls if call.startswith('-m pip install')]
    assert calls[0].endswith('torch==2.13.0')  # the announcement, before any install
    assert installs[0].endswith('--no-cache torch==2.13.0')
    assert installs[1].endswith('--no-cache --no-deps torchvision==0.28.0')
    assert '-c ' in installs[2]
    assert installs[2].endswith(' -r requirements/tests.txt')
    assert installs[3].endswith('--no-deps --no-build-isolation --editable .')
    assert len(installs) == 4


@pytest.mark.parametrize(
    ('installed', 'left'),
    [
        ('', set()),
        ('mmcv', {'mmcv-lite==2.1.0'}),
        ('opencv-python-headless', {'opencv-python'}),
        ('opencv-python mmcv-lite', set()),
    ],
)
def test_other_flavours_that_are_installed_stay(bash, installed, left):
    done, _ = bash('runtime_requirements', INSTALLED=installed)
    text = (CHECKOUT / 'requirements' / 'runtime.txt').read_text()
    wanted = {line for line in text.splitlines() if line[:1] != '#'}
    assert left <= wanted
    assert set(done.stdout.splitlines()) == wanted - left


def test_a_failed_install_stops(bash):
    done, calls = bash('pip_install() { return 1; }; install_requirements')
    assert done.returncode == 1
    assert not [call for call in calls if 'pip install' in call]


def test_fingerprint_follows_requirements_and_arguments(tmp_path):
    def fingerprint(**env: str) -> str:
        done = subprocess.run(
            ['bash', '-c', '. tools/setup_env.sh --functions; fingerprint'],
            cwd=CHECKOUT,
            env={**os.environ, 'PY': 'python3', **env},
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.strip()

    plain = fingerprint(DENSECORR_PIP_ARGS='')
    assert len(plain) == 16
    assert plain == fingerprint(DENSECORR_PIP_ARGS='')
    assert plain != fingerprint(DENSECORR_PIP_ARGS='--pre')
