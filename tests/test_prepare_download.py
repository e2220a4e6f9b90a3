"""``tools/prepare_data.py davis``: fetch, unpack, check, against 127.0.0.1."""

import hashlib
import io
import sys
import zipfile

import pytest

from densecorr import cli
from densecorr.apis import prepare_download
from densecorr.apis.prepare_download import prepare_davis
from densecorr.utils import data_info, download
from densecorr.utils.data_info import SequenceInfo, load_data_info
from densecorr.utils.transfer_progress import TransferProgress
from tests.file_server import serve
from tests.trees import write_davis_tree

NAME = 'DAVIS-2017-trainval-480p.zip'


@pytest.fixture
def small_davis(monkeypatch):
    """Facts by which DAVIS has three short sequences."""
    info = load_data_info('davis')
    splits = {
        '2017/train': {'bear': SequenceInfo(2, 2)},
        '2017/val': {'camel': SequenceInfo(3, 2), 'cows': SequenceInfo(2, 2)},
    }
    small = data_info.DataInfo(**{**vars(info), 'splits': splits})
    for module in ('prepare_download', 'check_data.check'):
        monkeypatch.setattr(
            f'densecorr.apis.{module}.load_data_info', lambda name: small
        )


@pytest.fixture
def archive(tmp_path):
    """Bytes of an archive as DAVIS has it, and of one with an escaping member."""
    tree = write_davis_tree(tmp_path / 'tree', dict(bear=2, camel=3, cows=2))
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, 'w') as packed:
        packed.writestr('DAVIS/README.md', 'of the archive')
        for path in sorted(tree.rglob('*')):
            packed.write(path, f'DAVIS/{path.relative_to(tree)}')
    return buffer.getvalue()


@pytest.fixture
def server(monkeypatch, archive, small_davis):
    monkeypatch.setenv('no_proxy', '127.0.0.1')
    monkeypatch.setattr(download, '_WAIT', 0.0)
    with serve() as state:
        state.files[f'/{NAME}'] = archive
        monkeypatch.setattr(
            prepare_download, '_address', lambda info, split: f'{state.address}/{NAME}'
        )
        yield state


def test_fetched_unpacked_and_checked_once(server, archive, tmp_path):
    out = tmp_path / 'davis'
    lines = list(prepare_davis(out))
    digest = hashlib.sha256(archive).hexdigest()
    assert f'{out / NAME}: sha256 {digest}' in lines
    assert f'{out}: 16 files unpacked, 0 were there' in lines
    assert '2017/val: 2 of 2 sequences, 5 of 5 frames: complete' in lines[-1]
    assert (out / 'JPEGImages/480p/camel/00002.jpg').is_file()
    assert list(prepare_davis(out)) == [
        f'{out} holds all of 2017/train, 2017/val: nothing to do'
    ]
    (out / 'JPEGImages/480p/camel/00002.jpg').unlink()
    (out / 'README.md').write_text('of another archive')
    lines = list(prepare_davis(out))
    assert f'{out}: 1 files unpacked, 14 were there' in lines
    assert f'{out}: kept as they were: README.md' in lines
    assert server.asked == [None]


def test_connection_that_ends_in_the_middle(server, archive, tmp_path):
    half = len(archive) // 2
    server.drops = [half]
    lines = list(prepare_davis(tmp_path, checksum=hashlib.md5(archive).hexdigest()))
    assert lines[-1].count('complete') == 2
    assert server.asked == [None, f'bytes={half}-']


def test_wrong_checksum_unpacks_nothing(server, tmp_path):
    with pytest.raises(ValueError, match=r'has md5 \w+, not 0{32}. The file is kept'):
        list(prepare_davis(tmp_path / 'davis', checksum='0' * 32))
    assert not (tmp_path / 'davis' / 'JPEGImages').exists()
    assert not (tmp_path / 'davis' / NAME).exists()


def test_member_that_leaves_the_folder(server, tmp_path):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, 'w') as packed:
        packed.writestr('DAVIS/JPEGImages/480p/bear/00000.jpg', b'')
        packed.writestr('DAVIS/../../evil.txt', b'')
    server.files[f'/{NAME}'] = buffer.getvalue()
    with pytest.raises(ValueError, match=r"member 'DAVIS/../../evil.txt' that leads o"):
        list(prepare_davis(tmp_path / 'in' / 'davis'))
    assert not list(tmp_path.rglob('evil.txt'))
    assert not (tmp_path / 'in' / 'davis' / 'JPEGImages').exists()


def test_archive_of_something_else(server, tmp_path):
    server.files[f'/{NAME}'] = b'<html>moved</html>'
    with pytest.raises(ValueError, match=r'\(18 bytes\) is not a zip or tar archive'):
        list(prepare_davis(tmp_path))


def test_archive_that_is_not_the_whole_split(server, tmp_path):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, 'w') as packed:
        packed.writestr('DAVIS/JPEGImages/480p/bear/00000.jpg', b'')
    server.files[f'/{NAME}'] = buffer.getvalue()
    lines = []
    with pytest.raises(OSError, match='is not the whole of 2017/train, 2017/val'):
        lines.extend(prepare_davis(tmp_path))


def test_archive_that_is_there(small_davis, archive, tmp_path):
    path = tmp_path / 'fetched.zip'
    path.write_bytes(archive)
    lines = list(prepare_davis(tmp_path / 'davis', archive=path))
    assert lines[-1].count('complete') == 2
    with pytest.raises(ValueError, match=r'fetched.zip is there, but its md5 is'):
        list(prepare_davis(tmp_path / 'd', archive=path, checksum='0' * 32))
    with pytest.raises(FileNotFoundError, match=r"There is no file '.*none.zip'"):
        list(prepare_davis(tmp_path / 'd', archive=tmp_path / 'none.zip'))


def test_absent_address_and_unknown_split(server, tmp_path):
    server.files.clear()
    with pytest.raises(ConnectionError, match=r'404.*name it with --archive ZIP'):
        list(prepare_davis(tmp_path))
    with pytest.raises(ValueError, match=r"one of \['trainval', 'test-dev'\], not 'va"):
        list(prepare_davis(tmp_path, 'val'))


@pytest.mark.parametrize(
    'split, name',
    [('trainval', NAME), ('test-dev', 'DAVIS-2017-test-dev-480p.zip')],
)
def test_published_addresses(split, name):
    address = prepare_download._address(load_data_info('davis'), split)
    assert address.startswith('https://') and address.endswith(f'/{name}')


def test_program(server, tmp_path, capsys):
    command = ['prepare_data', 'davis', '--out', str(tmp_path)]
    address = f'{server.address}/{NAME}'
    assert cli.main([*command, '--download', '--address', address]) == 0
    shown = capsys.readouterr()
    assert '16 files unpacked' in shown.out and 'CC BY-NC 4.0' in shown.out
    server.files.clear()
    command = ['prepare_data', 'davis', '--out', str(tmp_path / 'b')]
    assert cli.main([*command, '--download', '--address', address]) == 1
    assert 'HTTP Error 404' in capsys.readouterr().err
    with pytest.raises(SystemExit):
        cli.main(command)
    assert 'one of the arguments --download --archive' in capsys.readouterr().err


def test_progress_is_told_now_and_then(capsys):
    seconds = iter([0.0, 1.0, 31.0, 32.0, 90.0])
    progress = TransferProgress('fetched', lambda: next(seconds))
    for done, total in [(10**5, 10**7), (5 * 10**6, 10**7), (10**7, 10**7), (1, None)]:
        progress(done, total)
    assert capsys.readouterr().err.splitlines() == [
        'fetched 5.0 of 10.0 MB, 50%',
        'fetched 0.0 MB',
    ]


def test_progress_on_a_terminal_is_a_bar(capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, 'isatty', lambda: True, raising=False)
    seconds = iter([0.0, 0.5, 2.0, 2.5])
    progress = TransferProgress('fetched', lambda: next(seconds))
    for done in (10**6, 5 * 10**6, 10**7):
        progress(done, 10**7)
    lines = [line.rstrip() for line in capsys.readouterr().err.split('\r')]
    assert lines == [
        '',
        '[##########..........] fetched 5.0 of 10.0 MB, 50%',
        '[####################] fetched 10.0 of 10.0 MB, 100%',
    ]
