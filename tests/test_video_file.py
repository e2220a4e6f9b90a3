import os
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from densecorr.utils import video_file
from densecorr.utils.video_file import VideoFile
from tests.track_clips import FIXED, set_display_matrix, write_clip

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


def quarters(height=32, width=48):
    """Red, green over blue, white: every turn and mirror image is another picture."""
    frame = np.zeros((height, width, 3), np.uint8)
    frame[: height // 2, : width // 2] = (250, 0, 0)
    frame[: height // 2, width // 2 :] = (0, 250, 0)
    frame[height // 2 :, : width // 2] = (0, 0, 250)
    frame[height // 2 :, width // 2 :] = 250
    return frame


def test_times_of_a_variable_frame_rate(tmp_path):
    times = [0.0, 0.5, 0.6, 2.0]
    video = VideoFile(write_clip(tmp_path / 'a.mp4', [quarters()] * 4, times))
    assert video.times == pytest.approx(times, abs=1e-5)
    assert video.fps == pytest.approx(3 / 2.0)
    single = VideoFile(write_clip(tmp_path / 'b.mp4', [quarters()]))
    assert (single.num_frames, single.times, single.fps) == (1, (0,), 10)


# what a player shows, in numpy's words; (a, b, c, d) as in the file
@pytest.mark.parametrize(
    ('matrix', 'shown'),
    [
        ((1, 0, 0, 1), lambda x: x),
        ((0, 1, -1, 0), lambda x: np.rot90(x, -1)),
        ((-1, 0, 0, -1), lambda x: np.rot90(x, 2)),
        ((0, -1, 1, 0), lambda x: np.rot90(x, 1)),
        ((-1, 0, 0, 1), np.fliplr),
        ((1, 0, 0, -1), np.flipud),
        ((0, 1, 1, 0), lambda x: x.swapaxes(0, 1)),
        ((0, -1, -1, 0), lambda x: np.rot90(x, 2).swapaxes(0, 1)),
    ],
)
def test_turned_and_mirrored_videos_are_upright(tmp_path, matrix, shown):
    path = write_clip(tmp_path / 'a.mp4', [quarters()] * 2)
    set_display_matrix(path, tuple(FIXED * value for value in matrix))
    video, expected = VideoFile(path), shown(quarters())
    assert video.size == expected.shape[:2]
    assert video.turned == (matrix != (1, 0, 0, 1))
    difference = np.abs(video.read(1).astype(int) - expected)
    assert np.median(difference) < 8 and difference.mean() < 20
    a, b, c, d = matrix
    if a * d - b * c == 1:  # OpenCV knows turns, not mirror images
        capture = cv2.VideoCapture(str(path))
        other = cv2.cvtColor(capture.read()[1], cv2.COLOR_BGR2RGB)
        assert np.median(np.abs(video.read(0).astype(int) - other)) < 8


@pytest.mark.parametrize('damage', ['cut off', 'zeros'])
def test_damage_is_left_out_and_told(tmp_path, monkeypatch, damage):
    rng = np.random.default_rng(0)
    frames = [rng.integers(0, 255, (64, 64, 3), dtype=np.uint8) for _ in range(12)]
    path = write_clip(tmp_path / 'a.mp4', frames)
    data = bytearray(path.read_bytes())
    if damage == 'cut off':
        data = data[: len(data) * 2 // 3]  # the index comes first
    else:
        place = data.index(b'mdat') + len(data) // 3
        data[place : place + len(data) // 3] = bytes(len(data) // 3)
    path.write_bytes(bytes(data))
    lines: list[str] = []
    monkeypatch.setattr(video_file, 'print_log', lambda text, **_: lines.append(text))
    video = VideoFile(path)
    assert 0 < video.num_frames < 12
    assert video.read(video.num_frames - 1).shape == (64, 64, 3)
    assert f'names 12 frames, of which {video.num_frames} can be decoded' in lines[0]
    if damage == 'zeros':
        assert ' has 0 damaged' not in lines[0]
    again = [VideoFile(path).read(i).sum() for i in range(video.num_frames)]
    assert again == [video.read(i).sum() for i in range(video.num_frames)]


def test_frames_of_another_size_are_named(tmp_path, monkeypatch):
    video = VideoFile(write_clip(tmp_path / 'a.mp4', [quarters()] * 2))
    video.size = (16, 16)
    with pytest.raises(ValueError, match=r'Frame 1 of .*a\.mp4 is 32x48, the first'):
        video.read(1)


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
