import json
import sys
from types import ModuleType

import numpy as np
import pytest
from vos_benchmark.evaluator import Evaluator

from densecorr.evaluation.functional import boundary_accuracy, region_similarity
from densecorr.evaluation.metrics import vos
from densecorr.registry import METRICS

from . import literal
from .samples import run, video


def build(**options):
    return METRICS.build(dict(type='VOSMetric', **options))


def clip(num_frames=6, seed=0, ids=(1, 2, 3), size=(37, 53)):
    rng = np.random.default_rng(seed)
    pairs = [literal.random_labels(rng, size, ids) for _ in range(num_frames)]
    preds, targets = map(np.stack, zip(*pairs, strict=True))
    targets[0, 0, : len(ids)] = ids  # the first frame shows every object
    return preds, targets


@pytest.fixture
def warnings(monkeypatch):
    texts = []
    monkeypatch.setattr(vos, 'print_log', lambda text, **kw: texts.append(text))
    return texts


def test_series_are_the_measures_of_the_frames_in_between():
    preds, targets = clip()
    result = run(build(), 'a/b', preds, targets)
    assert result['video'] == 'a/b' and result['num_frames'] == 6
    assert result['frames'] == ['00001', '00002', '00003', '00004']
    for item in result['objects']:
        assert item['id'] == item['object'] == item['proposal']
        pairs = zip(preds[1:-1] == item['id'], targets[1:-1] == item['id'], strict=True)
        pairs = list(pairs)
        assert item['J'] == [region_similarity(*pair) for pair in pairs]
        assert item['F'] == [boundary_accuracy(*pair) for pair in pairs]


def test_results_are_plain_and_every_frame_counts_on_request():
    preds, targets = clip()
    result = run(build(skip_ends=False), 'a', preds, targets)
    assert json.loads(json.dumps(result)) == result
    assert len(result['frames']) == len(result['objects'][0]['J']) == 6


def test_perfect_prediction_scores_one():
    _, targets = clip()
    metric = build()
    summary = metric.compute_metrics([run(metric, 'a', targets, targets)])
    assert summary == {
        'J&F-Mean': 1, 'J-Mean': 1, 'J-Recall': 1, 'J-Decay': 0,
        'F-Mean': 1, 'F-Recall': 1, 'F-Decay': 0,
    }  # fmt: skip


@pytest.mark.parametrize('seed', range(3))
def test_vos_benchmark_agrees(seed):
    preds, targets = clip(num_frames=8, seed=seed, size=(120, 160), ids=(1, 2, 3, 4, 5))
    targets[:, 0, :5] = preds[:, 0, :5] = [1, 2, 3, 4, 5]  # it starts at first sight
    oracle = Evaluator(name='clip')
    for pred, target in list(zip(preds, targets, strict=True))[1:-1]:
        oracle.feed_frame(pred, target)
    region, boundary = oracle.conclude()
    for item in run(build(), 'clip', preds, targets)['objects']:
        assert 100 * np.mean(item['J']) == pytest.approx(region[item['id']], abs=1e-9)
        assert 100 * np.mean(item['F']) == pytest.approx(boundary[item['id']], abs=1e-9)


def test_void_is_background_unless_left_out():
    preds, targets = clip(ids=(1, 2))
    targets[1:, 20:, 20:] = 255
    cleared = np.where(targets == 255, 0, targets)
    plain = run(build(), 'a', preds, targets)
    assert plain == run(build(), 'a', preds, cleared)
    left_out = run(build(void=True), 'a', preds, targets)
    expected = run(build(), 'a', np.where(targets == 255, 0, preds), cleared)
    assert left_out == expected != plain


def test_binary_is_one_object_of_all_that_is_labelled():
    preds, targets = clip()
    grey = np.where(targets > 0, 255, 0).astype(np.uint8)
    (item,) = run(build(binary=True), 'a', 7 * preds, grey)['objects']
    (expected,) = run(build(), 'a', preds > 0, (targets > 0).astype(np.uint8))[
        'objects'
    ]
    assert item == expected


def test_late_objects_are_ignored_and_missing_ones_scored():
    preds, targets = clip(ids=(1, 2))
    targets[2:, :4, :4] = 5
    preds[preds == 2] = 0
    first, second = run(build(), 'a', preds, targets)['objects']
    assert first['id'] == 1 and second['J'] == [
        float(not (target == 2).any()) for target in targets[1:-1]
    ]


def test_sparse_annotations():
    preds, targets = clip(num_frames=9)
    frames = (0, 3, 5, 8)
    result = run(build(), 'a', preds, targets, label_frames=frames)
    assert result['frames'] == ['00003', '00005']
    dense = run(build(), 'a', preds, targets)
    assert result['objects'][1]['J'] == [dense['objects'][1]['J'][i] for i in (2, 4)]


def test_frames_may_come_in_any_order():
    preds, targets = clip()
    metric = build()
    expected = run(metric, 'a', preds, targets)
    metric.start(video('a', targets))
    for t in reversed(range(len(preds))):
        metric.update(t, preds[t], targets[t])
    assert metric.finish() == expected


def test_unsupervised_finds_a_permutation_in_the_official_order():
    _, targets = clip(ids=(1, 2, 3))
    names = np.zeros(256, np.uint8)
    names[[1, 2, 3]] = [9, 2, 5]  # proposal of object 1, 2, 3
    result = run(build(task='unsupervised'), 'a', names[targets], targets)
    assert len(result['frames']) == 6
    found = [(i['id'], i['proposal'], i['object']) for i in result['objects']]
    assert found == [(1, 2, 2), (2, 5, 3), (3, 9, 1)]
    assert all(set(item['J'] + item['F']) == {1} for item in result['objects'])


def test_unsupervised_ignores_void():
    _, targets = clip(ids=(1, 2))
    preds = targets.copy()
    targets[:, 10:20, 10:20] = 255
    targets[0, 0, :2] = 1, 2
    objects = run(build(task='unsupervised'), 'a', preds, targets)['objects']
    assert all(set(item['J']) == {1} for item in objects)


def test_global_numbers_average_objects_and_tables_name_the_set():
    metric = build()
    results = [
        run(metric, n, *clip(ids=ids)) for n, ids in (('a', (1,)), ('b', (1, 2)))
    ]
    metric.process(None, results)
    summary = metric.evaluate(size=2)
    objects = [item for result in results for item in result['objects']]
    assert summary['vos/J-Mean'] == pytest.approx(np.mean([i['J'] for i in objects]))
    tables = metric.tables(results)
    assert list(tables) == [
        'global_results-val.csv', 'per-sequence_results-val.csv',
        'per_object.csv', 'per_video.csv',
    ]  # fmt: skip
    lines = tables['per-sequence_results-val.csv'].split('\n')
    assert [line.split(',')[0] for line in lines[1:4]] == ['a_1', 'b_1', 'b_2']
    assert tables['per_video.csv'].split('\n')[2].startswith('b,6,2,0.')
    header, first = tables['per_object.csv'].split('\n')[:2]
    assert header == (
        'Sequence,Row,Object,Proposal,J-Mean,J-Recall,J-Decay,F-Mean,F-Recall,F-Decay'
    )
    assert first.startswith(f'a,1,1,1,{np.mean(results[0]["objects"][0]["J"]):.6f},')


@pytest.mark.parametrize(
    ('meta', 'name'),
    [
        (dict(split='train', complete=True), 'train'),
        (
            dict(split='val', complete=False, found=8, expected_sequences=30),
            'val-8of30',
        ),
        (
            dict(split='val', complete=False, found=3, expected_sequences=3),
            'val-partial',
        ),
        (
            dict(split='val', complete=False, found=0, expected_sequences=30),
            'val-other',
        ),
        ({}, 'val'),
    ],
)
def test_incomplete_sets_are_marked_in_file_names(meta, name):
    metric = build()
    metric.dataset_meta = meta
    tables = metric.tables([run(metric, 'a', *clip())])
    assert f'global_results-{name}.csv' in tables
    assert f'per-sequence_results-{name}.csv' in tables


def test_a_sequence_without_objects_is_warned_about_and_left_out(warnings):
    preds, targets = clip()
    metric = build()
    empty = run(metric, 'nothing', preds, np.zeros_like(targets))
    assert empty['objects'] == []
    assert "'nothing' has no annotated object" in warnings[0]
    full = run(metric, 'a', preds, targets)
    assert metric.compute_metrics([empty, full]) == metric.compute_metrics([full])
    assert 'nothing,6,0,,,\n' in metric.tables([empty, full])['per_video.csv']
    with pytest.raises(ValueError, match=r'None of 1 sequences has an annotated'):
        metric.compute_metrics([empty])


def test_gaps_in_object_numbers_are_warned_about(warnings):
    preds, targets = clip(ids=(1, 4))
    result = run(build(), 'gappy', preds, targets)
    assert "'gappy' lacks labels [2, 3] below 4" in warnings[0]
    assert 'without gaps' in warnings[0]
    assert [item['J'][0] for item in result['objects']][1:3] == [1, 1]


@pytest.mark.parametrize('extra', [4, 255])
def test_extra_labels(extra):
    preds, targets = clip()
    wrong = preds.copy()
    wrong[2, 30, 40] = extra
    wrong[0, 30, 40] = extra  # this frame does not count
    with pytest.raises(
        ValueError,
        match=rf"sequence 'a', frame '00002'.*\[{extra}\].*objects 1\.\.3.*'ignore'",
    ):
        run(build(), 'a', wrong, targets)
    wrong[2, 30, 40] = preds[2, 30, 40]
    assert run(build(), 'a', wrong, targets) == run(build(), 'a', preds, targets)
    wrong[2][preds[2] == 0] = extra
    ignored = run(build(extra_labels='ignore'), 'a', wrong, targets)
    assert ignored == run(build(), 'a', preds, targets)


def test_too_many_proposals():
    preds, targets = clip()
    preds[3, 0, 0] = 21
    with pytest.raises(ValueError, match=r"'00003'.*\[21\].*at most 20 proposals"):
        run(build(task='unsupervised'), 'a', preds, targets)
    preds[3, 0, 0] = 20
    assert len(run(build(task='unsupervised'), 'a', preds, targets)['objects']) == 3


def test_one_frame_videos():
    preds, targets = clip(num_frames=1)
    with pytest.raises(ValueError, match=r"sequence 'a' has 1 .*skip_ends=False"):
        run(build(), 'a', preds, targets)
    assert len(run(build(skip_ends=False), 'a', preds, targets)['objects']) == 3


def test_maps_of_different_size_and_missing_frames():
    preds, targets = clip()
    with pytest.raises(ValueError, match=r"'a', frame '00001'.*\(37, 52\).*\(37, 53\)"):
        run(build(), 'a', preds[:, :, 1:], targets)
    metric = build()
    metric.start(video('a', targets))
    metric.update(1, preds[1], targets[1])
    with pytest.raises(ValueError, match=r"'00002'.*annotation was not given"):
        metric.update(2, preds[2], None)
    with pytest.raises(ValueError, match=r"'a': 3 frames were not .*'00002', '00003'"):
        metric.finish()


def test_options_are_checked():
    for options, text in (
        (dict(task='interactive'), r"task .*'unsupervised'\], not 'interactive'"),
        (dict(extra_labels='drop'), r"extra_labels .*'ignore'\], not 'drop'"),
        (dict(bound_th=0), r'bound_th .*not 0'),
    ):
        with pytest.raises(ValueError, match=text):
            build(**options)
    with pytest.raises(ValueError, match=r'Call start\(video\) first'):
        build().update(0, np.zeros((2, 2)), None)


@pytest.fixture
def official(monkeypatch):
    """A stand-in for the official package, with an error that a test can set."""
    package, metrics = ModuleType('davis2017'), ModuleType('davis2017.metrics')
    metrics.error = 0.0
    metrics.db_eval_iou = lambda annotation, segmentation, void=None: (
        region_similarity(segmentation, annotation, void) + metrics.error
    )
    metrics.db_eval_boundary = lambda annotation, segmentation, void, bound_th: (
        boundary_accuracy(segmentation, annotation, void, bound_th)
    )
    package.metrics = metrics
    monkeypatch.setitem(sys.modules, 'davis2017', package)
    monkeypatch.setitem(sys.modules, 'davis2017.metrics', metrics)
    return metrics


@pytest.mark.parametrize('task', ['semi-supervised', 'unsupervised'])
def test_official_measures_are_compared(official, task):
    metric = build(task=task, official=True)
    result = run(metric, 'a', *clip())
    assert result['official_difference'] < 1e-12
    official.error = 0.25
    result = run(metric, 'a', *clip())
    assert metric.compute_metrics([result])['official-difference'] == pytest.approx(
        0.25
    )


def test_official_package_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, 'davis2017.metrics', None)
    with pytest.raises(ImportError, match=r'davis2017, which cannot.*Install it from'):
        build(official=True)
