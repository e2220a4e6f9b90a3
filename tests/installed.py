"""A non-editable installation of this checkout in a folder, for tests."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[1]
PARTS = ['setup.py', 'pyproject.toml', 'README.md', 'densecorr', 'configs', 'tools']


def install(folder: Path) -> Path:
    """Install a copy of the checkout under ``folder``; returns what goes on the path.

    The copy keeps setuptools' build folders out of the checkout.
    """
    source, target = folder / 'source', folder / 'site'
    source.mkdir()
    for part in PARTS:
        origin = CHECKOUT / part
        if origin.is_dir():
            ignored = shutil.ignore_patterns('__pycache__')
            shutil.copytree(origin, source / part, ignore=ignored)
        else:
            shutil.copy(origin, source / part)
    shutil.copytree(CHECKOUT / 'data/data_info', source / 'data/data_info')
    pip = [sys.executable, '-m', 'pip', 'install', '--no-deps', '--no-index']
    done = subprocess.run(
        [*pip, '--no-build-isolation', '--target', str(target), str(source)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return target
