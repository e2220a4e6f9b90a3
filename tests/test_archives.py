import io
import stat
import tarfile
import zipfile
import zlib
from types import SimpleNamespace

import pytest

from densecorr.utils import archives
from densecorr.utils.archives import Unpacked, unpack

FILES = {
    'DAVIS/JPEGImages/480p/a/00000.jpg': b'frame' * 100,
    'DAVIS/ImageSets/2017/val.txt': b'a\n',
    'DAVIS/empty': b'',
    '__MACOSX/DAVIS/._empty': b'junk',
}
BELOW = {name.removeprefix('DAVIS/'): data for name, data in FILES.items()}
del BELOW['__MACOSX/DAVIS/._empty']


def make_zip(path, files, compression=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, 'w', compression) as archive:
        archive.mkdir('DAVIS')
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def make_tar(path, files, extra=(), mode='w:gz'):
    with tarfile.open(path, mode) as archive:
        folder = tarfile.TarInfo('DAVIS')
        folder.type = tarfile.DIRTYPE
        archive.addfile(folder)
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
        for info in extra:
            archive.addfile(info)
    return path


def tar_link(name, target, kind=tarfile.SYMTYPE):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def content(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob('*')
        if path.is_file()
    }


@pytest.mark.parametrize('make', [make_zip, make_tar])
def test_unpack_drops_the_top_folder_and_goes_on(make, tmp_path):
    archive, out = make(tmp_path / 'archive', FILES), tmp_path / 'out'
    seen = []
    done = unpack(archive, out, 'DAVIS', lambda *state: seen.append(state))
    assert done == Unpacked(written=3, present=0)
    assert content(out) == BELOW
    assert seen[-1] == (502, 502) and len(seen) == 3
    (out / 'ImageSets/2017/val.txt').unlink()
    (out / 'mine.txt').write_text('mine')
    assert unpack(archive, out, 'DAVIS') == Unpacked(written=1, present=2)
    assert content(out) == BELOW | {'mine.txt': b'mine'}
    unpack(archive, tmp_path / 'whole')
    assert 'DAVIS/empty' in content(tmp_path / 'whole')


@pytest.mark.parametrize('make', [make_zip, make_tar])
@pytest.mark.parametrize('data', [b'other', b'b\n'])
def test_files_of_other_content_stay(make, data, tmp_path):
    out = tmp_path / 'out'
    (out / 'ImageSets/2017').mkdir(parents=True)
    (out / 'ImageSets/2017/val.txt').write_bytes(data)
    with pytest.raises(
        FileExistsError, match=r"out holds \['ImageSets/2017/val.txt'\] with another"
    ):
        unpack(make(tmp_path / 'archive', FILES), out, 'DAVIS')
    assert content(out) == {'ImageSets/2017/val.txt': data}


def test_notes_of_other_content_may_be_kept(tmp_path):
    first = make_zip(tmp_path / 'first', {'README.md': b'1', 'a': b'1'})
    second = make_zip(tmp_path / 'second', {'README.md': b'2', 'b': b'2'})
    unpack(first, tmp_path / 'out')
    done = unpack(second, tmp_path / 'out', keep=['README*'])
    assert done == Unpacked(written=1, present=0, kept=('README.md',))
    assert content(tmp_path / 'out') == {'README.md': b'1', 'a': b'1', 'b': b'2'}


ESCAPES = ['../x', '/tmp/x', 'a/../../x', '..\\x', 'C:\\x', 'a/b/..', '..']


@pytest.mark.parametrize('make', [make_zip, make_tar])
@pytest.mark.parametrize('name', ESCAPES)
def test_members_that_leave_the_folder(make, name, tmp_path):
    archive = make(tmp_path / 'archive', {'good': b'1', name: b'2'})
    with pytest.raises(ValueError, match=r'archive has a member .* that leads out of'):
        unpack(archive, tmp_path / 'out')
    assert sorted(p.name for p in tmp_path.iterdir()) == ['archive']


LINKS = ['../../etc/passwd', '/etc/passwd', '..', 'nothing', 'a/../../x', 'a']


@pytest.mark.parametrize('target', LINKS)
@pytest.mark.parametrize('kind', [tarfile.SYMTYPE, tarfile.LNKTYPE])
def test_links_out_of_a_tar_archive(target, kind, tmp_path):
    archive = make_tar(
        tmp_path / 'archive', {'a/good': b'1'}, [tar_link('b', target, kind)]
    )
    with pytest.raises(ValueError, match=r"a link 'b' to .* which is no file of the"):
        unpack(archive, tmp_path / 'out')
    assert not (tmp_path / 'out').exists()


def zip_of_kind(path, name, kind, data):
    info = zipfile.ZipInfo(name)
    info.external_attr = (kind | 0o777) << 16
    with zipfile.ZipFile(path, 'w') as archive:
        archive.writestr('a/good', b'1')
        archive.writestr(info, data)
    return path


def test_links_and_devices_of_a_zip_archive(tmp_path):
    archive = zip_of_kind(tmp_path / 'z', 'a/l', stat.S_IFLNK, b'../../good')
    with pytest.raises(ValueError, match=r"link 'a/l' to 'a/../../good', which is no"):
        unpack(archive, tmp_path / 'out')
    archive = zip_of_kind(tmp_path / 'z', 'a/l', stat.S_IFLNK, b'../a/good')
    unpack(archive, tmp_path / 'out')
    assert content(tmp_path / 'out') == {'a/good': b'1', 'a/l': b'1'}
    assert not (tmp_path / 'out/a/l').is_symlink()
    archive = zip_of_kind(tmp_path / 'z', 'a/d', stat.S_IFCHR, b'')
    with pytest.raises(ValueError, match=r"member 'a/d' that is neither a file, a fol"):
        unpack(archive, tmp_path / 'out')


def test_links_within_a_tar_archive_become_files(tmp_path):
    links = [
        tar_link('a/s', 'good'),
        tar_link('b/s', '../a/good'),
        tar_link('c', 'a/good', tarfile.LNKTYPE),
    ]
    archive = make_tar(tmp_path / 'archive', {'a/good': b'1'}, links)
    unpack(archive, tmp_path / 'out')
    names = ['a/good', 'a/s', 'b/s', 'c']
    assert content(tmp_path / 'out') == dict.fromkeys(names, b'1')
    assert not any(path.is_symlink() for path in (tmp_path / 'out').rglob('*'))


@pytest.mark.parametrize('kind', [tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE])
def test_devices_of_a_tar_archive(kind, tmp_path):
    archive = make_tar(tmp_path / 'archive', {}, [tar_link('d', '', kind)])
    with pytest.raises(ValueError, match=r"member 'd' that is neither a file"):
        unpack(archive, tmp_path / 'out')


def test_archives_that_cannot_be_read(tmp_path):
    path = tmp_path / 'archive'
    with pytest.raises(FileNotFoundError, match=f"There is no archive '{path}'"):
        unpack(path, tmp_path / 'out')
    path.write_bytes(b'<html>quota exceeded</html>')
    with pytest.raises(ValueError, match=r'\(27 bytes\) is not a zip or tar archive'):
        unpack(path, tmp_path / 'out')
    make_zip(path, FILES)
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(ValueError, match=r'cut off. Fetch it again'):
        unpack(path, tmp_path / 'out')


CUTS = [3000, 5632, 5632 + 100, 11776]  # in a file, behind it, in a header, at the end


@pytest.mark.parametrize('length', CUTS)
def test_tar_that_was_cut_off(length, tmp_path):
    path = make_tar(tmp_path / 't', {'a': b'x' * 5000, 'b': b'y' * 5000}, mode='w')
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(ValueError, match=r'is damaged or was cut off \(.*Fetch it'):
        unpack(path, tmp_path / 'out')
    assert not (tmp_path / 'out').exists()


@pytest.mark.parametrize('mode', ['w:gz', 'w:bz2', 'w:xz'])
def test_compressed_tar_that_was_cut_off(mode, tmp_path):
    path = make_tar(tmp_path / 't', {'a': b'x' * 5000}, mode=mode)
    unpack(path, tmp_path / 'whole')
    path.write_bytes(path.read_bytes()[:-6])
    with pytest.raises(ValueError, match=r'cut off'):
        unpack(path, tmp_path / 'out')


def test_a_damaged_file_is_not_left_behind(tmp_path):
    path = make_zip(tmp_path / 'archive', {'a': b'first', 'b': b'second'}, 0)
    path.write_bytes(path.read_bytes().replace(b'second', b'sec0nd'))
    with pytest.raises(ValueError, match=r"damaged or was cut off \(Bad CRC-32.*'b'"):
        unpack(path, tmp_path / 'out')
    assert content(tmp_path / 'out') == {'a': b'first'}


def test_encrypted_archive(tmp_path):
    path = make_zip(tmp_path / 'archive', {'a': b'1'}, 0)
    data = bytearray(path.read_bytes())
    data[data.rindex(b'PK\x01\x02') + 8] |= 1  # general purpose flags, APPNOTE 4.3.12
    path.write_bytes(data)
    with pytest.raises(ValueError, match=r"is encrypted \('a'\). Unpack it with the"):
        unpack(path, tmp_path / 'out')


def test_archive_that_needs_more_space_than_there_is(tmp_path, monkeypatch):
    archive = make_zip(tmp_path / 'bomb', {'a': bytes(10**7)})
    assert archive.stat().st_size < 20_000
    monkeypatch.setattr(
        archives.shutil, 'disk_usage', lambda path: SimpleNamespace(free=10**6)
    )
    with pytest.raises(OSError, match=r'need 10000000 bytes, but only 1000000 are fre'):
        unpack(archive, tmp_path / 'new' / 'out')
    assert not (tmp_path / 'new').exists()


def test_stopped_run_leaves_whole_files_and_goes_on(tmp_path, monkeypatch):
    archive = make_zip(tmp_path / 'archive', {'a': b'1', 'b': b'2' * 5000, 'c': b'3'})
    copy = archives.shutil.copyfileobj

    def stop(source, target, length):
        if target.name.endswith('.b.tmp'):
            target.write(source.read(100))
            raise KeyboardInterrupt
        copy(source, target, length)

    monkeypatch.setattr(archives.shutil, 'copyfileobj', stop)
    with pytest.raises(KeyboardInterrupt):
        unpack(archive, tmp_path / 'out')
    assert content(tmp_path / 'out') == {'a': b'1'}
    monkeypatch.undo()
    assert unpack(archive, tmp_path / 'out') == Unpacked(2, 1)
    assert zlib.crc32((tmp_path / 'out' / 'b').read_bytes()) == zlib.crc32(b'2' * 5000)
