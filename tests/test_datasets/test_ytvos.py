import dataclasses
import json
import pickle
import shutil

import numpy as np
import pytest

from densecorr.datasets import YouTubeVOSDataset
from densecorr.datasets.toy.layouts.write import write_layout
from densecorr.propagation.tracker import objects_of
from densecorr.registry import DATASETS
from tests.trees import moving_blobs, write_palette_png, write_ytvos_tree

from .hand_clip import LATE, HandClip

NAME = '3e03f623bb'


@pytest.fixture
def root(tmp_path):
    return write_ytvos_tree(tmp_path / 'ytvos')


def png(root, index, folder='valid/Annotations', name=NAME):
    return root / folder / name / f'{index:05d}.png'


def test_late_objects_start_in_their_own_frames(root):
    data = DATASETS.build(dict(type='YouTubeVOSDataset', root=root))
    video, (_, label_maps) = data[0], moving_blobs(11, (1, 2), seed=0)
    assert (video.name, video.frame_names) == (NAME, ('00000', '00005', '00010'))
    assert (video.label_frames, video.first_label_frames) == ((0, 1, 2), (0, 1))
    assert (video.size, data.weights()) == ((64, 96), [3])
    assert (video.written_frames, video.result_frames) == (None, (0, 1, 2))
    assert video.categories == {1: 'kind1', 2: 'kind2'}
    assert objects_of(video) == ([0, 1, 2], {0: {0, 1}, 1: {2}})
    for t in (2, 1):
        labels = video.read_labels(t)
        np.testing.assert_array_equal(labels.indices, label_maps[5 * t])
        assert labels.palette is not None
    assert set(np.unique(video.read_labels(0).indices)) == {0, 1}
    again = pickle.loads(pickle.dumps(data))[0]
    assert again.hash_inputs() == video.hash_inputs()


def test_without_truth_the_first_labels_are_all(root):
    full = YouTubeVOSDataset(shutil.copytree(root, root.parent / 'full'))[0]
    shutil.rmtree(root / 'valid_truth')
    data = YouTubeVOSDataset(root)
    video = data[0]
    assert data.metainfo['with_truth'] == 0
    assert video.label_frames == video.first_label_frames == (0, 1)
    assert objects_of(video) == objects_of(full)  # it is tracked alike
    for t in (0, 1):
        given, whole = video.read_labels(t).indices, full.read_labels(t).indices
        new = [n for n in objects_of(full)[1][t] if n]
        for number in new:
            np.testing.assert_array_equal(given == number, whole == number)


def test_truth_never_starts_an_object_early_or_adds_one(root):
    early = np.zeros((64, 96), np.uint8)
    early[:9, :9], early[20:29, :9], early[40:49, :9] = 1, 2, 7
    write_palette_png(png(root, 0, 'valid_truth/Annotations'), early)
    given = np.zeros((64, 96), np.uint8)
    given[30:40, 60:70] = 2
    write_palette_png(png(root, 5), given)
    video = YouTubeVOSDataset(root)[0]
    assert objects_of(video) == ([0, 1, 2], {0: {0, 1}, 1: {2}})
    np.testing.assert_array_equal(video.read_labels(1).indices == 2, given == 2)
    first = video.read_labels(0).indices  # the file of first labels has the say
    np.testing.assert_array_equal(first == 1, moving_blobs(11, (1, 2))[1][0] == 1)


def test_labels_of_ones_own_may_lie_anywhere(root, tmp_path):
    shutil.move(root / 'valid_truth/Annotations', tmp_path / 'labels')
    assert YouTubeVOSDataset(root)[0].label_frames == (0, 1)
    data = YouTubeVOSDataset(root, truth=tmp_path / 'labels')
    assert data[0].label_frames == (0, 1, 2) and data.metainfo['with_truth'] == 1
    with pytest.raises(FileNotFoundError, match=r'no folder of full labels .*nowhere'):
        YouTubeVOSDataset(root, truth='nowhere')
    png(tmp_path, 5, 'labels').unlink()
    with pytest.raises(ValueError, match=r'lacks 00005\.png, which has first labels'):
        YouTubeVOSDataset(root, truth=tmp_path / 'labels')
    write_ytvos_tree(root, split='train')
    with pytest.raises(ValueError, match=r"truth='x' is for split valid"):
        YouTubeVOSDataset(root, split='train', truth='x')


def test_all_frames_are_tracked_and_the_released_ones_written(root):
    video = YouTubeVOSDataset(root, all_frames=True)[0]
    assert video.num_frames == 11 and video.written_frames == (0, 5, 10)
    assert (video.label_frames, video.first_label_frames) == ((0, 5, 10), (0, 5))
    cut = YouTubeVOSDataset(root, all_frames=True, max_frames=7)
    assert cut[0].written_frames == (0, 5) and cut.weights() == [7]
    shutil.rmtree(root / 'valid_truth')
    (root / 'valid_all_frames/JPEGImages' / NAME / '00010.jpg').unlink()
    with pytest.raises(ValueError, match=r'00010\.jpg is not among the 10 frames'):
        YouTubeVOSDataset(root, all_frames=True)
    shutil.rmtree(root / 'valid_all_frames')
    with pytest.raises(FileNotFoundError, match=r'valid_all_frames.*all_frames=False'):
        YouTubeVOSDataset(root, all_frames=True)


def test_train_has_all_labels_and_objects_start_when_seen_first(tmp_path):
    root = write_ytvos_tree(tmp_path, {'a': {1: 0, 4: 10}}, split='train')
    for _ in ('with meta.json', 'without'):
        video = YouTubeVOSDataset(root, split='train')[0]
        assert (video.label_frames, video.first_label_frames) == ((0, 1, 2), (0, 2))
        assert objects_of(video)[1] == {0: {0, 1}, 2: {4}}
        (root / 'train/meta.json').unlink(missing_ok=True)
    assert video.categories is None


def test_generated_trees_are_read(tmp_path):
    write_layout('ytvos', [HandClip(), HandClip('taught')], tmp_path, train=1)
    data = YouTubeVOSDataset(tmp_path)
    video = data[0]
    start = -(-LATE // 5) * 5  # every fifth frame is annotated
    assert objects_of(video)[1] == {0: {0, 1, 2}, start: {3}}
    assert video.label_frames == (0, 5, 10)
    assert data.metainfo['seen_categories'] == ['kite', 'paper man']
    labels = video.read_labels(10).indices
    np.testing.assert_array_equal(labels, HandClip().label_map(10))


def test_roots_of_both_years_are_told_apart(tmp_path, monkeypatch):
    for year in (2018, 2019):
        write_ytvos_tree(tmp_path / f'ytvos/{year}', {f'v{year}': {1: 0}})
    monkeypatch.setenv('DENSECORR_DATA', str(tmp_path))
    for year, videos in ((2018, 474), (2019, 507)):
        for root in (None, tmp_path / 'ytvos', tmp_path / f'ytvos/{year}'):
            data = YouTubeVOSDataset(root, year=year)
            assert [video.name for video in data.videos] == [f'v{year}']
            assert data.metainfo['note'] == (
                f'1 of {videos} sequences: not YouTube-VOS {year} valid'
            )
    shutil.rmtree(tmp_path / 'ytvos/2019')
    with pytest.raises(FileNotFoundError, match=r'YouTube-VOS was not found'):
        YouTubeVOSDataset(year=2019)


def test_sequences_and_frames_are_chosen(tmp_path):
    root = write_ytvos_tree(tmp_path, {'a': {1: 0}, 'b': {1: 0, 2: 10}})
    data = YouTubeVOSDataset(root, sequences='b', max_frames=2)
    assert [video.name for video in data.videos] == ['b']
    assert objects_of(data[0])[0] == [0, 1]  # object 2 would come later
    assert 'first 2 frames' in data.metainfo['note']
    with pytest.raises(ValueError, match=r"'c' is not in YouTube-VOS 2018 valid"):
        YouTubeVOSDataset(root, sequences=['c'])


def test_one_frame_is_a_video(tmp_path):
    video = YouTubeVOSDataset(write_ytvos_tree(tmp_path, {'a': {1: 0}}, num_frames=1))[
        0
    ]
    assert video.num_frames == 1 and video.label_frames == (0,)


def test_objects_that_no_file_shows_are_named(root):
    path = root / 'valid/meta.json'
    entries = json.loads(path.read_text())
    entries['videos'][NAME]['objects']['9'] = dict(category='cat', frames=['00005'])
    path.write_text(json.dumps(entries))
    with pytest.raises(ValueError, match=rf"'{NAME}': no file .* shows object 9, whi"):
        YouTubeVOSDataset(root)[0]


def test_videos_without_first_labels_are_named(root):
    for index in (0, 5):
        write_palette_png(png(root, index), np.zeros((64, 96), np.uint8))
    (root / 'valid/meta.json').unlink()
    with pytest.raises(ValueError, match=rf"'{NAME}' has no object in its first label"):
        YouTubeVOSDataset(root)[0]
    png(root, 0).unlink()
    with pytest.raises(ValueError, match=rf"'{NAME}' has no labels in its first 1 fra"):
        YouTubeVOSDataset(root, max_frames=1)
    shutil.rmtree(png(root, 0).parent)
    with pytest.raises(FileNotFoundError, match=rf"'{NAME}' has frames but no first"):
        YouTubeVOSDataset(root)


def test_labels_of_another_size_are_named(root):
    write_palette_png(png(root, 5), np.full((32, 96), 2, np.uint8))
    with pytest.raises(ValueError, match=r'00005\.png is 32x96, its frame .* 64x96'):
        YouTubeVOSDataset(root)[0]
    write_palette_png(png(root, 7), np.full((64, 96), 2, np.uint8))
    with pytest.raises(ValueError, match=r'1 label files without a frame'):
        YouTubeVOSDataset(root)


@pytest.mark.parametrize(
    ('text', 'problem'),
    [
        ('{"videos": {', r'meta\.json is no JSON: .*line 1'),
        ('[]', r'meta\.json should hold .* no "videos"'),
        ('{"videos": {"a": {"objects": {"x": {}}}}}', r"entry of video 'a' should be"),
        ('{"videos": {"a": []}}', r"entry of video 'a' should be"),
    ],
)
def test_wrong_meta_files_are_named(root, text, problem):
    (root / 'valid/meta.json').write_text(text)
    with pytest.raises(ValueError, match=problem):
        YouTubeVOSDataset(root)


def test_options_are_checked(root):
    for options, text in (
        (dict(year=2017), r'year of YouTubeVOSDataset .*\[2018, 2019\], not 2017'),
        (dict(split='val'), r"split .*\['valid', 'train'\], not 'val'"),
        (dict(max_frames=0), r'max_frames should be at least 1'),
    ):
        with pytest.raises(ValueError, match=text):
            YouTubeVOSDataset(root, **options)
    with pytest.raises(FileNotFoundError, match=r'(?s)no folder train.*Expected tree'):
        YouTubeVOSDataset(root, split='train')


def test_a_sample_is_only_as_long_as_its_frames(root):
    video = YouTubeVOSDataset(root)[0]
    with pytest.raises(ValueError, match=r'written_frames .* are \[0, 3\]'):
        dataclasses.replace(video, written_frames=(0, 3))
