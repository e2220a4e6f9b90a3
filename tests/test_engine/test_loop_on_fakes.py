import io
import json
import logging
import sys

import numpy as np
import pytest
import torch
from PIL import Image

from densecorr.engine.look_ahead import LookAhead, VideoError
from densecorr.engine.progress import FrameProgress, format_seconds
from densecorr.engine.test_loop import VideoTestLoop, deal_videos
from densecorr.registry import LOOPS
from densecorr.utils.checkpoints import hash_tensors

from .fakes import FakeTracker, fake_runner, fake_video

FINGERPRINT = dict(task='davis', protocol=dict(name='crw', context=20))


def make_loop(out, videos=None, fingerprint=None, broken=None):
    dataset = dict(type='FakeVideos', videos=videos or dict(a=4, b=2), broken=broken)
    loop = LOOPS.build(
        dict(type='VideoTestLoop'),
        default_args=dict(
            runner=fake_runner(),
            dataloader=dict(dataset=dataset),
            evaluator=[dict(type='FakeMetric')],
            out_dir=str(out),
            fingerprint=fingerprint or FINGERPRINT,
            summary=dict(task='davis'),
        ),
    )
    assert isinstance(loop, VideoTestLoop)
    return loop


def files_of(out):
    return {
        str(path.relative_to(out)): path.read_bytes()
        for path in sorted(out.rglob('*'))
        if path.is_file()
    }


@pytest.mark.parametrize(
    ('lengths', 'num_ranks', 'shares'),
    [
        ([3, 30, 4], 2, [[1], [2, 0]]),
        ([5, 5, 5], 2, [[0, 2], [1]]),
        ([7], 3, [[0], [], []]),
        ([], 2, [[], []]),
    ],
)
def test_deal_videos(lengths, num_ranks, shares):
    assert deal_videos(lengths, num_ranks) == shares


def test_deal_videos_gives_each_video_once():
    lengths = list(np.random.default_rng(0).integers(1, 100, 40))
    shares = deal_videos(lengths, 7)
    assert sorted(i for share in shares for i in share) == list(range(40))
    loads = [sum(lengths[i] for i in share) for share in shares]
    assert max(loads) - min(loads) <= max(lengths)


def test_deal_videos_needs_a_rank():
    with pytest.raises(ValueError, match=r'num_ranks is 0; give at least 1'):
        deal_videos([1], 0)


def test_loop_writes_results_numbers_and_summary(tmp_path):
    metrics = make_loop(tmp_path).run()
    first = fake_video('a', 4).read_labels(0)
    scores = [
        (first.indices == fake_video(n, t).read_labels(i).indices).mean()
        for n, t in (('a', 4), ('b', 2))
        for i in range(t)
    ]
    assert metrics['equal'] == pytest.approx(np.mean(scores))
    names = sorted(files_of(tmp_path))
    pngs = [f'predictions/a/0000{i}.png' for i in range(4)]
    pngs += [f'predictions/b/0000{i}.png' for i in range(2)]
    records = ['records/a.json', 'records/b.json']
    assert names == sorted(['metrics.json', 'per_video.csv', *pngs, *records])
    with Image.open(tmp_path / pngs[2]) as png:
        assert png.mode == 'P'
        assert png.getpalette()[3:6] == [10, 200, 30]
        assert np.array_equal(np.asarray(png), first.indices)
    content = json.loads((tmp_path / 'metrics.json').read_text())
    assert content['metrics'] == metrics
    assert (content['schema'], content['task']) == (2, 'davis')
    hashes = {n: fake_video(n, t).hash_inputs() for n, t in (('a', 4), ('b', 2))}
    assert content['videos'] == {
        'a': dict(frames=4, labels=4, inputs=hashes['a']),
        'b': dict(frames=2, labels=2, inputs=hashes['b']),
    }
    assert content['fingerprint'] == {**FINGERPRINT, 'weights': hash_tensors({})}
    assert (content['num_videos'], content['num_frames']) == (2, 6)


def test_rerun_skips_finished_videos_and_writes_the_same_bytes(tmp_path):
    make_loop(tmp_path).run()
    before = files_of(tmp_path)
    (tmp_path / 'records/b.json').unlink()
    (tmp_path / 'predictions/b/00001.png').unlink()
    (tmp_path / 'predictions/b/00009.png').write_bytes(b'of a longer attempt')
    (tmp_path / 'metrics.json').unlink()
    loop = make_loop(tmp_path)
    loop.run()
    assert loop.runner.model.seen == ['b']
    assert files_of(tmp_path) == before


def test_other_weights_stop_the_run(tmp_path):
    make_loop(tmp_path).run()
    loop = make_loop(tmp_path)
    loop.runner.model.register_buffer('scale', torch.ones(1))
    with pytest.raises(ValueError, match=r"was made by another run: weights was '"):
        loop.run()


def test_missing_png_makes_a_video_unfinished(tmp_path):
    make_loop(tmp_path).run()
    (tmp_path / 'predictions/a/00002.png').unlink()
    loop = make_loop(tmp_path)
    loop.run()
    assert loop.runner.model.seen == ['a']


def test_more_videos_may_be_added(tmp_path):
    make_loop(tmp_path, dict(a=4)).run()
    loop = make_loop(tmp_path, dict(a=4, c=3))
    loop.run()
    assert loop.runner.model.seen == ['c']


def test_other_fingerprint_stops_and_names_the_field(tmp_path):
    make_loop(tmp_path).run()
    other = dict(task='davis', protocol=dict(name='crw', context=7))
    loop = make_loop(tmp_path, fingerprint=other)
    with pytest.raises(ValueError, match=r'protocol\.context was 20 .* is 7 now.*over'):
        loop.run()
    assert loop.runner.model.seen == []


def test_other_input_stops_before_anything_is_computed(tmp_path):
    make_loop(tmp_path, dict(a=4)).run()
    loop = make_loop(tmp_path, dict(c=9, a=3))
    with pytest.raises(ValueError, match=r'a\.json was made by another run: inputs'):
        loop.run()
    assert loop.runner.model.seen == []


def test_without_fingerprint_nothing_is_skipped(tmp_path):
    for _ in range(2):
        loop = make_loop(tmp_path)
        loop.fingerprint = None
        loop.run()
        assert loop.runner.model.seen == ['a', 'b']
    assert not (tmp_path / 'records/a.json').exists()


def test_bad_frame_names_video_and_frame_and_keeps_finished_videos(tmp_path):
    loop = make_loop(tmp_path, dict(a=4, b=3), broken=dict(b=1))
    with pytest.raises(
        VideoError, match=r"video 'b', frame '00001': b/00001.jpg is truncated"
    ):
        loop.run()
    assert (tmp_path / 'records/a.json').exists()
    assert not (tmp_path / 'records/b.json').exists()
    assert not (tmp_path / 'metrics.json').exists()


@pytest.mark.parametrize(
    ('indices', 'message'),
    [
        ([0, 2], 'gave frame 2 where 1 is next'),
        ([0, 1], 'stopped after 2 of 4 frames'),
    ],
)
def test_tracker_must_give_every_frame_in_order(tmp_path, indices, message):
    class Jumps(FakeTracker):
        def track(self, video):
            results = list(super().track(video))
            yield from (results[i] for i in indices)

    loop = make_loop(tmp_path, dict(a=4))
    loop.runner.model = Jumps()
    with pytest.raises(VideoError, match=rf"video 'a', .*{message}"):
        loop.run()


def test_tracker_must_give_the_size_of_the_frame(tmp_path):
    class Small(FakeTracker):
        def track(self, video):
            for result in super().track(video):
                yield type(result)(result.index, result.label_map[:5])

    loop = make_loop(tmp_path, dict(a=4))
    loop.runner.model = Small()
    with pytest.raises(VideoError, match=r'label map of \(5, 16\), the frame has'):
        loop.run()


def test_look_ahead_reads_every_frame_once_in_any_order():
    reads = []
    video = fake_video('a', 5)
    read = video.read_frame
    object.__setattr__(
        video, 'read_frame', lambda index: reads.append(index) or read(index)
    )
    with LookAhead(video) as ahead:
        assert [int(ahead.read_frame(i)[0, 0, 0]) for i in range(5)] == list(range(5))
        assert sorted(reads) == list(range(5))
        assert int(ahead.read_frame(2)[0, 0, 0]) == 2


def test_progress_line_tells_frames_and_time_left(monkeypatch):
    clock = [100.0]
    monkeypatch.setattr('time.monotonic', lambda: clock[0])
    with FrameProgress(100, 'evaluating', visible=False) as progress:
        clock[0] += 10
        progress.advance(20)
        line = progress.line()
    assert line == 'evaluating: 20/100 frames, 2.00 frames/s, ETA 0:00:40'


@pytest.mark.parametrize(
    ('seconds', 'text'), [(None, '-:--:--'), (3723.4, '1:02:03'), (0, '0:00:00')]
)
def test_format_seconds(seconds, text):
    assert format_seconds(seconds) == text


def test_progress_is_a_bar_on_a_terminal(monkeypatch, capsys):
    monkeypatch.setenv('FORCE_COLOR', '1')
    with FrameProgress(2, 'evaluating') as progress:
        progress.advance(2)
    assert '2/2' in capsys.readouterr().err


def test_progress_outlives_a_closed_screen(monkeypatch):
    closed = io.StringIO()
    handler = logging.StreamHandler(closed)
    closed.close()
    monkeypatch.setattr('densecorr.engine.progress._screen_handlers', lambda: [handler])
    monkeypatch.setenv('FORCE_COLOR', '1')
    with FrameProgress(2, 'evaluating') as progress:
        progress.advance(2)
    assert handler.stream is sys.stdout


def test_progress_is_lines_elsewhere(monkeypatch):
    lines = []
    monkeypatch.setattr(
        'densecorr.engine.progress.print_log', lambda text, logger: lines.append(text)
    )
    monkeypatch.setenv('TERM', 'dumb')
    with FrameProgress(2, 'evaluating', interval=0) as progress:
        progress.advance()
        progress.advance()
    assert [line.split(',')[0] for line in lines] == [
        'evaluating: 1/2 frames',
        'evaluating: 2/2 frames',
    ]
    with FrameProgress(2, 'rank 1 of 2', visible=False, interval=0) as progress:
        progress.advance()
    assert len(lines) == 2


def test_other_things_than_frames_are_counted_by_their_name():
    progress = FrameProgress(4, 'Listing x', unit='folders')
    progress.advance(3)
    assert progress.line().startswith('Listing x: 3/4 folders, ')
    assert ' folders/s, ETA ' in progress.line()
