import pickle
import shutil

import cv2
import numpy as np
import pytest

from densecorr.datasets import VIPDataset
from densecorr.datasets import vip as module
from densecorr.datasets.toy.layouts.write import write_layout
from densecorr.datasets.vip import read_video_names
from densecorr.registry import DATASETS
from densecorr.utils.data_info import load_data_info
from tests.trees import moving_blobs, write_image, write_vip_tree

from .hand_clip import HandClip


@pytest.fixture
def root(tmp_path):
    return write_vip_tree(tmp_path / 'VIP_Fine')


def png(root, name, number, folder='Annotations/Category_ids'):
    return root / folder / name / f'{number:012d}.png'


@pytest.fixture
def said(monkeypatch):
    texts = []
    monkeypatch.setattr(module, 'print_log', lambda text, **kw: texts.append(text))
    return texts


def test_item_holds_the_files_of_the_tree(root):
    data = DATASETS.build(dict(type='VIPDataset', root=root))
    assert len(data) == 2 and data.weights() == [5, 3]
    video, (frames, label_maps) = data[0], moving_blobs(5, (2, 13), seed=0)
    assert (video.name, video.num_frames, video.size) == ('videos1', 5, (64, 96))
    assert video.frame_names[:2] == ('000000000001', '000000000002')
    assert (video.label_frames, video.first_label_frames) == (tuple(range(5)), (0,))
    for t in (4, 0):
        np.testing.assert_array_equal(video.read_labels(t).indices, label_maps[t])
        assert np.abs(video.read_frame(t).astype(int) - frames[t]).mean() < 6  # JPEG
    classes = data.metainfo['classes']
    assert len(classes) == 20 and (classes[0], classes[2]) == ('background', 'hair')
    again = pickle.loads(pickle.dumps(data))
    assert again[1].hash_inputs() == data[1].hash_inputs()


def test_generated_trees_are_read(tmp_path):
    clip = HandClip()
    write_layout('vip', [clip], tmp_path)
    video = VIPDataset(tmp_path)[0]
    assert video.name == 'videos1' and video.num_frames == clip.num_frames
    for t in range(clip.num_frames):
        np.testing.assert_array_equal(video.read_labels(t).indices, clip.parts(t))


def test_the_root_may_be_the_folder_above(root, tmp_path, monkeypatch):
    assert VIPDataset(tmp_path).root == root
    monkeypatch.setenv('DENSECORR_DATA', str(tmp_path / 'data'))
    shutil.copytree(root, tmp_path / 'data/VIP/VIP_Fine')
    assert VIPDataset().root == tmp_path / 'data/VIP/VIP_Fine'


def test_the_folder_of_annotations_is_named(tmp_path, said):
    plain = write_vip_tree(tmp_path / 'plain', annotations='Annotations')
    data = VIPDataset(plain)
    assert data.metainfo['annotations'] == 'Annotations'
    assert said[0] == f'VIP label maps: {plain / "Annotations"}'
    write_vip_tree(plain, ids=(4, 7))
    data = VIPDataset(plain)  # both are there
    assert data.metainfo['annotations'] == 'Annotations/Category_ids'
    assert set(np.unique(data[0].read_labels(1).indices)) == {0, 4, 7}
    chosen = VIPDataset(plain, annotations='Annotations')
    assert set(np.unique(chosen[0].read_labels(1).indices)) == {0, 2, 13}
    with pytest.raises(FileNotFoundError, match=r"\['videos1', .* in \['Humans'\]"):
        VIPDataset(plain, annotations='Humans')


def test_without_a_list_all_folders_count(tmp_path, said):
    root = write_vip_tree(tmp_path, lists=False)
    assert [video.name for video in VIPDataset(root).videos] == ['videos1', 'videos2']
    assert 'took all 2 folders of' in said[0]
    with pytest.raises(ValueError, match=r"split 'mine' of VIP has no list .*mine_vid"):
        VIPDataset(root, split='mine')
    write_vip_tree(tmp_path, split='train')
    with pytest.raises(ValueError, match=r"there: \['train_videos.txt'\]"):
        VIPDataset(root)


def test_what_is_lacking_is_noted(root):
    names = ''.join(f'videos{n}\n' for n in range(1, 51))
    (root / 'lists/val_videos.txt').write_text(names)
    info = VIPDataset(root).metainfo
    assert info['note'] == '2 of 50 sequences: not VIP val'
    assert (info['expected_sequences'], info['found'], info['complete']) == (
        50,
        2,
        False,
    )
    png(root, 'videos1', 4).unlink()
    assert '7 of 8 annotations' in VIPDataset(root).metainfo['note']
    assert 'first 2 frames' in VIPDataset(root, max_frames=2).metainfo['note']
    (root / 'lists/own_videos.txt').write_text('videos2\n')
    assert VIPDataset(root, split='own').metainfo['complete']


def test_sequences_and_frames_are_chosen(root):
    data = VIPDataset(root, sequences='videos2', max_frames=2)
    assert [video.name for video in data.videos] == ['videos2']
    assert data[0].label_frames == (0, 1) and data.weights() == [2]
    with pytest.raises(ValueError, match=r"'video2' is not in VIP val .*videos2"):
        VIPDataset(root, sequences=['video2'])


def test_one_frame_is_a_video(tmp_path):
    video = VIPDataset(write_vip_tree(tmp_path, {'videos9': 1}))[0]
    assert video.num_frames == 1 and video.label_frames == (0,)


def test_void_is_for_the_metric_only(root):
    label_map = np.zeros((64, 96), np.uint8)
    label_map[:8], label_map[8:16] = 19, 255
    for number in (1, 2):
        write_image(png(root, 'videos1', number), label_map)
    video = VIPDataset(root)[0]
    assert set(np.unique(video.read_labels(0).indices)) == {0, 19}
    assert set(np.unique(video.read_labels(1).indices)) == {0, 19, 255}


@pytest.mark.parametrize(
    ('line', 'problem'),
    [
        ('videos2 videos3', r'line 3: 2 fields, one video name'),
        ('Images/videos2', r"line 3: .*this is a path. Line: 'Images/videos2'"),
        ('..', r'line 3: .*this is a path'),
        ('000000000001.jpg', r'line 3: .*this is an image'),
    ],
)
def test_a_wrong_line_is_named_by_file_and_number(root, line, problem):
    path = root / 'lists/val_videos.txt'
    path.write_text(f'videos1\n\n{line}\n')
    with pytest.raises(ValueError, match=rf'val_videos\.txt, {problem}'):
        VIPDataset(root)


def test_lists_of_other_systems_are_read(root):
    path = root / 'lists/val_videos.txt'
    path.write_bytes('\ufeffvideos2/\r\nvideos1\r\nvideos2\r\n'.encode())
    assert read_video_names(path) == ['videos2', 'videos1']
    path.write_text('')
    with pytest.raises(ValueError, match=r'val_videos\.txt is empty'):
        VIPDataset(root)


def test_labels_that_are_no_class_are_named(root):
    label_map = np.full((64, 96), 2, np.uint8)
    label_map[0, :3] = 20, 21, 255
    write_image(png(root, 'videos1', 3), label_map)
    video = VIPDataset(root)[0]
    with pytest.raises(ValueError, match=r'000003\.png has labels \[20, 21\]; .* 19'):
        video.read_labels(2)
    deep = np.full((64, 96), 300, np.uint16)
    cv2.imwrite(str(png(root, 'videos1', 2)), deep)
    with pytest.raises(ValueError, match=r'000002\.png .* labels up to 300; .* 255'):
        video.read_labels(1)


def test_damaged_trees_are_named(root):
    small = np.full((32, 96), 2, np.uint8)
    write_image(png(root, 'videos1', 2), small)
    with pytest.raises(ValueError, match=r'000002\.png is 32x96, its frame .* 64x96'):
        VIPDataset(root)[0].read_labels(1)
    write_image(png(root, 'videos1', 1), np.full((64, 96), 255, np.uint8))
    with pytest.raises(ValueError, match=r"first label map of video 'videos1'.*no par"):
        VIPDataset(root)[0]
    shutil.copy(png(root, 'videos1', 3), png(root, 'videos1', 77))
    with pytest.raises(ValueError, match=r'1 label files without a frame .*000077\.p'):
        VIPDataset(root)
    png(root, 'videos1', 77).unlink()
    shutil.rmtree(png(root, 'videos2', 1).parent)
    with pytest.raises(FileNotFoundError, match=r"'videos2' has frames but no usable"):
        VIPDataset(root, sequences=['videos2', 'videos1'])


def test_a_cut_before_the_first_labels_is_named(root):
    for number in (1, 2):
        png(root, 'videos1', number).unlink()
    assert VIPDataset(root)[0].first_label_frames == (2,)
    with pytest.raises(ValueError, match=r"'videos1' has no label map in its first 2 "):
        VIPDataset(root, max_frames=2)


def test_options_and_roots_are_checked(root, tmp_path):
    with pytest.raises(ValueError, match=r"reader of VIPDataset .*, not 'scipy'"):
        VIPDataset(root, reader='scipy')
    with pytest.raises(ValueError, match=r'max_frames should be at least 1, not 0'):
        VIPDataset(root, max_frames=0)
    with pytest.raises(FileNotFoundError, match=r'(?s)no folder Images.*Expected tree'):
        VIPDataset(root / 'lists')
    (root / 'lists/val_videos.txt').write_text('other\n')
    with pytest.raises(FileNotFoundError, match=r"none of the 1 videos .*\['other'\]"):
        VIPDataset(root)


def test_facts():
    info = load_data_info('vip')
    assert len(info.classes) == 20 and info.classes[19] == 'left-shoe'
    assert info.expected('val').sequences == 50
