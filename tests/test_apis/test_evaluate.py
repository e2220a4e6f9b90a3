import json
from pathlib import Path

import numpy as np
import pytest
import torch

from densecorr.apis.benchmarks import end_to_end
from densecorr.apis.config import load_config, resolve
from densecorr.apis.costs import backbone_flops
from densecorr.apis.dry_run import (
    context_scores,
    estimate,
    format_estimate,
    window_scores,
)
from densecorr.apis.evaluate import (
    check_checkpoint,
    default_out,
    describe_protocol,
    evaluate,
    fingerprint_of,
    options_of_dataset,
)
from densecorr.apis.report import format_result, notes_of, percent
from densecorr.engine.fingerprint import canonical_json
from densecorr.engine.records import ResultFolder
from densecorr.ops.window import Window
from densecorr.propagation.context import Context
from densecorr.registry import MODELS
from tests.trees import write_davis_tree

ROOT = Path(__file__).resolve().parents[2]
CONFIG = ROOT / 'configs/test/crw_res18.py'


@pytest.fixture
def data(tmp_path):
    return write_davis_tree(tmp_path / 'DAVIS', {'dog': 4, 'camel': 3}, size=(48, 64))


def test_no_checkpoint_is_an_error():
    for nothing in (None, ''):
        with pytest.raises(ValueError, match=r"no checkpoint was given.*say 'random'"):
            check_checkpoint(nothing)
    assert check_checkpoint('random') == 'random'
    with pytest.raises(ValueError, match=r'no checkpoint was given'):
        evaluate(CONFIG, 'davis', None)


def test_default_folder_names_config_task_and_other_protocol():
    cfg = resolve(CONFIG, 'davis', 'dul')
    name = 'work_dirs/crw_res18/davis'
    assert default_out(CONFIG, 'davis', None, cfg) == Path(name)
    assert default_out(CONFIG, 'davis', 'dul', cfg) == Path(f'{name}-dul')


def test_protocol_at_another_stride_says_so():
    cfg = load_config(CONFIG)
    assert describe_protocol(cfg, 8)['note'] == ''
    note = 'protocol crw was published at stride 8, this run has stride 4'
    assert describe_protocol(cfg, 4)['note'] == note


def test_reader_of_the_protocol_reaches_the_dataset():
    assert resolve(CONFIG, 'davis').test_dataset.reader == 'opencv'
    assert resolve(CONFIG, 'davis', 'dul').test_dataset.reader == 'pillow'


def test_fingerprint_has_what_can_change_a_number_only():
    first = fingerprint_of(resolve(CONFIG, 'davis'), tf32=False)
    harmless = {
        'test_dataset.root': 'elsewhere',
        'test_dataset.sequences': ['dog'],
        'limits.max_memory': '1GB',
        'log_level': 'ERROR',
    }
    cfg = resolve(CONFIG, 'davis', options=harmless)
    assert canonical_json(fingerprint_of(cfg, tf32=False)) == canonical_json(first)
    changes = {
        'test_dataset.max_frames': 3,
        'limits.precision': 'bfloat16',
        'protocol.davis.select.topk': 3,
        'protocol.revision': 2,
        'model.backbone.depth': 34,
        'new:test_evaluator.0.bound_th': 2,
    }
    for key, value in changes.items():
        cfg = resolve(CONFIG, 'davis', options={key: value})
        assert canonical_json(fingerprint_of(cfg, False)) != canonical_json(first), key
    assert fingerprint_of(resolve(CONFIG, 'davis'), tf32=True) != first


def test_options_of_dataset_leave_out_what_is_not_given():
    assert options_of_dataset() == {}
    assert options_of_dataset('x', ['a'], 3) == {
        'new:test_dataset.root': 'x',
        'new:test_dataset.sequences': ['a'],
        'new:test_dataset.max_frames': 3,
    }


def test_foreign_predictions_are_not_touched(data, tmp_path):
    out = tmp_path / 'out'
    (out / 'predictions/dog').mkdir(parents=True)
    (out / 'predictions/dog/00000.png').write_bytes(b'theirs')
    with pytest.raises(ValueError, match=r'predictions but no records.*--overwrite'):
        evaluate(
            CONFIG,
            'davis',
            'random',
            out,
            cfg_options=options_of_dataset(str(data)),
            threads=1,
        )
    assert (out / 'predictions/dog/00000.png').read_bytes() == b'theirs'


def test_overwrite_removes_our_files_only(tmp_path):
    ours = ['predictions/a/0.png', 'records/a.json', 'per_video.csv', 'metrics.json']
    for name in [*ours, 'notes.txt']:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text('x')
    ResultFolder(tmp_path).clear()
    assert [p.name for p in tmp_path.rglob('*')] == ['notes.txt']


def test_files_torn_by_a_kill_are_removed(tmp_path):
    torn = ['.metrics.json.tmp', 'predictions/a/.0.png.tmp', 'records/.a.json.tmp']
    for name in [*torn, 'records/a.json', 'other/.keep.tmp']:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text('x')
    ResultFolder(tmp_path).remove_torn_files()
    left = sorted(p.name for p in tmp_path.rglob('*') if p.is_file())
    assert left == ['.keep.tmp', 'a.json']


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('{"schema": 1', r'a\.json is not a record of densecorr: .*--overwrite'),
        ('{"schema": 99, "fingerprint": {}}', r'has record schema 99, .* writes 1\.'),
    ],
)
def test_bad_record_is_named(tmp_path, text, message):
    (tmp_path / 'records').mkdir()
    (tmp_path / 'records/a.json').write_text(text)
    with pytest.raises(ValueError, match=message):
        ResultFolder(tmp_path, dict(a=1)).open()


def test_numbers_that_are_not_finite_become_null(tmp_path):
    ResultFolder(tmp_path).write_json('x.json', dict(a=[float('nan'), 1.5], b=np.inf))
    assert json.loads((tmp_path / 'x.json').read_text()) == dict(a=[None, 1.5], b=None)


def test_window_scores_count_allowed_pairs():
    window = Window('circle', 2, inclusive=False)
    grid = (5, 7)
    cells = [(y, x) for y in range(5) for x in range(7)]
    count = sum((a - c) ** 2 + (b - d) ** 2 < 4 for a, b in cells for c, d in cells)
    assert window_scores(window, grid) == count
    assert window_scores(Window(), grid) == 35**2


def test_context_scores_add_up_over_a_video():
    window, grid = Window('square', 1), (4, 6)
    inside = window_scores(window, grid)
    context = Context(num_frames=2, first='global')
    # frame t sees frame 0 everywhere and t - 1 frames in the window
    expected = (0 + 1 + 2) * inside + 3 * 24**2
    assert context_scores(context, window, grid, 4) == expected


def test_backbone_flops_of_one_convolution():
    backbone = MODELS.build(load_config(CONFIG).model.backbone.to_dict())
    flops, shape = backbone_flops(backbone, (48, 64))
    assert shape == (256, 6, 8)
    stem = 2 * 3 * 49 * 64 * 24 * 32
    assert flops > stem
    assert backbone_flops(backbone, (96, 64))[0] == pytest.approx(2 * flops)


def test_dry_run_counts_and_writes_nothing(data, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    options = dict(cfg_options=options_of_dataset(str(data)), threads=1, device='cpu')
    fast = estimate(CONFIG, 'davis', 'random', timed=False, **options)
    assert (fast['videos'], fast['frames'], fast['seconds']) == (2, 7, None)
    timed = estimate(CONFIG, 'davis', 'random', **options)
    assert 0 < timed['seconds'] < 60
    assert timed['memory_mb'] > 50
    text = format_estimate(timed)
    assert 'frames       7' in text
    assert '2 of 30 sequences' in text
    assert [path.name for path in tmp_path.iterdir()] == ['DAVIS']


def test_result_table_has_percent_and_notes():
    content = dict(
        task='davis',
        out='o',
        metrics={'J-Mean': 0.5},
        dataset=dict(note='8 of 30 sequences: not DAVIS-2017 val'),
        protocol=dict(name='crw', note='stride 4'),
    )
    assert notes_of(content) == ['8 of 30 sequences: not DAVIS-2017 val', 'stride 4']
    text = format_result(content)
    assert '50.0' in text
    assert '8 of 30 sequences' in text
    assert percent(None) == '-'
    assert percent(0.123) == '12.3'


def test_davis16_scores_one_object(data, tmp_path):
    tree = write_davis_tree(tmp_path / '16', {'dog': 4}, year=2016, size=(48, 64))
    content = evaluate(
        CONFIG,
        'davis16',
        'random',
        tmp_path / 'out',
        cfg_options=options_of_dataset(str(tree)),
        threads=1,
    )
    assert content['dataset']['name'] == 'DAVIS-2016'
    rows = (tmp_path / 'out/per_object.csv').read_text().splitlines()
    assert len(rows) == 2


def test_benchmark_of_a_generated_sequence(tmp_path, monkeypatch):
    end_to_end.write_sequence(tmp_path / 'DAVIS', 4, (48, 64))
    loop = end_to_end.build_loop(
        str(CONFIG), str(tmp_path / 'DAVIS'), 4, str(tmp_path / 'out')
    )
    found = end_to_end.measure(loop, 1)
    assert found['evaluation'] > 0
    assert found['ratio'] > 0.3
    pngs = list((tmp_path / 'out/predictions/car-shadow').glob('*.png'))
    assert len(pngs) == 4


def test_benchmark_fails_where_the_target_is_missed(tmp_path, monkeypatch):
    tree = write_davis_tree(tmp_path / 'DAVIS', {'car-shadow': 3}, size=(48, 64))
    arguments = ['--config', str(CONFIG), '--data', str(tree), '--frames', '3']
    monkeypatch.setattr(end_to_end, 'TARGET_RATIO', 1e9)
    assert end_to_end.main(arguments) == 0
    monkeypatch.setattr(end_to_end, 'TARGET_RATIO', 0.0)
    assert end_to_end.main(arguments) == 1


def test_reduced_video_models_say_so_in_every_output(data, tmp_path):
    """MAE-ST's weights on single frames: on screen, in metrics.json and on the page."""
    part = dict(type='TimmFeatures', arch='vit_tiny_patch16_224', depth=1, embed_dim=24)
    network = MODELS.build(dict(part, pos_embed_rule='scale_factor'))
    state = network.state_dict()
    table, qkv = state.pop('pos_embed'), 'blocks.0.attn.{}.{}'
    state['pos_embed_class'], state['pos_embed_spatial'] = table[:, :1], table[:, 1:]
    state['pos_embed_temporal'] = torch.ones(1, 8, 24)
    for end in ('weight', 'bias'):
        rows = state.pop(qkv.format('qkv', end)).chunk(3)
        state |= {qkv.format(k, end): r for k, r in zip('qkv', rows, strict=True)}
    kernel = state['patch_embed.proj.weight'][:, :, None]
    state['patch_embed.proj.weight'] = torch.cat([kernel, kernel], dim=2) / 2
    torch.save(dict(model=state), tmp_path / 'mae_st.pth')
    content = evaluate(
        ROOT / 'configs/test/dino_vits16.py',
        'davis',
        str(tmp_path / 'mae_st.pth'),
        tmp_path / 'out',
        cfg_options={
            'model.backbone.arch': part['arch'],
            'new:model.backbone.depth': 1,
            'new:model.backbone.embed_dim': 24,
            'new:test_dataset.root': str(data),
        },
        threads=1,
        yardsticks='none',
        votes=False,
    )
    note = content['weights']['note']
    assert note.startswith('reduction ours: ')
    assert note in format_result(content)
    written = json.loads((tmp_path / 'out/metrics.json').read_text())
    assert written['weights'] == dict(note=note)
    assert note in (tmp_path / 'out/report.html').read_text(encoding='utf-8')
