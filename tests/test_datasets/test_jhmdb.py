"""JHMDB: lists, joints, frames, and what is wrong with them."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
from scipy.io import savemat

from densecorr.datasets import JHMDBDataset
from densecorr.datasets import jhmdb as module
from densecorr.datasets.toy.layouts.write import write_layout
from densecorr.datasets.toy.sprites import JOINTS
from densecorr.registry import DATASETS
from densecorr.utils.jhmdb_files import (
    read_clip_list,
    read_joint_positions,
    read_split,
)

from .hand_clip import FRAMES, HandClip

FIRST = 'paper_man/hand'
MAT = f'joint_positions/{FIRST}/joint_positions.mat'


@pytest.fixture
def clip():
    return HandClip()


@pytest.fixture
def root(tmp_path, clip):
    """Two clips that are tested and one for training."""
    root = tmp_path / 'jhmdb'
    write_layout('jhmdb', [clip, HandClip('other'), HandClip('taught')], root, train=1)
    return root


def truth(clip, t):
    return clip.joints(t)[1][:, :2] / 256


def test_clips_frames_and_joints_are_those_that_were_written(root, clip):
    dataset = DATASETS.build(dict(type='JHMDBDataset', root=root))
    assert [sample.name for sample in dataset] == [FIRST, 'paper_man/other']
    assert dataset.weights() == [FRAMES, FRAMES]
    sample = dataset[0]
    assert sample.frame_names == tuple(f'{t + 1:05d}' for t in range(FRAMES))
    assert sample.size == clip.size
    assert sample.label_frames == tuple(range(FRAMES))
    assert sample.first_label_frames == (0,)
    for t in (0, FRAMES - 1):
        assert np.array_equal(sample.read_frame(t), clip.frame(t))
        joints = sample.read_joints(t)
        assert joints.dtype == np.float64 and joints.shape == (15, 2)
        assert np.abs(joints - truth(clip, t)).max() < 1e-9
    assert sample.read_joints(0)[14].tolist() == [-1, 0]  # outside the image
    with pytest.raises(KeyError, match=r'frame 0 of video .* has no labels'):
        sample.read_labels(0)
    with pytest.raises(KeyError, match=f'frame {FRAMES} of clip'):
        sample.read_joints(FRAMES)


def test_joints_cannot_be_changed_through_a_sample(root):
    sample = JHMDBDataset(root)[0]
    sample.read_joints(0)[:] = 7
    assert (sample.read_joints(0) != 7).any()


def test_the_root_may_be_the_folder_above(root, tmp_path):
    names = [video.name for video in JHMDBDataset(root).videos]
    for spelling in ('JHMDB', 'jhmdb'):
        outer = tmp_path / f'outer_{spelling}'
        shutil.copytree(root, outer / spelling)
        (outer / spelling / 'val_list.txt').rename(outer / 'val_list.txt')
        assert [v.name for v in JHMDBDataset(outer).videos] == names
        assert [v.name for v in JHMDBDataset(outer / spelling).videos] == names


def test_a_default_root_is_found(root, monkeypatch):
    monkeypatch.setenv('DENSECORR_DATA', str(root.parent))
    assert JHMDBDataset().root == root


def test_both_orders_of_columns_are_read(tmp_path):
    mat, frames = f'JHMDB/{MAT}', f'JHMDB/Rename_Images/{FIRST}'
    lines = [
        f'{mat} {frames}',
        f'{frames} {mat}',
        f'{frames}, {mat}',
        f'{frames},{mat}',
        f'/data/{frames}\t/data/{mat}',
    ]
    found = []
    for number, line in enumerate(lines):
        path = tmp_path / f'{number}.txt'
        path.write_text(f'\ufeff{line}\r\n\r\n', encoding='utf-8')
        (clip,) = read_clip_list(path)
        assert clip.name == FIRST
        found.append((clip.joints.removeprefix('/data/'), clip.frames[-14:]))
    assert set(found) == {(mat, FIRST)}


def test_a_list_of_other_paths_finds_the_clips_by_their_ends(root):
    (root / 'mine.txt').write_text(
        f'/somewhere/Rename_Images/{FIRST}, /somewhere/{MAT}\n'
    )
    (video,) = JHMDBDataset(root, list_file='mine.txt').videos
    assert video.name == FIRST and len(video.joints) == FRAMES


def test_without_a_list_the_splits_tell_and_training_is_the_other_mark(root):
    (root / 'val_list.txt').unlink()
    assert [v.name for v in JHMDBDataset(root).videos] == [FIRST, 'paper_man/other']
    (video,) = JHMDBDataset(root, split='train').videos
    assert video.name == 'paper_man/taught'
    shutil.rmtree(root / 'splits')
    with pytest.raises(FileNotFoundError, match='neither val_list'):
        JHMDBDataset(root)


def test_what_is_lacking_is_said(root, monkeypatch):
    texts = []
    monkeypatch.setattr(module, 'print_log', lambda text, **kw: texts.append(text))
    info = JHMDBDataset(root).metainfo
    assert info['note'] == '2 of 268 sequences: not JHMDB val'
    assert (info['expected_sequences'], info['found'], info['complete']) == (268, 2, 0)
    assert texts == [info['note']]
    assert (info['name'], info['split'], info['palette']) == ('JHMDB', 'val', 'davis')
    assert tuple(info['joint_names']) == JOINTS
    shutil.rmtree(root / 'Rename_Images' / FIRST)
    assert [v.name for v in JHMDBDataset(root).videos] == ['paper_man/other']
    cut = JHMDBDataset(root, max_frames=3)
    assert cut.weights() == [3] and 'first 3 frames' in cut.metainfo['note']
    assert cut[0].label_frames == (0, 1, 2)


def test_sequences_are_chosen_by_name(root):
    (video,) = JHMDBDataset(root, sequences=['paper_man/other']).videos
    assert video.name == 'paper_man/other'
    with pytest.raises(ValueError, match="'paper_man/othr' is not in JHMDB val"):
        JHMDBDataset(root, sequences=['paper_man/othr'])


def test_inputs_are_hashed_by_frames_and_first_joints(root):
    def digests():
        return [sample.hash_inputs() for sample in JHMDBDataset(root)]

    one, other = digests()
    assert digests() == [one, other] and one != other and len(one) == 64
    write_mat(root, joints_of(root) + 0.0)
    assert digests() == [one, other]
    later, first = joints_of(root), joints_of(root)
    later[:, :, 5] += 1
    write_mat(root, later)
    assert digests() == [one, other]  # a tracker does not see them
    first[:, 0, 0] += 1
    write_mat(root, first)
    assert digests()[0] != one
    path = root / 'Rename_Images/paper_man/other/00002.png'
    path.write_bytes(path.read_bytes() + b'\0')
    assert digests()[1] != other


# ---------------------------------------------------------------------- wrong content
def joints_of(root):
    """``pos_img``, ``(2, 15, t)``."""
    return read_joint_positions(root / MAT).transpose(2, 1, 0) + 1


def write_mat(root, joints, name='pos_img'):
    savemat(root / MAT, {name: joints})


@pytest.mark.parametrize(
    'line, problem',
    [
        ('wave', 'a joint_positions.mat and a folder of frames are expected'),
        (f'{MAT} {MAT}', 'a joint_positions.mat and a folder of frames'),
        (f'Rename_Images/{FIRST} Rename_Images/{FIRST}', 'with a space or a comma'),
        (f'{MAT} Rename_Images/{FIRST} 40', 'a joint_positions.mat and a folder'),
        (f'{MAT} Rename_Images/wave/a', 'should end in the same <action>/<clip>'),
        (f'{MAT} hand', 'should end in the same <action>/<clip>'),
        (f'{MAT} elsewhere/{FIRST}', f'clip {FIRST} is listed before with other paths'),
    ],
)
def test_a_wrong_line_is_named_by_file_and_number(root, line, problem):
    path = root / 'val_list.txt'
    path.write_text(f'{MAT} Rename_Images/{FIRST}\n\n{line}\n')
    with pytest.raises(ValueError) as caught:
        JHMDBDataset(root)
    assert f'{path}, line 3: ' in str(caught.value) and problem in str(caught.value)


def test_wrong_split_files_are_named(tmp_path):
    path = tmp_path / 'wave_test_split1.txt'
    path.write_text('a.avi 2\nb.avi 1\nc.avi 0\nd.avi 3\n')
    with pytest.raises(ValueError, match=r'_split1.txt, line 4: "<clip>.avi 1"'):
        read_split(path, '2')
    path.write_text('a.avi 2\nb.avi 1\nc.avi 0\n')
    assert read_split(path, '2') == ['a']


def test_a_truncated_mat_is_named_with_a_remedy(root):
    path = root / MAT
    savemat(path, dict(pos_img=joints_of(root)), do_compression=True)
    content = path.read_bytes()
    for size in (0, 60, 127, 128, 135, 200, len(content) // 2, len(content) - 1):
        path.write_bytes(content[:size])
        with pytest.raises(ValueError) as caught:
            JHMDBDataset(root)
        text = str(caught.value)
        assert str(path) in text and 'unpack joint_positions.zip again' in text, size
        assert f"Clip '{FIRST}' has frames but no usable joints" in text


def test_no_damage_to_a_mat_gives_another_kind_of_error(root):
    path, rng = root / MAT, np.random.default_rng(0)
    content = np.frombuffer(path.read_bytes(), np.uint8)
    for _ in range(60):
        damaged = content.copy()
        places = rng.integers(116, len(content), 3)
        damaged[places] = rng.integers(0, 256, 3)
        path.write_bytes(damaged.tobytes())
        try:
            assert read_joint_positions(path).shape[2] == 2
        except ValueError as error:
            assert str(path) in str(error)


def test_only_numbers_of_the_right_shape_are_joints(root):
    good = joints_of(root)
    for wrong, message in [
        (good[:1], r'is float64 of shape \(1, 15, 12\)'),
        (good[None], r'should hold numbers of shape \(2, joints, frames\)'),
        (np.full(good.shape, 'a', object), 'pos_img of .* is object of shape'),
        (good[:, :, :0], r'is empty, of shape \(2, 15, 0\)'),
    ]:
        write_mat(root, wrong)
        with pytest.raises(ValueError, match=message):
            JHMDBDataset(root)
    write_mat(root, good, 'pos_world')
    with pytest.raises(ValueError, match=r"has no variable 'pos_img'"):
        JHMDBDataset(root)
    (root / MAT).unlink()
    with pytest.raises(FileNotFoundError, match='has frames but no usable joints'):
        JHMDBDataset(root)


def test_a_joint_that_is_no_number_is_named(root):
    joints = joints_of(root)
    joints[1, 2, 3] = np.nan
    write_mat(root, joints)
    with pytest.raises(ValueError, match=r'Joint 3 of frame 4 in .* is not a finite'):
        JHMDBDataset(root)


def test_predictions_may_have_lost_joints(root):
    joints = joints_of(root)
    joints[:, 2, 3] = np.nan
    write_mat(root, joints)
    found = read_joint_positions(root / MAT, lost=True)
    assert np.argwhere(np.isnan(found)).tolist() == [[3, 2, 0], [3, 2, 1]]
    joints[0, 0, 0] = np.inf
    write_mat(root, joints)
    with pytest.raises(ValueError, match='Joint 1 of frame 1 in'):
        read_joint_positions(root / MAT, lost=True)


def test_a_half_extracted_clip_is_named_with_the_command(root):
    folder = root / 'Rename_Images' / FIRST
    (folder / f'{FRAMES:05d}.png').unlink()
    with pytest.raises(ValueError) as caught:
        JHMDBDataset(root)
    text = str(caught.value)
    assert f"Clip '{FIRST}' has 11 frames in {folder}, but joints for 12" in text
    assert 'python tools/prepare_data.py jhmdb-frames' in text
    shutil.rmtree(folder)
    folder.mkdir()
    with pytest.raises(ValueError, match=r'holds no frame, nothing.* jhmdb-frames'):
        JHMDBDataset(root)
    JHMDBDataset(root, sequences='paper_man/other')  # as the message proposes


def test_a_gap_in_the_frames_is_named(root):
    folder = root / 'Rename_Images' / FIRST
    for number in range(FRAMES + 1, FRAMES + 5):
        shutil.copy(folder / '00001.png', folder / f'{number:05d}.png')
    (folder / '00007.png').unlink()
    with pytest.raises(ValueError, match='lacks the frame before number 8'):
        JHMDBDataset(root)


def test_frames_behind_the_annotation_are_left_out(root):
    folder = root / 'Rename_Images' / FIRST
    shutil.copy(folder / '00001.png', folder / f'{FRAMES + 1:05d}.png')
    assert JHMDBDataset(root).weights() == [FRAMES, FRAMES]


def test_a_clip_of_one_frame_is_a_clip(root):
    write_mat(root, joints_of(root)[:, :, 0])  # two axes, as MATLAB writes it
    sample = JHMDBDataset(root)[0]
    assert sample.num_frames == 1 and sample.read_joints(0).shape == (15, 2)


def test_a_root_without_frames_or_joints_shows_the_tree(root):
    shutil.rmtree(root / 'Rename_Images')
    with pytest.raises(FileNotFoundError) as caught:
        JHMDBDataset(root)
    assert 'frames of none of the 2 clips' in str(caught.value)
    assert 'jhmdb-frames' in str(caught.value)
    with pytest.raises(FileNotFoundError, match=r'has no folder joint_positions'):
        JHMDBDataset(root / 'splits')


@pytest.mark.parametrize(
    'options, message',
    [
        (
            dict(split='test'),
            'split of JHMDBDataset should be one of',
        ),
        (dict(reader='skimage'), 'reader of JHMDBDataset should be one of'),
        (dict(max_frames=0), 'max_frames should be at least 1, not 0'),
    ],
)
def test_options_are_checked(root, options, message):
    with pytest.raises(ValueError, match=message):
        JHMDBDataset(root, **options)


def test_metainfo_is_plain(root):
    info = JHMDBDataset(root).metainfo
    assert json.loads(json.dumps(info)) == info
