import errno
import os
import shutil
from pathlib import Path

import pytest
from mmengine.config import Config

from densecorr.utils import files
from tests.program import Program
from tests.trees import write_davis_tree


@pytest.fixture
def program(tmp_path, capsys):
    return Program(tmp_path, capsys)


def contents(out: Path) -> dict[str, bytes]:
    """Files that equal runs share, hidden ones too."""
    found = {p.relative_to(out).as_posix(): p for p in out.rglob('*') if p.is_file()}
    return {
        name: path.read_bytes()
        for name, path in found.items()
        if not name.startswith('logs/') and name != 'run.json'
    }


class FullDisk:
    """Stands in for ``files._write``; call ``fails_at`` (from 1) has no space."""

    def __init__(self, fails_at: int = 0) -> None:
        self.fails_at, self.calls = fails_at, 0
        self.pages = []  # the report is written with the score, then with yardsticks
        self._write = files._write

    def __call__(self, handle, data: bytes) -> None:
        self.calls += 1
        if self.calls == self.fails_at:
            handle.write(data[: len(data) // 2])
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        if handle.name.endswith('report.html.tmp'):
            self.pages.append(data)
        self._write(handle, data)


def test_full_disk_at_every_write(program, monkeypatch):
    write_davis_tree(program.root, {'a': 3})
    counter = FullDisk()
    with monkeypatch.context() as patch:
        patch.setattr(files, '_write', counter)
        program.works()
    whole = contents(program.out)
    assert len(counter.pages) == 2
    assert whole['report.html'] == counter.pages[-1]
    assert counter.calls >= len(whole) >= 3 + 1 + 1 + 4  # PNG, record, metrics, csv
    for number in range(1, counter.calls + 1):
        shutil.rmtree(program.out)
        with monkeypatch.context() as patch:
            patch.setattr(files, '_write', FullDisk(number))
            text = program.fails('No space left on the device', 'Free space and run')
        assert str(program.out) in text and 'Traceback' not in text
        left = contents(program.out)
        if 'report.html' in left:
            assert left.pop('report.html') in counter.pages
        assert left.items() <= whole.items(), 'a torn or foreign file remains'
        program.works()
        assert contents(program.out) == whole


def test_full_disk_when_mmengine_writes(program, monkeypatch):
    write_davis_tree(program.root, {'a': 3})

    def dump(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Config, 'dump', dump)
    program.fails(f'No space left on the device while writing {program.out}', 'Free sp')
