import csv
import io
import json

import numpy as np
import pytest

from densecorr.registry import METRICS

from .samples import run, video


def build(**options):
    return METRICS.build(dict(type='PartsMetric', **{'num_classes': 4, **options}))


def clip(seed=0, num_frames=4, size=(12, 16)):
    rng = np.random.default_rng(seed)
    preds, targets = rng.integers(0, 3, (2, num_frames, *size)).astype(np.uint8)
    targets[:, :2] = 255
    preds[0] = np.where(targets[0] == 255, 0, targets[0])  # frame 0 is given
    return preds, targets


def miou(pred, target):
    """Mean of intersection over union, written out."""
    valid, values = target != 255, []
    for label in range(4):
        one, two = (pred == label) & valid, target == label
        if (one | two).any():
            values.append((one & two).sum() / (one | two).sum())
    return np.mean(values)


def rows(text):
    return list(csv.DictReader(io.StringIO(text)))


def test_all_frames_of_all_videos_count_together():
    metric, clips = build(), [clip(0), clip(1, num_frames=2)]
    results = [run(metric, f'v{k}', *pair) for k, pair in enumerate(clips)]
    found = metric.compute_metrics(results)
    preds, targets = (np.concatenate(maps) for maps in zip(*clips, strict=True))
    assert found['mIoU'] == pytest.approx(miou(preds, targets))
    valid = targets != 255
    assert found['aAcc'] == pytest.approx((preds == targets)[valid].mean())
    hits = [(preds == n)[targets == n].mean() for n in range(3)]
    assert found['mAcc'] == pytest.approx(np.mean(hits))
    assert metric.compute_metrics(results[::-1]) == found
    joint = np.mean([metric.compute_metrics([r])['mIoU'] for r in results])
    assert abs(joint - found['mIoU']) > 1e-3  # no mean over videos


def test_a_video_keeps_plain_numbers_of_every_frame():
    preds, targets = clip()
    result = run(build(), 'a/b', preds, targets)
    assert json.loads(json.dumps(result)) == result
    assert (result['video'], result['num_frames']) == ('a/b', 4)
    assert result['frames'] == ['00000', '00001', '00002', '00003']
    expected = [miou(*pair) for pair in zip(preds, targets, strict=True)]
    assert result['frame_scores'] == pytest.approx(expected)
    assert result['frame_scores'][0] == 1  # the given frame counts
    assert np.sum(result['histogram']) == (targets != 255).sum()


def test_frames_without_annotation_do_not_count():
    preds, targets = clip()
    result = run(build(), 'a', preds, targets, label_frames=(0, 2))
    assert result['frames'] == ['00000', '00002']
    assert len(result['frame_scores']) == 2


def test_void_alone_gives_no_number():
    preds, targets = clip()
    metric = build()
    result = run(metric, 'a', preds, np.full_like(targets, 255))
    assert result['frame_scores'] == [None] * 4
    assert metric.compute_metrics([result]) == {}
    table = rows(metric.tables([result])['per_video.csv'])
    assert table[0]['mIoU'] == '' and table[0]['Classes'] == '0'


def test_tables():
    metric = build()
    metric.dataset_meta = dict(classes=['ground', 'hat', 'hair', 'sock'])
    results = [run(metric, 'a', *clip(0)), run(metric, 'b', *clip(1))]
    tables = metric.tables(results)
    assert sorted(tables) == ['per_class.csv', 'per_video.csv']
    classes = rows(tables['per_class.csv'])
    assert [row['Name'] for row in classes] == ['ground', 'hat', 'hair', 'sock']
    assert classes[3]['IoU'] == classes[3]['Accuracy'] == ''  # does not occur
    ious = [float(row['IoU']) for row in classes[:3]]
    found = metric.compute_metrics(results)['mIoU']
    assert np.mean(ious) == pytest.approx(found, abs=1e-6)
    videos = rows(tables['per_video.csv'])
    assert [row['Video'] for row in videos] == ['a', 'b']
    alone = metric.compute_metrics(results[:1])['mIoU']
    assert float(videos[0]['mIoU']) == pytest.approx(alone, abs=1e-6)
    metric.dataset_meta = None
    assert rows(metric.tables(results)['per_class.csv'])[2]['Name'] == '2'


def test_predictions_of_another_size():
    preds, targets = clip()
    larger = preds.repeat(2, axis=1).repeat(2, axis=2)
    with pytest.raises(
        ValueError,
        match=r"'a', frame '00000': the prediction is \(24, 32\), .*'nearest'",
    ):
        run(build(), 'a', larger, targets)
    resized = run(build(other_size='nearest'), 'a', larger, targets)
    assert resized == run(build(), 'a', preds, targets)


def test_wrong_labels_name_video_and_frame():
    preds, targets = clip()
    preds[2, 5, 5] = 9
    with pytest.raises(ValueError, match=r"'a', frame '00002': .*labels \[9\]; .* 3"):
        run(build(), 'a', preds, targets)
    with pytest.raises(ValueError, match=r"'a', frame '00000': the annotation has "):
        run(build(num_classes=2), 'a', preds, targets)


def test_frames_must_all_be_given():
    preds, targets = clip()
    metric = build()
    metric.start(video('a', targets))
    metric.update(0, preds[0], targets[0])
    with pytest.raises(ValueError, match=r"'a': 3 frames .*\['00001', '00002', '0"):
        metric.finish()
    with pytest.raises(ValueError, match=r'has no video. Call start'):
        build().update(0, preds[0], targets[0])


def test_options_are_checked():
    with pytest.raises(ValueError, match=r"\['raise', 'nearest'\], not 'crop'"):
        build(other_size='crop')
    with pytest.raises(ValueError, match=r'num_classes is 0; give at least 1'):
        build(num_classes=0)
