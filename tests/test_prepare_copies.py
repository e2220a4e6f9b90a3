"""``tools/prepare_data.py davis480x880``: a resized copy, never in place."""

import io
import json
import shutil

import numpy as np
import pytest
from PIL import Image

from densecorr import cli
from densecorr.apis import prepare_copies
from densecorr.apis.prepare_copies import prepare_davis480x880
from densecorr.datasets import DAVISDataset
from tests.test_datasets.hand_clip import files_of
from tests.trees import write_davis_tree

FRAME = 'JPEGImages/480p/a/00001.jpg'
LABELS = 'Annotations/480p/a/00001.png'
PAIRS = 'davis480x880_list.txt'


@pytest.fixture
def root(tmp_path):
    """DAVIS with two small sequences, in an order that is not that of the names."""
    return write_davis_tree(tmp_path / 'davis', {'b': 2, 'a': 3}, size=(31, 50))


def content(folder):
    return {name: (folder / name).read_bytes() for name in files_of(folder)}


def resized(path):
    return Image.open(path).resize((880, 480), Image.Resampling.NEAREST)


def test_the_copy_has_the_bytes_of_the_published_recipe(root, tmp_path):
    before, out = content(root), tmp_path / 'out'
    summary = prepare_davis480x880(root, out)
    expected = io.BytesIO()
    resized(root / FRAME).save(expected, 'JPEG')
    assert (out / FRAME).read_bytes() == expected.getvalue()
    labels = Image.open(out / LABELS)
    assert labels.mode == 'P' and labels.size == (880, 480)
    assert np.array_equal(np.asarray(labels), np.asarray(resized(root / LABELS)))
    assert labels.getpalette() == Image.open(root / LABELS).getpalette()
    assert content(root) == before
    assert summary == dict(
        out=str(out),
        list=str(out / PAIRS),
        status='written',
        written=12,
        sequences=2,
        frames=5,
        note='2 sequences of other data: not DAVIS-2017 val',
    )
    dataset = DAVISDataset(out)
    assert [sample.name for sample in dataset] == ['b', 'a']
    assert dataset[1].size == (480, 880) and dataset[1].num_frames == 3


def test_the_list_has_two_columns_in_the_order_of_the_split(root, tmp_path):
    out = tmp_path / 'out'
    prepare_davis480x880(root, out)
    rows = [line.split(' ') for line in (out / PAIRS).read_text().splitlines()]
    assert rows == [
        [f'{out}/{kind}/480p/{name}' for kind in ('JPEGImages', 'Annotations')]
        for name in ('b', 'a')
    ]
    moved = out.rename(tmp_path / 'moved')
    assert prepare_davis480x880(root, moved)['written'] == 1
    assert (moved / PAIRS).read_text().startswith(f'{moved}/JPEGImages/480p/b ')


def test_png_keeps_every_pixel(root, tmp_path):
    prepare_davis480x880(root, tmp_path / 'out', png=True)
    copy = np.asarray(Image.open(tmp_path / 'out' / FRAME.replace('jpg', 'png')))
    assert np.array_equal(copy, np.asarray(resized(root / FRAME)))
    assert not list((tmp_path / 'out').rglob('*.jpg'))


def test_a_stopped_run_goes_on(root, tmp_path, monkeypatch):
    whole, out = tmp_path / 'whole', tmp_path / 'out'
    prepare_davis480x880(root, whole)
    write, written = prepare_copies.write_atomic, []

    def stop(path, data):
        if len(written) == 4:
            raise KeyboardInterrupt
        written.append(path)
        write(path, data)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(prepare_copies, 'write_atomic', stop)
        prepare_davis480x880(root, out)
    assert len(list(out.rglob('0*'))) == 4
    assert not json.loads((out / prepare_copies.MANIFEST).read_text())['complete']
    summary = prepare_davis480x880(root, out)
    assert (summary['status'], summary['written']) == ('completed', 8)
    expected = content(whole)
    expected[PAIRS] = expected[PAIRS].replace(b'/whole/', b'/out/')
    assert content(out) == expected
    assert prepare_davis480x880(root, out)['status'] == 'nothing to do'
    assert content(out) == expected


def test_the_data_set_is_never_changed(root, tmp_path):
    before = content(root)
    (tmp_path / 'link').symlink_to(root)
    for out in (root, root / 'resized', tmp_path / 'link', root / '..' / 'davis'):
        with pytest.raises(ValueError, match='The data set is not changed: give a'):
            prepare_davis480x880(root, out)
    assert content(root) == before


def test_foreign_files_and_other_settings_stop_it(root, tmp_path):
    out = tmp_path / 'out'
    out.mkdir()
    (out / 'mine.txt').write_text('x')
    with pytest.raises(ValueError, match='was not written by this program'):
        prepare_davis480x880(root, out)
    (out / 'mine.txt').unlink()
    prepare_davis480x880(root, out)
    with pytest.raises(ValueError, match="images is 'jpeg' there and 'png' now"):
        prepare_davis480x880(root, out, png=True)
    shutil.copy(out / FRAME, out / FRAME.replace('00001', '00009'))
    with pytest.raises(ValueError, match=r'00009\.jpg is a file that this program did'):
        prepare_davis480x880(root, out)
    (out / FRAME.replace('00001', '00009')).unlink()
    prepare_davis480x880(root, out, png=True, overwrite=True)
    assert not list(out.rglob('*.jpg'))


def test_wrong_roots_are_named(root, tmp_path):
    with pytest.raises(ValueError, match='cannot be written into a list'):
        prepare_davis480x880(root, tmp_path / 'a b')
    assert not (tmp_path / 'a b').exists()
    (root / 'Annotations/480p/a/00002.png').unlink()
    note = prepare_davis480x880(root, tmp_path / 'out')['note']
    assert note.endswith('4 of 5 annotations: not DAVIS-2017 val')
    (root / LABELS).write_bytes(b'')
    with pytest.raises(ValueError, match=r'00001\.png'):
        prepare_davis480x880(root, tmp_path / 'new')
    shutil.rmtree(root / 'JPEGImages/480p/a')
    shutil.rmtree(root / 'JPEGImages/480p/b')
    with pytest.raises(FileNotFoundError, match=r"none of the sequences \['b', 'a'\]"):
        prepare_davis480x880(root, tmp_path / 'new')
    with pytest.raises(FileNotFoundError, match=r"none of \['ImageSets/2017/val\.txt'"):
        shutil.rmtree(root / 'ImageSets')
        prepare_davis480x880(root, tmp_path / 'new')


def test_the_command(root, tmp_path, capsys):
    command = ['prepare_data', 'davis480x880', str(root), str(tmp_path / 'out')]
    assert cli.main(command) == 0
    note, pairs, last = capsys.readouterr().out.splitlines()
    assert note == 'Note: 2 sequences of other data: not DAVIS-2017 val'
    assert pairs == f'list: {tmp_path / "out" / PAIRS}'
    assert last.endswith('out: written, 2 sequences, 5 frames, 12 files written')
    assert cli.main([*command, '--png']) == 1
    assert 'written with other settings' in capsys.readouterr().err
