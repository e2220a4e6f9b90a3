"""The bytes of a page have a limit, whatever the number of videos."""

import json

import numpy as np

from densecorr.apis.report import pictures, write_report
from densecorr.apis.report.pictures import pictures_of
from densecorr.apis.report.results import read_results, video_files
from densecorr.structures import LabelMap, VideoSample
from densecorr.utils.images import write_label_map

from .report_tree import some_votes, write_results


class Many:
    """Videos in memory whose frames are costly to keep."""

    def __init__(self, num_videos, num_frames, size, frames):
        self.size, self.frames, self.num_frames = size, frames, num_frames
        self.names = [f'video-{n}' for n in range(num_videos)]

    def __len__(self):
        return len(self.names)

    def __getitem__(self, i):
        labels = np.zeros(self.size, np.uint8)
        labels[100:300, 200:400] = 1
        return VideoSample(
            name=self.names[i],
            frame_names=tuple(f'{n:05d}' for n in range(self.num_frames)),
            read_frame=lambda t: self.frames[t % len(self.frames)],
            label_frames=tuple(range(self.num_frames)),
            read_labels=lambda t: LabelMap(labels),
            first_label_frames=(0,),
            size=self.size,
            hash_inputs=lambda: '',
        )


def textured(size, count):
    """Frames about as hard to code as photographs."""
    rng = np.random.default_rng(0)
    frames = []
    for _ in range(count):
        coarse = rng.integers(0, 256, (size[0] // 6 + 1, size[1] // 6 + 1, 3))
        frame = coarse.repeat(6, 0).repeat(6, 1)[: size[0], : size[1]]
        noise = rng.integers(-12, 12, frame.shape)
        frames.append(np.clip(frame + noise, 0, 255).astype(np.uint8))
    return frames


def test_thirty_videos_stay_below_25_megabytes(tmp_path):
    size, num_frames = (480, 854), 70
    dataset = Many(30, num_frames, size, textured(size, 2))
    source = tmp_path / 'label.png'
    labels = np.zeros(size, np.uint8)
    labels[120:320, 210:410] = 1
    write_label_map(source, labels)
    votes, series = some_votes(65, size), np.linspace(0.9, 0.3, 68).tolist()
    for place, name in enumerate(dataset.names):
        folder = tmp_path / 'predictions' / name
        folder.mkdir(parents=True)
        for index in range(num_frames):
            (folder / f'{index:05d}.png').hardlink_to(source)
        names = [f'{n:05d}' for n in range(1, 69)]
        objects = [dict(object=1, proposal=1, J=series, F=series)]
        record = dict(results=[dict(frames=names, objects=objects)])
        (tmp_path / 'records').mkdir(exist_ok=True)
        (tmp_path / 'records' / f'{name}.json').write_text(json.dumps(record))
        if place == 0:
            votes.save(tmp_path / 'votes' / f'{name}.npz')
        else:
            copy = tmp_path / 'votes' / f'{name}.npz'
            copy.hardlink_to(tmp_path / 'votes' / f'{dataset.names[0]}.npz')
    path = write_report(tmp_path, dict(metrics={'J&F-Mean': 0.6}), dataset)
    page = path.read_text('utf-8')
    assert 10e6 < path.stat().st_size < 25e6
    assert page.count('<figure class="picture">') == 30 * 5
    assert page.count('<figure data-slot=') == 30 * 20
    assert page.count('are smaller or fewer than possible') > 0
    folded = '<details class="video" id="video-1" data-score="0.6">'
    assert folded in page  # there are many


def test_less_room_means_fewer_and_smaller_pictures(tmp_path):
    out, content, dataset = write_results(tmp_path, {'long': 9, 'short': 3})
    files = video_files(read_results(out, content), dataset)
    rich = list(pictures_of(files, 10**8))
    assert [kept['reduced'] for kept in rich] == [False, False]
    assert rich[0]['votes'] is not None
    poor = list(pictures_of(files, 6000))
    assert all(kept['reduced'] for kept in poor)
    assert len(poor[0]['pictures']) <= 1
    assert poor[0]['votes'] is None
    none = list(pictures_of(files, 10))
    assert [kept['pictures'] for kept in none] == [[], []]
    page = write_report(out, content, dataset, max_bytes=10).read_text('utf-8')
    sentence = 'left out so that the page stays below 25 MB'
    assert page.count(sentence) == 2 * 2  # pictures and votes


def test_votes_go_before_the_worst_frames(tmp_path):
    out, content, dataset = write_results(tmp_path, {'long': 9}, size=(128, 192))
    files = video_files(read_results(out, content), dataset)
    states = []
    for limit in range(100000, 4000, -6000):
        (kept,) = pictures_of(files, limit)
        states.append((len(kept['pictures']), kept['votes'] is not None))
    assert states[0] == (5, True)
    assert (5, False) in states
    assert not any(votes for _, votes in states[states.index((5, False)) :])


def test_videos_begin_with_the_detail_of_the_one_before(tmp_path, monkeypatch):
    out, content, dataset = write_results(tmp_path, {'one': 9}, size=(128, 192))
    files = video_files(read_results(out, content), dataset)
    tried, encode = [], pictures._pictures

    def counted(*args):
        tried.append(args)
        return encode(*args)

    monkeypatch.setattr(pictures, '_pictures', counted)
    (alone,) = pictures_of(files, 20000)
    steps = len(tried)
    assert steps > 4
    tried.clear()
    many = list(pictures_of(files * 12, 12 * 20000))
    assert len(tried) <= steps + 2 * 11
    assert all(len(kept['pictures']) >= len(alone['pictures']) for kept in many)
    assert not any(kept['reduced'] for kept in pictures_of(files * 3, 10**7))
