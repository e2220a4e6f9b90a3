"""What SpriteWorld is for: perfect features score high, worthless ones low."""

import re

import pytest

from densecorr.apis.benchmarks import spriteworld
from densecorr.apis.benchmarks.spriteworld import measure, tracker_of
from densecorr.datasets.toy import SpriteWorld

CLIPS = 8  # what the bars are means over
SIZE = (240, 432)
SMALL = (64, 96)


def check(preset, stride, share, size=SIZE, frames=6):
    found = measure(
        preset, stride, ('ceiling', 'perfect', 'copy'),
        num_clips=CLIPS, size=size, num_frames=frames,
    )  # fmt: skip
    assert found['perfect'] >= share * found['ceiling'], found
    assert found['copy'] < found['perfect'] - 0.1, found
    return found


@pytest.mark.parametrize('preset', ['single', 'occlusion'])
def test_every_object_is_seen_in_frame_0(preset):
    world = SpriteWorld(preset=preset, num_clips=CLIPS, size=SIZE, num_frames=2)
    for i in range(CLIPS):
        labels = world[i].read_labels(0).indices
        numbers = range(1, int(labels.max()) + 1)
        assert len(numbers) == {'single': 1, 'occlusion': 3}[preset]
        assert all((labels == n).mean() >= 0.01 for n in numbers)


def test_perfect_features_at_stride_1():
    assert check('single', 1, 0.98, SMALL)['perfect'] >= 0.98


def test_perfect_features_at_stride_4():
    check('single', 4, 0.96)
    check('occlusion', 4, 0.90)


def test_noise_without_window_stays_below_copied_labels():
    for preset in ('single', 'occlusion'):
        found = measure(
            preset, 8, ('noise', 'copy'), num_clips=CLIPS, size=SIZE, num_frames=8
        )
        assert found['noise'] <= 0.10, (preset, found)
        assert found['noise'] < found['copy'], (preset, found)


@pytest.mark.slow
@pytest.mark.parametrize(
    ('preset', 'stride', 'share', 'size', 'frames'),
    [
        ('single', 1, 0.98, SMALL, 20),
        ('single', 2, 0.96, SIZE, 10),
        ('single', 4, 0.96, SIZE, 20),
        ('occlusion', 4, 0.90, SIZE, 20),
    ],
)
def test_bars_over_whole_clips(preset, stride, share, size, frames):
    found = check(preset, stride, share, size, frames)
    if stride == 1:
        assert found['perfect'] >= 0.98
    noise = measure(
        preset, 8, ('noise',), num_clips=CLIPS, size=SIZE, num_frames=frames
    )
    assert noise['noise'] <= min(0.10, found['copy'])


def test_benchmark_prints_a_table(monkeypatch):
    lines = []
    monkeypatch.setattr(spriteworld, 'print_log', lambda text: lines.append(text))
    world = ['--clips', '1', '--frames', '3', '--size', '64', '96']
    kinds = ['--kinds', 'ceiling', 'copy', 'random', 'colors']
    status = spriteworld.main(
        ['--presets', 'single', '--strides', '4', '2', *world, *kinds]
    )
    assert status == 0
    header, _, four, two = lines[-1].splitlines()[1:]
    assert header.split() == ['preset', 'stride', 'ceiling', 'copy', 'random', 'colors']
    assert re.match(r'single +4( +\d+\.\d){4}', four)
    assert re.match(r'single +2( +\d+\.\d){2} +- +\d+\.\d', two)  # no network


def test_unknown_kind_is_named():
    with pytest.raises(KeyError, match='best'):
        tracker_of('best', 4, spriteworld.davis_protocol())
