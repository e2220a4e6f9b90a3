"""PCKMetric: numbers of videos, of the set, and tables."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from densecorr.evaluation.functional.keypoints import count_joints, joint_errors
from densecorr.registry import METRICS

from .samples import video

THRESHOLDS = [0.1, 0.2, 0.3, 0.4, 0.5]


def build(**options):
    return METRICS.build(dict(type='PCKMetric', **options))


def clip(num_frames=5, seed=0, joints=4, spread=12.0):
    rng = np.random.default_rng(seed)
    target = rng.uniform(10, 90, (num_frames, joints, 2))
    pred = target + rng.normal(0, spread, target.shape)
    pred[rng.random((num_frames, joints)) < 0.2] = np.nan
    return pred, target


def run(metric, name, pred, target):
    maps = np.zeros((len(target), 8, 8), np.uint8)
    metric.start(replace(video(name, maps), read_joints=lambda t: target[t]))
    for t, joints in enumerate(pred):
        metric.update(t, joints, target[t])
    return metric.finish()


def literal(videos, start):
    """Frame by frame and joint by joint, as the definition reads."""
    joints = videos[0][1].shape[1]
    hits, total = np.zeros((5, joints)), np.zeros(joints)
    for pred, target in videos:
        for t in range(start, len(target)):
            seen = [j for j in range(joints) if pred[t, j, 0] > 0]
            if not seen:
                continue
            width = max(target[t, j, 0] for j in seen) - min(
                target[t, j, 0] for j in seen
            )
            height = max(target[t, j, 1] for j in seen) - min(
                target[t, j, 1] for j in seen
            )
            size = 0.6 * (width**2 + height**2) ** 0.5
            for j in seen:
                distance = ((pred[t, j] - target[t, j]) ** 2).sum() ** 0.5
                total[j] += 1
                hits[:, j] += distance <= np.array(THRESHOLDS) * size
    return (hits / total).mean(1)


@pytest.mark.parametrize('skip_first', [False, True])
def test_pck_of_all_videos_is_the_literal_one(skip_first):
    metric, videos = build(skip_first=skip_first), [clip(5, 1), clip(9, 2)]
    results = [run(metric, f'v{i}', *pair) for i, pair in enumerate(videos)]
    assert json.loads(json.dumps(results)) == results
    found = metric.compute_metrics(results)
    assert list(found) == ['PCK@0.1', 'PCK@0.2', 'PCK@0.3', 'PCK@0.4', 'PCK@0.5']
    expected = literal(videos, int(skip_first))
    assert list(found.values()) == pytest.approx(expected.tolist())
    assert 0 < found['PCK@0.1'] < found['PCK@0.5']


def test_what_a_video_gives():
    pred, target = clip(4, 3)
    result = run(build(skip_first=True), 'wave/a', pred, target)
    assert result['video'] == 'wave/a' and result['num_frames'] == 4
    assert result['frames'] == ['00001', '00002', '00003']
    counts = [
        count_joints(joint_errors(pred[t : t + 1], target[t : t + 1]), [0.1])
        for t in (1, 2, 3)
    ]
    assert result['frame_scores'] == [
        int(c.correct.sum()) / int(c.counted.sum()) for c in counts
    ]
    assert result['lost'] == np.isnan(pred[1:]).any(2).sum(0).tolist()
    assert (np.add(result['lost'], result['counted']) == 3).all()


def test_perfect_lost_and_nothing():
    _, target = clip()
    metric = build()
    perfect = run(metric, 'a', target, target)
    assert set(metric.compute_metrics([perfect]).values()) == {1.0}
    gone = run(metric, 'b', np.full_like(target, np.nan), target)
    assert gone['frame_scores'] == [None] * 5
    assert set(metric.compute_metrics([gone]).values()) == {0.0}
    both = metric.compute_metrics([perfect, gone])  # lost joints cost nothing
    assert set(both.values()) == {1.0}
    strict = build(lost='wrong')
    results = [
        run(strict, 'a', target, target),
        run(strict, 'b', np.full_like(target, np.nan), target),
    ]
    assert set(strict.compute_metrics(results).values()) == {0.5}


def test_a_clip_of_one_frame_gives_nothing_where_the_first_is_skipped():
    pred, target = clip(1)
    metric = build(skip_first=True)
    single = run(metric, 'a', pred, target)
    assert single['frames'] == single['frame_scores'] == single['counted'] == []
    assert metric.compute_metrics([single]) == {} == metric.tables([single])
    other = run(metric, 'b', *clip(3))
    assert metric.compute_metrics([single, other]) == metric.compute_metrics([other])
    rows = metric.tables([single, other])['per_video.csv'].splitlines()
    assert rows[1] == 'a,1,0,,,,,'


def test_tables_have_a_row_per_joint_and_per_video():
    metric = build()
    metric.dataset_meta = dict(joint_names=['neck', 'belly', 'face', 'knee'])
    results = [run(metric, f'wave/{seed}', *clip(4, seed)) for seed in (1, 2)]
    tables = metric.tables(results)
    assert sorted(tables) == ['pck.csv', 'per_joint.csv', 'per_video.csv']
    summary = metric.compute_metrics(results)
    header, values = tables['pck.csv'].splitlines()
    assert header == ','.join(summary)
    assert values == ','.join(f'{value:.6f}' for value in summary.values())
    joints = [row.split(',') for row in tables['per_joint.csv'].splitlines()]
    assert joints[0] == ['Joint', 'Counted', 'Lost', *summary]
    assert [row[0] for row in joints[1:]] == ['neck', 'belly', 'face', 'knee']
    mean = np.mean([float(row[3]) for row in joints[1:]])
    assert mean == pytest.approx(summary['PCK@0.1'], abs=1e-6)
    videos = [row.split(',') for row in tables['per_video.csv'].splitlines()]
    assert videos[0] == ['Sequence', 'Frames', 'Scored', *summary]
    assert videos[1][:3] == ['wave/1', '4', '4']
    metric.dataset_meta = None
    assert metric.tables(results)['per_joint.csv'].splitlines()[1].startswith('joint 1')


def test_frames_without_the_right_joints_are_named():
    pred, target = clip(3)
    metric = build()
    with pytest.raises(ValueError, match='PCKMetric has no video'):
        metric.update(0, pred[0], target[0])
    metric.start(video('wave/a', np.zeros((3, 8, 8), np.uint8)))
    with pytest.raises(ValueError, match="'wave/a', frame '00001': its true joints"):
        metric.update(1, pred[1], None)
    with pytest.raises(ValueError, match=r"'wave/a', frame '00001': pred of shape"):
        metric.update(1, pred[1, :2], target[1])
    metric.update(1, pred[1], target[1])
    with pytest.raises(ValueError, match=r"2 frames were not scored, \['00000', '0000"):
        metric.finish()


def test_videos_of_several_skeletons_are_refused():
    metric = build()
    results = [run(metric, f'v{n}', *clip(2, joints=n)) for n in (4, 5)]
    with pytest.raises(ValueError, match=r'videos have \[4, 5\] joints'):
        metric.compute_metrics(results)


@pytest.mark.parametrize(
    'options, message',
    [
        (dict(thresholds=[]), r'thresholds of PCKMetric are \[\]'),
        (dict(thresholds=[0.2, 0.1]), 'Give ascending numbers above 0'),
        (dict(thresholds=[0, 0.1]), 'Give ascending numbers above 0'),
        (dict(lost='ignored'), "lost is 'ignored'; it should be one of"),
        (dict(box_ratio=-1), 'box_ratio is -1; it should be above 0'),
    ],
)
def test_options_are_checked(options, message):
    with pytest.raises(ValueError, match=message):
        build(**options)
