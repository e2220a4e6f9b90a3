"""The command that waits for a CUDA machine runs at toy size without one."""

import json

import pytest
import torch

from densecorr.apis.benchmarks import cuda
from densecorr.apis.benchmarks.cuda_parts import (
    Meter,
    measure_features,
    measure_machine,
    measure_propagation,
)

torch_only = pytest.mark.skipif(torch.cuda.is_available(), reason='needs no CUDA')


def test_propagation_by_every_path_equals_plain_torch(monkeypatch):
    monkeypatch.setenv('TRITON_INTERPRET', '1')
    meter = Meter('cpu', repeats=1)
    rows = measure_propagation(meter, True, measure_machine(meter, True))
    paths = {(row['method'], row['precision']) for row in rows}
    assert {('plain torch', 'float32'), ('windowed', 'bfloat16')} <= paths
    assert max(row['largest_difference'] for row in rows) < 1e-5
    assert all(0 < row['of_products'] < 2 and row['of_copies'] > 0 for row in rows)


def test_features_of_both_networks_and_precisions():
    rows = measure_features(Meter('cpu', repeats=1), True)
    assert [(row['network'], row['precision']) for row in rows] == [
        (network, precision)
        for network in ('ResNet-18 stride 8', 'ViT-S/16')
        for precision in ('float32', 'bfloat16')
    ]


@torch_only
def test_without_cuda_the_command_names_the_toy(tmp_path, capsys):
    assert cuda.main(['--out', str(tmp_path / 'out.json')]) == 2
    assert '--toy runs every part' in capsys.readouterr().out


def test_parts_are_kept_and_not_measured_again(tmp_path, monkeypatch, capsys):
    out, measured = tmp_path / 'out.json', []

    def part(name, done, device, toy):
        measured.append(name)
        if name == 'features' and len(measured) == 2:
            raise KeyboardInterrupt
        return dict(seconds=0.25) if name == 'machine' else [dict(seconds=None)]

    monkeypatch.setattr(cuda, 'measure_part', part)
    argv = ['--toy', '--out', str(out), '--parts', 'features']
    with pytest.raises(KeyboardInterrupt):
        cuda.main(argv)
    assert cuda.main(argv) == 0
    assert measured == ['machine', 'features', 'features']
    text = capsys.readouterr().out
    assert '250 ms' in text and 'interrupted' in text
    kept = json.loads(out.read_text())
    kept['machine']['device'] = 'another'
    out.write_text(json.dumps(kept))
    assert cuda.main(argv) == 2
    assert 'Give another file to --out' in capsys.readouterr().out


@pytest.mark.slow
def test_the_whole_command_at_toy_size(tmp_path, monkeypatch):
    monkeypatch.setenv('TRITON_INTERPRET', '1')
    out = tmp_path / 'out.json'
    assert cuda.main(['--toy', '--out', str(out)]) == 0
    assert list(json.loads(out.read_text())['parts']) == list(cuda.PARTS)


def test_generated_sequences_have_the_counts_of_davis(tmp_path, monkeypatch):
    written = []
    monkeypatch.setattr(cuda, 'write_sequence', lambda *call: written.append(call))
    assert cuda.write_davis(tmp_path, toy=False) == 1999
    assert len(written) == 30 and sum(call[1] for call in written) == 1999
    assert sorted({call[2] for call in written}) == [
        (480, 854),
        (480, 910),
        (480, 1152),
    ]
