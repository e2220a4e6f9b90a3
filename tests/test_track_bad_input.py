import numpy as np
import pytest
from PIL import Image

from densecorr.apis import track
from densecorr.engine.look_ahead import VideoError
from tests.track_clips import square_frames, write_clip, write_config, write_png

FRAMES, LABELS = square_frames(4)
POINT = np.array([[0, 1, 9, 9]])


@pytest.fixture
def small(tmp_path):
    model = write_config(tmp_path)
    return dict(model=model, checkpoint='random', device='cpu', threads=1)


@pytest.fixture
def clip(tmp_path):
    return write_clip(tmp_path / 'clip.mp4', FRAMES)


def fails(text, tmp_path, *args, error=ValueError, **options):
    """The call raises ``error`` with ``text`` and leaves no results behind."""
    with pytest.raises(error, match=text):
        track(args[0], tmp_path / 'out', **options)
    out = tmp_path / 'out'
    assert not out.exists() or not list(out.glob('*.csv'))


def test_clips_that_cannot_be_decoded(tmp_path, clip, small):
    text = tmp_path / 'text.mp4'
    text.write_text('this is no video\n' * 40)
    fails(
        r'text\.mp4 is not a video that can be decoded .*ffmpeg -i',
        tmp_path,
        text,
        points=POINT,
        **small,
    )
    data = clip.read_bytes()
    cut = tmp_path / 'cut.mp4'  # a recording that was never finished: no index
    start = data.index(b'mdat') - 4
    cut.write_bytes(data[: data.index(b'moov') - 4] + data[start : start + 600])
    fails(r'cut\.mp4 .*not finished, or', tmp_path, cut, points=POINT, **small)
    (tmp_path / 'empty.mp4').touch()
    fails('not a video', tmp_path, tmp_path / 'empty.mp4', points=POINT, **small)
    fails(
        "no clip '.*none.mp4'",
        tmp_path,
        tmp_path / 'none.mp4',
        error=FileNotFoundError,
        points=POINT,
        **small,
    )
    (tmp_path / 'nothing').mkdir()
    fails('holds no frame', tmp_path, tmp_path / 'nothing', points=POINT, **small)


def test_label_maps_that_do_not_fit(tmp_path, clip, small):
    def refused(labels, text, **options):
        fails(text, tmp_path, clip, labels=labels, **options, **small)

    other = write_png(tmp_path / 'other.png', np.ones((24, 32), np.uint8))
    refused(other, r'other\.png is 24x32, the frames of .clip. are 48x64 \(H x W\)\. ')
    empty = write_png(tmp_path / 'empty.png', np.zeros((48, 64), np.uint8))
    refused(empty, r'empty\.png holds no object, .* a number from 1 to 255')
    Image.fromarray(FRAMES[0]).save(tmp_path / 'color.png')
    refused(tmp_path / 'color.png', r'color\.png has pixels of mode RGB')
    refused(LABELS[0].astype(int) * 100, r'Labels range over 0\.\.300')
    refused(LABELS[0].astype(float), 'array of integers, not float64')
    refused(LABELS[0], 'is for frame 4; the clip has frames 0 to 3', frame=4)
    with pytest.raises(FileNotFoundError, match=r'no image .*none\.png'):
        track(clip, tmp_path / 'out', labels=tmp_path / 'none.png', **small)


@pytest.mark.parametrize(
    ('content', 'text'),
    [
        ('', r"lacks the columns \['frame', 'id', 'x', 'y'\]; it is empty"),
        (
            'frame,id,x\n0,1,2\n',
            r"lacks the columns \['y'\]; its first line is 'fr",
        ),
        ('frame,id,x,y\n', 'holds no point, only its first line'),
        ('frame,id,x,y\n0,1,2,3\n\n0,2,left,3\n', r"line 4: x is 'left'; .* a number"),
        ('frame,id,x,y\n0.5,1,2,3\n', "line 2: frame is '0.5'; .* a whole number"),
        ('frame,id,x,y\n0,1,2\n', "line 2: y is ''; it should be a number"),
        ('frame,id,x,y\n0,1,2,3\n0,1,4,5\n', 'point 1 is given 2 times in frame 0'),
        ('frame,id,x,y\n0,1,2,nan\n', 'coordinates are finite'),
        ('frame,id,x,y\n0,8,64,3\n', r'point 8 in frame 0 is at .* outside .*48x64'),
        ('frame,id,x,y\n4,8,6,3\n', 'point 8 is given in frame 4; the clip has frames'),
    ],
)
def test_files_of_points_that_cannot_be_used(tmp_path, clip, small, content, text):
    path = tmp_path / 'p.csv'
    path.write_text(content)
    fails(text, tmp_path, clip, points=path, **small)


def test_other_points_that_cannot_be_used(tmp_path, clip, small):
    def refused(points, text, error=ValueError):
        fails(text, tmp_path, clip, points=points, error=error, **small)

    refused(tmp_path / 'no.csv', r'no file of points .*no\.csv', FileNotFoundError)
    binary = tmp_path / 'b.csv'
    binary.write_bytes(b'\xff\xfe\x00\x81' * 9)
    refused(binary, r'b\.csv is not a text file; points are CSV')
    refused(np.zeros((3, 2)), r'shape \(3, 2\); it should be \(o, 4\): frame, id')
    refused(np.array([[0.5, 1, 2, 3]]), 'frames or ids that are not whole numbers')
    refused(np.empty((0, 4)), 'the array of points: no point is given')


def test_points_with_a_byte_order_mark_and_spaces(tmp_path, clip, small):
    path = tmp_path / 'p.csv'
    path.write_bytes('﻿frame, id, x, y\r\n0, 1, 9.5, 9\r\n'.encode())
    result = track(clip, tmp_path / 'out', points=path, **small)
    assert result.points()[0].tolist() == [[9.5, 9, 1]]


def test_arguments_that_make_no_sense(tmp_path, clip, small):
    out = tmp_path / 'out'
    for options, text in [
        ({}, 'either labels .* or points, not none'),
        (dict(labels=LABELS[0], points=POINT), 'points, not both'),
        (dict(points=POINT, overlay='avi'), "overlay is 'avi'; .*'mp4', 'gif', 'none'"),
        (dict(points=POINT, fps=5), 'has times of its own. fps is for folders'),
        (dict(points=POINT, max_frames=0), 'max_frames is 0; give at least 1'),
    ]:
        with pytest.raises(ValueError, match=text):
            track(clip, out, **options, **small)
    with pytest.raises(KeyError, match="no protocol 'crv'"):
        track(clip, out, points=POINT, protocol='crv', **small)
    with pytest.raises(ValueError, match='fps is -1'):
        track(tmp_path, out, points=POINT, fps=-1, **small)


def test_frames_of_two_sizes_stop_the_run_and_keep_what_is_done(tmp_path, small):
    folder = tmp_path / 'frames'
    folder.mkdir()
    for index, frame in enumerate(FRAMES):
        shown = frame if index < 2 else frame[:40]
        Image.fromarray(shown).save(folder / f'{index}.png')
    with pytest.raises(VideoError, match=r"frame '2': .*2\.png is 40x64, the first"):
        track(folder, tmp_path / 'out', labels=LABELS[0], **small)
    table = (tmp_path / 'out' / 'objects.csv').read_text().splitlines()
    assert [line.split(',')[0] for line in table] == ['frame', '0', '1']


def test_folders_of_others_are_left_alone(tmp_path, clip, small):
    out = tmp_path / 'out'
    (out / 'predictions').mkdir(parents=True)
    (out / 'predictions' / 'mine.png').write_text('mine')
    with pytest.raises(ValueError, match=r'holds predictions but no record\.json'):
        track(clip, out, points=POINT, **small)
    assert (out / 'predictions' / 'mine.png').read_text() == 'mine'
    other = tmp_path / 'other'
    other.mkdir()
    (other / 'record.json').write_text('{"schema": 9}')
    with pytest.raises(ValueError, match='not a record of tracking: schema 9, not 1'):
        track(clip, other, points=POINT, **small)
    (other / 'keep.txt').write_text('mine')
    track(clip, other, points=POINT, overwrite=True, **small)
    assert (other / 'keep.txt').read_text() == 'mine'
    given = other / 'tracks.csv'  # the result of before, as an input of now
    with pytest.raises(ValueError, match=r'tracks\.csv lies where results are written'):
        track(clip, other, points=given, overwrite=True, **small)
    assert given.is_file()
    result = track(clip, tmp_path / 'third', points=given, max_frames=4, **small)
    assert result.ids == (1,)
    with pytest.raises(NotADirectoryError, match='is a regular file'):
        track(clip, other / 'keep.txt', points=POINT, **small)
