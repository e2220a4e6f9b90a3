"""Images as clips of one frame."""

import cv2
import numpy as np
import pytest
from torch.utils.data import DataLoader

from densecorr.datasets import ImageClips
from densecorr.registry import DATASETS
from densecorr.structures import ClipKey
from densecorr.utils.images import read_image
from densecorr.utils.randomness import draw_seed, item_rng
from tests.coded_clips import moving_frames


def without_generator(sample):
    return {key: value for key, value in sample.items() if key != 'rng'}


def first_item(samples):
    return samples[0]


@pytest.fixture
def root(tmp_path):
    """Three images of two classes; each has its own size."""
    for number, name in enumerate(('n02/b.JPEG', 'n01/x.JPEG', 'n02/a.JPEG')):
        path = tmp_path / 'imagenet/train' / name
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), moving_frames(1, (20 + number, 30))[0])
    return tmp_path / 'imagenet'


def test_images_of_classes(root):
    data = ImageClips(data='imagenet', split='train', root=str(root), seed=5)
    assert len(data) == 3
    assert [data.image_path(i).name for i in range(3)] == ['x.JPEG', 'a.JPEG', 'b.JPEG']
    assert data.metainfo == dict(
        name='imagenet', split='train', num_videos=3, num_folders=2
    )
    sample = data[ClipKey(2, 1)]
    assert sample['video'] == 'n02/a.JPEG'
    assert sample['frame_indices'].tolist() == [0]
    assert sample['seed'] == draw_seed(item_rng(5, 2, 1))
    (frame,) = sample['frames']
    np.testing.assert_array_equal(frame, read_image(root / 'train/n02/a.JPEG'))
    with pytest.raises(IndexError, match='ImageClips has items 0 to 2, not 3'):
        data[3]


def test_any_folder_list_and_number_of_workers(root, tmp_path):
    data = ImageClips([without_generator], root=str(root))
    assert len(data) == 3
    assert data[0]['video'] == 'train/n01/x.JPEG'
    loader = DataLoader(
        data,
        batch_sampler=[[ClipKey(1, item)] for item in range(3)],
        collate_fn=first_item,
        num_workers=2,
    )
    for item, sample in enumerate(loader):
        alone = data[ClipKey(1, item)]
        assert sample['seed'] == alone['seed']
        np.testing.assert_array_equal(sample['frames'][0], alone['frames'][0])
    path = tmp_path / 'list.txt'
    path.write_text('n02/b.JPEG 4\nn01/x.JPEG 0\n')
    data = ImageClips(root=str(root / 'train'), list_file=str(path))
    assert [data[i]['video'] for i in range(2)] == ['n02/b.JPEG', 'n01/x.JPEG']


def test_the_pipeline_of_a_config(root):
    data = DATASETS.build(
        dict(type='ImageClips', root=str(root), pipeline=[dict(type='PackClip')])
    )
    assert data[0]['inputs']['frames'].shape == (1, 3, 21, 30)
    small = ImageClips(root=str(root), decode=dict(min_short_side=10))
    assert small[0]['frames'][0].shape == (11, 15, 3)


def test_damaged_images_are_replaced(root):
    (root / 'train/n01/x.JPEG').write_bytes(b'')
    data = ImageClips(root=str(root))
    sample = data[0]
    assert sample['replaced'][0] == (
        f'{root}/train/n01/x.JPEG: is empty (0 bytes). Copy or extract it again.'
    )
    assert sample['video'] in ('train/n02/a.JPEG', 'train/n02/b.JPEG')
    for name in 'ab':
        (root / f'train/n02/{name}.JPEG').write_bytes(b'')
    with pytest.raises(RuntimeError, match=r'(?s)20 draws .* is empty .*Images: '):
        data[0]


def test_no_images_are_named(root, tmp_path):
    empty = tmp_path / 'empty'
    (empty / 'train').mkdir(parents=True)
    with pytest.raises(
        FileNotFoundError,
        match=r'(?s)train holds no image of ImageNet.*<class>/<image>.*check_data',
    ):
        ImageClips(data='imagenet', split='train', root=str(empty))
    with pytest.raises(FileNotFoundError, match=r'(?s)No image was found in .*Found'):
        ImageClips(root=str(empty))
    with pytest.raises(FileNotFoundError, match='There is no folder of images'):
        ImageClips(root=str(empty / 'none'))
    with pytest.raises(ValueError, match=r'ImageClips needs data=.*which images'):
        ImageClips()
    with pytest.raises(ValueError, match=r"split='train' needs data=\.\.\."):
        ImageClips(root=str(root), split='train')
    path = tmp_path / 'list.txt'
    path.write_text('gone.jpg\n')
    with pytest.raises(FileNotFoundError, match=r"its first image 'gone\.jpg' is in"):
        ImageClips(root=str(root), list_file=str(path))
