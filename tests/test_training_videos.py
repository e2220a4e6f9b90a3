"""Which videos there are: folders, files, lists, splits of datasets."""

import pytest

from densecorr.utils.data_info import load_data_info
from densecorr.utils.split_folders import find_split
from densecorr.utils.training_videos import (
    TrainingVideo,
    find_training_videos,
    listed_training_videos,
)


def touch(root, *names):
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return root


def test_folders_and_files_at_any_depth(tmp_path):
    root = touch(
        tmp_path / 'r',
        'b/x y/10.JPG',
        'b/x y/2.jpg',
        'b/x y/notes.txt',
        'b/x y/.hidden.jpg',
        'b/a.MP4',
        'a.webm',
        'b/.cut.mp4',
        '.git/0.jpg',
        'c/deep/e/0.png',
    )
    assert find_training_videos(root) == [
        ('a.webm', str(root / 'a.webm'), None, None),
        ('b/a.MP4', str(root / 'b/a.MP4'), None, None),
        ('b/x y', str(root / 'b/x y'), 2, None),
        ('c/deep/e', str(root / 'c/deep/e'), 1, None),
    ]
    (alone,) = find_training_videos(root / 'b/x y')
    assert (alone.name, alone.num_frames) == ('x y', 2)
    assert alone.source() == str(root / 'b/x y')
    with pytest.raises(FileNotFoundError, match='There is no folder of videos'):
        find_training_videos(root / 'none')


def test_linked_folders_are_followed_once(tmp_path):
    root = touch(tmp_path / 'r', 'a/0.jpg')
    outside = touch(tmp_path / 'outside', '0.jpg', '1.jpg')
    (root / 'b').symlink_to(outside)
    (root / 'a/loop').symlink_to(root)
    assert [v.name for v in find_training_videos(root)] == ['a', 'b']


def test_nothing_is_opened_or_kept_for_each_frame(tmp_path, monkeypatch):
    root = touch(tmp_path, *(f'v{i}.mp4' for i in range(50)))
    (root / 'v0.mp4').chmod(0)
    monkeypatch.setattr('builtins.open', None)
    assert len(find_training_videos(root)) == 50


def write(path, *lines):
    path.write_text(''.join(f'{line}\n' for line in lines))
    return path


def test_list_of_images(tmp_path):
    root = touch(tmp_path / 'data', 'ytv/a/0.jpg', 'ytv/a/5.jpg', 'ytv/b/0.jpg')
    path = write(tmp_path / 'l.txt', '/ytv/a/5.jpg 1', '/ytv/a/0.jpg', '/ytv/b/0.jpg')
    one, two = listed_training_videos(path, [tmp_path, root])
    assert one == TrainingVideo('ytv/a', str(root / 'ytv/a'), 2, '5.jpg\n0.jpg')
    assert one.source() == [f'{root}/ytv/a/5.jpg', f'{root}/ytv/a/0.jpg']
    assert two.num_frames == 1


def test_list_of_folders_and_numbers(tmp_path):
    touch(tmp_path, 'a b/0.jpg', 'c/0.jpg')
    path = write(tmp_path / 'l.txt', '/a b 12', 'c/ 7 3')
    assert listed_training_videos(path, [tmp_path]) == [
        ('a b', str(tmp_path / 'a b'), 12, None),
        ('c', str(tmp_path / 'c'), 7, None),
    ]


def test_list_of_folders_and_files(tmp_path):
    touch(tmp_path, 'clip 1/0.jpg', 'd/x y.mp4')
    path = write(tmp_path / 'l.txt', 'clip 1', 'clip two', 'd/x y.mp4 17 0', 'd/z.MKV')
    assert [v[:3] for v in listed_training_videos(path, [tmp_path])] == [
        ('clip 1', str(tmp_path / 'clip 1'), None),
        ('clip two', str(tmp_path / 'clip two'), None),
        ('d/x y.mp4', str(tmp_path / 'd/x y.mp4'), None),
        ('d/z.MKV', str(tmp_path / 'd/z.MKV'), None),
    ]
    absolute = write(tmp_path / 'm.txt', tmp_path / 'd/x y.mp4')
    (video,) = listed_training_videos(absolute, [tmp_path / 'else'])
    assert video.place == str(tmp_path / 'd/x y.mp4')


def test_json_of_frames(tmp_path):
    touch(tmp_path, 'v/a/0.jpg')
    path = tmp_path / 'l.json'
    path.write_text('{"a": ["0.jpg", "5.jpg"]}')
    (video,) = listed_training_videos(path, [tmp_path / 'v'])
    assert video.source() == [f'{tmp_path}/v/a/0.jpg', f'{tmp_path}/v/a/5.jpg']


def test_wrong_lists_are_named(tmp_path):
    path = write(tmp_path / 'l.txt', 'a', 'b/0.jpg')
    with pytest.raises(ValueError, match=r'l\.txt, line 2: a folder or a video'):
        listed_training_videos(path, [tmp_path])
    path = write(tmp_path / 'l.txt', 'b/0.jpg', '', 'b/1.txt')
    with pytest.raises(ValueError, match=r'l\.txt, line 3: field 1 should be the path'):
        listed_training_videos(path, [tmp_path])
    path = write(tmp_path / 'l.txt')
    with pytest.raises(ValueError, match=r'l\.txt is empty'):
        listed_training_videos(path, [tmp_path])
    with pytest.raises(FileNotFoundError, match='There is no list file'):
        listed_training_videos(tmp_path / 'none.txt', [tmp_path])
    path = write(tmp_path / 'l.txt', 'gone 3')
    with pytest.raises(
        FileNotFoundError,
        match=r"(?s)l\.txt: its first video 'gone' is in none of .*root=\.\.\..*Found",
    ):
        listed_training_videos(path, [tmp_path])


@pytest.fixture
def nowhere(monkeypatch, tmp_path):
    monkeypatch.setenv('DENSECORR_DATA', str(tmp_path / 'no_data'))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ('data', 'split', 'places'),
    [
        ('ytvos', '2018/train', ['ytv/train/JPEGImages']),
        ('ytvos', '2018/train', ['ytvos/2018/train/JPEGImages']),
        ('ytvos', '2019/train', ['YTVOS/2019/train/JPEGImages']),
        ('oxuva', 'dev', ['OxUvA/images/dev']),
        ('trackingnet', 'train', ['TrackingNet/TRAIN_0/frames', 'TRAIN_1/frames']),
        ('kinetics400', 'train', ['kinetics400/train_256']),
        ('kinetics400', 'train', ['kinetics400/videos_train']),
        ('davis', '2017/train', ['DAVIS/JPEGImages/480p']),
        ('mose', 'train', ['MOSE/train/JPEGImages']),
        ('visor', 'all', ['VISOR_2022/JPEGImages/480p']),
        ('imagenet', 'train', ['ImageNet/ILSVRC/Data/CLS-LOC/train']),
    ],
)
def test_splits_are_found_in_default_roots(nowhere, data, split, places):
    base = nowhere / 'no_data'
    first, *others = places
    expected = [base / first, *(base / first.split('/')[0] / o for o in others)]
    for path in expected:
        path.mkdir(parents=True)
    (base / 'ytvos/2019/valid').mkdir(parents=True, exist_ok=True)
    _, folders = find_split(load_data_info(data), split)
    assert folders == expected


def test_the_other_year_is_passed_over(nowhere):
    wrong = nowhere / 'no_data/ytv/2019/train/JPEGImages'
    wrong.mkdir(parents=True)
    info = load_data_info('ytvos')
    with pytest.raises(FileNotFoundError) as error:
        find_split(info, '2018/train')
    text = str(error.value)
    assert text.startswith(
        'YouTube-VOS 2018/train was not found. Looked for a folder 2'
    )
    for part in ('no_data/ytv,', 'Expected tree:', 'check_data.py ytvos', 'root=...'):
        assert part in text
    assert find_split(info, '2019/train')[1] == [wrong]
    right = nowhere / 'no_data/ytv/2018/train/JPEGImages'
    right.mkdir(parents=True)
    assert find_split(info, '2018/train')[1] == [right]
    assert find_split(info, '2018/train', nowhere / 'no_data/ytv')[1] == [right]


def test_wrong_roots_and_splits_are_named(tmp_path):
    info = load_data_info('oxuva')
    (tmp_path / 'pictures').mkdir()
    with pytest.raises(
        FileNotFoundError,
        match=r"(?s)OxUvA root '.*' has no folder images/dev, of split 'dev'.*"
        r'check_data\.py oxuva.*pictures',
    ):
        find_split(info, 'dev', tmp_path)
    with pytest.raises(
        ValueError, match=r"OxUvA has no split 'train'\. Known names: dev, test\."
    ):
        find_split(info, 'train', tmp_path)
    with pytest.raises(ValueError, match='OxUvA has no split None'):
        find_split(info, None)
