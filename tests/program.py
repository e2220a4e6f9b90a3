"""``densecorr test`` on a tiny DAVIS root, for tests of what a user sees."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from densecorr import cli
from densecorr.utils.images import read_label_map

CONFIG = str(Path(__file__).resolve().parents[1] / 'configs/test/crw_res18.py')


class Program:
    """``densecorr test CONFIG davis random --data ROOT --out OUT`` in this process."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture) -> None:
        self.root, self.out, self._capsys = folder / 'davis', folder / 'out', capsys

    def __call__(self, *options: str, task: str = 'davis', weights: str = 'random'):
        """Exit code and what was written to standard error."""
        arguments = ['test', CONFIG, task, weights, '--device', 'cpu']
        arguments += ['--threads', '1', '--data', str(self.root)]
        if '--out' not in options:
            arguments += ['--out', str(self.out)]
        self._capsys.readouterr()
        code = cli.main([*arguments, *options])
        return code, self._capsys.readouterr().err

    def fails(self, *parts: str, **options: str) -> str:
        """The run must end with code 1 and a message that holds every part."""
        code, text = self(**options)
        assert code == 1
        for part in parts:
            assert part in text, f'{part!r} is not in: {text}'
        return text

    def works(self) -> dict:
        """The run must end with code 0; returns what ``metrics.json`` says."""
        code, text = self()
        assert code == 0, text
        return json.loads((self.out / 'metrics.json').read_text())

    def frame(self, name: str, index: int) -> Path:
        return self.root / 'JPEGImages/480p' / name / f'{index:05d}.jpg'

    def label(self, name: str, index: int) -> Path:
        return self.root / 'Annotations/480p' / name / f'{index:05d}.png'

    def result(self, name: str, frame: str) -> np.ndarray:
        path = self.out / 'predictions' / name / f'{frame}.png'
        return read_label_map(path)[0]

    def has_record(self, name: str) -> bool:
        return (self.out / 'records' / f'{name}.json').is_file()
