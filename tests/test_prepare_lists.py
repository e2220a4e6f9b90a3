"""``tools/prepare_data.py lists``: lists of published formats from folders."""

import json
import re
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from densecorr import cli
from densecorr.apis import prepare_list_commands
from densecorr.apis.prepare_data import prepare_spriteworld
from densecorr.apis.prepare_lists import KINDS, davis2017_val_index, write_list
from densecorr.utils.list_files import (
    read_folder_list,
    read_frame_index,
    read_image_list,
    read_inference_list,
    read_validation_list,
)
from densecorr.utils.paths import data_info_root
from tests.trees import write_davis_tree, write_image

CHECKOUT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope='session')
def shared_trees(tmp_path_factory):
    """SpriteWorld in three layouts: an articulated clip for test, one for training."""
    out = tmp_path_factory.mktemp('trees')
    prepare_spriteworld(
        out,
        layouts=['davis', 'ytvos', 'jhmdb', 'vip'],
        presets=['articulated', 'late'],
        frames=12,
        size=(48, 80),
        train_clips=2,
    )
    return out


@pytest.fixture
def trees(shared_trees, tmp_path):
    return Path(shutil.copytree(shared_trees, tmp_path / 'trees'))


def write_frames(folder, count, suffix='.jpg'):
    for t in range(count):
        write_image(folder / f'{t:05d}{suffix}', np.zeros((8, 8, 3), np.uint8))


def test_the_shipped_list_is_the_generated_one(tmp_path):
    summary = write_list('davis2017_val_list', tmp_path)
    path = tmp_path / 'davis2017_val_list.json'
    assert summary['path'] == str(path) and summary['status'] == 'written'
    assert (summary['videos'], summary['frames'], summary['notes']) == (30, 1999, [])
    assert path.read_bytes() == (data_info_root() / path.name).read_bytes()
    index = read_frame_index(path)
    assert index == davis2017_val_index()
    assert index['camel'] == [f'{t:05d}.jpg' for t in range(90)]


def test_davis_list_of_a_folder(trees, tmp_path):
    root, out = trees / 'davis', tmp_path / 'x.json'
    summary = write_list('davis2017_val_list', out, root)
    own = json.loads((root / 'ImageSets/davis2017_val_list.json').read_text())
    assert read_frame_index(out) == own and list(read_frame_index(out)) == list(own)
    assert '2 videos, the published 2017/val has 30' in summary['notes']
    (lost,) = {*own} - {'late_01'}
    shutil.rmtree(root / 'JPEGImages/480p' / lost)
    summary = write_list('davis2017_val_list', tmp_path / 'y.json', root)
    assert summary['notes'][0].startswith('1 of 2 sequences are not in')
    assert lost in summary['notes'][0]
    shutil.rmtree(root / 'JPEGImages/480p/late_01')
    with pytest.raises(FileNotFoundError, match='None of the 2 sequences'):
        write_list('davis2017_val_list', tmp_path / 'z.json', root)


def test_youtube_list(trees, tmp_path):
    root, out = trees / 'ytvos', tmp_path / 'youtube2018_train.json'
    summary = write_list('youtube2018_train', tmp_path, root, every=5)
    own = json.loads((root / 'train' / out.name).read_text())
    assert read_frame_index(out) == own
    assert (summary['videos'], summary['frames']) == (2, 6)
    assert '2 videos, the published 2018/train has 3471' in summary['notes']
    for place in (trees / '2018' / 'ytvos', root / 'train'):
        if place.parent.name == '2018':  # the layout that the code of the paper reads
            shutil.copytree(root / 'train', place / '2018' / 'train')
        write_list('youtube2018_train', tmp_path / 'all.json', place)
        every = read_frame_index(tmp_path / 'all.json')
        assert [len(frames) for frames in every.values()] == [12, 12]


def test_jhmdb_list(trees, tmp_path):
    root, out = trees / 'jhmdb', tmp_path / 'val_list.txt'
    summary = write_list('jhmdb_val_list', out, root)
    own = (root / 'val_list.txt').read_text().splitlines()
    assert sorted(out.read_text().splitlines()) == sorted(own)
    assert (summary['videos'], summary['frames']) == (2, 24)
    assert summary['notes'] == ['2 videos, the published split1/test has 268']
    (trees / 'parent').mkdir()
    root.rename(trees / 'parent' / 'JHMDB')
    again = write_list('jhmdb_val_list', out, trees / 'parent')
    assert again['status'] == 'nothing to do'


def test_jhmdb_list_says_what_lacks(trees, tmp_path):
    root, out = trees / 'jhmdb', tmp_path / 'val_list.txt'
    shutil.rmtree(root / 'Rename_Images/walker')
    summary = write_list('jhmdb_val_list', out, root)
    assert summary['notes'][0] == (
        "1 of 2 clips lack frames or joints: ['walker/articulated_00_1']"
    )
    path = root / 'splits/walker_test_split1.txt'
    path.write_text('a.avi 2\r\n\r\na.avi 3\r\n')
    wrong = f'{path}, line 3: "<clip>.avi 1" (training) or "<clip>.avi 2" (test) is'
    with pytest.raises(ValueError, match=re.escape(wrong)):
        write_list('jhmdb_val_list', tmp_path / 'x', root)
    assert not (tmp_path / 'x').exists()
    for path in (root / 'splits').iterdir():
        path.unlink()
    with pytest.raises(FileNotFoundError, match=r'holds no file <action>_test_split1'):
        write_list('jhmdb_val_list', out, root)
    (root / 'splits').rmdir()
    text = r'splits\.zip from http://jhmdb\.is\.tue\.mpg\.de and unpack it there'
    with pytest.raises(FileNotFoundError, match=text):
        write_list('jhmdb_val_list', out, root)


def test_vip_lists(trees, tmp_path):
    root = trees / 'vip' / 'VIP_Fine'
    for split in ('train', 'val'):
        summary = write_list(f'vip_{split}_videos', tmp_path, trees / 'vip')
        name = f'{split}_videos.txt'
        assert (tmp_path / name).read_text() == (root / 'lists' / name).read_text()
        assert 'cannot be known from the folders: all 1 in' in summary['notes'][0]
        assert 'but for 1 that other lists name. 1 of them have' in summary['notes'][0]
    shutil.rmtree(root / 'lists')
    (root / 'Images' / 'videos11').mkdir()
    summary = write_list('vip_val_videos', tmp_path / 'x', root)
    assert (tmp_path / 'x').read_text().split() == ['videos1', 'videos3', 'videos11']
    assert 'other lists' not in summary['notes'][0]
    (root / 'lists').mkdir()
    text = 'videos1\nvideos3\nvideos11\n'
    (root / 'lists/train_videos.txt').write_text(text)
    with pytest.raises(ValueError, match='no folder of frames that is free for val'):
        write_list('vip_val_videos', tmp_path / 'y', root)


def exist(root, names):
    return [(root / name).is_file() for name in names]


@pytest.mark.parametrize(
    ('name', 'folder', 'suffix'),
    [
        ('train_ytvos', 'ytvos/train/JPEGImages', '.jpg'),
        ('train_oxuva', 'OxUvA/images/dev', '.jpeg'),
        ('train_tracking', 'tracking/train/jpegs', '.jpg'),
        ('train_tracking', 'tracking/train/jpegs/TRAIN_0', '.jpg'),
    ],
)
def test_dul_image_lists(tmp_path, name, folder, suffix):
    for video, count in (('b', 2), ('a', 3)):
        write_frames(tmp_path / folder / video, count, suffix)
    data = tmp_path / folder.partition('/')[0]
    summary = write_list(name, tmp_path, data)
    path = tmp_path / f'{name}.txt'
    assert path.read_text().splitlines()[0] == f'/{folder}/a/00000{suffix}'
    videos = read_image_list(path)
    assert [(v.name, len(v.images)) for v in videos] == [('a', 3), ('b', 2)]
    assert all(exist(tmp_path, [i for v in videos for i in v.images]))
    assert (summary['videos'], summary['frames']) == (2, 5)


def test_dul_folder_list(tmp_path):
    folder = tmp_path / 'd/kinetics400/video_jpeg/train/applying cream'
    write_frames(folder / 'v_1', 2)
    summary = write_list(
        'train_kinetics400', tmp_path, tmp_path / 'd/kinetics400', base=tmp_path
    )
    listed = read_folder_list(summary['path'])
    assert listed == ['d/kinetics400/video_jpeg/train/applying cream/v_1']
    assert (summary['videos'], summary['frames']) == (1, 2)


def test_dul_davis_lists(tmp_path):
    names = {name: 2 + i for i, name in enumerate('abcdefghijkl')}
    root = write_davis_tree(tmp_path / 'davis', names, size=(8, 8))
    summary = write_list('val_davis2017_480p', tmp_path, root)
    videos = read_validation_list(summary['path'])
    assert {video.name: len(video.images) for video in videos} == names
    assert all(exist(tmp_path, videos[-1].images + videos[-1].label_maps))
    assert '12 videos, the published 2017/val has 30' in summary['notes']
    summary = write_list('val2_davis2017_480p', tmp_path, root)
    assert [v.name for v in read_validation_list(summary['path'])] == list('acehj')
    assert summary['notes'] == [
        'the choice of sequences is ours, the official one is not known: '
        "['a', 'c', 'e', 'h', 'j']"
    ]
    videos = read_inference_list(
        write_list('val_davis2017_test', tmp_path, root)['path']
    )
    assert {video.name: sum(video.written) for video in videos} == names
    small = write_davis_tree(tmp_path / 'small', size=(8, 8))
    with pytest.raises(ValueError, match='has 2 sequences of DAVIS-2017 val; the list'):
        write_list('val2_davis2017_480p', tmp_path / 'x', small)


def test_dul_choice_of_five_sequences_is_the_documented_one(tmp_path):
    names = dict.fromkeys(davis2017_val_index(), 1)
    root = write_davis_tree(tmp_path / 'davis', names, size=(8, 8))
    path = write_list('val2_davis2017_480p', tmp_path, root)['path']
    chosen = ', '.join(video.name for video in read_validation_list(path))
    page = (CHECKOUT / 'docs/data.md').read_text(encoding='utf-8')
    assert f'of all 30 every sixth: {chosen}' in ' '.join(page.split())


def test_dul_youtube_list_flags_what_is_wanted(tmp_path):
    root = tmp_path / 'ytvos'
    write_frames(root / 'valid_all_frames/JPEGImages/v', 7)
    for t in (0, 5):
        path = root / f'valid/JPEGImages/v/{t:05d}.jpg'
        write_image(path, np.zeros((8, 8, 3), np.uint8))
    summary = write_list('val_ytvos2018_test', tmp_path, root)
    (video,) = read_inference_list(summary['path'])
    assert video.frame_names == ('00000', '00005') and all(video.written)
    assert video.label_maps[1] == 'ytvos/valid/Annotations/v/00005.png'
    path = tmp_path / 'all.txt'
    summary = write_list('val_ytvos2018_test', path, root, all_frames=True)
    (video,) = read_inference_list(path)
    assert video.folder == 'ytvos/valid_all_frames/JPEGImages/v'
    assert [int(written) for written in video.written] == [1, 0, 0, 0, 0, 1, 0]
    assert '2 of 7 frames are flagged' in summary['notes']
    shutil.rmtree(root / 'valid_all_frames')
    with pytest.raises(FileNotFoundError, match=r"none of \['valid_all_frames/JPEG"):
        write_list('val_ytvos2018_test', path, root, all_frames=True)


def test_links_and_relative_folders_keep_their_names(tmp_path, monkeypatch):
    write_frames(tmp_path / 'disk/train/JPEGImages/v', 1)
    (tmp_path / 'data').mkdir()
    (tmp_path / 'data/ytvos').symlink_to(tmp_path / 'disk')
    monkeypatch.chdir(tmp_path / 'disk')
    write_list('train_ytvos', tmp_path / 'x', '../data/ytvos')
    line = (tmp_path / 'x').read_text()
    assert line == '/ytvos/train/JPEGImages/v/00000.jpg\n'


def test_a_list_is_not_written_over_another(tmp_path):
    assert write_list('davis2017_val_list', tmp_path / 'x')['status'] == 'written'
    again = write_list('davis2017_val_list', tmp_path / 'x')
    assert again['status'] == 'nothing to do' and again['frames'] == 1999
    (tmp_path / 'x').write_text('mine')
    with pytest.raises(FileExistsError, match='other content and was left alone'):
        write_list('davis2017_val_list', tmp_path / 'x')
    assert (tmp_path / 'x').read_text() == 'mine'
    write_list('davis2017_val_list', tmp_path / 'x', overwrite=True)
    assert len(read_frame_index(tmp_path / 'x')) == 30


def test_wrong_requests(tmp_path):
    write_frames(tmp_path / 'ytvos/train/JPEGImages/a b', 1)
    out, data = tmp_path / 'x', tmp_path / 'ytvos'
    with pytest.raises(ValueError, match="list 'train_ytvs' is unknown"):
        write_list('train_ytvs', out)
    with pytest.raises(ValueError, match='list train_ytvos needs a folder: --data'):
        write_list('train_ytvos', out)
    with pytest.raises(ValueError, match='every should be at least 1, not 0'):
        write_list('train_ytvos', out, data, every=0)
    with pytest.raises(ValueError, match=r"a b/00000\.jpg' cannot be written into a"):
        write_list('train_ytvos', out, data)
    with pytest.raises(ValueError, match=r'is not below .*/other, to which the paths'):
        write_list('train_ytvos', out, data, base=tmp_path / 'other')
    text = r"has none of \['images/dev', 'dev'\]; it holds \['train'\]\. Name the"
    with pytest.raises(FileNotFoundError, match=text):
        write_list('train_oxuva', out, data)
    with pytest.raises(FileNotFoundError, match=r"There is no folder '.*none'"):
        write_list('train_oxuva', out, tmp_path / 'none')
    assert [path.name for path in tmp_path.iterdir()] == ['ytvos']


def test_the_command_tells_notes_and_numbers(trees, tmp_path, capsys):
    command = ['prepare_data', 'lists', 'train_ytvos', '--out', str(tmp_path)]
    assert cli.main([*command, '--data', str(trees / 'ytvos'), '--every', '5']) == 0
    *notes, last = capsys.readouterr().out.splitlines()
    assert notes[0] == 'Note: 2 videos, the published 2018/train has 3471'
    assert last.endswith('train_ytvos.txt: written, 2 videos, 6 frames')
    assert cli.main(command) == 1
    assert 'ValueError: list train_ytvos needs a folder' in capsys.readouterr().err


def test_help_names_every_list_and_imports_no_torch():
    assert prepare_list_commands.NAMES.split() == list(KINDS)
    code = (
        'import sys\nfrom densecorr import cli\n'
        'try:\n    cli.main(["prepare_data", "lists", "--help"])\n'
        'except SystemExit:\n    print({"torch", "mmengine"} & set(sys.modules))\n'
    )
    found = subprocess.run(
        [sys.executable, '-c', code],
        capture_output=True,
        text=True,
        check=True,
        cwd=CHECKOUT,
    )
    assert all(name in ' '.join(found.stdout.split()) for name in KINDS)
    assert found.stdout.splitlines()[-1] == 'set()'


def test_the_page_has_every_list_and_commands_that_parse():
    page = (CHECKOUT / 'docs/data.md').read_text(encoding='utf-8')
    for name in KINDS:
        assert f'`{name}`' in page
    commands = re.findall(r'^python (tools/prepare_data\.py .+)$', page, re.MULTILINE)
    assert len(commands) >= 4
    for command in commands:
        program, *arguments = command.split()
        parse_args = runpy.run_path(str(CHECKOUT / program))['parse_args']
        assert parse_args(arguments).command == arguments[0]
