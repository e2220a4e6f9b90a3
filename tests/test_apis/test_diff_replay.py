import json

import pytest
import torch
from mmengine.config import Config

from densecorr import cli
from densecorr.apis.diff import diff_results, format_replay, replay
from densecorr.apis.diff.shares import shares_of, states_of
from densecorr.apis.diff.sides import Mixer, Side, open_side
from densecorr.apis.diff.ties import grouped
from densecorr.engine.test_loop import VideoTestLoop
from tests.diff_runs import CONFIG, Runs

SELECT = 'protocol__davis__select__'


@pytest.fixture(scope='module')
def runs(tmp_path_factory):
    return Runs(tmp_path_factory.mktemp('replay'))


@pytest.fixture(scope='module')
def first(runs):
    return runs.run('a', runs.weights('one'))


@pytest.fixture(scope='module')
def second(runs):
    """Weights of twice the size, which changes nothing, and a pair that interacts."""
    options = {f'{SELECT}topk': 1, f'{SELECT}temperature': 5.0}
    return runs.run('b', runs.weights('two', 2.0), **options)


@pytest.fixture(scope='module')
def out(tmp_path_factory):
    """Where the replay of both is kept."""
    return tmp_path_factory.mktemp('out')


def score_of(folder):
    return json.loads((folder / 'metrics.json').read_text())['metrics']['J&F-Mean']


def test_states_are_those_of_both_orders():
    names = ['a', 'b', 'c']
    found = [''.join(sorted(state)) for state in states_of(names)]
    assert found == ['', 'abc', 'a', 'ab', 'c', 'bc']
    assert [''.join(s) for s in states_of(['a'])] == ['', 'a']


def test_shares_of_a_sum_do_not_depend_on_the_order():
    worth = dict(a=0.1, b=-0.3, c=0.25)
    shares = shares_of(list(worth), lambda state: sum(worth[name] for name in state))
    for share in shares:
        assert share.forward == pytest.approx(worth[share.factor])
        assert not share.interacts(1e-9)


def test_a_product_interacts():
    def score(state):
        return 0.1 * ('a' in state and 'b' in state) + 0.2 * ('c' in state)

    shares = shares_of(['a', 'b', 'c'], score)
    assert [s.interacts(0.0005) for s in shares] == [True, True, False]
    assert [s.forward for s in shares] == pytest.approx([0, 0.1, 0.2])
    assert [s.reverse for s in shares] == pytest.approx([0.1, 0, 0.2])


def test_replay_finds_the_pair_that_interacts(first, second, out):
    diff = diff_results(first, second)
    found = replay(diff, out, threads=1)
    names = ['weights', 'protocol select.topk', 'protocol select.temperature']
    assert [share.factor for share in found.shares] == names
    weights, _, temperature = found.shares
    assert (weights.forward, weights.reverse) == (0.0, 0.0)
    assert temperature.forward == 0.0  # one voter has all the weight anyway
    assert abs(temperature.reverse) > 0.001
    ends = (score_of(first), score_of(second))
    assert found.recorded == found.replayed == pytest.approx(ends, abs=1e-9)
    for order in ('forward', 'reverse'):
        total = sum(getattr(share, order) for share in found.shares)
        assert total == pytest.approx(ends[1] - ends[0])
    marked = [s.factor for s in found.shares if s.interacts(0.0005)]
    assert marked == names[1:]
    lines = format_replay(found, 0.0005).splitlines()
    assert [line.split()[-1] == 'interacts' for line in lines[3:6]] == [
        False, True, True
    ]  # fmt: skip
    kept = json.loads((out / 'replay.json').read_text())
    assert [share['factor'] for share in kept['shares']] == names
    assert len(kept['states']) == 6


def test_program_prints_the_shares(first, second, out, capsys):
    options = ['--replay', '--out', str(out), '--threads', '1']
    assert cli.main(['diff', str(first), str(second), *options]) == 0
    text = capsys.readouterr().out
    assert 'what each factor adds on the way from A to B' in text
    assert f'results: {out}' in text


def test_replay_that_was_stopped_goes_on(first, second, tmp_path, monkeypatch):
    calls = []
    run = VideoTestLoop.run

    def counted(loop):
        calls.append(loop.title)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return run(loop)

    monkeypatch.setattr(VideoTestLoop, 'run', counted)
    diff = diff_results(first, second)
    with pytest.raises(KeyboardInterrupt):
        replay(diff, tmp_path, threads=1)
    kept = json.loads((tmp_path / 'replay.json').read_text())
    assert (len(kept['states']), kept['shares']) == (2, None)
    found = replay(diff, tmp_path, threads=1)
    assert len(calls) == 3 + 4
    assert calls[2:] == [
        '3 of 6: A with weights of B',
        '3 of 6: A with weights of B',
        '4 of 6: A with weights to protocol select.topk of B',
        '5 of 6: A with protocol select.temperature of B',
        '6 of 6: A with protocol select.topk to protocol select.temperature of B',
    ]
    replay(diff, tmp_path, threads=1)
    assert len(calls) == 7
    assert len(found.shares) == 3


def side(name, folder, text=CONFIG, checkpoint='random', **options):
    """A run that was never made: its config and its weights."""
    path = folder / f'{name}.py'
    path.write_text(text)
    cfg = Config.fromfile(str(path))
    cfg.merge_from_dict({k.replace('__', '.'): v for k, v in options.items()})
    cfg.task = 'davis'
    for key, value in cfg.task_davis.items():
        cfg[key] = value
    return Side(name, None, cfg, str(checkpoint), None, False)


def names_of(first, second, factors, sizes=()):
    return list(grouped(factors, Mixer(first, second, {}), sizes, False))


def test_fields_that_contradict_half_way_change_together(tmp_path):
    context = 'protocol__davis__context__'
    one = side('a', tmp_path, **{f'{context}first': 'none'})
    two = side('b', tmp_path, **{f'{context}num_frames': 0, f'{SELECT}topk': 3})
    fields = ['context.num_frames', 'context.first', 'select.topk']
    names = names_of(one, two, [f'protocol {field}' for field in fields])
    pair = 'protocol context.num_frames + protocol context.first'
    assert names == [pair, 'protocol select.topk']


def test_weights_of_another_network_change_with_it(runs, tmp_path):
    wide = dict(model__backbone__channels=8)
    one = side('a', tmp_path, checkpoint=runs.weights('four'))
    two = side('b', tmp_path, checkpoint=runs.weights('eight', channels=8), **wide)
    factors = ['weights', 'frames', 'features', 'decode']
    assert names_of(one, two, factors) == ['weights + features', 'frames', 'decode']
    other = side('c', tmp_path, checkpoint=runs.weights('more', 3.0))
    assert names_of(one, other, factors) == factors


def test_a_size_rule_changes_with_the_stride_that_needs_it(tmp_path):
    rigid = dict(model__backbone__any_size=False)
    one = side('a', tmp_path)
    fitted = 'protocol__davis__size__rounding'
    two = side('b', tmp_path, **{fitted: 'nearest'}, **rigid)
    factors = ['size rule', 'image reader', 'features']
    tied = ['size rule + features', 'image reader']
    assert names_of(one, two, factors, [(30, 48)]) == tied
    assert names_of(one, two, factors, [(32, 48)]) == factors


def test_what_is_missing_is_said(runs, first, second, tmp_path):
    weights = runs.folder / 'two.pth'
    away = weights.rename(tmp_path / 'two.pth')
    try:
        diff = diff_results(first, second)
        with pytest.raises(FileNotFoundError, match=r'weights of B, .*--checkpoints'):
            replay(diff, tmp_path / 'r', threads=1)
        torch.save({'conv.weight': torch.ones(4, 3, 4, 4)}, weights)
        with pytest.raises(ValueError, match=r'does not hold the weights of B'):
            replay(diff, tmp_path / 'r', threads=1)
        assert open_side('B', diff.second, None, str(away)).checkpoint == str(away)
    finally:
        away.rename(weights)


def test_lone_summaries_cannot_be_replayed(first, second, tmp_path):
    (tmp_path / 'metrics.json').write_bytes((second / 'metrics.json').read_bytes())
    with pytest.raises(FileNotFoundError, match=r'^B, .*, lacks config\.py, which'):
        replay(diff_results(first, tmp_path), tmp_path / 'r')
    with pytest.raises(ValueError, match=r'there is nothing to replay'):
        replay(diff_results(first, first), tmp_path / 'r')


def test_changed_frames_stop_a_replay(runs, first, second, tmp_path):
    path = runs.data / 'JPEGImages/480p/dog/00002.jpg'
    before = path.read_bytes()
    try:
        path.write_bytes(path.with_name('00003.jpg').read_bytes())
        with pytest.raises(ValueError, match=r'A, .*repeated: frames inputs of dog'):
            replay(diff_results(first, second), tmp_path / 'r', threads=1)
    finally:
        path.write_bytes(before)


def test_results_without_a_common_score_are_refused(first, second, tmp_path):
    content = json.loads((second / 'metrics.json').read_text())
    for name in ('config.py', 'run.json'):
        (tmp_path / name).write_bytes((second / name).read_bytes())
    content['metrics'] = {'mIoU': 0.5}
    (tmp_path / 'metrics.json').write_text(json.dumps(content))
    with pytest.raises(ValueError, match=r'no score in common: .* J&F-Mean and mIoU'):
        replay(diff_results(first, tmp_path), tmp_path / 'r')


def test_options_of_a_replay_need_one(first, capsys):
    with pytest.raises(SystemExit):
        cli.main(['diff', str(first), str(first), '--out', 'x'])
    assert '--out is for --replay' in capsys.readouterr().err
