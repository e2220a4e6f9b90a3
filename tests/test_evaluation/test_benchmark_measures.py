import numpy as np
import pytest

from densecorr.apis.benchmarks import measures
from densecorr.apis.benchmarks.measures import (
    Clip,
    compare,
    generated_clip,
    literal_scores,
    main,
    our_scores,
    real_clips,
)

from ..trees import write_davis_tree
from . import literal


def test_both_sides_are_the_formulas():
    pairs = [literal.random_labels(np.random.default_rng(s)) for s in range(3)]
    pred, target = map(np.stack, zip(*pairs, strict=True))
    target[0, 0, :3] = 1, 2, 3
    expected = [
        [
            [measure(p == k, t == k) for p, t in zip(pred, target, strict=True)]
            for k in (1, 2, 3)
        ]
        for measure in (literal.jaccard, literal.boundary)
    ]
    for scores in (literal_scores(pred, target), our_scores(pred, target)):
        np.testing.assert_allclose(scores, expected, rtol=0, atol=1e-12)


def test_ours_takes_at_most_half_the_time():
    result = compare([generated_clip(3, 4)], pairs=3)
    assert result['share'] < measures.TARGET_SHARE
    assert result['difference'] <= measures.TARGET_DIFFERENCE


def test_generated_clips_show_all_objects():
    clip = generated_clip(3, 2, size=(120, 160))
    assert clip.pred.shape == clip.target.shape == (2, 120, 160)
    assert set(np.unique(clip.target)) == {0, 1, 2, 3}
    assert (clip.pred != clip.target).any()


def test_real_clips_lag(tmp_path):
    root = write_davis_tree(tmp_path, dict(camel=9))
    (clip,) = real_clips(root, num_frames=3)
    assert clip.name == 'camel, 3 frames' and len(clip.pred) == 3
    assert (clip.pred[0] != clip.target[0]).any()


def test_the_report_says_what_was_missed(monkeypatch):
    lines = []
    monkeypatch.setattr(measures, 'print_log', lambda text: lines.append(text))
    monkeypatch.setattr(measures, 'find_root', missing_root)
    arguments = ['--objects', '2', '--frames', '2', '--pairs', '1']
    assert main(arguments) == 0
    assert 'reached' in lines[-1] and '2 objects' in lines[-1]
    wrong = Clip('wrong', *np.zeros((2, 2, 480, 854), np.uint8))
    wrong.target[:, :200, :200] = 1
    monkeypatch.setattr(measures, 'generated_clip', lambda *a: wrong)
    monkeypatch.setattr(measures, 'our_scores', lambda *a: np.ones((2, 1, 2)))
    assert main(arguments) == 1
    assert 'TOO LARGE' in lines[-1]
    with pytest.raises(FileNotFoundError, match='nowhere'):
        main([*arguments, '--data', 'nowhere'])


def missing_root(info, root):
    raise FileNotFoundError(f'no DAVIS at {root}')
