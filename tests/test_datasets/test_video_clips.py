"""Clips by key, from folders and files; what cannot be read is replaced and told."""

import os
import pickle
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from torch.utils.data import DataLoader

from densecorr.datasets import VideoClips, video_clips
from densecorr.registry import DATASETS
from densecorr.structures import ClipKey
from densecorr.utils import replaced_clips
from densecorr.utils.images import read_image
from densecorr.utils.randomness import draw_seed, item_rng
from densecorr.utils.replaced_clips import ReplacedClips
from densecorr.utils.video_file import VideoFile
from tests.coded_clips import cut_off, moving_frames, write_coded
from tests.track_clips import write_clip

CHECKOUT = Path(__file__).resolve().parents[2]
DATA = Path(os.environ.get('DENSECORR_DATA') or CHECKOUT / 'data')
FRAMES = 6


class Window:
    """Frames that follow one another; remembers how it was asked."""

    def __init__(self, num_frames=3, by_rate=None):
        self.num_frames = self.min_frames = num_frames
        self.by_rate, self.asked = by_rate, []

    def min_frames_at(self, fps=None):
        return self.min_frames if self.by_rate is None else self.by_rate(fps)

    def draw(self, rng, total, fps=None, visit=None):
        self.asked.append((total, fps, visit))
        start = int(rng.integers(total - self.num_frames + 1))
        return np.arange(start, start + self.num_frames)


def without_generator(sample):
    """For comparing and for worker processes, as PackClip leaves it."""
    return {key: value for key, value in sample.items() if key != 'rng'}


def first_item(samples):
    return samples[0]


def write_folder(path, count=FRAMES, size=(24, 32)):
    path.mkdir(parents=True)
    for index, frame in enumerate(moving_frames(count, size)):
        cv2.imwrite(str(path / f'{index}.jpg'), frame)
    return path


@pytest.fixture
def root(tmp_path):
    """Two folders of frames and an MP4."""
    write_folder(tmp_path / 'videos/one')
    write_folder(tmp_path / 'videos/deep/two', FRAMES + 1)
    write_clip(tmp_path / 'videos/three.mp4', moving_frames(FRAMES + 2))
    return tmp_path / 'videos'


def assert_equal(one, two):
    assert one.keys() == two.keys()
    for key, value in one.items():
        if key != 'rng':
            np.testing.assert_equal(value, two[key])


def test_a_sample_by_its_key(root):
    data = VideoClips(Window(), root=str(root), clips_per_video=2, seed=7)
    assert data.video_names() == ['deep/two', 'one', 'three.mp4']
    assert len(data) == 6
    assert data.metainfo == dict(
        name='videos', split=None, num_videos=3, left_out=0, num_clips=6
    )
    sample = data[ClipKey(3, 4)]
    rng = item_rng(7, 3, 4)
    assert sample['seed'] == draw_seed(rng)  # the first number
    start = int(rng.integers(FRAMES - 2))
    assert sample['frame_indices'].tolist() == [start, start + 1, start + 2]
    assert sample['rng'].random() == rng.random()  # goes on where the dataset ended
    assert (sample['video'], sample['epoch'], sample['index']) == ('one', 3, 4)
    assert sample['replaced'] == ()
    for index, frame in zip(sample['frame_indices'], sample['frames'], strict=True):
        expected = read_image(root / f'one/{index}.jpg')
        np.testing.assert_array_equal(frame, expected)
    assert data.sampler.asked == [(FRAMES, None, 3 * 2 + 1)]  # its 8th visit
    film = data[2]
    video = VideoFile(root / 'three.mp4')
    for index, frame in zip(film['frame_indices'], film['frames'], strict=True):
        np.testing.assert_array_equal(frame, video.read(int(index)))
    assert data.sampler.asked[-1] == (FRAMES + 2, 10, 0)
    assert_equal(data[2], data[ClipKey(0, 2)])
    assert_equal(data[(0, 2)], data[np.int64(2)])
    with pytest.raises(IndexError, match='VideoClips has items 0 to 5, not 6'):
        data[6]


def test_clips_depend_on_seed_epoch_and_item(root):
    made = [
        VideoClips(Window(), root=str(root), seed=seed)[ClipKey(epoch, item)]['seed']
        for seed in (0, 1)
        for epoch in (0, 1)
        for item in (0, 1)
    ]
    assert len(set(made)) == 8


def test_epochs_of_a_fixed_number_of_clips(root):
    data = VideoClips(Window(), root=str(root), clips_per_epoch=30)
    assert len(data) == data.metainfo['num_clips'] == 30
    names = [data[item]['video'] for item in range(30)]
    assert {names.count(name) for name in data.video_names()} <= set(range(4, 18))
    assert names[:3] != names[3:6]
    assert names != [data[ClipKey(1, item)]['video'] for item in range(30)]
    assert data.sampler.asked[0][2] is None  # no number of visits
    with pytest.raises(ValueError, match='clips_per_epoch is 0; give at least 1'):
        VideoClips(Window(), root=str(root), clips_per_epoch=0)
    with pytest.raises(ValueError, match='leave out clips_per_video=2'):
        VideoClips(Window(), root=str(root), clips_per_epoch=5, clips_per_video=2)


def test_any_number_of_workers_gives_the_same_clips(root):
    data = VideoClips(
        Window(), pipeline=[without_generator], root=str(root), clips_per_video=2
    )
    keys = [ClipKey(epoch, item) for epoch in (0, 1) for item in (5, 0, 2, 4)]
    alone = [data[key] for key in keys]
    batches = [[key] for key in keys]
    for workers in (0, 2):
        loader = DataLoader(
            data, batch_sampler=batches, collate_fn=first_item, num_workers=workers
        )
        for one, two in zip(alone, loader, strict=True):
            assert_equal(one, two)
    sent = pickle.loads(pickle.dumps(data))  # as to a spawned process
    assert_equal(sent[keys[0]], alone[0])


def test_the_pipeline_of_a_config(root):
    data = DATASETS.build(
        dict(
            type='VideoClips',
            root=str(root),
            sampler=dict(type='GapSampler', num_frames=2, gap=2),
            pipeline=[dict(type='ClipRandomFlip', prob=0.5), dict(type='PackClip')],
            decode=dict(reader='pillow'),
        )
    )
    item = data[1]
    assert item['inputs']['frames'].shape == (2, 3, 24, 32)
    assert item['data_samples']['video'] == 'one'
    assert data.decode == dict(reader='pillow', min_short_side=None, threads=1)
    reduced = VideoClips(Window(), root=str(root), decode=dict(min_short_side=12))
    assert reduced[1]['frames'][0].shape == (12, 16, 3)


def test_only_the_wanted_frames_are_read(root, monkeypatch):
    data = VideoClips(Window(), root=str(root))
    paths = []
    read = read_image

    def watch(path, *options):
        paths.append(path)
        return read(path, *options)

    monkeypatch.setattr('densecorr.utils.clip_reader.read_image', watch)
    sample = data[1]
    assert [path.stem for path in paths] == [str(i) for i in sample['frame_indices']]


def test_damaged_files_are_replaced_and_told_once(root, monkeypatch):
    (root / 'one/5.jpg').write_bytes((root / 'one/5.jpg').read_bytes()[:500])
    cut_off(root / 'three.mp4')
    data = VideoClips(Window(), root=str(root), clips_per_video=8)
    told = []
    monkeypatch.setattr(
        replaced_clips, 'print_log', lambda text, **_: told.append(text)
    )
    counts = ReplacedClips(limit=1)
    samples = [data[item] for item in range(len(data))]
    counts.update(samples)
    by_path = {line.split(': ')[0] for sample in samples for line in sample['replaced']}
    assert by_path == {str(root / 'one/5.jpg'), str(root / 'three.mp4')}
    assert len(told) == 2
    assert any('5.jpg: is truncated or damaged' in text for text in told)
    assert any('three.mp4: is not a whole video' in text for text in told)
    for sample in samples:
        assert sample['video'] != 'three.mp4'
        assert len(sample['frames']) == 3
    for item in (2, 5):  # films are always replaced; a replacement is as repeatable
        assert samples[item]['replaced'][0].startswith(str(root / 'three.mp4'))
        assert_equal(samples[item], data[item])
        attempt = len(samples[item]['replaced'])
        assert samples[item]['seed'] == draw_seed(item_rng(0, 0, item, attempt))
    assert {samples[i]['video'] for i in range(2, 24, 3)} == {'one', 'deep/two'}


def test_frames_of_two_sizes_are_named(root):
    cv2.imwrite(str(root / 'one/2.jpg'), np.zeros((9, 9, 3), np.uint8))
    data = VideoClips(Window(FRAMES), root=str(root))
    (line,) = {line for i in range(9) for line in data[ClipKey(i, 1)]['replaced']}
    assert line.startswith(f'{root}/one/2.jpg: is 9x9, 0.jpg is 24x32 (H x W)')


def test_short_folders_are_left_out_and_short_files_replaced(root, monkeypatch):
    told = []
    monkeypatch.setattr(video_clips, 'print_log', lambda text, **_: told.append(text))
    write_coded(root / 'tiny.mp4', count=3)
    data = VideoClips(Window(FRAMES + 1), root=str(root))
    assert data.video_names() == ['deep/two', 'three.mp4', 'tiny.mp4']
    assert data.metainfo['left_out'] == 1
    assert told == [
        f'1 of 4 videos of {root} have fewer than {FRAMES + 1} frames and are left out.'
    ]
    assert f'{root}/tiny.mp4: too short, 3 frames of 7' in data[2]['replaced']


def test_the_least_length_may_depend_on_the_rate(root):
    data = VideoClips(Window(3, lambda fps: 9 if fps else 2), root=str(root))
    assert data[2]['replaced'][0] == f'{root}/three.mp4: too short, 8 frames of 9'
    with pytest.raises(ValueError, match='FixedRateSampler needs a frame rate'):
        VideoClips(dict(type='FixedRateSampler'), root=str(root))


def test_nothing_long_enough_is_an_error(root):
    shutil.rmtree(root / 'deep')
    (root / 'three.mp4').unlink()
    with pytest.raises(
        ValueError,
        match=rf'none of the 1 videos of {root} is long enough: Window takes 9 frames, '
        'the longest has 6. Let the sampler take fewer',
    ):
        VideoClips(Window(9), root=str(root))
    shutil.rmtree(root / 'one')
    write_coded(root / 'tiny.mp4', count=3)
    data = VideoClips(Window(9), root=str(root))
    with pytest.raises(
        RuntimeError,
        match=r'(?s)20 draws in a row for item 0 .*tiny\.mp4: too short, 3 frames of 9'
        rf'\nVideos: {root}\. .* fewer frames',
    ):
        data[0]


def test_all_damaged_is_an_error(tmp_path):
    for name in 'ab':
        (tmp_path / f'{name}.mp4').write_text('no video')
    data = VideoClips(Window(), root=str(tmp_path))
    assert len(data) == 2  # not opened yet
    with pytest.raises(RuntimeError, match=r'(?s)20 draws .*\.mp4: is not a whole vid'):
        data[0]


def test_errors_of_the_pipeline_are_not_hidden(root):
    def wrong(sample):
        raise ValueError('a bug')

    with pytest.raises(ValueError, match='a bug'):
        VideoClips(Window(), pipeline=[wrong], root=str(root))[0]


def test_lists_and_splits(tmp_path, monkeypatch):
    monkeypatch.setenv('DENSECORR_DATA', str(tmp_path / 'data'))
    train = tmp_path / 'data/ytvos/2018/train/JPEGImages'
    for name in 'ab':
        write_folder(train / name)
    data = VideoClips(Window(), data='ytvos', split='2018/train')
    assert data.video_names() == ['a', 'b']
    assert (data.metainfo['name'], data.metainfo['split']) == ('ytvos', '2018/train')
    path = tmp_path / 'some.json'
    path.write_text('{"b": ["5.jpg", "0.jpg", "2.jpg"]}')
    data = VideoClips(Window(), data='ytvos', split='2018/train', list_file=str(path))
    assert data.video_names() == ['b']
    np.testing.assert_array_equal(data[0]['frames'][0], read_image(train / 'b/5.jpg'))
    lines = [f'/ytvos/2018/train/JPEGImages/a/{i}.jpg\n' for i in (4, 1, 3)]
    path = tmp_path / 'train_ytvos.txt'
    path.write_text(''.join(lines))
    data = VideoClips(Window(), list_file=str(path))
    np.testing.assert_array_equal(data[0]['frames'][2], read_image(train / 'a/3.jpg'))
    path.write_text('a 4\nb 3\n')
    data = VideoClips(Window(), root=str(train), list_file=str(path))
    starts = {data[ClipKey(e, 0)]['frame_indices'][0] for e in range(20)}
    assert starts == {0, 1}  # of the first four frames
    val = tmp_path / 'data/davis/JPEGImages/480p'
    write_folder(val / 'camel')
    write_folder(val / 'mine')
    assert VideoClips(Window(), data='davis', split='2017/val').video_names() == [
        'camel'
    ]
    assert len(VideoClips(Window(), data='davis', split='all')) == 2


def test_no_videos_are_named(tmp_path):
    with pytest.raises(
        FileNotFoundError,
        match=r"(?s)No video was found in '.*'\. Expected, .*<frame> .*\.jpg.*Found",
    ):
        VideoClips(Window(), root=str(tmp_path))
    (tmp_path / 'JPEGImages/480p').mkdir(parents=True)
    with pytest.raises(
        FileNotFoundError,
        match=r'(?s)480p holds no video of DAVIS 2017/val.*check_data\.py davis --data',
    ):
        VideoClips(Window(), data='davis', split='2017/val', root=str(tmp_path))
    with pytest.raises(ValueError, match=r'VideoClips needs data=.*which videos'):
        VideoClips(Window())
    with pytest.raises(ValueError, match=r"split='train' needs data=\.\.\."):
        VideoClips(Window(), split='train', root=str(tmp_path))


def test_wrong_arguments_are_named(root):
    with pytest.raises(TypeError, match=r"no argument 'lst_file'. .*'list_file'"):
        VideoClips(Window(), lst_file='x')
    with pytest.raises(TypeError, match=r"no option 'readr'\. Did you mean 'reader'"):
        VideoClips(Window(), root=str(root), decode=dict(readr='opencv'))
    with pytest.raises(ValueError, match=r"reader should be one of .* not 'gpu'"):
        VideoClips(Window(), root=str(root), decode=dict(reader='gpu'))
    with pytest.raises(ValueError, match='clips_per_video is 0; give at least 1'):
        VideoClips(Window(), root=str(root), clips_per_video=0)
    with pytest.raises(ValueError, match='start at 0'):
        VideoClips(Window(), root=str(root), seed=-1)


def test_many_files_cost_little(tmp_path, monkeypatch):
    for index in range(300):
        (tmp_path / f'{index}.mp4').touch()
    monkeypatch.setattr(video_clips, 'open_clip_source', None)
    data = VideoClips(Window(), root=str(tmp_path), clips_per_video=3)
    assert len(data) == 900
    assert len(pickle.dumps(data)) < 300 * 2 * len(str(tmp_path / '000.mp4')) + 2000


@pytest.mark.slow
def test_real_davis_and_real_videos():
    if not (DATA / 'davis').is_dir() or not (DATA / 'videos').is_dir():
        pytest.skip('real data is absent: set DENSECORR_DATA to the folder of davis/')
    frames = VideoClips(Window(), data='davis', split='all')
    for item in range(len(frames)):
        sample = frames[item]
        folder = DATA / 'davis/JPEGImages/480p' / sample['video']
        index = sample['frame_indices'][1]
        expected = read_image(folder / f'{index:05d}.jpg')
        np.testing.assert_array_equal(sample['frames'][1], expected)
    films = VideoClips(Window(), root=str(DATA / 'videos'))
    assert len(films) == 7
    for item in range(7):
        sample = films[item]
        video = VideoFile(DATA / 'videos' / sample['video'])
        for index, frame in zip(sample['frame_indices'], sample['frames'], strict=True):
            np.testing.assert_array_equal(frame, video.read(int(index)))
