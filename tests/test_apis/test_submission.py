"""Archives for benchmark servers."""

import io
import zipfile

import numpy as np
import pytest
from PIL import Image

from densecorr.apis import submission
from densecorr.apis.submission import write_submission
from densecorr.engine.records import ResultFolder
from tests.test_engine.fakes import FakeVideos

SETTINGS = dict(file='Annotations.zip', folder='Annotations')


@pytest.fixture
def folder(tmp_path):
    """Predictions of two videos: object number is the frame's, plus 1."""
    for name, count in (('a', 2), ('b', 1)):
        for t in range(count):
            path = tmp_path / f'predictions/{name}/0000{t}.png'
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.full((4, 6), t + 1, np.uint8)).save(path)
    return ResultFolder(tmp_path)


def videos(note=''):
    dataset = FakeVideos(dict(a=2, b=1))
    dataset.metainfo['note'] = note
    return dataset


def test_members_are_the_predictions_and_equal_runs_give_equal_bytes(folder):
    path = write_submission(SETTINGS, folder, videos())
    assert path == folder.path / 'submission/Annotations.zip'
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        assert names == [
            'Annotations/a/00000.png',
            'Annotations/a/00001.png',
            'Annotations/b/00000.png',
        ]
        image = Image.open(io.BytesIO(archive.read('Annotations/a/00001.png')))
        assert (np.asarray(image) == 2).all()
    first = path.read_bytes()
    assert write_submission(SETTINGS, folder, videos()).read_bytes() == first
    assert [p.name for p in path.parent.iterdir()] == ['Annotations.zip']


def test_without_a_folder_the_videos_lie_at_the_top(folder):
    path = write_submission(dict(file='x.zip', folder=''), folder, videos())
    with zipfile.ZipFile(path) as archive:
        assert archive.namelist()[0] == 'a/00000.png'


def test_no_server_no_archive(folder):
    assert write_submission(None, folder, videos()) is None
    assert not (folder.path / 'submission').exists()


def test_a_part_of_a_split_is_said_to_be_no_submission(folder, monkeypatch):
    said = []
    monkeypatch.setattr(
        submission, 'print_log', lambda text, *_, **__: said.append(text)
    )
    write_submission(SETTINGS, folder, videos('2 of 474 sequences'))
    assert 'Annotations.zip is not a whole submission: 2 of 474 sequences' in said
    said.clear()
    write_submission(SETTINGS, folder, videos())
    assert len(said) == 1 and said[0].endswith('Annotations.zip: 3 files to hand in')


def test_predictions_of_other_machines_are_asked_for(folder, monkeypatch):
    said = []
    monkeypatch.setattr(submission, 'print_log', lambda text, *_: said.append(text))
    (folder.path / 'predictions/b/00000.png').unlink()
    assert write_submission(SETTINGS, folder, videos()) is None
    assert 'no Annotations.zip: 1 of 3 files are not on this machine' in said[0]
    assert 'Annotations/b/00000.png' in said[0]
    assert not (folder.path / 'submission').exists()


@pytest.mark.parametrize('content', ['zip', 'text'])
def test_a_foreign_file_of_that_name_is_kept(folder, content):
    path = folder.path / 'submission/Annotations.zip'
    path.parent.mkdir()
    path.write_text('my notes')
    if content == 'zip':
        with zipfile.ZipFile(path, 'w') as archive:
            archive.writestr('thesis.tex', 'text')
    before = path.read_bytes()
    with pytest.raises(
        FileExistsError, match=r'Annotations\.zip is there already.*Mov'
    ):
        write_submission(SETTINGS, folder, videos())
    assert path.read_bytes() == before


def test_a_full_disk_leaves_the_old_archive(folder, monkeypatch):
    path = write_submission(SETTINGS, folder, videos())
    before = path.read_bytes()

    def full(*args, **kwargs):
        raise OSError(28, 'No space left on device')

    monkeypatch.setattr(zipfile.ZipFile, 'writestr', full)
    with pytest.raises(OSError, match=r'No space left'):
        write_submission(SETTINGS, folder, videos())
    assert path.read_bytes() == before
    assert [p.name for p in path.parent.iterdir()] == ['Annotations.zip']
