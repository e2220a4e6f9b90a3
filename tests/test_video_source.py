import numpy as np
import pytest

from densecorr.utils.video_source import find_videos, frame_order, list_frames
from tests.trees import write_image

PIXEL = np.zeros((2, 2, 3), np.uint8)


def write(folder, *names):
    for name in names:
        write_image(folder / name, PIXEL)
    return folder


@pytest.mark.parametrize(
    'names',
    [
        ['1', '2', '10', '100'],
        ['00000', '00001', '00010'],
        ['b1', 'a2'],  # the number comes before the name
        ['clip2_0001', 'clip2_0002', 'clip2_0010'],
        ['1_480p', '2_480p', '10_480p'],  # last number equal: all numbers decide
        ['cover', 'frame 1', 'frame 2'],  # without a number: first
        ['a1', 'b1'],
        ['Straße 9', 'Straße 11'],
    ],
)
def test_order_is_by_number_then_by_name(names):
    mixed = names[1:] + names[:1]
    assert sorted(mixed, key=frame_order) == names


def test_order_is_total():
    assert sorted(['01', '1', '001'], key=frame_order) == sorted(['1', '01', '001'])


def test_odd_names_are_read_and_others_ignored(tmp_path):
    folder = write(tmp_path / 'mein vidéo', 'Bild 2.JPG', 'Bild 10.Jpeg', '画像 1.PNG')
    write(folder, '.hidden 3.jpg')
    (folder / 'notes.txt').write_text('4')
    (folder / 'Thumbs.db').write_bytes(b'5')
    (folder / 'sub').mkdir()
    names = [path.name for path in list_frames(folder)]
    assert names == ['画像 1.PNG', 'Bild 2.JPG', 'Bild 10.Jpeg']
    assert [p.name for p in list_frames(folder, ['.png'])] == ['画像 1.PNG']


def test_folder_without_frames_is_an_error(tmp_path):
    with pytest.raises(
        FileNotFoundError, match=rf"no folder of frames '{tmp_path}/no'"
    ):
        list_frames(tmp_path / 'no')
    with pytest.raises(
        ValueError, match=rf"'{tmp_path}' holds no frame, nothing. .*jpg"
    ):
        list_frames(tmp_path)
    (tmp_path / 'clip.mp4').write_bytes(b'')
    with pytest.raises(ValueError, match=r"only \['clip.mp4'\]. .*'.jpg'"):
        list_frames(tmp_path)


def test_two_files_of_one_frame_are_an_error(tmp_path):
    write(tmp_path, '0.jpg', '0.png')
    with pytest.raises(ValueError, match=r"'0.(jpg|png)' and '0.(jpg|png)'.*Keep one"):
        list_frames(tmp_path)


def test_videos_at_any_depth(tmp_path):
    write(tmp_path / 'x' / 'take 1', '1.jpg', '2.jpg')
    write(tmp_path / 'x', '7.png')
    write(tmp_path / 'y' / 'z' / 'deep', '0.jpg')
    write(tmp_path / '.trash', '0.jpg')
    (tmp_path / 'empty').mkdir()
    (tmp_path / 'y' / 'loop').symlink_to(tmp_path)
    videos = find_videos(tmp_path)
    assert list(videos) == ['x', 'x/take 1', 'y/z/deep']
    assert [path.name for path in videos['x/take 1']] == ['1.jpg', '2.jpg']


def test_frames_directly_in_the_root_take_its_name(tmp_path):
    write(tmp_path / 'my clip', '0.jpg')
    assert list(find_videos(tmp_path / 'my clip')) == ['my clip']


def test_tree_without_frames_is_an_error(tmp_path):
    with pytest.raises(
        FileNotFoundError, match=rf"no folder of videos '{tmp_path}/no'"
    ):
        find_videos(tmp_path / 'no')
    with pytest.raises(ValueError, match=rf"at or below '{tmp_path}' holds a .*'.jpg'"):
        find_videos(tmp_path)
