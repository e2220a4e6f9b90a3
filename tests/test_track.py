import csv
import json
import subprocess
import sys

import av
import numpy as np
import pytest
import timm
import torch
from PIL import Image

from densecorr.apis import track, tracking
from densecorr.propagation.tracker import VideoTracker
from densecorr.utils.checkpoints import hash_tensors
from densecorr.utils.images import davis_palette, read_image
from tests.installed import CHECKOUT
from tests.track_clips import (
    QUARTER_TURN,
    jaccard,
    set_display_matrix,
    square_frames,
    write_clip,
    write_config,
    write_png,
)

FRAMES, LABELS = square_frames(8)
POINT = np.array([[0, 1, 9, 9]])
SAME = ('objects.csv', 'overlay.mp4', 'frames.csv', 'record.json', 'config.py')


@pytest.fixture
def small(tmp_path):
    """Keyword arguments of a model without weights."""
    model = write_config(tmp_path)
    return dict(model=model, checkpoint='random', device='cpu', threads=1)


def rows(path):
    with path.open(newline='') as handle:
        return list(csv.DictReader(handle))


def times_of(path):
    with av.open(str(path)) as file:
        return [frame.time for frame in file.decode(video=0)]


def test_label_map_through_a_video(tmp_path, small):
    clip = write_clip(tmp_path / 'mein clip é.mp4', FRAMES)
    png = write_png(tmp_path / 'first.png', LABELS[0])
    result = track(clip, tmp_path / 'out', labels=png, **small)
    assert (result.num_frames, result.ids) == (8, (3,))
    names = [path.name for path in result.label_maps]
    assert names == [f'{index:05d}.png' for index in range(8)]
    for index, truth in enumerate(LABELS):
        assert jaccard(result.label_map(index) == 3, truth == 3) > 0.95
        with Image.open(result.label_maps[index]) as image:
            assert image.mode == 'P'
            assert image.getpalette()[:12] == davis_palette()[:4].flatten().tolist()
    table = rows(result.table)
    assert list(table[0]) == [
        'frame',
        'time',
        'id',
        'area',
        'left',
        'top',
        'width',
        'height',
    ]
    assert len(table) == 8
    for index, row in enumerate(table):
        inside = result.label_map(index) == 3
        box = [int(row[name]) for name in ('left', 'top', 'width', 'height')]
        left, top, width, height = box
        assert int(row['area']) == inside.sum()
        assert inside[top : top + height, left : left + width].sum() == inside.sum()
        assert float(row['time']) == pytest.approx(index / 10, abs=1e-5)
    assert times_of(result.overlay) == pytest.approx(result.times, abs=1e-4)
    with av.open(str(result.overlay)) as file:
        drawn = next(file.decode(video=0)).to_ndarray(format='rgb24')
    first = result.label_map(0) == 3
    assert np.abs(drawn[first].astype(int) - FRAMES[0][first]).mean() > 20
    assert np.abs(drawn[~first].astype(int) - FRAMES[0][~first]).mean() < 12


def test_points_through_a_video(tmp_path, small):
    clip = write_clip(tmp_path / 'a.mp4', FRAMES)
    spots = [(np.flatnonzero(truth.any(0))[0] + 5.5, 21.5) for truth in LABELS]
    text = f'frame,id,x,y\n0,4,{spots[0][0]},21.5\n2,1,10.5,40\n'
    (tmp_path / 'p.csv').write_text(text)
    result = track(clip, tmp_path / 'out', points=tmp_path / 'p.csv', **small)
    assert (result.ids, result.label_maps) == ((1, 4), ())
    table = rows(result.table)
    assert list(table[0]) == ['frame', 'time', 'id', 'x', 'y', 'confidence']
    assert [(row['frame'], row['id']) for row in table[:5]] == [
        ('0', '4'),
        ('1', '4'),
        ('2', '1'),
        ('2', '4'),
        ('3', '1'),
    ]
    points = result.points()
    assert points.shape == (8, 2, 3)
    assert np.isnan(points[:2, 0]).all() and not np.isnan(points[2:, 0]).any()
    assert points[0, 1].tolist() == [*spots[0], 1]
    assert points[2, 0].tolist() == [10.5, 40, 1]
    assert np.abs(points[:, 1, :2] - spots).max() < 1
    assert points[:, 1, 2].min() > 0.9
    assert not (tmp_path / 'out' / 'predictions').exists()


def test_arrays_do_what_files_do(tmp_path, small):
    clip = write_clip(tmp_path / 'a.mp4', FRAMES)
    write_png(tmp_path / 'first.png', LABELS[0])
    (tmp_path / 'p.csv').write_text('id, y,frame,x, note\n4,17.5,1,20,"a, b"\n')
    one = track(clip, tmp_path / '1', labels=tmp_path / 'first.png', **small)
    two = track(clip, tmp_path / '2', labels=LABELS[0].astype(int), **small)
    three = track(clip, tmp_path / '3', points=tmp_path / 'p.csv', **small)
    four = track(clip, tmp_path / '4', points=np.array([[1, 4, 20, 17.5]]), **small)
    for a, b in ((one, two), (three, four)):
        assert a.table.read_bytes() == b.table.read_bytes()
        assert a.overlay.read_bytes() == b.overlay.read_bytes()


def test_equal_runs_give_equal_bytes(tmp_path, small):
    clip = write_clip(tmp_path / 'a.mp4', FRAMES)
    for name in '12':
        track(clip, tmp_path / name, labels=LABELS[0], **small)
    for name in (*SAME, 'predictions/00005.png'):
        one, two = (tmp_path / run / name for run in '12')
        assert one.read_bytes() == two.read_bytes(), name


def test_folder_and_gif_and_one_frame(tmp_path, small):
    folder = tmp_path / 'frames'
    folder.mkdir()
    names = ['img 2.PNG', 'img 10.png', 'img 9.png', 'img 11.PNG']
    order = ['img 2', 'img 9', 'img 10', 'img 11']
    for name in names:
        index = order.index(name.rpartition('.')[0])
        Image.fromarray(FRAMES[index]).save(folder / name, format='PNG')
    (folder / 'notes.txt').write_text('not a frame')
    result = track(folder, tmp_path / '1', labels=LABELS[0], fps=5, **small)
    assert [row['name'] for row in rows(tmp_path / '1' / 'frames.csv')] == order
    assert result.times == (0, 0.2, 0.4, 0.6)
    for index in range(4):
        assert jaccard(result.label_map(index) == 3, LABELS[index] == 3) > 0.95

    gif = write_clip(tmp_path / 'a.gif', FRAMES[:4])
    other = track(gif, tmp_path / '2', labels=LABELS[0], overlay='gif', **small)
    assert other.times == pytest.approx((0, 0.1, 0.2, 0.3))
    for index in range(4):
        assert jaccard(other.label_map(index) == 3, LABELS[index] == 3) > 0.95
    assert other.overlay.suffix == '.gif' and len(times_of(other.overlay)) == 4

    single = write_clip(tmp_path / 'single.mp4', FRAMES[:1])
    last = track(single, tmp_path / '3', labels=LABELS[0], overlay='none', **small)
    assert (last.num_frames, last.overlay) == (1, None)
    np.testing.assert_array_equal(last.label_map(0), LABELS[0])


def test_variable_frame_rate_keeps_its_times(tmp_path, small):
    times = [0, 0.04, 0.5, 0.54, 1.7, 1.9, 2.0, 2.04]
    clip = write_clip(tmp_path / 'a.mp4', FRAMES, times)
    result = track(clip, tmp_path / 'out', points=np.array([[0, 1, 9, 9]]), **small)
    assert result.times == pytest.approx(times, abs=1e-4)
    assert times_of(result.overlay) == pytest.approx(times, abs=1e-4)
    table = [float(row['time']) for row in rows(result.table)]
    assert table == pytest.approx(times, abs=1e-4)


def test_rotated_phone_video_is_upright(tmp_path, small):
    clip = write_clip(tmp_path / 'a.mp4', FRAMES)
    set_display_matrix(clip, QUARTER_TURN)
    upright = np.rot90(LABELS[0], -1).copy()
    result = track(clip, tmp_path / 'out', labels=upright, **small)
    for index, truth in enumerate(LABELS):
        assert jaccard(result.label_map(index) == 3, np.rot90(truth, -1) == 3) > 0.95
    with pytest.raises(
        ValueError, match=r'48x64, the frames of .* 64x48 .*turned upright as the file'
    ):
        track(clip, tmp_path / 'b', labels=LABELS[0], **small)


def test_label_map_of_a_later_frame(tmp_path, small):
    clip = write_clip(tmp_path / 'a.mp4', FRAMES)
    result = track(clip, tmp_path / 'out', labels=LABELS[3], frame=3, **small)
    assert not result.label_map(2).any()
    for index in range(3, 8):
        assert jaccard(result.label_map(index) == 3, LABELS[index] == 3) > 0.95


def test_finished_result_is_kept_and_another_run_refused(tmp_path, small):
    clip = write_clip(tmp_path / 'a.mp4', FRAMES)
    out = tmp_path / 'out'
    first = track(clip, out, labels=LABELS[0], **small)
    written = (out / 'run.json').stat().st_mtime_ns
    again = track(clip, out, labels=LABELS[0], **small)
    assert again == first
    assert (out / 'run.json').stat().st_mtime_ns == written
    first.label_maps[4].unlink()  # not finished any more
    track(clip, out, labels=LABELS[0], **small)
    assert (out / 'run.json').stat().st_mtime_ns != written
    with pytest.raises(
        ValueError, match=r'another run: max_frames|another run: inputs'
    ):
        track(clip, out, labels=LABELS[0], max_frames=5, **small)
    shorter = track(clip, out, labels=LABELS[0], max_frames=5, overwrite=True, **small)
    assert len(list((out / 'predictions').iterdir())) == shorter.num_frames == 5


def stop_at(monkeypatch, frame, error):
    """Let the features of a frame raise."""
    features = VideoTracker.frame_features

    def stopping(self, video, frames):
        if frame in frames:
            raise error
        return features(self, video, frames)

    monkeypatch.setattr(VideoTracker, 'frame_features', stopping)


@pytest.mark.parametrize('kind', ['labels', 'points'])
def test_ctrl_c_keeps_what_is_done(tmp_path, small, monkeypatch, kind):
    clip, out = write_clip(tmp_path / 'a.mp4', FRAMES), tmp_path / 'out'
    given = dict(labels=LABELS[0], points=np.array([[0, 2, 9, 9]]))
    lines: list[str] = []
    with monkeypatch.context() as patch:
        patch.setattr(tracking, 'print_log', lambda text, *_: lines.append(text))
        stop_at(patch, 5, KeyboardInterrupt())
        with pytest.raises(KeyboardInterrupt):
            track(clip, out, **{kind: given[kind]}, **small)
    assert 'stopped after 5 of 8 frames' in lines[-1] and 'starts anew' in lines[-1]
    assert len(times_of(out / 'overlay.mp4')) == 5
    table = 'objects.csv' if kind == 'labels' else 'tracks.csv'
    assert [row['frame'] for row in rows(out / table)] == list('01234')
    record = json.loads((out / 'record.json').read_text())
    assert (record['complete'], record['frames_done']) == (False, 5)
    if kind == 'labels':
        assert len(list((out / 'predictions').iterdir())) == 5
    left = sorted(path.name for path in out.iterdir())
    assert not [name for name in left if name.startswith('.')]
    # the same command starts anew, without being asked to overwrite
    result = track(clip, out, **{kind: given[kind]}, **small)
    assert len(times_of(result.overlay)) == 8
    fresh = track(clip, tmp_path / 'fresh', **{kind: given[kind]}, **small)
    assert fresh.table.read_bytes() == result.table.read_bytes()


def test_overlay_does_not_read_a_frame_twice(tmp_path, small, monkeypatch):
    """A video that is read in order is decoded once, however it is drawn."""
    from densecorr.utils.video_file import VideoFile

    clip, read = write_clip(tmp_path / 'a.mp4', FRAMES), []
    original = VideoFile.read

    def counted(self, index):
        read.append(index)
        return original(self, index)

    monkeypatch.setattr(VideoFile, 'read', counted)
    track(clip, tmp_path / 'out', labels=LABELS[0], **small)
    assert read == list(range(8))


def test_timm_weights_from_the_net_or_from_a_file(tmp_path, monkeypatch):
    """Without a network the error names the remedy, and the remedy works."""
    clip, name = write_clip(tmp_path / 'a.mp4', FRAMES[:2]), 'vit_tiny_patch16_224'
    network = timm.create_model(name, num_classes=0)
    torch.save(network.state_dict(), tmp_path / 'weights.pth')
    options = dict(points=POINT, model=name, device='cpu', threads=1)
    create = timm.create_model

    def offline(name, pretrained=False, **kwargs):
        if pretrained:
            raise OSError('Name or service not known')
        return create(name, **kwargs)

    monkeypatch.setattr(timm, 'create_model', offline)
    with pytest.raises(
        FileNotFoundError,
        match=rf'timm:{name} could not be fetched .*Name or service not known.* '
        rf'--model {name} --checkpoint FILE',
    ):
        track(clip, tmp_path / 'out', **options)
    assert not (tmp_path / 'out').exists()
    file = tmp_path / 'weights.pth'
    result = track(clip, tmp_path / 'out', checkpoint=file, **options)
    record = json.loads((tmp_path / 'out' / 'record.json').read_text())
    state = {f'backbone.{k}': v for k, v in network.state_dict().items()}
    assert record['fingerprint']['weights'] == hash_tensors(state)
    assert np.isfinite(result.points()).all()


def test_grey_label_map_of_an_image_editor(tmp_path, small):
    """Painted in white: object 255."""
    clip = write_clip(tmp_path / 'a.mp4', FRAMES[:3])
    png = write_png(tmp_path / 'first.png', np.uint8(LABELS[0] > 0) * 255)
    result = track(clip, tmp_path / 'out', labels=png, **small)
    assert result.ids == (255,)
    assert jaccard(result.label_map(2) == 255, LABELS[2] > 0) > 0.95


def test_program(tmp_path):
    clip = write_clip(tmp_path / 'a.mp4', FRAMES[:3])
    png = write_png(tmp_path / 'first.png', LABELS[0])
    config = write_config(tmp_path)
    program = [sys.executable, str(CHECKOUT / 'tools/track.py'), str(clip)]
    options = ['--out', str(tmp_path / 'out'), '--model', str(config)]
    options += ['--checkpoint', 'random', '--device', 'cpu', '--threads', '1']
    done = subprocess.run(
        [*program, '--mask', str(png), *options],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env={'PYTHONPATH': str(CHECKOUT), 'PATH': ''},
    )
    assert done.returncode == 0, done.stderr
    assert '3 frames, 1 tracked' in done.stdout and 'overlay.mp4' in done.stdout
    assert 'random weights, as asked for' in done.stdout + done.stderr
    assert read_image(tmp_path / 'out/predictions/00002.png').shape == (48, 64, 3)


def test_import_is_light():
    code = (
        'import sys; import densecorr.apis as apis\n'
        "assert 'torch' not in sys.modules\n"
        'try:\n    apis.nothing\nexcept AttributeError as error:\n    print(error)\n'
        'from densecorr.apis import TrackResult, track\n'
        'print(callable(track), TrackResult.__name__)'
    )
    done = subprocess.run(
        [sys.executable, '-c', code], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "has no attribute 'nothing'\nTrue TrackResult" in done.stdout
