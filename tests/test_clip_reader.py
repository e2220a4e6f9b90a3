"""A few frames of a video: the same as decoding it in order, each read once."""

import os
import pickle
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from densecorr.utils import clip_reader, file_clip
from densecorr.utils.clip_reader import open_clip_source
from densecorr.utils.file_clip import FileClip
from densecorr.utils.images import read_image
from densecorr.utils.unreadable import UnreadableError
from densecorr.utils.video_file import VideoFile
from tests.coded_clips import (
    OPEN_GROUPS,
    copy_packets,
    cut_off,
    damage,
    key_packets,
    moving_frames,
    write_coded,
)
from tests.track_clips import FIXED, set_display_matrix, write_clip

CHECKOUT = Path(__file__).resolve().parents[1]
CLIPS = Path(os.environ.get('DENSECORR_DATA') or CHECKOUT / 'data') / 'videos'


def in_order(path):
    video = VideoFile(path)
    return [video.read(index) for index in range(video.num_frames)], video.fps


def assert_equals_order(path, draws=8, whole=False):
    frames, fps = in_order(path)
    rng = np.random.default_rng(0)
    with open_clip_source(path) as source:
        assert (source._whole is not None) == whole
        assert source.num_frames == len(frames)
        assert source.fps == pytest.approx(fps)
        for _ in range(draws):
            indices = rng.integers(len(frames), size=3)
            for index, frame in zip(indices, source.read(indices), strict=True):
                assert frame.dtype == np.uint8 and frame.flags.c_contiguous
                np.testing.assert_array_equal(frame, frames[index])
    return frames


@pytest.fixture
def passes(monkeypatch):
    """What is decoded: (key frame or None for the beginning, whether it skips)."""
    made = []
    decode = FileClip._decode

    def watch(self, wanted, start, skipping):
        made.append((start, skipping))
        return decode(self, wanted, start, skipping)

    monkeypatch.setattr(FileClip, '_decode', watch)
    return made


@pytest.mark.parametrize(
    ('name', 'codec', 'options'),
    [
        ('b.mp4', 'libx264', {}),
        ('open.mp4', 'libx264', OPEN_GROUPS),
        ('open.mkv', 'libx264', OPEN_GROUPS),
        ('a.mp4', 'mpeg4', {}),
        ('a.avi', 'mjpeg', {'q': '2'}),
        ('a.webm', 'libvpx-vp9', {}),
    ],
)
def test_frames_equal_those_decoded_in_order(tmp_path, passes, name, codec, options):
    path = write_coded(tmp_path / name, codec, **options)
    assert len(assert_equals_order(path)) == 40
    assert len(passes) == 8  # one for each clip
    assert None not in {start for start, _ in passes}
    if codec != 'libvpx-vp9':  # which has key frames where it likes
        assert len({start for start, _ in passes}) > 1
    assert all(skipping == (codec == 'libx264') for _, skipping in passes)


def test_half_frames_are_not_left_out(tmp_path, passes):
    options = {'g': '12', 'flags': '+ildct+ilme', 'x264-params': 'tff=1'}
    path = write_coded(tmp_path / 'a.mp4', **options)
    assert_equals_order(path)
    assert [skipping for _, skipping in passes] == [True, False] * 8


def test_late_seeks_and_gradual_refresh_start_at_the_beginning(tmp_path, passes):
    assert_equals_order(write_coded(tmp_path / 'a.ts', **OPEN_GROUPS))
    assert (None, False) in passes
    passes.clear()
    refresh = {'x264-params': 'intra-refresh=1:keyint=12'}
    assert_equals_order(write_coded(tmp_path / 'a.mp4', **refresh))
    assert (None, False) in passes


def test_files_whose_packets_do_not_tell_are_decoded_whole(tmp_path):
    path = write_coded(tmp_path / 'a.webm', 'libvpx')
    assert_equals_order(path, whole=True)
    gif = write_clip(tmp_path / 'a.gif', moving_frames(4))
    assert_equals_order(gif, whole=True)


def test_edit_lists_and_leading_frames(tmp_path):
    closed = write_coded(tmp_path / 'closed.mp4')
    hidden = copy_packets(closed, tmp_path / 'edit.mp4', earlier=5)
    assert len(assert_equals_order(hidden)) == 35
    opened = write_coded(tmp_path / 'open.mp4', **OPEN_GROUPS)
    within = copy_packets(opened, tmp_path / 'within.mp4', earlier=17)
    assert len(assert_equals_order(within)) == 23
    second = key_packets(opened)[1]
    # the frames in front of this key frame refer to what is gone
    leading = copy_packets(opened, tmp_path / 'lead.mkv', first=second)
    assert len(assert_equals_order(leading, whole=True)) < 40 - second
    keyless = copy_packets(closed, tmp_path / 'keyless.mp4', first=5)
    assert_equals_order(keyless, whole=True)


def test_turned_videos_are_upright(tmp_path):
    path = write_coded(tmp_path / 'a.mp4')
    set_display_matrix(path, (0, FIXED, -FIXED, 0))
    assert assert_equals_order(path)[0].shape == (64, 48, 3)


def test_times_of_a_variable_frame_rate(tmp_path):
    times = [0.0, 0.5, 0.6, 2.0]
    path = write_clip(tmp_path / 'a.mp4', moving_frames(4), times)
    with open_clip_source(path) as source:
        assert source.fps == pytest.approx(3 / 2)
    with open_clip_source(write_clip(tmp_path / 'b.mp4', moving_frames(1))) as source:
        assert (source.num_frames, source.fps) == (1, 10)


def test_a_frame_is_decoded_and_converted_once(tmp_path, monkeypatch):
    path = write_coded(tmp_path / 'a.mp4')
    turned = []
    monkeypatch.setattr(
        file_clip, 'turn_upright', lambda rgb, _: turned.append(1) or rgb
    )
    with open_clip_source(path) as source:
        one, two, three = source.read([20, 14, 20])
    assert one is three and len(turned) == 2
    assert not np.array_equal(one, two)


def test_a_changed_file_is_numbered_anew(tmp_path):
    path = write_coded(tmp_path / 'a.mp4', count=12)
    with open_clip_source(path) as source:
        assert source.num_frames == 12
    write_coded(path, count=14)
    with open_clip_source(path) as source:
        assert source.num_frames == 14


def test_files_that_are_no_whole_video_are_named(tmp_path):
    gone = tmp_path / 'gone.mp4'
    with pytest.raises(UnreadableError, match=r'gone\.mp4: there is no such video'):
        open_clip_source(gone)
    text = tmp_path / 'text.mp4'
    text.write_text('no video')
    with pytest.raises(UnreadableError, match=r'text\.mp4: is not a whole video.*Copy'):
        open_clip_source(text)
    short = cut_off(write_clip(tmp_path / 'cut.mp4', moving_frames(40)))
    incomplete = r'cut\.mp4: is not a whole .*packet [12]\d is incomplete'
    with pytest.raises(UnreadableError, match=incomplete):
        open_clip_source(short)
    with (
        open_clip_source(write_coded(tmp_path / 'a.mp4')) as source,
        pytest.raises(IndexError, match=r'a\.mp4 has frames 0 to 39, not 40'),
    ):
        source.read([3, 40])


def test_damaged_frames_are_told_and_the_others_read(tmp_path):
    path = write_coded(tmp_path / 'a.mp4')
    sound, _ = in_order(path)
    damage(path)
    lost = []
    with open_clip_source(path) as source:
        assert source.num_frames == 40
        for index in range(40):
            try:
                (frame,) = source.read([index])
            except UnreadableError as error:
                assert f'frame {index} is damaged or cannot' in str(error)
                lost.append(index)
            else:
                np.testing.assert_array_equal(frame, sound[index])
    assert 0 < len(lost) < 36


def test_the_error_comes_back_from_a_worker():
    error = UnreadableError('a b.jpg', 'a b.jpg is  empty')
    again = pickle.loads(pickle.dumps(error))
    assert (str(again), again.path) == ('a b.jpg: is empty', 'a b.jpg')


@pytest.fixture
def folder(tmp_path):
    """Frames 1.jpg, 2.jpg, 10.jpg of a folder, 90 x 120."""
    path = tmp_path / 'frames'
    path.mkdir()
    for name, frame in zip((1, 2, 10), moving_frames(3, (90, 120)), strict=True):
        cv2.imwrite(str(path / f'{name}.jpg'), frame)
    return path


@pytest.mark.parametrize('reader', ['opencv', 'pillow'])
def test_folders_and_lists_of_frames(folder, reader, monkeypatch):
    paths = [folder / f'{name}.jpg' for name in (1, 2, 10)]
    seen = []

    def read(path, *options):
        seen.append(path)
        return read_image(path, *options)

    monkeypatch.setattr(clip_reader, 'read_image', read)
    for source in (folder, str(folder), paths):
        seen.clear()
        with open_clip_source(source, reader) as clip:
            assert (clip.num_frames, clip.fps) == (3, None)
            frames = clip.read([2, 0, 2])
        assert seen == [paths[2], paths[0]]  # no frame twice
        for frame, path in zip(frames, (paths[i] for i in (2, 0, 2)), strict=True):
            np.testing.assert_array_equal(frame, read_image(path, reader))
    with pytest.raises(IndexError, match='has frames 0 to 2, not -1'):
        clip.read([-1])


@pytest.mark.parametrize('reader', ['opencv', 'pillow'])
@pytest.mark.parametrize(
    ('least', 'size'),
    [(91, (90, 120)), (46, (90, 120)), (45, (45, 60)), (13, (23, 30)), (1, (12, 15))],
)
def test_reduced_jpegs_keep_the_short_side(folder, reader, least, size):
    with open_clip_source(folder, reader, min_short_side=least) as clip:
        (frame,) = clip.read([1])
    assert frame.shape == (*size, 3)
    whole = read_image(folder / '2.jpg', reader)
    by_area = cv2.resize(whole, size[::-1], interpolation=cv2.INTER_AREA)
    assert np.abs(frame.astype(int) - by_area).mean() < 4


def test_only_jpegs_are_reduced_and_turned_ones_upright(tmp_path):
    frame = moving_frames(1, (80, 40))[0]
    Image.fromarray(frame).save(tmp_path / 'a.png')
    assert read_image(tmp_path / 'a.png', min_short_side=1).shape == (80, 40, 3)
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(frame).save(tmp_path / 'b.jpg', exif=exif)
    for reader in ('opencv', 'pillow'):
        assert read_image(tmp_path / 'b.jpg', reader, 20).shape == (20, 40, 3)


def test_wrong_frames_and_options_are_named(folder):
    with pytest.raises(
        UnreadableError, match=r'none: There is no folder|none: there is'
    ):
        open_clip_source(folder / 'none')
    cv2.imwrite(str(folder / '2.jpg'), np.zeros((30, 40, 3), np.uint8))
    with open_clip_source(folder) as clip:
        with pytest.raises(
            UnreadableError, match=r'2\.jpg: is 30x40, 1\.jpg is 90x120 \(H x W\)'
        ):
            clip.read([0, 1])
        (folder / '10.jpg').write_bytes((folder / '1.jpg').read_bytes()[:900])
        with pytest.raises(UnreadableError, match=r'10\.jpg: is truncated or damaged'):
            clip.read([0, 2])
    empty = folder / 'empty'
    empty.mkdir()
    with pytest.raises(UnreadableError, match=r'empty: .*holds no frame, nothing'):
        open_clip_source(empty)
    with pytest.raises(ValueError, match=r"reader should be one of .* not 'gpu'"):
        open_clip_source(folder, reader='gpu')
    with pytest.raises(ValueError, match='min_short_side is 0 pixels; give at least 1'):
        open_clip_source(folder, min_short_side=0)


@pytest.mark.slow
def test_real_videos_equal_decoding_in_order():
    paths = sorted(CLIPS.glob('*.mp4'))
    if not paths:
        pytest.skip('real clips are absent: set DENSECORR_DATA to the folder of videos')
    for path in paths:
        assert_equals_order(path, draws=5)
