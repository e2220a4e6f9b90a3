import json
import shutil

import pytest

from densecorr import cli
from densecorr.apis.diff import diff_results, format_diff
from densecorr.apis.score import score
from tests.diff_runs import Runs

TOP_K = dict(protocol__davis__select__topk=2)


@pytest.fixture(scope='module')
def runs(tmp_path_factory):
    return Runs(tmp_path_factory.mktemp('diff'))


@pytest.fixture(scope='module')
def first(runs):
    return runs.run('a', runs.weights('one'))


@pytest.fixture(scope='module')
def second(runs):
    three = dict(test_dataset__max_frames=5, **TOP_K)
    return runs.run('b', runs.weights('two', 2.0), **three)


def edited(folder, target, **changes):
    """A copy of ``metrics.json`` with other top-level entries."""
    content = json.loads((folder / 'metrics.json').read_text())
    target.mkdir(parents=True)
    path = target / 'metrics.json'
    path.write_text(json.dumps({**content, **changes}))
    return path


def test_three_planted_differences_are_named_and_none_else(first, second):
    diff = diff_results(first, second / 'metrics.json')
    assert diff.factors == ['weights', 'frames', 'protocol select.topk']
    fields = [(d.field, d.first, d.second) for d in diff.differences[1:]]
    assert fields == [
        ('max_frames', None, 5),
        ('frames of dog', 6, 5),
        ('labels of dog', 6, 5),
        ('select.topk', 5, 2),
    ]
    assert not diff.unknown
    assert set(diff.equal) == {
        'size rule', 'image reader', 'features', 'decode', 'measure', 'protocol name',
        'protocol revision', 'versions',
    }  # fmt: skip


def test_equal_results_have_no_difference(first):
    diff = diff_results(first, first)
    assert (diff.factors, diff.unknown) == ([], [])
    assert 'no factor differs' in format_diff(diff)


def test_a_default_that_is_spelt_out_is_no_difference(runs, first, tmp_path):
    content = json.loads((first / 'metrics.json').read_text())
    print_ = content['fingerprint']
    print_['protocol']['davis']['select']['ties'] = 'lowest'
    print_['protocol']['davis']['size']['rounding'] = 'exact'
    print_['model']['backbone']['stride'] = 4
    print_['dataset']['folders'] = None
    print_['metrics'][0]['skip_ends'] = True
    path = edited(first, tmp_path / 'x', fingerprint=print_)
    assert diff_results(first, path).factors == []


@pytest.mark.parametrize(
    ('place', 'value', 'factor'),
    [
        ('tf32', True, 'features'),
        ('model.inputs.color', 'lab', 'features'),
        ('model.backbone.stride', 8, 'features'),
        ('protocol.davis.reader', 'pillow', 'image reader'),
        ('protocol.davis.resizer', 'pillow', 'size rule'),
        ('protocol.davis.size.rounding', 'pad', 'size rule'),
        ('protocol.davis.labels.stretch', 'pixel', 'decode'),
        ('protocol.davis.labels.encode', 'nearest', 'protocol labels.encode'),
        ('protocol.davis.hard', True, 'protocol hard'),
        ('protocol.revision', 2, 'protocol revision'),
        ('protocol.name', 'other', 'protocol name'),
        ('metrics', [{'type': 'VOSMetric', 'bound_th': 2}], 'measure'),
        ('dataset.folders', {'resolution': '1080p'}, 'frames'),
        ('code.packages.torch', '1.7', 'versions'),
        ('code.sources', 'f00d', 'versions'),
    ],
)
def test_every_field_belongs_to_a_factor(first, tmp_path, place, value, factor):
    print_ = json.loads((first / 'metrics.json').read_text())['fingerprint']
    *parents, last = place.split('.')
    node = print_
    for name in parents:
        node = node[name]
    node[last] = value
    path = edited(first, tmp_path / 'x', fingerprint=print_)
    assert diff_results(first, path).factors == [factor]


def test_other_bytes_and_other_videos_are_frames(first, tmp_path):
    videos = json.loads((first / 'metrics.json').read_text())['videos']
    bytes_ = {**videos, 'dog': {**videos['dog'], 'inputs': '0' * 64}}
    diff = diff_results(first, edited(first, tmp_path / 'x', videos=bytes_))
    assert [d[:2] for d in diff.differences] == [('frames', 'inputs of dog')]
    assert 'other bytes of frames or first labels: dog' in format_diff(diff)
    cat = {'cat': videos['camel'], 'dog': videos['dog']}
    diff = diff_results(first, edited(first, tmp_path / 'y', videos=cat))
    assert [d[1:] for d in diff.differences] == [
        ('videos of one alone', ['camel'], ['cat'])
    ]


def test_summaries_of_schema_1_take_their_videos_from_the_records(first, tmp_path):
    old = json.loads((first / 'metrics.json').read_text())
    del old['videos']
    old['schema'] = 1
    lone = tmp_path / 'lone.json'
    lone.write_text(json.dumps(old))
    diff = diff_results(first, lone)
    assert (diff.factors, diff.unknown) == ([], ['frames'])
    shutil.copytree(first / 'records', tmp_path / 'records')
    diff = diff_results(first, lone)
    assert (diff.factors, diff.unknown) == ([], [])


def test_scored_predictions_have_the_measure_and_no_model(runs, first, tmp_path):
    score(first, 'davis', dict(root=str(runs.data)), workers=1, out=tmp_path)
    diff = diff_results(first, tmp_path)
    assert diff.factors == []
    assert {'measure'} == set(diff.equal)
    assert {'weights', 'protocol', 'versions'} < set(diff.unknown)
    assert 'other programs may have made the predictions' in format_diff(diff)
    score(
        first, 'davis', dict(root=str(runs.data)), dict(bound_th=3), workers=1,
        out=tmp_path,
    )  # fmt: skip
    assert diff_results(first, tmp_path).factors == ['measure']


def test_program_prints_numbers_noise_and_factors(first, second, capsys):
    assert cli.main(['diff', str(first), str(second)]) == 0
    text = capsys.readouterr().out
    assert 'frames            number of frames: dog 6 -> 5' in text
    assert 'protocol          select.topk: 5 -> 2' in text
    assert 'J&F-Mean, B - A: ' in text
    assert '(4 objects of 2 videos)' in text
    assert 'equal: size rule, image reader, features' in text


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('{"schema": 2', r'metrics\.json cannot be read: '),
        ('[1]', r'is no metrics\.json of densecorr: it holds no object'),
        ('{"a": 1}', r"is no metrics\.json of densecorr: it has \['a'\]"),
        (
            '{"schema": 9, "metrics": {}}',
            r'has schema 9, this version reads \[1, 2\]\. Use the version',
        ),
    ],
)
def test_files_that_are_no_summaries_are_named(first, tmp_path, text, message):
    (tmp_path / 'metrics.json').write_text(text)
    with pytest.raises(ValueError, match=message):
        diff_results(first, tmp_path)


def test_no_summary_is_an_error(first, tmp_path, capsys):
    assert cli.main(['diff', str(first), str(tmp_path)]) == 1
    assert 'a run that was not finished has none' in capsys.readouterr().err


def test_other_tasks_and_datasets_are_refused(first, tmp_path):
    meta = json.loads((first / 'metrics.json').read_text())['dataset']
    other = edited(first, tmp_path / 'x', task='vip')
    with pytest.raises(ValueError, match=r"their task is 'davis' and 'vip'"):
        diff_results(first, other)
    other = edited(first, tmp_path / 'y', dataset={**meta, 'split': 'train'})
    with pytest.raises(ValueError, match=r"dataset split is 'val' and 'train'"):
        diff_results(first, other)
