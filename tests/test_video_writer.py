import errno
import os

import av
import numpy as np
import pytest
from PIL import Image

from densecorr.utils.video_writer import VideoWriter

TIMES = [0.0, 0.1, 0.15, 0.5, 0.9]


def pictures(count: int, size=(48, 64)) -> list[np.ndarray]:
    """A ramp of soft colours that moves two pixels per frame."""
    rows, columns = np.mgrid[: size[0], : size[1]]
    frames = []
    for t in range(count):
        wave = np.cos((columns - 2 * t) / 9)
        planes = [128 + 90 * wave, 60 + rows, 150 - 40 * wave]
        frames.append(np.stack(planes, -1).astype(np.uint8))
    return frames


def read(path) -> tuple[list[float], list[np.ndarray]]:
    """Times and RGB frames by PyAV."""
    with av.open(str(path)) as file:
        frames = list(file.decode(video=0))
    return [f.time for f in frames], [f.to_ndarray(format='rgb24') for f in frames]


def write(path, frames, times=None, fps=10.0) -> None:
    with VideoWriter(path, frames[0].shape[:2], fps) as writer:
        for index, frame in enumerate(frames):
            writer.write(frame, None if times is None else times[index])


def boxes(path) -> list[bytes]:
    """Names of the outer boxes of an MP4, in order."""
    data, place, names = path.read_bytes(), 0, []
    while place < len(data):
        names.append(data[place + 4 : place + 8])
        place += int.from_bytes(data[place : place + 4], 'big')
    return names


@pytest.mark.parametrize(('name', 'bound'), [('a.mp4', 3.0), ('a.gif', 9.0)])
def test_frames_and_variable_times_come_back(tmp_path, name, bound):
    frames = pictures(5)
    write(tmp_path / 'new folder' / name, frames, TIMES)
    times, found = read(tmp_path / 'new folder' / name)
    assert times == pytest.approx(TIMES, abs=1e-5)
    for one, other in zip(frames, found, strict=True):
        assert np.abs(one.astype(int) - other).mean() < bound
    assert [p.name for p in (tmp_path / 'new folder').iterdir()] == [name]


def test_times_follow_fps_and_last_frame_is_shown_as_long_as_the_one_before(tmp_path):
    write(tmp_path / 'a.mp4', pictures(4), fps=30000 / 1001)
    assert read(tmp_path / 'a.mp4')[0] == pytest.approx(
        [i * 1001 / 30000 for i in range(4)], abs=1e-5
    )
    write(tmp_path / 'b.mp4', pictures(3), [0, 0.5, 2.0])
    with av.open(str(tmp_path / 'b.mp4')) as file:
        assert file.duration / av.time_base == pytest.approx(3.5, abs=1e-3)


def test_browsers_can_play_it(tmp_path):
    """H.264, yuv420p, even sides, a level that hardware knows, index in front."""
    write(tmp_path / 'a.mp4', pictures(3, (47, 63)))
    with av.open(str(tmp_path / 'a.mp4')) as file:
        coder = file.streams.video[0].codec_context
        assert (coder.name, coder.pix_fmt) == ('h264', 'yuv420p')
        assert (coder.height, coder.width) == (48, 64)
    data = (tmp_path / 'a.mp4').read_bytes()
    assert data[data.index(b'avcC') + 7] <= 52  # level 5.2, ISO 14496-15
    names = boxes(tmp_path / 'a.mp4')
    assert names.index(b'moov') < names.index(b'mdat')
    last = read(tmp_path / 'a.mp4')[1][-1].astype(int)
    assert np.abs(last[47] - last[46]).mean() < 3
    assert np.abs(last[:, 63] - last[:, 62]).mean() < 3


@pytest.mark.parametrize('name', ['a.mp4', 'a.gif'])
def test_equal_frames_give_equal_bytes(tmp_path, name):
    write(tmp_path / f'1{name}', pictures(4))
    write(tmp_path / f'2{name}', pictures(4))
    assert (tmp_path / f'1{name}').read_bytes() == (tmp_path / f'2{name}').read_bytes()


@pytest.mark.parametrize('name', ['a.mp4', 'a.gif'])
def test_what_was_written_before_an_error_is_kept(tmp_path, name):
    path = tmp_path / name
    with pytest.raises(KeyboardInterrupt), VideoWriter(path, (48, 64), 5) as writer:
        for frame in pictures(3):
            writer.write(frame)
        assert not path.exists()
        raise KeyboardInterrupt
    assert len(read(path)[0]) == 3
    assert [p.name for p in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize('name', ['a.mp4', 'a.gif'])
def test_without_a_frame_there_is_no_file(tmp_path, name):
    with VideoWriter(tmp_path / name, (48, 64), 5):
        pass
    assert list(tmp_path.iterdir()) == []


def test_gif_repeats_and_has_one_palette(tmp_path):
    write(tmp_path / 'a.gif', pictures(4))
    with Image.open(tmp_path / 'a.gif') as image:
        assert image.info['loop'] == 0 and image.n_frames == 4
        assert image.info['duration'] == 100
    # colours that the first frame does not have are met by the even grid
    late = [np.full((8, 8, 3), 255, np.uint8), np.zeros((8, 8, 3), np.uint8)]
    late[1][:] = (250, 2, 130)
    write(tmp_path / 'b.gif', late)
    found = read(tmp_path / 'b.gif')[1][1]
    assert np.abs(found.astype(int) - (250, 2, 130)).max() <= 8


def test_misuse_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"one of \['.mp4', '.gif'\], not 'a.avi'"):
        VideoWriter(tmp_path / 'a.avi', (4, 4), 5)
    with pytest.raises(ValueError, match=r'size of the video is \(0, 4\) and fps 5'):
        VideoWriter(tmp_path / 'a.mp4', (0, 4), 5)
    with pytest.raises(ValueError, match='fps inf; both should be positive'):
        VideoWriter(tmp_path / 'a.mp4', (4, 4), float('inf'))
    with VideoWriter(tmp_path / 'a.mp4', (4, 4), 5) as writer:
        with pytest.raises(ValueError, match=r'uint8 of shape \(4, 6, 3\); frames of'):
            writer.write(np.zeros((4, 6, 3), np.uint8))
        writer.write(np.zeros((4, 4, 3), np.uint8), 0.5)
        with pytest.raises(ValueError, match=r'frame 1 .* at 0.5 s, not after 0.5 s'):
            writer.write(np.zeros((4, 4, 3), np.uint8), 0.5)
    with pytest.raises(ValueError, match=r'a\.mp4 is closed'):
        writer.write(np.zeros((4, 4, 3), np.uint8))


@pytest.mark.parametrize('name', ['a.mp4', 'a.gif'])
def test_full_disk_is_told_and_leaves_nothing(tmp_path, name, monkeypatch):
    writer = VideoWriter(tmp_path / name, (48, 64), 5)
    writer.write(pictures(1)[0])

    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(writer._sink, 'write', full)
    with pytest.raises(OSError, match=f'No space left .* writing {tmp_path}/{name}'):
        writer.close()
    assert list(tmp_path.iterdir()) == []
