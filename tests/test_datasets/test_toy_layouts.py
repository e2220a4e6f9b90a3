"""Every layout, written from a clip made by hand and read by independent readers."""

import json
import math

import cv2
import numpy as np
import pytest
from PIL import Image
from scipy.io import loadmat

from densecorr.datasets import DAVISDataset
from densecorr.datasets.toy.layouts.base import VOID, KeptClip, Scene
from densecorr.datasets.toy.layouts.davis import decode_flow, encode_flow
from densecorr.datasets.toy.layouts.jhmdb import joint_arrays
from densecorr.datasets.toy.layouts.videos import FPS, inner_points
from densecorr.datasets.toy.layouts.vip import part_instances
from densecorr.datasets.toy.layouts.voc import borders
from densecorr.datasets.toy.layouts.write import LAYOUTS, scenes_of, write_layout
from densecorr.utils.mat_files import encode_mat
from densecorr.utils.video_file import VideoFile

from .hand_clip import FRAMES, HEIGHT, LATE, WIDTH, HandClip, Item, files_of, indices


@pytest.fixture
def clip():
    return HandClip()


# ------------------------------------------------------------------------------ DAVIS
def test_davis_is_read_by_its_dataset_class(tmp_path, clip):
    write_layout('davis', [clip, HandClip('for_training')], tmp_path, train=1)
    (sample,) = DAVISDataset(tmp_path)
    assert (sample.name, sample.num_frames, sample.size) == ('hand', FRAMES, clip.size)
    assert sample.label_frames == tuple(range(FRAMES))
    for t in range(FRAMES):
        assert np.array_equal(sample.read_labels(t).indices, clip.label_map(t))
        error = np.abs(sample.read_frame(t).astype(int) - clip.frame(t))
        assert error.mean() < 6
    (trained,) = DAVISDataset(tmp_path, split='train')
    assert trained.name == 'for_training'
    image = Image.open(tmp_path / 'Annotations/480p/hand/00000.png')
    assert image.mode == 'P' and image.getpalette()[3:6] == [128, 0, 0]
    listed = json.loads((tmp_path / 'ImageSets/davis2017_val_list.json').read_text())
    assert listed == {'hand': [f'{t:05d}.jpg' for t in range(FRAMES)]}


def test_late_objects_are_void_in_the_unsupervised_task(tmp_path, clip):
    write_layout('davis_unsupervised', [clip], tmp_path)
    (sample,) = DAVISDataset(tmp_path, task='unsupervised')
    for t in range(FRAMES):
        labels, truth = sample.read_labels(t).indices, clip.label_map(t)
        assert np.array_equal(labels == VOID, truth == 3)
        assert np.array_equal(labels[truth != 3], truth[truth != 3])
    assert (sample.read_labels(LATE).indices == VOID).sum() == 80


def test_davis_2016_has_one_object_and_lists_of_pairs(tmp_path):
    clip = HandClip('whole', late=False)
    write_layout('davis2016', [HandClip(), clip], tmp_path)  # leaves out the late one
    (sample,) = DAVISDataset(tmp_path, year=2016)
    assert sample.name == 'whole'
    image = Image.open(tmp_path / 'Annotations/480p/whole/00003.png')
    assert image.mode == 'L' and set(np.unique(image)) == {0, 255}
    expected = (clip.label_map(3) > 0).astype(np.uint8)
    assert np.array_equal(sample.read_labels(3).indices, expected)
    lines = (tmp_path / 'ImageSets/480p/val.txt').read_text().splitlines()
    pair = '/JPEGImages/480p/whole/00000.jpg /Annotations/480p/whole/00000.png'
    assert lines[0] == pair and len(lines) == FRAMES


def test_flow_keeps_a_64th_of_a_pixel():
    rng = np.random.default_rng(0)
    flow = rng.integers(-511 * 256, 511 * 256, (30, 40, 2), dtype=np.int32)
    valid = rng.random((30, 40)) < 0.5
    data = np.frombuffer(encode_flow(flow, valid), np.uint8)
    bgr = cv2.imdecode(data, cv2.IMREAD_UNCHANGED)
    assert bgr.dtype == np.uint16 and set(np.unique(bgr[..., 0])) == {0, 1}
    read, kept = decode_flow(bgr[..., ::-1])
    assert np.array_equal(kept, valid)
    assert np.abs(read - flow / 256).max() <= 1 / 128


def test_flow_that_does_not_fit_is_not_valid():
    flow = np.array([[[512 * 256, 0], [-512 * 256, 1], [3, -3], [2, -2]]], np.int32)
    data = np.frombuffer(encode_flow(flow, np.ones((1, 4), bool)), np.uint8)
    u, v, valid = cv2.imdecode(data, cv2.IMREAD_UNCHANGED)[..., ::-1].transpose(2, 0, 1)
    assert valid.tolist() == [[0, 1, 1, 1]]
    assert u.tolist() == [[65535, 0, 32769, 32769]]  # 3/256 and 2/256 become 1/64
    assert v.tolist() == [[32768, 32768, 32767, 32768]]  # halves go up


def test_davis_has_the_flow_to_each_next_frame(tmp_path, clip):
    write_layout('davis', [clip], tmp_path)
    files = sorted((tmp_path / 'Flow/480p/hand').iterdir())
    assert [p.name for p in files] == [f'{t:05d}.png' for t in range(FRAMES - 1)]
    bgr = cv2.imread(str(files[4]), cv2.IMREAD_UNCHANGED)
    flow, valid = decode_flow(bgr[..., ::-1])
    moves = clip.label_map(4) == 1
    assert np.unique(flow[moves], axis=0).tolist() == [[1, -1 / 64]]
    assert not flow[~moves].any() and np.array_equal(valid, clip.flow(4)[1])


# ------------------------------------------------------------------------ YouTube-VOS
def test_ytvos_valid_has_first_labels_of_new_objects_only(tmp_path, clip):
    write_layout('ytvos', [clip], tmp_path)
    base = tmp_path / 'valid'
    assert [p.name for p in sorted((base / 'JPEGImages/hand').iterdir())] == [
        f'{t:05d}.jpg' for t in range(FRAMES)
    ]
    # object 3 appears in frame 6; frame 10 is the first annotated one that shows it
    annotations = sorted((base / 'Annotations/hand').iterdir())
    assert [p.name for p in annotations] == ['00000.png', '00010.png']
    assert np.array_equal(indices(annotations[0]), clip.label_map(0))
    assert np.array_equal(np.unique(indices(annotations[1])), [0, 3])
    truth = tmp_path / 'valid_truth/Annotations/hand/00010.png'
    assert np.array_equal(indices(truth), clip.label_map(10))
    meta = json.loads((base / 'meta.json').read_text())
    assert meta['videos']['hand']['objects'] == {
        '1': dict(category='paper man', frames=['00000', '00005', '00010']),
        '2': dict(category='kite', frames=['00000', '00005', '00010']),
        '3': dict(category='kite', frames=['00010']),
    }


def test_ytvos_train_has_every_fifth_frame_annotated(tmp_path, clip):
    write_layout('ytvos', [HandClip('other'), clip], tmp_path, train=1)
    base = tmp_path / 'train'
    annotations = sorted((base / 'Annotations/hand').iterdir())
    assert [p.stem for p in annotations] == ['00000', '00005', '00010']
    for path in annotations:
        assert np.array_equal(indices(path), clip.label_map(int(path.stem)))
    meta = json.loads((base / 'meta.json').read_text())
    assert list(meta['videos']) == ['hand']
    assert meta['videos']['hand']['objects']['3']['frames'] == ['00010']
    listed = json.loads((base / 'youtube2018_train.json').read_text())
    assert listed == {'hand': ['00000.jpg', '00005.jpg', '00010.jpg']}
    assert not (base / 'Annotations/other').exists()


# ------------------------------------------------------------------------------ JHMDB
def test_jhmdb_tree(tmp_path, clip):
    clips = [HandClip('no_puppet', puppet=False), clip, HandClip('second')]
    write_layout('jhmdb', clips, tmp_path, train=1)
    names = [f'Rename_Images/paper_man/hand/{t:05d}.png' for t in (1, FRAMES)]
    assert set(names) < set(files_of(tmp_path))
    assert np.array_equal(indices(tmp_path / names[1]), clip.frame(FRAMES - 1))
    split = tmp_path / 'splits/paper_man_test_split1.txt'
    assert split.read_text() == 'hand.avi 2\nsecond.avi 1\n'
    assert (tmp_path / 'val_list.txt').read_text() == (
        'JHMDB/joint_positions/paper_man/hand/joint_positions.mat '
        'JHMDB/Rename_Images/paper_man/hand\n'
    )
    assert not any('no_puppet' in name for name in files_of(tmp_path))
    mask = loadmat(tmp_path / 'puppet_mask/paper_man/hand/puppet_mask.mat')['part_mask']
    assert mask.shape == (HEIGHT, WIDTH, FRAMES) and mask.dtype == np.uint8
    assert np.array_equal(mask[..., 7], clip.label_map(7) == 1)


def test_jhmdb_joints_count_from_one(tmp_path, clip):
    write_layout('jhmdb', [clip], tmp_path)
    path = tmp_path / 'joint_positions/paper_man/hand/joint_positions.mat'
    mat = loadmat(path)
    image, world, scale = mat['pos_img'], mat['pos_world'], mat['scale']
    assert image.shape == world.shape == (2, 15, FRAMES) and scale.shape == (1, FRAMES)
    assert image[:, 2, 3].tolist() == [4 + 3 + 0.5 + 1, 5 + 0.5 + 1]
    assert image[:, 14, 3].tolist() == [0, 1]  # outside the frame, still given
    assert mat['visibility'][:, 3].tolist() == [2] * 14 + [0]
    assert mat['viewpoint'].item() == 'S'
    extent = (7.5 + 1, 5 + 13 / 4)  # x from -1 to 7.5, y from 0 to 8.25
    assert scale[0, 3] == pytest.approx(math.hypot(*extent) / HEIGHT, abs=1e-12)
    expected = (8.5 / WIDTH - 0.5) * WIDTH / HEIGHT / scale[0, 3]
    assert world[0, 2, 3] == pytest.approx(expected, abs=1e-12)
    assert world[1, 2, 3] == pytest.approx((6.5 / HEIGHT - 0.5) / scale[0, 3])


def test_equal_joints_give_equal_bytes_without_time_or_machine(clip):
    first, second = (encode_mat(joint_arrays(clip, 1)) for _ in range(2))
    assert first == second
    assert first[:116].rstrip() == b'MATLAB 5.0 MAT-file, written by densecorr'


def test_two_puppets_of_a_clip_become_two_clips(tmp_path, clip, monkeypatch):
    puppets = (Item(1, 'man', 15, True, 0), Item(2, 'dog', 12, True, 0))
    monkeypatch.setattr(HandClip, 'objects', property(lambda self: puppets))
    joints = dict.fromkeys((1, 2), np.arange(45, dtype=np.int32).reshape(15, 3))
    monkeypatch.setattr(HandClip, 'joints', lambda self, t: joints)
    write_layout('jhmdb', [clip], tmp_path)
    folders = sorted(
        p.relative_to(tmp_path) for p in tmp_path.glob('Rename_Images/*/*')
    )
    assert [str(folder) for folder in folders] == [
        'Rename_Images/dog/hand_2',
        'Rename_Images/man/hand_1',
    ]


# -------------------------------------------------------------------------------- VIP
def test_vip_tree(tmp_path, clip):
    clips = [HandClip('no_puppet', puppet=False), clip, HandClip('second')]
    write_layout('vip', clips, tmp_path, train=1)
    base = tmp_path / 'VIP_Fine'
    assert (base / 'lists/val_videos.txt').read_text() == 'videos2\n'
    assert (base / 'lists/train_videos.txt').read_text() == 'videos3\n'
    assert len(list((base / 'Images/videos2').iterdir())) == FRAMES
    assert (base / 'Images/videos2/000000000001.jpg').is_file()
    for t in (0, 5):
        stem = f'videos2/{t + 1:012d}'
        path = base / f'Annotations/Category_ids/{stem}.png'
        assert Image.open(path).mode == 'L'
        assert np.array_equal(indices(path), clip.parts(t))
        human = indices(base / f'Annotations/Human_ids/{stem}.png')
        assert np.array_equal(human, clip.label_map(t) == 1)
        rows = (base / f'Annotations/Instance_ids/{stem}.txt').read_text()
        assert rows == '1 1 1\n2 2 1\n'


def test_vip_regions_are_pairs_of_object_and_part(clip, monkeypatch):
    monkeypatch.setattr(clip, 'parts', lambda t: np.minimum(clip.label_map(t), 1) * 3)
    regions, rows = part_instances(clip, 0)
    assert rows == [(1, 3, 1), (2, 3, 2)]
    assert np.array_equal(regions, clip.label_map(0))


def test_vip_has_no_part_20(tmp_path, clip, monkeypatch):
    monkeypatch.setattr(clip, 'parts', lambda t: np.full(clip.size, 20, np.uint8))
    with pytest.raises(ValueError, match=r"frame 0 of clip 'hand' has part 20, but"):
        write_layout('vip', [clip], tmp_path)


# -------------------------------------------------------------------------------- VOC
def test_voc_tree(tmp_path, clip):
    write_layout('voc', [clip, HandClip('second')], tmp_path, train=1)
    sets = tmp_path / 'ImageSets/Segmentation'
    val = [f'hand_{t:06d}' for t in (0, 5, 10)]
    train = [f'second_{t:06d}' for t in (0, 5, 10)]
    read = {p.stem: p.read_text().split() for p in sets.iterdir()}
    assert read == dict(train=train, val=val, trainval=train + val, trainaug=train)
    for t, name in zip((0, 5, 10), val, strict=True):
        assert Image.open(tmp_path / f'JPEGImages/{name}.jpg').size == (WIDTH, HEIGHT)
        classes = indices(tmp_path / f'SegmentationClass/{name}.png')
        objects = indices(tmp_path / f'SegmentationObject/{name}.png')
        kept = classes != VOID
        assert np.array_equal(kept, objects != VOID)
        assert np.array_equal(classes[kept], clip.category_map(t)[kept])
        assert np.array_equal(objects[kept], clip.label_map(t)[kept])
        aug = indices(tmp_path / f'SegmentationClassAug/{name}.png')
        assert np.array_equal(aug, clip.category_map(t))
    assert Image.open(tmp_path / f'SegmentationClass/{name}.png').mode == 'P'


def test_void_of_voc_is_two_pixels_on_each_side():
    labels = np.zeros((9, 12), np.uint8)
    labels[:, 6:] = 1
    assert np.flatnonzero(borders(labels)[4]).tolist() == [4, 5, 6, 7]
    assert not borders(np.ones((9, 12), np.uint8)).any()  # the frame's edge is none


# ------------------------------------------------------------------------------ video
def test_video_files(tmp_path, clip):
    write_layout('video', [clip], tmp_path)
    assert files_of(tmp_path) == ['hand.mp4', 'hand_first.png', 'hand_points.csv']
    video = VideoFile(tmp_path / 'hand.mp4')
    assert (video.num_frames, video.size, video.fps) == (FRAMES, clip.size, FPS)
    error = np.abs(video.read(7).astype(int) - clip.frame(7))
    assert error.mean() < 12
    assert np.array_equal(indices(tmp_path / 'hand_first.png'), clip.label_map(0))
    lines = (tmp_path / 'hand_points.csv').read_text().splitlines()
    assert lines == ['frame,id,x,y', '0,1,8,9', '0,2,34,29', '6,3,3,31']


def test_a_stopped_video_has_no_name(tmp_path, clip, monkeypatch):
    frame = clip.frame

    def stop(t):
        if t == 5:
            raise KeyboardInterrupt
        return frame(t)

    monkeypatch.setattr(clip, 'frame', stop)
    with pytest.raises(KeyboardInterrupt):
        write_layout('video', [clip], tmp_path)
    assert files_of(tmp_path) == []


def test_points_lie_in_their_objects(clip):
    for frame, number, x, y in inner_points(clip):
        assert clip.label_map(frame)[y, x] == number


def test_points_wait_for_the_frame_that_shows_the_object(monkeypatch, clip):
    shown = clip.label_map
    monkeypatch.setattr(clip, 'label_map', lambda t: shown(t) * (t > 7))
    assert [row[:2] for row in inner_points(clip)] == [(8, 1), (8, 2), (8, 3)]


# ------------------------------------------------------------------------------- rules
@pytest.mark.parametrize('name', LAYOUTS)
def test_equal_clips_give_equal_bytes(tmp_path, name):
    clips = [HandClip('a', late=False), HandClip('b', late=False)]
    for root in ('one', 'two'):
        paths = write_layout(name, clips, tmp_path / root, train=1)
        assert sorted(p.relative_to(tmp_path / root).as_posix() for p in paths) == (
            files_of(tmp_path / root)
        )
    assert len(paths) > 2
    for path in paths:
        other = tmp_path / 'one' / path.relative_to(tmp_path / 'two')
        if path.suffix != '.mp4':  # x264 has its own ways with the edge of small frames
            assert path.read_bytes() == other.read_bytes()


def test_unknown_layout_and_clips_of_one_name(tmp_path, clip):
    with pytest.raises(ValueError, match=r"layout 'davs' is unknown\. Did you mean"):
        write_layout('davs', [clip], tmp_path)
    with pytest.raises(ValueError, match=r"clips \['hand'\] occur twice"):
        scenes_of([clip, HandClip()])
    with pytest.raises(ValueError, match=r"split of clip 'hand' should be .*'test'"):
        Scene(clip, 'test', 1)


def test_layout_that_no_clip_suits(tmp_path):
    with pytest.raises(ValueError, match='none of 1 clips can be written as jhmdb: it'):
        write_layout('jhmdb', [HandClip(puppet=False)], tmp_path)
    assert files_of(tmp_path) == []


def test_kept_clip_renders_once_within_its_budget(clip):
    kept = KeptClip(clip, budget=2 * HEIGHT * WIDTH * 3)
    for _ in range(2):
        for t in (0, 1, 2):
            assert np.array_equal(kept.frame(t), HandClip().frame(t))
    assert clip.rendered == [0, 1, 2, 2]  # the third does not fit
    kept.forget()
    kept.frame(0)
    assert clip.rendered == [0, 1, 2, 2, 0]
