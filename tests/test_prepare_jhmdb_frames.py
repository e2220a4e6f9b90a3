"""``tools/prepare_data.py jhmdb-frames`` on generated clips."""

import av
import numpy as np
import pytest

from densecorr import cli
from densecorr.apis import prepare_jhmdb_frames
from densecorr.apis.check_data import check_data
from densecorr.apis.prepare_jhmdb_frames import extract_jhmdb_frames
from densecorr.utils.images import read_image
from densecorr.utils.mat_files import encode_mat
from densecorr.utils.video_file import VideoFile

SIZE = (32, 48)
LENGTHS = {'catch/a': 5, 'catch/b': 3, 'run/c': 4}


def write_avi(path, num_frames, seed=0):
    """Grey frames that become brighter, as XviD-like MPEG-4."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), 'w') as container:
        stream = container.add_stream('mpeg4', rate=25)
        stream.height, stream.width = SIZE
        stream.pix_fmt = 'yuv420p'
        for t in range(num_frames):
            image = np.full((*SIZE, 3), 40 + 20 * t + seed, np.uint8)
            frame = av.VideoFrame.from_ndarray(image, format='rgb24')
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


@pytest.fixture
def root(tmp_path):
    for number, (name, length) in enumerate(LENGTHS.items()):
        write_avi(tmp_path / 'ReCompress_Videos' / f'{name}.avi', length, number)
        path = tmp_path / 'joint_positions' / name / 'joint_positions.mat'
        path.parent.mkdir(parents=True)
        path.write_bytes(encode_mat(dict(pos_img=np.ones((2, 15, length)))))
    (tmp_path / 'splits').mkdir()
    for action in ('catch', 'run'):
        names = [name for name in LENGTHS if name.startswith(action)]
        lines = ''.join(f'{name.split("/")[1]}.avi 2\n' for name in names)
        (tmp_path / 'splits' / f'{action}_test_split1.txt').write_text(lines)
    return tmp_path


def frames(root, name):
    return sorted(p.name for p in (root / 'Rename_Images' / name).iterdir())


def numbered(length):
    return [f'{t + 1:05d}.png' for t in range(length)]


def stamps(root):
    return {p: p.stat().st_mtime_ns for p in root.rglob('*.png')}


def test_every_frame_of_every_clip_once(root):
    lines = list(extract_jhmdb_frames(root))
    assert lines == [
        'catch/a: 5 frames',
        'catch/b: 3 frames',
        'run/c: 4 frames',
        f'{root}/Rename_Images: 3 clips, 3 written, 0 failed',
    ]
    for name, length in LENGTHS.items():
        assert frames(root, name) == numbered(length)
        video = VideoFile(root / 'ReCompress_Videos' / f'{name}.avi')
        for t in (0, length - 1):
            image = read_image(root / 'Rename_Images' / name / f'{t + 1:05d}.png')
            np.testing.assert_array_equal(image, video.read(t))
    assert check_data('jhmdb', root).splits[0].problems == []
    before = stamps(root)
    assert len(list(extract_jhmdb_frames(root))) == 1
    assert stamps(root) == before


def test_half_extracted_clip_is_named_and_completed(root):
    list(extract_jhmdb_frames(root))
    folder = root / 'Rename_Images' / 'catch' / 'a'
    for name in ('00002.png', '00005.png'):
        (folder / name).unlink()
    before = stamps(root)
    split = check_data('jhmdb', root, splits=['split1/test']).splits[0]
    assert split.problems == [
        'catch/a: frames are missing: 00002. python tools/prepare_data.py '
        'jhmdb-frames --data ROOT',
        'catch/a: 3 frames for 5 annotated ones: half extracted. Complete it with '
        'python tools/prepare_data.py jhmdb-frames --data ROOT',
    ]
    lines = list(extract_jhmdb_frames(root))
    assert lines[0] == 'catch/a: half extracted, 3 of 5 frames: 2 added'
    assert frames(root, 'catch/a') == numbered(5)
    assert {path: stamps(root)[path] for path in before} == before


def test_stopped_run_shows_no_half_clip_and_goes_on(root, monkeypatch):
    read, calls = VideoFile.read, []

    def stop(self, index):
        calls.append(index)
        if len(calls) == 7:  # the second frame of the second clip
            raise KeyboardInterrupt
        return read(self, index)

    monkeypatch.setattr(VideoFile, 'read', stop)
    with pytest.raises(KeyboardInterrupt):
        list(extract_jhmdb_frames(root))
    assert frames(root, 'catch/a') == numbered(5)
    assert not (root / 'Rename_Images' / 'catch' / 'b').exists()
    monkeypatch.undo()
    assert 'run/c: 4 frames' in list(extract_jhmdb_frames(root))
    assert frames(root, 'catch') == ['a', 'b']


def test_truncated_frame_is_left_unless_told(root):
    list(extract_jhmdb_frames(root))
    path = root / 'Rename_Images' / 'run' / 'c' / '00002.png'
    whole = path.read_bytes()
    path.write_bytes(whole[:-20])
    lines = []
    with pytest.raises(OSError, match='1 of 3 clips are not complete, see above'):
        lines.extend(extract_jhmdb_frames(root))
    assert path.read_bytes() == whole[:-20]
    lines = list(extract_jhmdb_frames(root, overwrite=True))
    assert lines[0] == 'run/c: half extracted, 4 of 4 frames: 4 written again'
    assert path.read_bytes() == whole


def test_problems_of_one_clip_do_not_stop_the_others(root, capsys):
    (root / 'ReCompress_Videos/catch/a.avi').write_bytes(b'no video')
    folder = root / 'Rename_Images' / 'catch' / 'b'
    folder.mkdir(parents=True)
    (folder / '0001.png').write_bytes(prepare_jhmdb_frames._PNG_END)
    command = ['prepare_data', 'jhmdb-frames', '--data', str(root)]
    assert cli.main(command) == 1
    shown = capsys.readouterr()
    first, second, third, last = shown.out.splitlines()
    assert 'catch/a: ' in first and 'is not a video that can be decoded' in first
    assert "catch/b holds ['0001.png'], but the video has 3 frames 00001.png" in second
    assert third == 'run/c: 4 frames'
    assert last.endswith('3 clips, 1 written, 2 failed')
    assert 'OSError: 2 of 3 clips are not complete' in shown.err
    assert frames(root, 'catch/b') == ['0001.png']


def test_actions_and_roots(root):
    lines = list(extract_jhmdb_frames(root, actions=['run']))
    assert lines[0] == 'run/c: 4 frames' and len(lines) == 2
    with pytest.raises(ValueError, match=r"no action 'rum'. Did you mean 'run'"):
        list(extract_jhmdb_frames(root, actions=['rum']))
    above = root / 'above'
    above.mkdir()
    (above / 'JHMDB').symlink_to(root)
    assert len(list(extract_jhmdb_frames(above, actions=['run']))) == 1
    with pytest.raises(
        FileNotFoundError,
        match=r'(?s)no folder ReCompress_Videos.*<clip>.avi.*Found',
    ):
        list(extract_jhmdb_frames(root / 'splits'))
    (root / 'splits' / 'ReCompress_Videos').mkdir()
    with pytest.raises(FileNotFoundError, match=r'holds no <action>/<clip>.avi'):
        list(extract_jhmdb_frames(root / 'splits'))


def test_check_tells_of_videos_whose_frames_are_missing(root):
    split = check_data('jhmdb', root, splits=['split1/test']).splits[0]
    assert split.missing == ['catch/a', 'catch/b', 'run/c']
    assert '3 of the missing have a video: python tools/prepare_data' in split.notes[0]
