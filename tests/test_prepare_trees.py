"""``tools/prepare_data.py mose`` and ``visor``: trees of links or copies."""

import errno
import shutil
from pathlib import Path

import numpy as np
import pytest

from densecorr import cli
from densecorr.apis import prepare_trees
from densecorr.apis.prepare_trees import prepare_tree
from densecorr.datasets import DAVISDataset
from tests.test_datasets.hand_clip import files_of
from tests.trees import moving_blobs, write_davis_tree, write_image, write_palette_png


def write_release(folder, videos, labelled=None):
    """Frames and label maps in ``JPEGImages/<video>`` and ``Annotations/<video>``."""
    for seed, (name, count) in enumerate(videos.items()):
        frames, label_maps = moving_blobs(count, [1, 2], (24, 32), seed)
        for t in range(count):
            write_image(folder / f'JPEGImages/{name}/{t:05d}.jpg', frames[t])
            if labelled is None or t < labelled:
                path = folder / f'Annotations/{name}/{t:05d}.png'
                write_palette_png(path, label_maps[t])


@pytest.fixture
def mose(tmp_path):
    """MOSE with two videos for training and one, of first labels, for validation."""
    write_release(tmp_path / 'mose/train', {'t1': 3, 't2': 2})
    write_release(tmp_path / 'mose/valid', {'v1': 4}, labelled=1)
    return tmp_path / 'mose'


def content(folder):
    return {name: (folder / name).read_bytes() for name in files_of(folder)}


@pytest.mark.parametrize('copy', [False, True])
def test_mose_in_the_layout_of_davis(mose, tmp_path, copy):
    before, out = content(mose), tmp_path / 'out'
    summary = prepare_tree('mose', mose, out, copy=copy)
    assert summary == dict(
        out=str(out),
        status='written',
        written=17 if copy else 8,
        splits=dict(train=2, valid=1),
        notes=["1 of 3 videos have labels for some frames: ['v1']"],
    )
    frame = out / 'JPEGImages/480p/t1/00002.jpg'
    source = mose / 'train/JPEGImages/t1/00002.jpg'
    assert frame.read_bytes() == source.read_bytes()
    assert frame.parent.is_symlink() is not copy and not frame.is_symlink()
    assert [s.name for s in DAVISDataset(out, split='train')] == ['t1', 't2']
    (valid,) = DAVISDataset(out, split='valid')
    assert (valid.name, valid.num_frames, valid.label_frames) == ('v1', 4, (0,))
    again = prepare_tree('mose', mose, out, copy=copy)
    assert (again['status'], again['written']) == ('nothing to do', 0)
    assert content(mose) == before


def test_one_split_alone_and_its_own_folder(mose, tmp_path):
    for source in (mose / 'valid', mose):
        shutil.rmtree(mose / 'train', ignore_errors=True)
        summary = prepare_tree('mose', source, tmp_path / 'out')
        assert summary['splits'] == dict(valid=1)


def test_visor_keeps_its_own_lists(tmp_path):
    source = write_davis_tree(tmp_path / 'visor', {'P01_a': 2, 'P02_b': 3, 'x': 2})
    (source / 'ImageSets/2017').rename(source / 'ImageSets/2022')
    (source / 'ImageSets/2022/train.txt').write_text('P01_a\r\nP02_b\r\nlost\r\n')
    (source / 'ImageSets/2022/val.txt').write_text('x\n')
    out = tmp_path / 'out'
    summary = prepare_tree('visor', source, out)
    assert summary['splits'] == dict(train=2, val=1) and summary['notes'] == []
    assert (out / 'ImageSets/2017/train.txt').read_text() == 'P01_a\nP02_b\n'
    assert [sample.name for sample in DAVISDataset(out)] == ['x']
    (source / 'ImageSets/2022/train.txt').write_text('lost\n')
    (source / 'ImageSets/2022/val.txt').write_text('lost\n')
    with pytest.raises(FileNotFoundError, match='has none of the videos that'):
        prepare_tree('visor', source, tmp_path / 'other')
    shutil.rmtree(source / 'ImageSets')
    summary = prepare_tree('visor', source, tmp_path / 'unlisted')
    assert summary['splits'] == dict(train=3)


def test_a_stopped_copy_goes_on(mose, tmp_path, monkeypatch):
    copyfile, out, done = shutil.copyfile, tmp_path / 'out', []

    def stop(source, target):
        if len(done) == 3:
            Path(target).write_bytes(b'half')
            raise KeyboardInterrupt
        done.append(source)
        return copyfile(source, target)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(prepare_trees.shutil, 'copyfile', stop)
        prepare_tree('mose', mose, out, copy=True)
    assert prepare_tree('mose', mose, out, copy=True)['written'] == 14
    prepare_tree('mose', mose, tmp_path / 'whole', copy=True)
    assert content(out) == content(tmp_path / 'whole')
    assert not list(out.rglob('.*'))


def test_what_is_there_is_left_alone(mose, tmp_path):
    out = tmp_path / 'out'
    taken = out / 'JPEGImages/480p/t1'
    taken.mkdir(parents=True)
    (taken / '00000.jpg').write_bytes(b'mine')
    with pytest.raises(FileExistsError, match='t1 is there and is no link to'):
        prepare_tree('mose', mose, out)
    with pytest.raises(FileExistsError, match=r'00000\.jpg is there and is no copy of'):
        prepare_tree('mose', mose, out, copy=True)
    (taken / '00000.jpg').rename(taken / 'x.jpg')
    with pytest.raises(FileExistsError, match=r"holds \['x\.jpg'\], which .* has not"):
        prepare_tree('mose', mose, out, copy=True)
    assert content(out) == {'JPEGImages/480p/t1/x.jpg': b'mine'}
    prepare_tree('mose', mose, tmp_path / 'links')
    with pytest.raises(FileExistsError, match='t1 is a link, as a run without --copy'):
        prepare_tree('mose', mose, tmp_path / 'links', copy=True)
    (tmp_path / 'links/ImageSets/2017/train.txt').write_text('mine\n')
    with pytest.raises(FileExistsError, match=r'train\.txt is there with other'):
        prepare_tree('mose', mose, tmp_path / 'links')


def test_wrong_sources_are_named(mose, tmp_path):
    with pytest.raises(ValueError, match="data set 'mos' is unknown"):
        prepare_tree('mos', mose, tmp_path / 'out')
    with pytest.raises(ValueError, match='The data set is not changed'):
        prepare_tree('mose', mose, mose / 'davis')
    with pytest.raises(FileNotFoundError, match=r"There is no folder '.*none'"):
        prepare_tree('mose', tmp_path / 'none', tmp_path / 'out')
    text = r'is not laid out as VISOR is\. Expected: .*which this program does not'
    with pytest.raises(FileNotFoundError, match=text):
        prepare_tree('visor', mose / 'train/JPEGImages', tmp_path / 'out')
    (mose / 'train/JPEGImages/t1/deep').mkdir()
    with pytest.raises(FileNotFoundError, match="in 't1' further folders"):
        prepare_tree('mose', mose, tmp_path / 'out')
    (mose / 'train/JPEGImages/t1/deep').rmdir()
    shutil.copytree(mose / 'train/JPEGImages/t1', mose / 'valid/JPEGImages/t1')
    with pytest.raises(ValueError, match="two videos of one name, 't1'"):
        prepare_tree('mose', mose, tmp_path / 'out')
    for name in ('t1', 'v1'):
        shutil.rmtree(mose / 'valid/JPEGImages' / name)
    with pytest.raises(FileNotFoundError, match='holds no folder of a video'):
        prepare_tree('mose', mose, tmp_path / 'out')
    assert not (tmp_path / 'out').exists()


def test_labels_that_do_not_fit_are_told(mose, tmp_path):
    shutil.rmtree(mose / 'train/Annotations/t2')
    labels = mose / 'train/Annotations/t1'
    shutil.copy(labels / '00000.png', labels / '00009.png')
    assert prepare_tree('mose', mose, tmp_path / 'out')['notes'] == [
        "1 of 3 videos have no labels: ['t2']",
        "1 of 3 videos have labels for some frames: ['v1']",
        "1 of 3 videos have labels without frame: ['t1']",
    ]


def test_a_disk_without_links_is_told(mose, tmp_path, monkeypatch):
    def refuse(*arguments, **options):
        raise OSError(errno.EPERM, 'not permitted')

    monkeypatch.setattr(Path, 'symlink_to', refuse)
    with pytest.raises(OSError, match=r'cannot be made a link .*Use --copy'):
        prepare_tree('mose', mose, tmp_path / 'out')


def test_equal_arrays_are_read_through_links(mose, tmp_path):
    prepare_tree('mose', mose, tmp_path / 'out')
    sample = DAVISDataset(tmp_path / 'out', split='train')[1]
    label_maps = moving_blobs(2, [1, 2], (24, 32), 1)[1]
    assert np.array_equal(sample.read_labels(1).indices, label_maps[1])


def test_the_command(mose, tmp_path, capsys):
    command = ['prepare_data', 'mose', str(mose), str(tmp_path / 'out')]
    assert cli.main(command) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith('Note: 1 of 3 videos have labels for some frames')
    assert [line.split() for line in lines[1:3]] == [
        ['train', '2', 'videos'],
        ['valid', '1', 'videos'],
    ]
    assert lines[-1].endswith('out: written, 8 new')
    assert cli.main([*command, '--copy']) == 1
    assert 'FileExistsError: ' in capsys.readouterr().err
