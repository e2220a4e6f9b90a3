"""``utils.download.fetch`` against servers that behave in different ways."""

import hashlib
import threading
from types import SimpleNamespace

import numpy as np
import pytest

from densecorr.utils import download
from densecorr.utils.download import fetch, file_name
from tests.file_server import serve

CONTENT = np.random.default_rng(0).bytes(300_000)
SHA256 = hashlib.sha256(CONTENT).hexdigest()
HALF = 150_000


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv('no_proxy', '127.0.0.1')
    monkeypatch.setattr(download, '_WAIT', 0.0)
    monkeypatch.setattr(download, '_BLOCK', 1 << 16)
    with serve() as state:
        state.files['/a.zip'] = CONTENT
        yield state


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def interrupted(server, tmp_path):
    """A download that the server ended in the middle, so often that it failed."""
    server.drops = [HALF, *[0] * 4]
    with pytest.raises(
        ConnectionError, match=r'a\.zip ended after \d+ bytes: the connection was'
    ):
        fetch(f'{server.address}/a.zip', tmp_path / 'a.zip')
    server.drops, server.asked = [], []


def test_whole_file_with_progress_and_without_leftovers(server, tmp_path):
    seen = []
    path = tmp_path / 'new' / 'a.zip'
    digest = fetch(
        f'{server.address}/a.zip', path, progress=lambda *args: seen.append(args)
    )
    assert (path.read_bytes(), digest) == (CONTENT, SHA256)
    assert names(path.parent) == ['a.zip']
    assert seen[-1] == (len(CONTENT), len(CONTENT)) and len(seen) == 5
    assert [done for done, _ in seen] == sorted({done for done, _ in seen})
    assert fetch(f'{server.address}/a.zip', path) == SHA256
    assert server.asked == [None]


def test_broken_connection_is_mended_at_once(server, tmp_path):
    server.drops = [HALF, 1000]
    fetch(f'{server.address}/a.zip', tmp_path / 'a.zip', checksum=SHA256)
    assert (tmp_path / 'a.zip').read_bytes() == CONTENT
    assert server.asked == [None, f'bytes={HALF}-', f'bytes={HALF + 1000}-']


def test_next_run_goes_on_where_the_last_one_stopped(server, tmp_path):
    interrupted(server, tmp_path)
    assert names(tmp_path) == ['.a.zip.part', '.a.zip.part.json']
    assert (tmp_path / '.a.zip.part').read_bytes() == CONTENT[:HALF]
    assert fetch(f'{server.address}/a.zip', tmp_path / 'a.zip') == SHA256
    assert server.asked == [f'bytes={HALF}-']
    assert names(tmp_path) == ['a.zip']


@pytest.mark.parametrize('how', ['no ranges', 'changed', 'no version', 'shorter'])
def test_download_starts_anew(server, tmp_path, how):
    if how == 'no version':
        server.version = None
    interrupted(server, tmp_path)
    expected = CONTENT
    if how == 'no ranges':
        server.ranges = False
    elif how == 'changed':
        expected = server.files['/a.zip'] = CONTENT[::-1]
        server.version = '"2"'
    elif how == 'shorter':  # of the same version, so the range cannot be served
        expected = server.files['/a.zip'] = CONTENT[:1000]
    fetch(f'{server.address}/a.zip', tmp_path / 'a.zip')
    assert (tmp_path / 'a.zip').read_bytes() == expected
    assert names(tmp_path) == ['a.zip']


def test_rest_of_another_version_is_not_put_behind(server, tmp_path):
    interrupted(server, tmp_path)
    server.files['/a.zip'] = CONTENT[::-1] + b'longer'  # but the server calls it "1"
    fetch(f'{server.address}/a.zip', tmp_path / 'a.zip')
    assert (tmp_path / 'a.zip').read_bytes() == CONTENT[::-1] + b'longer'


def test_part_of_unknown_origin_is_not_used(server, tmp_path):
    (tmp_path / '.a.zip.part').write_bytes(b'something else')
    (tmp_path / '.a.zip.part.json').write_text('{"version":')
    assert fetch(f'{server.address}/a.zip', tmp_path / 'a.zip') == SHA256


@pytest.mark.parametrize('kind', ['md5', 'sha1', 'sha256'])
def test_checksums(server, tmp_path, kind):
    digits = hashlib.new(kind, CONTENT).hexdigest()
    for number, checksum in enumerate((digits, f'{kind}:{digits.upper()}')):
        path = tmp_path / str(number)
        assert fetch(f'{server.address}/a.zip', path, checksum) == SHA256
    with pytest.raises(ValueError, match=rf'is there, but its {kind} is {digits}, not'):
        fetch(f'{server.address}/a.zip', path, '0' * len(digits))


def test_wrong_checksum_leaves_no_file_of_that_name(server, tmp_path):
    path = tmp_path / 'a.zip'
    with pytest.raises(
        ValueError,
        match=rf'has sha256 {SHA256}, not 0{{64}}. The file is kept as .*'
        r'\.a\.zip\.part: if the checksum was wrong',
    ):
        fetch(f'{server.address}/a.zip', path, '0' * 64)
    assert not path.exists()
    assert fetch(f'{server.address}/a.zip', path, SHA256) == SHA256
    assert server.asked == [None]  # nothing was fetched twice
    assert names(tmp_path) == ['a.zip']


@pytest.mark.parametrize('checksum', ['abc', 'z' * 64, 'sha256:' + '0' * 32])
def test_malformed_checksum(tmp_path, checksum):
    with pytest.raises(ValueError, match=r'is none of \[.*md5.*\(\[32, 40, 64\] of'):
        fetch('http://127.0.0.1/a.zip', tmp_path / 'a.zip', checksum)


def test_length_must_be_known_or_the_checksum(server, tmp_path):
    server.length = False
    address, path = f'{server.address}/a.zip', tmp_path / 'a.zip'
    with pytest.raises(ValueError, match=r'does not say how long.*Give the checksum'):
        fetch(address, path)
    assert names(tmp_path) == []
    server.drops = [HALF]
    with pytest.raises(ValueError, match=r'has sha256 .* not'):
        fetch(address, path, SHA256)
    assert fetch(address, path, SHA256) == SHA256


def test_addresses_that_cannot_be_fetched(server, tmp_path):
    with pytest.raises(ValueError, match=r"'ftp://h/a' is no address that starts"):
        fetch('ftp://h/a', tmp_path / 'a')
    with pytest.raises(OSError, match='404'):
        fetch(f'{server.address}/b.zip', tmp_path / 'b.zip')
    with pytest.raises(ConnectionError, match=r'ended after 0 bytes: .*refused'):
        fetch('http://127.0.0.1:1/a', tmp_path / 'a')
    assert names(tmp_path) == []


def test_full_disk_is_told_before_the_transfer(server, tmp_path, monkeypatch):
    monkeypatch.setattr(
        download.shutil, 'disk_usage', lambda path: SimpleNamespace(free=1000)
    )
    with pytest.raises(OSError, match=r'300000 bytes are to come, but only 1000 are'):
        fetch(f'{server.address}/a.zip', tmp_path / 'a.zip')
    assert not (tmp_path / 'a.zip').exists()


def test_two_fetch_one_file(server, tmp_path):
    digests = []

    def run():
        digests.append(fetch(f'{server.address}/a.zip', tmp_path / 'a.zip'))

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert digests == [SHA256] * 4
    assert server.asked == [None]
    assert names(tmp_path) == ['a.zip']


def test_names_of_addresses():
    assert file_name('https://h/b/DAVIS%202017.zip?download=1') == 'DAVIS 2017.zip'
    assert file_name('https://h/') == 'file'
