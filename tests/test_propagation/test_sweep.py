import itertools

import pytest
import torch

from densecorr.ops.selection import Rule
from densecorr.ops.window import Window
from densecorr.propagation.context import Context
from densecorr.propagation.propagator import LabelPropagator, Limits
from densecorr.propagation.settings import Setting, check_settings, widest
from densecorr.propagation.sweep import SweepPropagator

GRID, LENGTH = (6, 7), 6
SHAPES = ['square', 'circle']


def settings(shape='square', first='global', ties='lowest', **context):
    """A context shorter than the video and a longer one, two windows, two k."""
    return [
        Setting(Context(frames, first=first, **context), window, Rule(k, t, ties))
        for frames, window, (k, t) in itertools.product(
            (2, 20), (Window(shape, 2), Window()), ((2, 0.1), (5, 0.5))
        )
    ]


def video(integer=True, seed=0):
    generator = torch.Generator().manual_seed(seed)
    shape = (LENGTH, 6, *GRID)
    if integer:
        feats = torch.randint(-3, 4, shape, generator=generator).float()
    else:
        feats = torch.randn(shape, generator=generator)
    return feats, torch.rand(3, *GRID, generator=generator).softmax(0)


def late_object():
    labels = torch.zeros(3, *GRID)
    labels[2, 1:4, 2:5] = 1
    return labels, torch.tensor([False, False, True])


def run(propagator, feats, labels, late):
    found = []
    for index, frame in enumerate(feats):
        given = (labels,) if index == 0 else ()
        if late and index == 3:
            given = late_object()
        found.append(propagator.step(frame, *given))
    return found


def compare(chosen, integer=True, late=False, normalize=False, hard=False, **options):
    """Largest difference of a soft label to each setting propagated alone."""
    feats, labels = video(integer)
    sweep = SweepPropagator(chosen, normalize, hard, **options)
    together = run(sweep, feats, labels, late)
    worst, equal = 0.0, True
    for number, each in enumerate(chosen):
        parts = (each.context, each.window, each.rule)
        alone = run(LabelPropagator(*parts, normalize, hard), feats, labels, late)
        for expected, found in zip(alone, together, strict=True):
            equal &= torch.equal(found[number], expected)
            worst = max(worst, float((found[number] - expected).abs().max()))
    return equal, worst, sweep


@pytest.mark.parametrize('first', ['none', 'windowed', 'global'])
@pytest.mark.parametrize('shape', SHAPES)
def test_integer_features_give_the_labels_of_each_setting_bit_for_bit(shape, first):
    equal, _, sweep = compare(settings(shape, first), neighbours=8)
    assert equal
    assert sweep.statistics.queries == (LENGTH - 1) * GRID[0] * GRID[1]
    assert min(map(sweep.statistics.certified, range(8))) < 1


@pytest.mark.parametrize('ties', ['lowest', 'all'])
def test_copies_of_the_first_frame_and_ties(ties):
    assert compare(settings(ties=ties, repeat_first=True), neighbours=8)[0]
    chosen = settings(first='windowed', ties=ties, recent_first=False)
    assert compare(chosen, neighbours=8)[0]
    assert compare(settings(ties=ties, long_memory=(1,)), neighbours=8)[0]


@pytest.mark.parametrize('hard', [False, True])
def test_objects_that_appear_later_have_references_of_their_own(hard):
    assert compare(settings(), late=True, hard=hard, neighbours=8)[0]


@pytest.mark.parametrize('neighbours', [1, 500])
def test_few_neighbours_prove_little_and_change_nothing(neighbours):
    equal, _, sweep = compare(settings(), neighbours=neighbours)
    assert equal
    shares = list(map(sweep.statistics.certified, range(8)))
    assert (max(shares) < 0.7) if neighbours == 1 else (min(shares) == 1)


def test_real_features_agree_to_rounding():
    _, worst, _ = compare(settings('circle'), False, normalize=True, neighbours=8)
    assert worst < 1e-5


def test_one_setting_is_a_sweep_too():
    assert compare(settings()[:1])[0]


def test_a_second_video_starts_afresh():
    feats, labels = video()
    sweep = SweepPropagator(settings(), normalize=False)
    first = run(sweep, feats, labels, late=True)
    sweep.start()
    again = run(sweep, feats, labels, late=True)
    for ours, theirs in zip(first, again, strict=True):
        assert all(map(torch.equal, ours, theirs))


def test_memory_does_not_grow_with_the_video():
    feats, labels = video()
    sweep = SweepPropagator(settings()[:4], normalize=False)  # two recent frames
    sweep.step(feats[0], labels)
    for _ in range(5):
        for frame in feats[1:]:
            sweep.step(frame)
    assert len(sweep._bank.feats) == 3
    n = GRID[0] * GRID[1]
    for lane in sweep._lanes:
        places = lane.context.num_frames + 1
        assert {len(bank) for bank in lane.labels.values()} == {places * n}


def test_labels_are_asked_for_as_in_a_single_run():
    feats, labels = video()
    sweep = SweepPropagator(settings(), normalize=False)
    with pytest.raises(ValueError, match=r'frame 0 needs labels'):
        sweep.step(feats[0])
    with pytest.raises(ValueError, match=r'labels are on a \(6, 5\) grid'):
        sweep.step(feats[0], labels[..., :5])


def test_frames_before_the_first_labels_have_none():
    feats, labels = video()
    sweep = SweepPropagator(settings(), normalize=False)
    nothing = torch.zeros_like(labels)
    for frame in feats[:2]:
        assert not any(each.any() for each in sweep.step(frame, nothing))
    for each in sweep.step(feats[2], labels):
        torch.testing.assert_close(each, labels)
    for each in sweep.step(feats[3]):
        torch.testing.assert_close(each.sum(0), torch.ones(GRID))


def test_the_widest_window():
    small, large = Window('circle', 3), Window('circle', 5)
    assert widest([small, large]) == large
    assert widest([small, Window(), large]) == Window()
    with pytest.raises(ValueError, match=r"kinds \[\('circle', True\), \('square'"):
        widest([small, Window('square', 3)])


def test_what_cannot_be_swept_is_named():
    chosen = settings()
    context, window = chosen[0].context, chosen[0].window
    for limits, text in (
        (Limits(precision='bfloat16'), r"limits.precision is 'bfloat16'.*=float32"),
        (Limits(max_bank='1GB'), r"limits.max_bank is '1GB'.*max_bank=None"),
        (Limits(check=5), r'limits.check is 5.*run of its own.*check=0'),
    ):
        with pytest.raises(ValueError, match=text):
            SweepPropagator(chosen, limits=limits)
    with pytest.raises(ValueError, match=r'a sweep has no setting'):
        SweepPropagator([])
    with pytest.raises(ValueError, match=r'neighbours is 0; give at least 1'):
        SweepPropagator(chosen, neighbours=0)
    every = Setting(context, window, Rule(None))
    with pytest.raises(ValueError, match=r'select.topk is None.*Give --topk'):
        check_settings([every], Limits(), 5)
    other = Setting(context, window, Rule(5, ties='all'))
    with pytest.raises(ValueError, match=r"differ in ties: \['all', 'lowest'\]"):
        check_settings([chosen[0], other], Limits(), 5)
