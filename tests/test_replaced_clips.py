"""Clips that could not be read: told once, counted, too many stop the run."""

import logging

import pytest

from densecorr.utils import replaced_clips
from densecorr.utils.replaced_clips import (
    ReplacedClips,
    TooManyCorruptError,
    problem_line,
    short_line,
)


@pytest.fixture
def told(monkeypatch):
    lines = []

    def log(text, logger, level):
        assert (logger, level) == ('current', logging.WARNING)
        lines.append(text)

    monkeypatch.setattr(replaced_clips, 'print_log', log)
    return lines


def batch(*problems, sound=0):
    """Data samples: one for each of ``problems``, and sound ones."""
    clips = [dict(video='x', replaced=(line,)) for line in problems]
    return [*clips, *(dict(video='y', replaced=()) for _ in range(sound))]


def test_each_file_is_told_once(told):
    clips = ReplacedClips()
    clips.update(batch('a.mp4: is empty.', 'a.mp4: is empty.', sound=50))
    clips.update([*batch('b.jpg: gone.'), dict(replaced=('a.mp4: is empty.',)), {}])
    assert told == [
        'a.mp4: is empty. Another clip takes its place.',
        'b.jpg: gone. Another clip takes its place.',
    ]
    assert (clips.drawn, clips.replaced) == (55, 4)
    assert clips.problems == {'a.mp4': 'is empty.', 'b.jpg': 'gone.'}


def test_a_clip_with_two_bad_draws_is_one_clip(told):
    clips = ReplacedClips()
    clips.update([dict(replaced=('a: x', 'b: y'))])
    assert (clips.drawn, clips.replaced, len(told)) == (1, 1, 2)


def test_more_than_one_percent_of_many_stops(told):
    clips = ReplacedClips()
    clips.update(batch(*['a.mp4: is empty'] * 2, sound=198))  # 1 %: allowed
    with pytest.raises(TooManyCorruptError) as error:
        clips.update(batch('b.mp4: is gone', sound=1))
    text = str(error.value)
    assert text.startswith(
        '3 of 202 clips could not be read and were replaced, from 2 files; 1.0% are '
        'allowed. The first problems:\n  a.mp4: is empty\n  b.mp4: is gone\n'
    )
    assert 'python tools/check_data.py NAME --data ROOT --deep' in text
    other = ReplacedClips(limit=0.5)
    other.update(batch(*['a.mp4: is empty'] * 100, sound=100))
    with pytest.raises(TooManyCorruptError, match='101 of 201'):
        other.update(batch('a.mp4: is empty'))


def test_few_clips_stop_by_three_files_only(told):
    clips = ReplacedClips()
    clips.update(batch(*['a: x'] * 5, *['b: x'] * 5))  # one or two bad files of few
    with pytest.raises(TooManyCorruptError, match=r'11 of 11 .*, from 3 files'):
        clips.update(batch('c: x'))
    rare = ReplacedClips()
    rare.update(batch('a: x', 'b: x', 'c: x', sound=27))  # 10 %
    assert rare.replaced == 3


def test_short_videos_are_told_and_do_not_stop(told):
    clips = ReplacedClips()
    line = short_line('a b.mp4', 3, 5)
    assert line == 'a b.mp4: too short, 3 frames of 5'
    clips.update(batch(*[line] * 300))
    assert (clips.drawn, clips.replaced, len(told)) == (300, 0, 1)
    with pytest.raises(TooManyCorruptError) as error:
        clips.update(batch(*['c: x'] * 4))
    assert 'a b.mp4' not in str(error.value)


def test_counting_goes_on_after_a_resume(told):
    one, two = ReplacedClips(), ReplacedClips()
    one.update(batch('a: x', 'a: x', sound=190))
    two.load_state_dict(one.state_dict())
    assert two.state_dict() == one.state_dict()
    one.update(batch(sound=1))
    assert two.drawn == 192  # the state is a copy
    with pytest.raises(TooManyCorruptError, match='3 of 200'):
        two.update(batch('a: x', sound=7))
    assert len(told) == 1  # not told again
    two.load_state_dict({})
    assert (two.drawn, two.replaced, two.problems) == (0, 0, {})


def test_lines_and_limits():
    assert problem_line('a.jpg', 'a.jpg is\n  empty') == 'a.jpg: is empty'
    with pytest.raises(ValueError, match=r'limit of .* in \[0, 1\], not 1\.5'):
        ReplacedClips(1.5)
