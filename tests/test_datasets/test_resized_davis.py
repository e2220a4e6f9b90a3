import hashlib

import numpy as np
import pytest
from PIL import Image

from densecorr.datasets import DAVISDataset, ResizedDAVISDataset
from densecorr.evaluation.metrics.vos_tables import set_name
from densecorr.utils.images import resize_nearest
from tests.trees import write_davis_tree

SHORT = '2 of 30 sequences, 5 of 150 frames'
REMARK = 'scored at 24x44, against resized labels'


@pytest.fixture
def root(tmp_path):
    return write_davis_tree(tmp_path / 'DAVIS', {'dog': 3, 'camel': 2}, size=(27, 43))


def test_frames_and_labels_are_resized_by_the_pixel_under_the_centre(root):
    plain = DAVISDataset(str(root))[0]
    video = ResizedDAVISDataset((24, 44), root=str(root))[0]
    assert (plain.size, video.size) == ((27, 43), (24, 44))
    rows = ((np.arange(24) + 0.5) * 27 / 24).astype(int)
    cols = ((np.arange(44) + 0.5) * 43 / 44).astype(int)
    for t in range(3):
        frame, labels = plain.read_frame(t), plain.read_labels(t)
        assert np.array_equal(video.read_frame(t), frame[rows][:, cols])
        resized = video.read_labels(t)
        assert np.array_equal(resized.indices, labels.indices[rows][:, cols])
        assert np.array_equal(resized.palette, labels.palette)
    assert video.hash_inputs() != plain.hash_inputs()
    again = ResizedDAVISDataset((24, 44), root=str(root))[0]
    assert video.hash_inputs() == again.hash_inputs()


def test_what_is_scored_is_said_everywhere(root):
    info = ResizedDAVISDataset([24, 44], root=str(root)).metainfo
    assert info['resized'] == [24, 44]
    assert info['note'] == f'{SHORT}, {REMARK}: not DAVIS-2017 val'
    assert set_name(info) == 'val-24x44-2of30'
    assert 'resized' not in DAVISDataset(str(root)).metainfo


def test_a_whole_split_is_marked_too(root):
    lists = root / 'ImageSets' / '2017'
    lists.mkdir(parents=True, exist_ok=True)
    (lists / 'mine.txt').write_text('camel\ndog\n')
    info = ResizedDAVISDataset((24, 44), root=str(root), split='mine').metainfo
    assert info['note'] == f'{REMARK}: not DAVIS-2017 mine'
    assert set_name(info) == 'mine-24x44'


def test_size_of_the_data_is_the_identity(root):
    plain = DAVISDataset(str(root))[0]
    same = ResizedDAVISDataset((27, 43), root=str(root))[0]
    digests = [
        hashlib.sha256(video.read_frame(1).tobytes()).hexdigest()
        for video in (plain, same)
    ]
    assert digests[0] == digests[1]


def test_frames_of_another_size_are_still_refused(root):
    path = root / 'JPEGImages' / '480p' / 'dog' / '00001.jpg'
    Image.new('RGB', (44, 24)).save(path)
    video = ResizedDAVISDataset((24, 44), root=str(root), sequences=['dog'])[0]
    with pytest.raises(
        ValueError, match=r'00001\.jpg is 24x44, the first frame .*27x43'
    ):
        video.read_frame(1)


@pytest.mark.parametrize('size', [(480,), (0, 880), (480, 880.5)])
def test_bad_sizes_are_named(root, size):
    with pytest.raises(
        ValueError, match=r'resize of ResizedDAVISDataset is .*480, 880'
    ):
        ResizedDAVISDataset(size, root=str(root))


def test_nearest_equals_pillow_for_frames_and_keeps_equal_sizes():
    frame = np.random.default_rng(0).integers(0, 256, (31, 50, 3), dtype=np.uint8)
    small = Image.fromarray(frame).resize((44, 24), Image.Resampling.NEAREST)
    assert np.array_equal(resize_nearest(frame, (24, 44)), np.asarray(small))
    assert resize_nearest(frame, (31, 50)) is frame
