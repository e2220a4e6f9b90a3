"""The benchmark that tries protocols on a video."""

import numpy as np
import pytest

from densecorr.apis.benchmarks import protocols
from densecorr.apis.config import protocol_files

from .trees import write_davis_tree


def test_every_protocol_has_a_network():
    assert set(protocols.MODELS_OF) == set(protocol_files())


def test_a_row_is_measured(tmp_path, monkeypatch, capsys):
    root = write_davis_tree(tmp_path / 'DAVIS', {'dog': 4}, size=(64, 96))
    out = tmp_path / 'table.csv'
    args = ['--protocols', 'crw', '--sequence', 'dog', '--frames', '4']
    args += ['--compare', '1', '3', '--data', str(root), '--out', str(out)]
    assert protocols.main(args) == 0
    columns, row = (line.split(',') for line in out.read_text().splitlines())
    found = dict(zip(columns, row, strict=True))
    assert found['protocol'] == 'crw' and found['model'] == 'crw_res18'
    assert (found['grid'], found['frames'], found['compared']) == ('8x12', '4', '2')
    assert float(found['least agreement'].split()[0]) >= 99.9
    assert float(found['largest difference']) < 1e-4


def test_a_difference_is_found(tmp_path, monkeypatch):
    root = write_davis_tree(tmp_path / 'DAVIS', {'dog': 3}, size=(64, 96))
    tracker, video = protocols.build('crw', 'crw_res18', 'dog', 3, str(root))
    step = tracker.propagator.step

    def wrong(feats, labels=None, present=None):
        return step(feats, labels, present).flip(0)

    monkeypatch.setattr(tracker.propagator, 'step', wrong)
    found = protocols.compare(tracker, video, [1, 2])
    assert found['difference'] > 0.5
    assert max(found['agreement']) < 0.9
    assert np.isfinite(found['seconds']).all() and len(found['seconds']) == 2


def test_an_unknown_protocol_is_named():
    with pytest.raises(KeyError, match='crv'):
        protocols.main(['--protocols', 'crv'])
