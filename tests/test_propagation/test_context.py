import pytest

from densecorr.propagation.context import Context

CRW = Context(3, first='global', repeat_first=True)
DINO = Context(3, first='windowed', recent_first=False)
TRACKER = Context(3, first='windowed')


def test_crw_repeats_the_first_frame_before_the_video():
    assert CRW.entries(1) == {0: (4, 1)}
    assert CRW.entries(2) == {0: (3, 1), 1: (1, 0)}
    assert CRW.entries(5) == {0: (1, 1), 2: (1, 0), 3: (1, 0), 4: (1, 0)}


def test_dino_has_the_first_frame_once():
    assert DINO.entries(1) == {0: (1, 0)}
    assert DINO.entries(2) == {0: (1, 0), 1: (1, 0)}
    assert DINO.entries(6) == {0: (1, 0), 3: (1, 0), 4: (1, 0), 5: (1, 0)}


def test_spa_then_temp_has_it_twice_while_it_is_recent():
    assert TRACKER.entries(1) == {0: (2, 0)}
    assert TRACKER.entries(3) == {0: (2, 0), 1: (1, 0), 2: (1, 0)}
    assert TRACKER.entries(4) == {0: (1, 0), 1: (1, 0), 2: (1, 0), 3: (1, 0)}


def test_a_later_reference_sees_nothing_before_itself():
    assert CRW.entries(5, start=4) == {4: (4, 1)}
    assert CRW.entries(8, start=4) == {4: (1, 1), 5: (1, 0), 6: (1, 0), 7: (1, 0)}


@pytest.mark.parametrize('context', [CRW, DINO, TRACKER, Context(2, long_memory=(1,))])
def test_kept_frames_are_all_that_is_ever_needed(context):
    for t in range(1, 12):
        later = set().union(*(context.entries(s) for s in range(t, 20)))
        needed = {frame for frame in later if frame < t}
        assert needed <= context.kept(t)
        assert len(context.kept(t)) <= context.num_frames + 2


@pytest.mark.parametrize(
    ('arguments', 'text'),
    [
        (dict(num_frames=3, first='always'), "first is 'always'.*'none', 'windowed'"),
        (dict(num_frames=-1), 'num_frames=-1 should be >= 0'),
        (dict(num_frames=3, long_memory=(0,)), r'long_memory=\(0,\)'),
        (dict(num_frames=3, first='none', recent_first=False), 'no context'),
    ],
)
def test_impossible_contexts_are_refused(arguments, text):
    with pytest.raises(ValueError, match=text):
        Context(**arguments)
