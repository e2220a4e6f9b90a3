import os
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from densecorr.utils.video_file import VideoFile

CHECKOUT = Path(__file__).resolve().parents[1]
CLIPS = Path(os.environ.get('DENSECORR_DATA') or CHECKOUT / 'data') / 'videos'
LEVELS = [10, 60, 110, 160, 210]


@pytest.fixture
def clip(tmp_path):
    """Five red frames that get brighter, 32 x 48."""
    path = tmp_path / 'mein clip é.mp4'
    code = cv2.VideoWriter_fourcc(*'mp4v')
    writer = cv2.VideoWriter(str(path), code, 10, (48, 32))
    for level in LEVELS:
        frame = np.zeros((32, 48, 3), np.uint8)
        frame[..., 2] = level  # BGR
        writer.write(frame)
    writer.release()
    return path


def test_frames_are_rgb_and_in_order(clip):
    video = VideoFile(clip)
    assert (video.num_frames, video.size, video.fps) == (5, (32, 48), 10)
    assert video.frame_names == ('00000', '00001', '00002', '00003', '00004')
    for index, level in enumerate(LEVELS):
        frame = video.read(index)
        assert frame.dtype == np.uint8 and frame.shape == (32, 48, 3)
        red, green, blue = frame.reshape(-1, 3).mean(0)
        assert abs(red - level) < 8 and max(green, blue) < 8


def test_any_order_gives_the_same_frames(clip):
    one, two = VideoFile(clip), VideoFile(clip)
    frames = [one.read(index) for index in range(5)]
    for index in (4, 1, 1, 3, 0, 2):
        np.testing.assert_array_equal(two.read(index), frames[index])


def test_gif(tmp_path):
    path = tmp_path / 'a.gif'
    images = [Image.new('RGB', (20, 10), (level, 0, 0)) for level in LEVELS]
    images[0].save(path, save_all=True, append_images=images[1:], duration=100)
    video = VideoFile(path)
    assert (video.num_frames, video.size) == (5, (10, 20))
    levels = [int(video.read(index)[5, 5, 0]) for index in range(5)]
    assert np.abs(np.subtract(levels, LEVELS)).max() < 8


def test_what_is_no_video_is_named(tmp_path, clip):
    with pytest.raises(
        FileNotFoundError, match=rf"no video file '{tmp_path}/none.mp4'"
    ):
        VideoFile(tmp_path / 'none.mp4')
    (tmp_path / 'text.mp4').write_text('no video')
    with pytest.raises(
        ValueError, match=r"text\.mp4 is not a video .*ffmpeg -i 'text.mp"
    ):
        VideoFile(tmp_path / 'text.mp4')
    with pytest.raises(IndexError, match=r'has frames 0 to 4, not 5'):
        VideoFile(clip).read(5)


@pytest.mark.slow
def test_real_clips():
    paths = sorted(CLIPS.glob('*.mp4'))
    if not paths:
        pytest.skip(
            'real clips are absent: set DENSECORR_DATA to the folder of videos/'
        )
    frames = {}
    for path in paths:
        video = VideoFile(path)
        last = video.read(video.num_frames - 1)
        assert last.shape[:2] == video.size
        assert last.std() > 1
        frames[path.stem] = video.num_frames
    assert frames == dict(
        bedroom=200,
        blocks=292,
        coffee=287,
        cups=300,
        dog=289,
        juggle=247,
        mmaction_test=300,
    )
