import errno

import pytest

from densecorr.utils import files
from densecorr.utils.files import make_folder, write_atomic, write_lines


def test_writes_and_replaces_without_leftovers(tmp_path):
    path = tmp_path / 'a' / 'b' / 'räk ning.txt'
    write_atomic(path, 'first\n')
    write_atomic(path, b'second\r\n')
    assert path.read_bytes() == b'second\r\n'
    assert [p.name for p in path.parent.iterdir()] == ['räk ning.txt']


def test_text_is_utf8_with_its_line_ends(tmp_path):
    write_atomic(tmp_path / 'x', 'ö\r\n')
    assert (tmp_path / 'x').read_bytes() == b'\xc3\xb6\r\n'


def test_a_killed_write_leaves_the_old_file_and_the_next_run_cleans_up(
    tmp_path, monkeypatch
):
    path = tmp_path / 'metrics.json'
    write_atomic(path, 'old')

    def killed(handle, data):
        handle.write(data[:2])
        handle.flush()
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(files, '_write', killed)
        write_atomic(path, 'new')
    assert path.read_text() == 'old'
    (tmp_path / '.metrics.json.tmp').write_text('ne')  # what kill -9 leaves
    write_atomic(path, 'new')
    assert [p.name for p in tmp_path.iterdir()] == ['metrics.json']
    assert path.read_text() == 'new'


@pytest.mark.parametrize('code', [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_named_with_the_remedy(tmp_path, monkeypatch, code):
    path = tmp_path / 'metrics.json'
    write_atomic(path, 'old')

    def full(handle, data):
        handle.write(data[:1])
        raise OSError(code, 'no space')

    monkeypatch.setattr(files, '_write', full)
    with pytest.raises(OSError, match=r'No space left.*metrics\.json.*run again') as e:
        write_atomic(path, 'new')
    assert e.value.errno == code
    assert 'finished videos are kept' in str(e.value)
    assert [p.name for p in tmp_path.iterdir()] == ['metrics.json']
    assert path.read_text() == 'old'


def test_other_errors_pass_unchanged(tmp_path, monkeypatch):
    def broken(handle, data):
        raise OSError(errno.EIO, 'input/output error')

    monkeypatch.setattr(files, '_write', broken)
    with pytest.raises(OSError, match='input/output error') as error:
        write_atomic(tmp_path / 'x', 'y')
    assert error.value.errno == errno.EIO


def test_a_path_below_a_regular_file_names_that_file(tmp_path):
    (tmp_path / 'taken').write_text('x')
    with pytest.raises(NotADirectoryError, match=r'taken is a regular file.*another'):
        write_atomic(tmp_path / 'taken' / 'deep' / 'x.json', 'y')
    with pytest.raises(NotADirectoryError, match=r'taken is a regular file'):
        make_folder(tmp_path / 'taken')
    with pytest.raises(IsADirectoryError, match='is a folder'):
        write_atomic(tmp_path, 'y')


def test_make_folder_returns_an_existing_folder(tmp_path):
    assert make_folder(tmp_path / 'a' / 'b').is_dir()
    assert make_folder(str(tmp_path / 'a' / 'b')) == tmp_path / 'a' / 'b'


def test_make_folder_on_a_full_disk(tmp_path, monkeypatch):
    def full(*args, **kwargs):
        raise OSError(errno.ENOSPC, 'no space')

    monkeypatch.setattr(files.Path, 'mkdir', full)
    with pytest.raises(OSError, match=r'No space left.*/new\. Free space'):
        make_folder(tmp_path / 'new')


def test_writers_of_other_libraries_are_named_too(tmp_path):
    full = OSError(errno.ENOSPC, 'No space left on device')
    with (
        pytest.raises(OSError, match=rf'while writing {tmp_path}\. Free space and run'),
        files.full_disk_named(tmp_path),
    ):
        raise full
    with pytest.raises(OSError, match='Input/output'), files.full_disk_named(tmp_path):
        raise OSError(errno.EIO, 'Input/output error')


def test_lines_are_written_once_and_never_over_another_file(tmp_path):
    path = tmp_path / 'a' / 'x.txt'
    assert write_lines(path, iter(['ö', 'b']))
    assert path.read_bytes() == 'ö\nb\n'.encode()
    assert not write_lines(path, ['ö', 'b'])
    with pytest.raises(FileExistsError, match=r'x\.txt is there with other content'):
        write_lines(path, ['c'])
    assert path.read_bytes() == 'ö\nb\n'.encode()
    assert write_lines(path, ['c'], overwrite=True)
    assert path.read_text() == 'c\n'
    with pytest.raises(IsADirectoryError, match='is a folder'):
        write_lines(tmp_path, ['c'])
    assert [p.name for p in path.parent.iterdir()] == ['x.txt']


def test_a_stopped_list_leaves_the_old_one(tmp_path):
    def stopped():
        yield 'new'
        raise KeyboardInterrupt

    write_lines(tmp_path / 'x', ['old'])
    with pytest.raises(KeyboardInterrupt):
        write_lines(tmp_path / 'x', stopped(), overwrite=True)
    assert (tmp_path / 'x').read_text() == 'old\n'
    assert [p.name for p in tmp_path.iterdir()] == ['x']
