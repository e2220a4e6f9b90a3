import csv
import dataclasses
import io
import json

import numpy as np
import pytest

from densecorr.apis.report.numbers import curves, frame_means
from densecorr.apis.report.results import VideoFiles
from densecorr.apis.votes import frame_means as means_of_record
from densecorr.evaluation.functional import boundary_accuracy, region_similarity
from densecorr.registry import METRICS

from . import literal
from .samples import video

LATE = 2  # frame of the first labels of object 3
KINDS = {1: 'cat', 3: 'dog'}


def build(seen=None, **options):
    metric = METRICS.build(dict(type='YouTubeVOSMetric', **options))
    metric.dataset_meta = dict(seen_categories=seen)
    return metric


def clip(num_frames=6, seed=0, size=(29, 37)):
    """Predictions and labels of object 1, and of object 3 from frame ``LATE`` on."""
    rng = np.random.default_rng(seed)
    pairs = [literal.random_labels(rng, size, (1, 3)) for _ in range(num_frames)]
    preds, targets = map(np.stack, zip(*pairs, strict=True))
    targets[:LATE][targets[:LATE] == 3] = 0
    targets[0, 0, 0], targets[LATE, 0, 1] = 1, 3
    return preds, targets


def run(metric, preds, targets, name='a', firsts=(0, LATE), **changes):
    """Feed a clip to a metric as the test loop does."""
    frames = changes.pop('label_frames', range(len(targets)))
    sample = dataclasses.replace(
        video(name, targets, frames), first_label_frames=firsts, **changes
    )
    metric.start(sample)
    for t, pred in enumerate(preds):
        annotated = t in sample.label_frames
        metric.update(t, pred, targets[t] if annotated else None)
    return metric.finish()


def test_every_object_counts_from_the_frame_after_its_first_labels():
    preds, targets = clip()
    result = run(build(), preds, targets, categories=KINDS)
    assert json.loads(json.dumps(result)) == result
    assert result['frames'] == [f'{t:05d}' for t in range(1, 6)]
    first, second = result['objects']
    assert [o['object'] for o in result['objects']] == [1, 3]
    assert [o['category'] for o in result['objects']] == ['cat', 'dog']
    assert second['J'][:LATE] == second['F'][:LATE] == [None] * LATE
    for item, start in ((first, 0), (second, LATE)):
        for t in range(start + 1, 6):
            pair = preds[t] == item['object'], targets[t] == item['object']
            assert item['J'][t - 1] == region_similarity(*pair)
            assert item['F'][t - 1] == boundary_accuracy(*pair)


def test_means_are_over_objects_of_all_videos():
    metric = build()
    results = [run(metric, *clip(seed=s), name=str(s)) for s in range(2)]
    found = metric.compute_metrics(results)
    assert sorted(found) == ['F-Mean', 'J&F-Mean', 'J-Mean']
    series = [o['J'] for r in results for o in r['objects']]
    means = [np.mean([v for v in values if v is not None]) for values in series]
    assert found['J-Mean'] == pytest.approx(np.mean(means))
    assert found['J&F-Mean'] == pytest.approx((found['J-Mean'] + found['F-Mean']) / 2)


def test_perfect_predictions_score_1_and_an_unseen_part_none():
    _, targets = clip()
    metric = build(seen=['cat', 'dog'])
    found = metric.compute_metrics([run(metric, targets, targets, categories=KINDS)])
    assert found == {
        'J&F-Mean': 1, 'J-Mean': 1, 'F-Mean': 1, 'J-seen': 1, 'F-seen': 1
    }  # fmt: skip


def test_seen_and_unseen_and_their_mean():
    preds, targets = clip()
    metric = build(seen=['cat'])
    result = run(metric, preds, targets, categories=KINDS)
    found = metric.compute_metrics([result])
    first, second = result['objects']
    assert found['J-seen'] == pytest.approx(np.mean(first['J']))
    assert found['F-unseen'] == pytest.approx(np.mean(second['F'][LATE:]))
    names = ('J-seen', 'F-seen', 'J-unseen', 'F-unseen')
    assert found['G'] == pytest.approx(np.mean([found[name] for name in names]))
    unknown = run(metric, preds, targets)  # no categories
    assert 'G' not in metric.compute_metrics([unknown])


def test_without_truth_there_is_no_score():
    preds, targets = clip()
    metric = build()
    result = run(metric, preds, targets, label_frames=(0, LATE))
    assert result['objects'] == [] and result['frames'] == []
    assert metric.compute_metrics([result]) == {}
    tables = metric.tables([result])
    assert len(tables['per_object.csv'].splitlines()) == 1
    both = [result, run(metric, preds, targets)]
    assert metric.compute_metrics(both) == metric.compute_metrics(both[1:])


def test_an_object_that_starts_in_the_last_frame_is_not_scored():
    preds, targets = clip(num_frames=LATE + 1)
    (only,) = run(build(), preds, targets)['objects']
    assert only['object'] == 1 and None not in only['J']


def test_a_video_of_one_frame_is_not_scored():
    _, targets = clip()
    result = run(build(), targets[:1], targets[:1], firsts=(0,))
    assert result['objects'] == []


def test_frames_that_are_tracked_only_do_not_count():
    preds, targets = clip()
    result = run(build(), preds, targets, label_frames=(0, 2, 4))
    assert result['frames'] == ['00002', '00004']
    dense = run(build(), preds, targets)['objects']
    assert result['objects'][0]['J'] == [dense[0]['J'][t - 1] for t in (2, 4)]
    assert result['objects'][1]['J'] == [None, dense[1]['J'][3]]


def test_extra_labels_are_an_error_or_ignored():
    preds, targets = clip()
    wrong = preds.copy()
    wrong[3, 2, 2] = 2
    with pytest.raises(
        ValueError, match=r"'a', frame '00003': .* \[2\], .* objects \[1, 3\]"
    ):
        run(build(), wrong, targets)
    ignored = run(build(extra_labels='ignore'), wrong, targets)
    wrong[3, 2, 2] = 0
    assert ignored == run(build(), wrong, targets)
    with pytest.raises(ValueError, match=r"extra_labels .*'ignore'\], not 'drop'"):
        build(extra_labels='drop')


def test_tables():
    metric = build(seen=['cat'])
    result = run(metric, *clip(), categories=KINDS)
    tables = metric.tables([result])
    rows = list(csv.DictReader(io.StringIO(tables['per_object.csv'])))
    assert [row['Object'] for row in rows] == ['1', '3']
    assert [row['Seen'] for row in rows] == ['1', '0']
    assert [row['Frames'] for row in rows] == ['5', '3']
    mean = np.mean(result['objects'][1]['J'][LATE:])
    assert float(rows[1]['J-Mean']) == pytest.approx(mean, abs=1e-6)
    (row,) = csv.DictReader(io.StringIO(tables['per_video.csv']))
    found = metric.compute_metrics([result])
    assert float(row['J&F-Mean']) == pytest.approx(found['J&F-Mean'], abs=1e-6)


def test_the_report_takes_series_that_start_late():
    result = run(build(), *clip())
    names = tuple(f'{t:05d}' for t in range(6))
    files = VideoFiles.__new__(VideoFiles)
    for key, value in dict(scores=result, frame_names=names).items():
        object.__setattr__(files, key, value)
    found = curves(files)
    assert found['objects'][1]['J'][:LATE] == [None] * LATE
    first, second = result['objects']
    expected = {
        t: np.mean([v for o in (first, second) for m in 'JF' if (v := o[m][t - 1])
                    is not None])
        for t in range(1, 6)
    }  # fmt: skip
    assert frame_means(files) == pytest.approx(expected, abs=1e-3)
    by_name = {f'{t:05d}': value for t, value in expected.items()}
    assert means_of_record(result) == pytest.approx(by_name)
