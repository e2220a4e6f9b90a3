import os
import pickle
from pathlib import Path

import numpy as np
import pytest
from mmengine.registry import DATASETS as ROOT_DATASETS

from densecorr.datasets.davis import (
    DAVISDataset,
    binary_labels,
    default_annotations,
    read_list,
    void_to_background,
)
from densecorr.registry import DATASETS
from tests.trees import (
    moving_blobs,
    voc_palette,
    write_davis_tree,
    write_image,
    write_palette_png,
)

CHECKOUT = Path(__file__).resolve().parents[2]
PACK = Path(os.environ.get('DENSECORR_DATA') or CHECKOUT / 'data') / 'davis'


@pytest.fixture
def root(tmp_path):
    return write_davis_tree(tmp_path / 'DAVIS')


def png(root, name, index, folder='Annotations'):
    return root / folder / '480p' / name / f'{index:05d}.png'


def jpg(root, name, index):
    return root / 'JPEGImages' / '480p' / name / f'{index:05d}.jpg'


# what is read


def test_is_built_by_name_from_densecorr_and_from_mmengine(root):
    for registry, prefix in ((DATASETS, ''), (ROOT_DATASETS, 'densecorr.')):
        data = registry.build(dict(type=f'{prefix}DAVISDataset', root=root))
        assert len(data) == 2


def test_item_holds_the_files_of_the_tree(root):
    data = DAVISDataset(root)
    video = data[0]
    frames, label_maps = moving_blobs(6, seed=0)
    assert (video.name, video.num_frames, video.size) == ('blackswan', 6, (64, 96))
    assert video.frame_names == tuple(f'{t:05d}' for t in range(6))
    assert (video.label_frames, video.first_label_frames) == (tuple(range(6)), (0,))
    for t in (5, 0, 3):  # any order
        labels = video.read_labels(t)
        np.testing.assert_array_equal(labels.indices, label_maps[t])
        np.testing.assert_array_equal(labels.palette, voc_palette())
        assert np.abs(video.read_frame(t).astype(int) - frames[t]).mean() < 6  # JPEG
    assert data.weights() == [6, 4]


def test_both_readers_read_the_same_picture(root):
    one, two = (DAVISDataset(root, reader=r)[0] for r in ('opencv', 'pillow'))
    difference = one.read_frame(1).astype(int) - two.read_frame(1)
    assert np.abs(difference).max() <= 3


def test_nothing_is_read_before_it_is_asked_for(root):
    for t in range(1, 6):
        jpg(root, 'blackswan', t).write_bytes(b'')
        png(root, 'blackswan', t).write_bytes(b'')
    video = DAVISDataset(root)[0]
    assert video.read_frame(0).shape == (64, 96, 3)
    with pytest.raises(ValueError, match=r'00001\.jpg is empty \(0 bytes\)'):
        video.read_frame(1)
    with pytest.raises(ValueError, match=r'00001\.png is empty \(0 bytes\)'):
        video.read_labels(1)


def test_year_2016_is_binary_and_keeps_void_as_object(tmp_path):
    root = write_davis_tree(tmp_path, {'camel': 2}, year=2016)
    labels = DAVISDataset(root, year=2016)[0].read_labels(0)
    _, label_maps = moving_blobs(2, ids=[1], seed=0)
    np.testing.assert_array_equal(labels.indices, label_maps[0])
    assert labels.indices.dtype == np.uint8
    assert labels.palette is None  # grey file
    assert binary_labels(np.array([[0, 1, 7, 255]], np.uint8)).tolist() == [
        [0, 1, 1, 1]
    ]


def test_void_is_background_when_semi_supervised_and_kept_otherwise(tmp_path):
    label_map = np.zeros((64, 96), np.uint8)
    label_map[:8], label_map[8:16] = 3, 255
    assert void_to_background(np.array([0, 3, 255], np.uint8)).tolist() == [0, 3, 0]
    root = write_davis_tree(tmp_path, {'camel': 1})
    for folder in ('Annotations', 'Annotations_unsupervised'):
        write_palette_png(png(root, 'camel', 0, folder), label_map)
    semi = DAVISDataset(root)[0].read_labels(0).indices
    assert (semi == np.where(label_map == 255, 0, label_map)).all()
    video = DAVISDataset(root, task='unsupervised')[0]
    np.testing.assert_array_equal(video.read_labels(0).indices, label_map)
    assert video.first_label_frames == ()


def test_ids_with_gaps_are_kept(tmp_path):
    root = write_davis_tree(tmp_path, {'camel': 2}, ids=(2, 5, 200))
    labels = DAVISDataset(root)[0].read_labels(1)
    assert np.unique(labels.indices).tolist() == [0, 2, 5, 200]


def test_annotation_for_some_frames_only(tmp_path):
    root = write_davis_tree(tmp_path, {'camel': 5}, annotated=[1, 4])
    data = DAVISDataset(root, split='val')
    video = data[0]
    assert (video.label_frames, video.first_label_frames) == ((1, 4), (1,))
    assert '2 of 5 annotations' in data.metainfo['note']
    with pytest.raises(KeyError, match=r"frame 0 of video 'camel' has no .*\[1, 4\]"):
        video.read_labels(0)


def test_one_frame_is_a_video(tmp_path):
    video = DAVISDataset(write_davis_tree(tmp_path, {'camel': 1}))[0]
    assert video.num_frames == 1
    assert video.read_labels(0).indices.max() == 2


def test_odd_names_and_upper_case_extensions(tmp_path):
    root = write_davis_tree(tmp_path, {'日本 clip': 3})
    for folder in (jpg(root, '日本 clip', 0).parent, png(root, '日本 clip', 0).parent):
        for path in list(folder.iterdir()):
            name = f'Bild {int(path.stem)}'
            path.rename(folder / f'{name}{path.suffix.upper()}')
        (folder / '.DS_Store').write_bytes(b'')
    video = DAVISDataset(root)[0]
    assert (video.name, video.frame_names) == (
        '日本 clip',
        ('Bild 0', 'Bild 1', 'Bild 2'),
    )
    assert video.read_frame(2).shape == (64, 96, 3)
    assert video.label_frames == (0, 1, 2)


# which sequences


def test_lists_of_every_release(root):
    path = root / 'ImageSets' / '2017' / 'val.txt'
    path.write_text('\ufeffcamel\r\n\nblackswan\ncamel\n', encoding='utf-8')
    assert read_list(path) == ['camel', 'blackswan']
    assert [v.name for v in DAVISDataset(root).videos] == ['camel', 'blackswan']
    path.unlink()
    old = root / 'ImageSets' / '480p' / 'val.txt'  # the 2016 release
    old.parent.mkdir()
    old.write_text(
        '/JPEGImages/480p/camel/00000.jpg /Annotations/480p/camel/00000.png\n'
        '/JPEGImages/480p/camel/00001.jpg /Annotations/480p/camel/00001.png\n'
    )
    assert [v.name for v in DAVISDataset(root, year=2016).videos] == ['camel']


def test_unsupervised_test_sets_have_lists_of_2019(tmp_path):
    root = write_davis_tree(
        tmp_path, {'a': 1}, year=2019, annotations='Annotations_unsupervised'
    )
    assert len(DAVISDataset(root, task='unsupervised')) == 1


def test_without_lists_folders_count_but_not_those_of_other_splits(tmp_path):
    videos = {'blackswan': 1, 'bear': 1, 'own clip': 1, 'aerobatics': 1}
    root = write_davis_tree(tmp_path, videos, lists=False)
    names = [video.name for video in DAVISDataset(root).videos]
    assert names == ['blackswan', 'own clip']  # bear: train, aerobatics: test-dev


def test_subset_keeps_the_order_of_the_list(root):
    data = DAVISDataset(root, sequences=['camel', 'blackswan'], max_frames=5)
    assert [video.name for video in data.videos] == ['blackswan', 'camel']
    assert data.weights() == [5, 4]
    assert data[0].label_frames == (0, 1, 2, 3, 4)
    assert len(DAVISDataset(root, sequences='camel')) == 1


# the note of incomplete roots


def whole_tree(tmp_path):
    """A root as complete as DAVIS-2016 val, of links to one tiny sequence."""
    root = write_davis_tree(tmp_path, {'source': 104}, size=(8, 8), year=2016)
    source = DAVISDataset(root, year=2016).info.sequences('2016/val')
    for name, fact in source.items():
        for place, suffix in (('JPEGImages', 'jpg'), ('Annotations', 'png')):
            folder = root / place / '480p' / name
            folder.mkdir()
            for t in range(fact.frames):
                target = root / place / '480p' / 'source' / f'{t:05d}.{suffix}'
                (folder / target.name).symlink_to(target)
    (root / 'ImageSets/2016/val.txt').write_text('\n'.join(source))
    return root


def test_complete_root_has_no_note_until_it_is_cut(tmp_path):
    root = whole_tree(tmp_path)

    def note(**options):
        return DAVISDataset(root, year=2016, **options).metainfo['note']

    info = DAVISDataset(root, year=2016).metainfo
    assert (info['complete'], info['note'], info['found']) == (True, '', 20)
    assert info['expected_sequences'] == 20
    assert note(max_frames=104) == ''  # the longest has 104
    assert note(max_frames=105) == ''
    assert note(max_frames=9) == 'first 9 frames: not DAVIS-2016 val'
    assert note(sequences=['camel', 'dog']) == '2 of 20 sequences: not DAVIS-2016 val'
    png(root, 'camel', 3).unlink()
    assert note() == '1375 of 1376 annotations: not DAVIS-2016 val'
    jpg(root, 'camel', 3).unlink()
    assert note() == '1375 of 1376 frames: not DAVIS-2016 val'


def test_note_counts_what_does_not_belong(tmp_path):
    info = DAVISDataset(write_davis_tree(tmp_path, {'camel': 90, 'own': 1})).metainfo
    assert info['note'] == '1 of 30 sequences and 1 others: not DAVIS-2017 val'
    assert (info['name'], info['found'], info['complete']) == ('DAVIS-2017', 1, False)


def test_a_list_of_ones_own_is_measured_by_itself(tmp_path):
    root = write_davis_tree(tmp_path, {'a': 2, 'b': 2}, split='mine')
    assert DAVISDataset(root, split='mine').metainfo['complete']
    info = DAVISDataset(root, split='mine', sequences=['a']).metainfo
    assert info['note'] == '1 of 2 sequences: not DAVIS-2017 mine'


def test_another_folder_of_annotations_is_noted(root):
    write_davis_tree(root, annotated=[0], annotations='First')
    data = DAVISDataset(root, folders=dict(annotations='First'))
    assert [video.label_frames for video in map(data.__getitem__, range(2))] == [
        (0,)
    ] * 2
    assert 'labels of First: not DAVIS-2017 val' in data.metainfo['note']


def test_published_pack():
    if not PACK.is_dir():
        pytest.skip('real DAVIS is absent: set DENSECORR_DATA to the folder of davis/')
    data = DAVISDataset(PACK)
    assert data.metainfo['note'] == '8 of 30 sequences: not DAVIS-2017 val'
    assert sum(data.weights()) == 583
    assert DAVISDataset(PACK, year=2016).metainfo['note'].startswith('8 of 20 ')
    folders = dict(annotations='Annotations_first_derived')
    video = DAVISDataset(PACK, sequences=['soapbox'], folders=folders)[0]
    assert np.unique(video.read_labels(0).indices).tolist() == [0, 1, 2, 3]
    assert (video.num_frames, video.label_frames, video.size) == (99, (0,), (480, 854))


# the hash of what the tracker sees


def test_hash_changes_with_what_the_tracker_sees_and_with_nothing_else(root):
    def digest(**options):
        return DAVISDataset(root, **options)[0].hash_inputs()

    first = digest()
    assert len(first) == 64
    assert digest(reader='pillow') == first  # belongs to the protocol, not the input
    assert digest(max_frames=5) != first
    assert digest(year=2016) != first
    png(root, 'blackswan', 5).unlink()  # only for the metric
    assert digest() == first
    other = np.zeros((64, 96), np.uint8)
    other[0, 0] = 1
    write_palette_png(png(root, 'blackswan', 0), other)
    second = digest()
    assert second != first
    path = jpg(root, 'blackswan', 5)
    path.write_bytes(path.read_bytes() + b'\0')
    assert digest() != second


def test_hash_depends_on_names_and_palette(root):
    before = DAVISDataset(root)[0].hash_inputs()
    write_image(png(root, 'blackswan', 0), moving_blobs(6, seed=0)[1][0])  # grey
    grey = DAVISDataset(root)[0].hash_inputs()
    for folder, suffix in (('JPEGImages', 'jpg'), ('Annotations', 'png')):
        path = root / folder / '480p/blackswan'
        (path / f'00005.{suffix}').rename(path / f'00006.{suffix}')
    assert len({before, grey, DAVISDataset(root)[0].hash_inputs()}) == 3


def test_dataset_can_be_sent_to_another_process(root):
    data = pickle.loads(pickle.dumps(DAVISDataset(root)))
    assert data[1].read_frame(0).shape == (64, 96, 3)


def test_default_annotations():
    assert default_annotations(2017, 'unsupervised') == 'Annotations_unsupervised'
    assert default_annotations(2016, 'unsupervised') == 'Annotations'
