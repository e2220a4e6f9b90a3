"""From a config and lists of values to a table, a picture and what noise allows."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from densecorr.apis.benchmarks import sweep as benchmark
from densecorr.apis.evaluate import evaluate, options_of_dataset
from densecorr.apis.sweep import format_sweep, sweep
from densecorr.apis.sweep_noise import rank, unit_scores
from densecorr.apis.sweep_picture import heat_map
from densecorr.apis.sweep_settings import (
    OPTIONS,
    describe,
    options_of,
    own_values,
    swept_settings,
)
from densecorr.cli import main
from densecorr.datasets.toy import make_clip
from densecorr.datasets.toy.layouts.write import write_layout
from densecorr.engine.look_ahead import VideoError
from densecorr.engine.sweep_loop import SweepLoop
from densecorr.propagation.protocol import Protocol
from tests.trees import write_davis_tree, write_vip_tree, write_ytvos_tree

REPO = Path(__file__).resolve().parents[2]
COMMON = dict(
    size={},
    context=dict(num_frames=3, first='windowed', recent_first=False),
    window=dict(shape='square', radius=4),
    select=dict(topk=3, temperature=0.01),
)
LABELS = dict(labels=dict(encode='bilinear', decode='bilinear'))
JOINTS = dict(
    joints=dict(draw='grid', sigma=0.5, background=False, topk=5, decode='grid')
)
CONFIG = f"""
_base_ = [{
    ', '.join(
        repr(str(REPO / f'configs/_base_/tasks/{name}.py'))
        for name in ('davis', 'vip', 'ytvos18', 'jhmdb')
    )
}]
model = dict(
    type='VideoTracker',
    backbone=dict(type='RawColors', stride=8),
    inputs=dict(color='rgb', mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0)),
)
limits = dict(precision='float32', max_bank=None)
protocol = dict(name='small', revision=1)
for task in ('davis', 'vip', 'ytvos'):
    protocol[task] = {dict(**COMMON, **LABELS)!r}
protocol['jhmdb'] = {dict(**COMMON, **JOINTS)!r}
del task
"""
VALUES = dict(topk='2,5', temperature=[0.01, 0.1])


@pytest.fixture(scope='module')
def config(tmp_path_factory):
    path = tmp_path_factory.mktemp('config') / 'small.py'
    path.write_text(CONFIG)
    return path


@pytest.fixture(scope='module')
def world(tmp_path_factory):
    """Generated clips in the layouts of DAVIS and JHMDB."""
    folder = tmp_path_factory.mktemp('world')
    clips = [make_clip('articulated', i, (96, 128), 6) for i in (0, 1)]
    for layout in ('davis', 'jhmdb'):
        write_layout(layout, clips, folder / layout)
    return folder


@pytest.fixture(scope='module')
def swept(config, world, tmp_path_factory):
    out = tmp_path_factory.mktemp('out') / 'sweep'
    options = options_of_dataset(str(world / 'davis'))
    content = sweep(
        config, 'davis', 'random', VALUES, out, cfg_options=options, threads=1
    )
    return content, out


def rows_of(path):
    return list(csv.DictReader(path.read_text().splitlines()))


def protocol(**changes):
    return Protocol.from_config({**COMMON, **LABELS, **changes})


def test_numbers_are_those_of_runs_of_their_own(swept, config, world, tmp_path):
    content, out = swept
    table = rows_of(out / 'sweep.csv')
    objects = rows_of(out / 'sweep_per_object.csv')
    for item in content['settings']:
        number = item['setting']
        changes = dict(text.split('=') for text in item['options'])
        options = options_of_dataset(str(world / 'davis'))
        options |= {key: float(v) if '.' in v else int(v) for key, v in changes.items()}
        alone = evaluate(
            config,
            'davis',
            'random',
            tmp_path / str(number),
            cfg_options=options,
            threads=1,
            yardsticks='none',
            votes=False,
        )
        assert item['metrics'] == alone['metrics']
        assert table[number]['J&F-Mean'] == f'{alone["metrics"]["J&F-Mean"]:.6f}'
        theirs = rows_of(tmp_path / str(number) / 'per_object.csv')
        ours = [row for row in objects if row['Setting'] == str(number)]
        assert ours == [{'Setting': str(number), **row} for row in theirs]
    scores = [item['metrics']['J&F-Mean'] for item in content['settings']]
    assert len(set(scores)) > 1
    assert content['best'] == int(np.argmax(scores))


def test_what_is_written_and_shown(swept):
    content, out = swept
    files = {path.name for path in out.iterdir() if path.is_file()}
    assert files == {
        'sweep.csv',
        'sweep.json',
        'sweep.png',
        'sweep_per_object.csv',
        'sweep_per_video.csv',
        'config.py',
        'run.json',
    }
    assert (out / 'sweep.png').read_bytes().startswith(b'\x89PNG')
    stored = json.loads((out / 'sweep.json').read_text())
    assert stored['measure'] == 'J&F-Mean'
    assert stored['order'][0] == stored['best']
    assert stored['settings'][0]['options'][2] == 'protocol.davis.select.topk=2'
    text = format_sweep(content)
    assert 'best: context 3, radius 4, topk' in text
    assert 'margin over the next' in text and '95 % interval' in text
    assert 'certified: ' in text and 'searched again' in text


def test_a_second_run_skips_finished_videos(swept, config, world, monkeypatch):
    first, out = swept
    before = {p: p.read_bytes() for p in out.iterdir() if p.suffix in ('.csv', '.png')}
    monkeypatch.setattr(SweepLoop, 'run_video', None)
    options = options_of_dataset(str(world / 'davis'))
    again = sweep(
        config, 'davis', 'random', VALUES, out, cfg_options=options, threads=1
    )
    assert again == first
    assert before == {path: path.read_bytes() for path in before}


def test_a_stopped_sweep_goes_on(swept, config, world, tmp_path, monkeypatch):
    _, out = swept
    right, calls = SweepLoop.run_video, []

    def stops(loop, video, progress=None):
        calls.append(video.name)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return right(loop, video, progress)

    options = options_of_dataset(str(world / 'davis'))
    arguments = (config, 'davis', 'random', VALUES, tmp_path / 'out')
    monkeypatch.setattr(SweepLoop, 'run_video', stops)
    with pytest.raises(KeyboardInterrupt):
        sweep(*arguments, cfg_options=options, threads=1)
    assert len(list((tmp_path / 'out/records').glob('*.json'))) == 1
    sweep(*arguments, cfg_options=options, threads=1)
    assert len(calls) == 3
    for name in ('sweep.csv', 'sweep.png', 'sweep_per_object.csv'):
        assert (tmp_path / 'out' / name).read_bytes() == (out / name).read_bytes()


def test_a_folder_of_another_sweep_is_refused(swept, config, world):
    _, out = swept
    options = options_of_dataset(str(world / 'davis'))
    arguments = dict(cfg_options=options, threads=1)
    match = r'made by another run: sweep\[0\]\.rule\.topk was 2 there and is 3 now'
    with pytest.raises(ValueError, match=match):
        sweep(config, 'davis', 'random', dict(VALUES, topk='3'), out, **arguments)
    with pytest.raises(ValueError, match=r'made by another run: sweep was'):
        evaluate(config, 'davis', 'random', out, **arguments)


@pytest.mark.parametrize('task', ['vip', 'ytvos18', 'jhmdb'])
def test_other_tasks(task, config, world, tmp_path):
    write = dict(vip=write_vip_tree, ytvos18=write_ytvos_tree)
    root = world / 'jhmdb' if task == 'jhmdb' else write[task](tmp_path / task)
    options = options_of_dataset(str(root))
    settings = dict(topk=[1, 3], radius=['none', 2])
    out = tmp_path / 'out'
    content = sweep(
        config, task, 'random', settings, out, cfg_options=options, threads=1
    )
    part = 'ytvos' if task == 'ytvos18' else task
    options[f'protocol.{part}.select.topk'] = 1
    options[f'protocol.{part}.window.shape'] = 'none'
    alone = evaluate(
        config,
        task,
        'random',
        tmp_path / 'alone',
        cfg_options=options,
        threads=1,
        yardsticks='none',
        votes=False,
    )
    assert content['settings'][0]['metrics'] == alone['metrics']
    assert content['settings'][0]['radius'] == 'none'
    assert content['measure'] in alone['metrics']
    assert format_sweep(content)


def test_bad_values_name_their_option():
    for values, text in (
        (dict(topk=''), r'--topk is empty; give values such as 5,10,15'),
        (dict(radius=[]), r'--radius is empty'),
        (dict(topk='5,ten'), r"--topk: 'ten' is not a whole number"),
        (dict(topk=[2.5]), r'--topk: 2.5 is not a whole number'),
        (dict(temperature='hot'), r"--temperature: 'hot' is not a finite number"),
        (dict(temperature='inf'), r"--temperature: 'inf' is not a finite number"),
        (dict(radius='wide'), r"--radius: 'wide' is not a finite number"),
        (dict(topk='5,,7'), r"--topk: '' is not a whole number"),
        (dict(topk='5,0'), r'--topk 0: topk is 0; it should be at least 1'),
        (dict(temperature='0'), r'--temperature 0.0: temperature is 0.0; .*> 0'),
        (dict(context='-1'), r'--context -1: num_frames=-1 should be >= 0'),
        (dict(radius='-2'), r'--radius -2: a window of radius -2'),
    ):
        with pytest.raises(ValueError, match=text):
            swept_settings(protocol(), values)
    with pytest.raises(KeyError, match=r"no option 'k'; it has \['context'"):
        swept_settings(protocol(), dict(k='5'))
    bare = protocol(window=dict(shape='none'))
    with pytest.raises(ValueError, match=r'--radius 3: the protocol has no window'):
        swept_settings(bare, dict(radius='3'))


def test_what_cannot_be_swept_stops_before_anything_is_written(config, tmp_path):
    out = tmp_path / 'out'
    for option, value, text in (
        ('limits.precision', 'bfloat16', r'limits.precision is .bfloat16.'),
        ('limits.max_bank', '1GB', r'limits.max_bank is .1GB.'),
        ('protocol.davis.select.topk', None, r'select.topk is None.*Give --topk'),
    ):
        with pytest.raises(ValueError, match=text):
            sweep(config, 'davis', 'random', {}, out, cfg_options={option: value})
    with pytest.raises(ValueError, match=r'neighbours is 0'):
        sweep(config, 'davis', 'random', VALUES, out, neighbours=0)
    with pytest.raises(ValueError, match=r'no checkpoint was given'):
        sweep(config, 'davis', None, VALUES, out)
    assert not out.exists()


def test_the_command_tells_errors_in_a_line(config, capsys):
    arguments = ['sweep', str(config), 'davis', 'random', '--topk']
    assert main([*arguments, '5,ten']) == 1
    assert "ValueError: --topk: 'ten' is not a whole number" in capsys.readouterr().err
    assert main([*arguments, '5', '--protocol', 'crv']) == 1
    assert "there is no protocol 'crv'" in capsys.readouterr().err


def test_the_benchmark_finds_a_sweep_equal_to_its_settings(tmp_path):
    root = write_davis_tree(tmp_path / 'data', {'dog': 4})
    out = tmp_path / 'out'
    data = ['--data', str(root), '--sequences', 'dog', '--alone', '2']
    values = ['--topk', '2,4', '--radius', '1,3', '--context', '2', '--out', str(out)]
    assert benchmark.main([*data, *values, '--temperature', '0.1']) == 0
    rows = rows_of(out / 'sweep.csv')
    assert [row['setting'] for row in rows] == [
        'context 2, radius 3, topk 4, temperature 0.1',
        'context 2, radius 1, topk 2, temperature 0.1',
    ]
    assert {row['least agreement'] for row in rows} == {'100.0000 %'}
    assert {row['largest difference of a measure'] for row in rows} == {'0.0e+00'}
    assert json.loads((out / 'sweep.json').read_text())['frames'] == 4


def test_a_broken_frame_is_named(config, tmp_path):
    root = write_davis_tree(tmp_path / 'data', {'dog': 4})
    (root / 'JPEGImages/480p/dog/00002.jpg').write_bytes(b'no picture')
    options = options_of_dataset(str(root))
    with pytest.raises(VideoError, match=r"video 'dog', frame '00002'"):
        sweep(
            config,
            'davis',
            'random',
            VALUES,
            tmp_path / 'out',
            cfg_options=options,
            threads=1,
        )


def test_settings_are_all_combinations_in_order():
    found = swept_settings(protocol(), dict(topk='3,5,3', radius='2,none', context=7))
    assert found.values['topk'] == [3, 5]
    assert [describe(row) for row in found.rows] == [
        f'context 7, radius {radius}, topk {topk}, temperature 0.01'
        for radius in (2, 'none')
        for topk in (3, 5)
    ]
    assert found.settings[0].window.shape == 'square'
    assert found.settings[2].window.shape == 'none'
    assert found.published is None
    own = swept_settings(protocol(), dict(topk='1,3'))
    assert own.published == 1
    assert own.rows[1] == own_values(protocol())
    assert options_of(found.rows[2], 'vip')[1] == 'protocol.vip.window.shape=none'


def toy_results(*means):
    """Settings with scores of two objects in each of eight videos."""
    rng = np.random.default_rng(0)
    noise = rng.normal(0, 0.01, 16)
    for mean in means:
        scores = mean + noise
        rows = [f'v{i // 2},{score:.6f},{score:.6f}' for i, score in enumerate(scores)]
        table = '\n'.join(['Sequence,J-Mean,F-Mean', *rows])
        value = float(np.mean(scores))
        yield dict(metrics={'J&F-Mean': value}, tables={'per_object.csv': table})


def test_the_best_setting_and_what_noise_says():
    ranking = rank(list(toy_results(0.5, 0.7, 0.7, 0.6)))
    assert ranking.order == [1, 2, 3, 0]
    assert ranking.similar() == [2]
    worst = ranking.behind[0]
    assert worst is not None and worst.low == pytest.approx(0.2, abs=1e-5)
    assert worst.told_apart and worst.p_value == pytest.approx(2**-7)


def test_noise_of_one_video_is_unknown():
    table = 'Sequence,J-Mean,F-Mean\nv,0.5,0.6\n'
    item = dict(metrics={'J&F-Mean': 0.55}, tables={'per_object.csv': table})
    ranking = rank([item, item])
    assert ranking.behind == [None, None] and 'at least 2' in ranking.note
    nothing = rank([dict(metrics={}, tables={})])
    assert nothing.measure is None and nothing.note == 'nothing could be scored'


def test_scores_of_videos_where_there_are_none_of_objects():
    table = 'Video,mIoU\na,0.25\nb,\nc,0.75\n'
    units, videos, values = unit_scores({'per_video.csv': table}, 'mIoU')
    assert (units, videos, values.tolist()) == ('videos', ('a', 'c'), [0.25, 0.75])
    assert unit_scores({}, 'mIoU')[1] == ()


def test_pictures_of_equal_sweeps_are_equal():
    found = swept_settings(protocol(), dict(topk='3,5', radius='2,4', context='1,3'))
    scores = [0.1 * number for number in range(8)]
    first = heat_map(found, scores, 'title', 7, [6])
    assert first == heat_map(found, scores, 'title', 7, [6])
    assert first != heat_map(found, scores[::-1], 'title', 0, [1])
    assert heat_map(found, [None] * 8, 'nothing').startswith(b'\x89PNG')
    assert len(OPTIONS) == 4
