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
    args = ['--protocols', 'crw', '--sequences', 'dog', '--frames', '4']
    args += ['--compare', '1', '3', '--data', str(root), '--out', str(out)]
    assert protocols.main(args) == 0
    columns, row = (line.split(',') for line in out.read_text().splitlines())
    found = dict(zip(columns, row, strict=True))
    assert found['protocol'] == 'crw' and found['model'] == 'crw_res18'
    assert (found['grid'], found['frames'], found['compared']) == ('8x12', '4', '2')
    assert found['videos'] == '1'
    assert float(found['least agreement'].split()[0]) >= 99.9
    assert float(found['largest difference']) < 1e-4


def test_a_difference_is_found(tmp_path, monkeypatch):
    root = write_davis_tree(tmp_path / 'DAVIS', {'dog': 3}, size=(64, 96))
    tracker, videos = protocols.build('crw', 'crw_res18', root=str(root))
    video = videos[0]
    step = tracker.propagator.step

    def wrong(feats, labels=None, present=None):
        return step(feats, labels, present).flip(0)

    monkeypatch.setattr(tracker.propagator, 'step', wrong)
    found = protocols.compare(tracker, video, [1, 2])
    assert found['difference'] > 0.5
    assert max(found['agreement']) < 0.9
    assert np.isfinite(found['seconds']).all() and len(found['seconds']) == 2


def test_another_network_and_all_videos(tmp_path):
    root = write_davis_tree(tmp_path / 'DAVIS', {'dog': 3, 'cat': 3}, size=(64, 96))
    out = tmp_path / 'table.csv'
    args = ['--protocols', 'dul', '--model', 'res18_s8', '--sequences', 'all']
    args += ['--cfg-options', 'model.backbone.strides=[1,2,2,1]', '--frames', '0']
    args += ['--compare', '1', '--data', str(root), '--out', str(out)]
    protocols.main(args)
    row = out.read_text().splitlines()[1].split(',')
    assert row[:6] == ['dul', 'res18_s8', '2', '4x6', '6', '2']


def test_an_unknown_protocol_is_named():
    with pytest.raises(KeyError, match='crv'):
        protocols.main(['--protocols', 'crv'])


def test_frames_to_compare_must_be_there(tmp_path):
    root = write_davis_tree(tmp_path / 'DAVIS', {'dog': 2}, size=(64, 96))
    tracker, videos = protocols.build('crw', 'crw_res18', root=str(root))
    with pytest.raises(ValueError, match=r'none of the frames \[7\] is there'):
        protocols.measure(tracker, videos, [7])
