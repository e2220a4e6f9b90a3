"""Lists of videos: what readers accept, and what they say about wrong lines."""

import json
import re

import pytest

from densecorr.utils.list_files import (
    check_fields,
    frame_index_lines,
    read_folder_list,
    read_frame_index,
    read_image_list,
    read_inference_list,
    read_lines,
    read_validation_list,
)


@pytest.fixture
def write(tmp_path):
    """Writes a list file; its path."""

    def run(*lines, end='\n', start=''):
        path = tmp_path / 'list.txt'
        path.write_bytes((start + ''.join(f'{x}{end}' for x in lines)).encode())
        return path

    return run


@pytest.mark.parametrize('end', ['\n', '\r\n', '\r'])
@pytest.mark.parametrize('start', ['', '\ufeff'])
def test_line_ends_marks_and_empty_lines_do_not_matter(write, end, start):
    path = write('/a/x/0.jpg', '', '  a/x/1.jpg  7 more', '\t', end=end, start=start)
    (video,) = read_image_list(path)
    assert video.folder == 'a/x'
    assert video.images == ('a/x/0.jpg', 'a/x/1.jpg')
    assert [line.number for line in read_lines(path)] == [1, 3]


def test_a_last_line_without_end_counts(tmp_path):
    (tmp_path / 'x').write_text('a/0.jpg\na/1.jpg')
    assert len(read_image_list(tmp_path / 'x')[0].images) == 2


def test_neighbours_of_one_name_are_two_videos(write):
    path = write('a/x/0.jpg', 'a/x/1.jpg', 'b/x/0.jpg', 'b/y/0.jpg')
    videos = read_image_list(path)
    assert [video.folder for video in videos] == ['a/x', 'b/x', 'b/y']
    assert [video.name for video in videos] == ['x', 'x', 'y']


def test_short_videos_are_left_out_of_training_lists_only(write):
    path = write('a/0.jpg', 'b/0.jpg', 'b/1.jpg', 'c/0.jpg')
    assert [video.name for video in read_image_list(path, min_frames=2)] == ['b']
    with pytest.raises(ValueError, match=r'none of its 3 videos has 3 frames.*has 2'):
        read_image_list(path, min_frames=3)
    assert [len(video.images) for video in read_validation_list(path)] == [1, 2, 1]


def test_validation_lists_keep_every_frame_and_its_label_map(write):
    path = write('/i/a/0.jpg /l/a/0.png', 'i/a/1.jpg', 'i/b/0.jpg', 'i/b/1.jpg l/1.png')
    first, last = read_validation_list(path)
    assert first.label_maps == ('l/a/0.png', None)
    assert last.images == ('i/b/0.jpg', 'i/b/1.jpg')
    assert last.label_maps == (None, 'l/1.png')
    assert last.written == (True, True)


def test_inference_lists_have_flags(write):
    (video,) = read_inference_list(
        write('1 /i/a/05.jpg /l/05.png', '0 i/a/6.jpg l/6.png x')
    )
    assert video.written == (True, False)
    assert video.frame_names == ('05', '6')
    assert video.label_maps == ('l/05.png', 'l/6.png')


WRONG = [
    (read_image_list, 'a/b', 'field 1 should be the path of the image'),
    (read_image_list, '1 a/0.jpg', "not '1'"),
    (read_validation_list, 'a/0.jpg 17', 'field 2 should be the path of the label map'),
    (read_inference_list, 'a/0.jpg l/0.png', 'should be 0 or 1, not'),
    (read_inference_list, '2 a/0.jpg l/0.png', "should be 0 or 1, not '2'"),
    (read_inference_list, '1', 'field 2, the image, is missing'),
    (read_inference_list, '1 a/0.jpg', 'field 3, the label map, is missing'),
    (read_folder_list, 'a/b/0.jpg', 'a folder of frames is expected, this is an image'),
]


@pytest.mark.parametrize(('read', 'line', 'text'), WRONG, ids=range(len(WRONG)))
def test_wrong_lines_are_named_with_their_number(write, read, line, text):
    good = {read_inference_list: '1 a/0.jpg l/0.png', read_folder_list: 'a'}
    path = write(good.get(read, 'a/0.jpg'), '', line)
    with pytest.raises(ValueError, match=re.escape(text)) as error:
        read(path)
    assert str(error.value).startswith(f'{path}, line 3: ')
    assert str(error.value).endswith(f'Line: {line!r}.')


def test_long_wrong_lines_are_cut(write):
    with pytest.raises(ValueError, match=r"Line: 'x{120}\.\.\.'\.$"):
        read_image_list(write('x' * 1000))


def test_folder_lists_keep_spaces(write):
    path = write('/k/applying cream/v_01', 'k/b/', end='\r\n')
    assert read_folder_list(path) == ['k/applying cream/v_01', 'k/b']


@pytest.mark.parametrize('read', [read_lines, read_frame_index])
def test_a_missing_list_is_named(tmp_path, read):
    with pytest.raises(FileNotFoundError, match=r"no list file '.*no\.txt'"):
        read(tmp_path / 'no.txt')


def test_empty_and_foreign_files_are_refused(write):
    with pytest.raises(ValueError, match='is empty'):
        read_lines(write('', ' '))
    path = write()
    path.write_bytes(b'\x89PNG\r\n')
    with pytest.raises(ValueError, match='is not a list: byte 0 is not UTF-8'):
        read_lines(path)
    with pytest.raises(ValueError, match='is no JSON'):
        read_frame_index(path)


def test_a_frame_index_survives_and_has_a_video_a_line(tmp_path):
    index = {'b "q"': ['1.jpg', '0.jpg'], 'ä': ['00000.jpg']}
    lines = list(frame_index_lines(index))
    assert len(lines) == 4
    (tmp_path / 'x.json').write_text('\n'.join(lines))
    found = read_frame_index(tmp_path / 'x.json')
    assert found == index and list(found) == list(index)
    assert json.loads(''.join(frame_index_lines({}))) == {}


@pytest.mark.parametrize(
    ('text', 'problem'),
    [
        ('{"a": ["0.jpg"],\n"b" ["0.jpg"]}', r'x\.json, line 2: Expecting'),
        ('[1]', r"should hold \{.*\}, not '\[1\]'"),
        ('{}', 'should hold'),
        ('{"a": "0.jpg"}', "video 'a' should have a list of frame names"),
        ('{"a": ["0.jpg"], "b": []}', r"video 'b' .*not '\[\]'"),
        ('{"a": [0]}', "video 'a'"),
    ],
)
def test_wrong_frame_indices_are_named(tmp_path, text, problem):
    (tmp_path / 'x.json').write_text(text)
    with pytest.raises(ValueError, match=problem):
        read_frame_index(tmp_path / 'x.json')


def test_fields_with_spaces_are_not_written():
    assert check_fields(['1', '/a/0.jpg']) == '1 /a/0.jpg'
    for field in ('a b', 'a\tb', ' a', ''):
        with pytest.raises(ValueError, match='cannot be written into a list'):
            check_fields(['1', field])
