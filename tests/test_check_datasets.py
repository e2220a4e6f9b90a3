"""``check_data`` of JHMDB, VIP, YouTube-VOS, the training sets and SpriteWorld."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image

from densecorr import cli
from densecorr.apis.check_data import check_data, checkable_names
from densecorr.apis.prepare_data import prepare_spriteworld
from densecorr.utils.data_info import load_data_info
from densecorr.utils.mat_files import encode_mat
from densecorr.utils.video_writer import VideoWriter
from tests.trees import write_davis_tree, write_image, write_palette_png

FRAMES = 6


@pytest.fixture(scope='module')
def made(tmp_path_factory):
    out = tmp_path_factory.mktemp('sprite')
    prepare_spriteworld(
        out,
        layouts=['davis', 'davis2016', 'ytvos', 'jhmdb', 'vip', 'voc', 'video'],
        presets=['articulated', 'late'],
        frames=FRAMES,
        size=(64, 96),
        train_clips=1,
    )
    return out


@pytest.fixture
def sprite(made, tmp_path):
    """A copy that a test may damage."""
    return shutil.copytree(made, tmp_path / 'sprite')


def first(folder, pattern='*'):
    return sorted(folder.glob(pattern))[0]


def split_of(name, root, split, **options):
    (check,) = check_data(name, root, splits=[split], **options).splits
    return check


def test_every_layout_of_spriteworld_is_sound(made, capsys):
    check = check_data('spriteworld', made, deep=True)
    assert check.ok
    by_name = {split.name: split for split in check.splits}
    assert by_name['davis 2017/val'].sequences == (2, 2)
    assert by_name['ytvos 2018/valid'].frames == (None, 2 * FRAMES)
    assert by_name['jhmdb split1/test'].sequences == (None, 2)
    assert by_name['vip/VIP_Fine val'].sequences == (None, 1)
    assert by_name['videos files'].frames == (None, 3 * FRAMES)
    assert {'davis2016 2016/val', 'voc images', 'ytvos 2018/train'} < set(by_name)
    assert cli.main(['data', 'check', 'spriteworld', '--data', str(made)]) == 0
    shown = capsys.readouterr().out
    assert '3 of 3 sequences: complete' in shown
    assert 'sound; how much it should be is not known' in shown
    assert 'Licence: generated clips' in shown


def test_damage_of_a_spriteworld_folder(sprite):
    first(sprite / 'videos', '*.mp4').write_bytes(b'')
    first(sprite / 'voc/SegmentationClass').unlink()
    write_palette_png(first(sprite / 'videos', '*.png'), np.zeros((5, 5), np.uint8))
    shutil.rmtree(sprite / 'vip/VIP_Fine/Images')
    by_name = {c.name: c for c in check_data('spriteworld', sprite).splits}
    files = next(check for name, check in by_name.items() if 'files' in name)
    assert 'files are missing: vip/VIP_Fine/Images/' in files.problems[0]
    assert 'no annotation: ' in by_name['voc images'].problems[0]
    assert 'not a video that can be decoded' in by_name['videos files'].problems[0]
    assert 'holds no sequence of VIP' in by_name['vip/VIP_Fine '].problems[0]
    with pytest.raises(KeyError, match='checked as a whole: leave --split out'):
        check_data('spriteworld', sprite, splits=['val'])
    (sprite / 'spriteworld.json').unlink()
    with pytest.raises(FileNotFoundError, match=r'(?s)no sequence of Sp.*Found in'):
        check_data('spriteworld', sprite)


def clip_of(sprite):
    """Frames folder and joints of a tested clip, and its name."""
    line = (sprite / 'jhmdb/val_list.txt').read_text().split('\n')[0]
    mat, folder = (sprite / 'jhmdb' / part[6:] for part in line.split())
    return folder, mat, f'{folder.parent.name}/{folder.name}'


def test_jhmdb_counts_against_the_release(sprite):
    check = check_data('jhmdb', sprite / 'jhmdb')
    assert [split.name for split in check.splits] == ['split1/train', 'split1/test']
    tested = check.splits[1]
    assert (tested.sequences, tested.frames) == ((268, 2), (None, 2 * FRAMES))
    assert tested.problems == [] and not check.ok
    text = str(check)
    assert 'split1/test: 2 of 268 sequences, 12 frames: not the whole split' in text
    assert 'http://jhmdb.is.tue.mpg.de' in text and 'Licence: for research' in text


def test_jhmdb_files_that_are_damaged(sprite):
    folder, mat, name = clip_of(sprite)
    whole = mat.read_bytes()
    mat.write_bytes(whole[:300])
    (problem,) = split_of('jhmdb', sprite / 'jhmdb', 'split1/test').problems
    assert problem.startswith(f'{name}: ') and 'cannot be read as a MATLAB' in problem
    mat.write_bytes(encode_mat(dict(pos_img=np.ones((2, 13, FRAMES)))))
    (problem,) = split_of('jhmdb', sprite / 'jhmdb', 'split1/test').problems
    assert problem == f'{name}: 13 joints, expected 15'
    mat.unlink()
    (problem,) = split_of('jhmdb', sprite / 'jhmdb', 'split1/test').problems
    assert 'There is no file of joints' in problem
    mat.write_bytes(whole)
    frame = folder / '00002.png'
    frame.write_bytes(frame.read_bytes()[:-40])
    assert split_of('jhmdb', sprite / 'jhmdb', 'split1/test').problems == []
    (problem,) = split_of('jhmdb', sprite / 'jhmdb', 'split1/test', deep=True).problems
    assert '00002.png is truncated or damaged' in problem


def test_jhmdb_numbers_of_frames(sprite):
    folder, _, name = clip_of(sprite)
    shutil.copy(folder / '00001.png', folder / '00007.png')
    check = split_of('jhmdb', sprite / 'jhmdb', 'split1/test')
    assert check.problems == []
    assert check.notes == [
        f'1 clips go on behind their joints and are cut there: {name}'
    ]
    for number in (5, 6, 7):
        (folder / f'0000{number}.png').unlink()
    (problem,) = split_of('jhmdb', sprite / 'jhmdb', 'split1/test').problems
    assert f'{name}: 4 frames for 6 annotated ones: half extracted' in problem
    shutil.rmtree(folder)
    assert split_of('jhmdb', sprite / 'jhmdb', 'split1/test').missing == [name]


def test_jhmdb_lists(sprite):
    root = sprite / 'jhmdb'
    path = root / 'val_list.txt'
    path.write_text(path.read_text().split('\n')[1] + '\n')
    _, _, other = clip_of(sprite)
    lacking = split_of('jhmdb', root, 'split1/test').problems
    assert len(lacking) == 1 and lacking[0].startswith('val_list.txt lacks clips of sp')
    assert other not in lacking[0]
    path.write_text('one\n')
    (problem,) = split_of('jhmdb', root, 'split1/test').problems
    assert 'val_list.txt, line 1: ' in problem
    for split in (root / 'splits').iterdir():
        split.write_text('clip.avi 7\n')
    *found, last = split_of('jhmdb', root, 'split1/test').problems
    assert any(f'{split}, line 1: ' in problem for problem in found)
    assert last == 'splits/ has no files of it: unpack splits.zip'
    shutil.rmtree(root / 'splits')
    path.unlink()
    (check,) = check_data('jhmdb', root).splits
    assert (check.name, check.sequences) == ('all clips', (None, 4))
    assert 'no folder splits: unpack splits.zip' in check.problems[0]
    with pytest.raises(KeyError, match=r"no split 'split9/test'.*split1/test"):
        check_data('jhmdb', root, splits=['split9/test'])


def test_vip_counts_and_lists(sprite):
    check = check_data('vip', sprite / 'vip')
    assert check.root == sprite / 'vip/VIP_Fine'  # one folder further down
    assert [str(c).split(':')[1] for c in check.splits] == [
        ' 1 of 304 sequences, 6 frames',
        ' 1 of 50 sequences, 6 frames',
    ]
    listed = sprite / 'vip/VIP_Fine/lists/val_videos.txt'
    listed.write_text(listed.read_text() + 'videos99\n')
    check = split_of('vip', sprite / 'vip', 'val')
    assert check.missing == ['videos99']
    listed.write_text('')
    assert 'is empty' in split_of('vip', sprite / 'vip', 'val').problems[0]
    (problem,) = split_of('vip', sprite / 'vip', 'test').problems
    assert problem == 'there is no list lists/test_videos.txt'
    shutil.rmtree(listed.parent)
    (check,) = check_data('vip', sprite / 'vip').splits
    assert check.name == 'all folders' and check.sequences == (None, 2)
    assert 'write it with tools/prepare_data.py' in check.notes[0]
    with pytest.raises(KeyError, match=r"VIP has no split 'vall'"):
        check_data('vip', sprite / 'vip', splits=['vall'])


def test_vip_label_maps(sprite):
    root = sprite / 'vip/VIP_Fine'
    video = (root / 'lists/val_videos.txt').read_text().strip()
    labels = root / 'Annotations/Category_ids' / video
    files = sorted(labels.iterdir())
    size = Image.open(files[0]).size
    wide = np.full(size[::-1], 300, np.uint16)
    Image.fromarray(wide).save(files[1])
    files[2].unlink()
    write_image(files[3], np.zeros((10, 10), np.uint8))
    write_image(files[0], np.full(size[::-1], 20, np.uint8))
    problems = split_of('vip', root, 'val').problems
    assert [text.removeprefix(f'{video}: ') for text in problems] == [
        f'{files[1]} has 16 bits per pixel: its ids may be above 255, but label maps '
        'have 8 bits. Renumber the ids and save it with 8 bits.',
        f'annotation {files[3].name} is 10x10, its frame {size[1]}x{size[0]}',
        f'no annotation for 1 frames: {files[2].stem}',
        'ids [20]; parts are 0 to 19, void is 255. Take Category_ids, not Human_ids '
        'or Instance_ids',
    ]
    write_image(files[0], np.full(size[::-1], 255, np.uint8))
    assert not any('ids [' in text for text in split_of('vip', root, 'val').problems)
    write_image(files[4], np.full(size[::-1], 77, np.uint8))
    deep = split_of('vip', root, 'val', deep=True).problems
    assert any('ids [77]' in text for text in deep)
    write_image(files[0], np.zeros((*size[::-1], 3), np.uint8))
    assert 'is in colour, without one label' in split_of('vip', root, 'val').problems[0]


def test_ytvos_counts_and_years(sprite, tmp_path):
    root = sprite / 'ytvos'
    check = check_data('ytvos', root)
    assert [str(c).split(': not')[0] for c in check.splits] == [
        '2018/valid: 2 of 474 sequences, 12 frames',
        '2018/train: 1 of 3471 sequences, 6 of 94588 frames',
    ]
    assert all(split.problems == [] for split in check.splits)
    assert split_of('ytvos', root, '2019/valid').sequences == (507, 2)
    both = tmp_path / 'both'
    both.mkdir()
    shutil.copytree(root, both / '2018')
    (root / 'train').rename(sprite / 'train')
    root.rename(both / '2019')
    names = [split.name for split in check_data('ytvos', both).splits]
    assert names == ['2018/valid', '2018/train', '2019/valid']
    (both / '2018/valid').rename(tmp_path / 'v')
    assert check_data('ytvos', both / '2018').splits[0].name == '2018/train'


def test_ytvos_against_meta(sprite):
    root = sprite / 'ytvos'
    path = root / 'valid/meta.json'
    meta = json.loads(path.read_text())
    name, other = sorted(meta['videos'])
    objects = meta['videos'][name]['objects']
    objects['77'] = objects.pop('1')
    objects['77']['frames'].append('00099')
    meta['videos']['gone'] = meta['videos'].pop(other)
    path.write_text(json.dumps(meta))
    check = split_of('ytvos', root, '2018/valid')
    assert check.missing == ['gone']
    assert check.problems == [
        f'{name}: meta.json names 1 frames that are not there: 00099',
        f'{name}: no label map shows objects [77] of meta.json',
        f'{name}: label maps show objects [1], which meta.json has not',
        f'{other}: not in meta.json',
    ]
    path.write_text('{"videos": [')
    (problem,) = split_of('ytvos', root, '2018/valid').problems
    assert 'is not the meta.json of YouTube-VOS' in problem
    path.unlink()
    (problem,) = split_of('ytvos', root, '2018/valid').problems
    assert 'meta.json is missing' in problem


def test_ytvos_labels(sprite):
    valid = sprite / 'ytvos/valid'
    name = first(valid / 'Annotations').name
    label = first(valid / 'Annotations' / name)
    shutil.copy(label, label.with_name('00777.png'))
    shutil.copytree(label.parent, label.parents[1] / 'alone')
    problems = split_of('ytvos', sprite / 'ytvos', '2018/valid').problems
    assert f'{name}: annotation 00777.png has no frame' in problems
    assert problems[-1] == 'annotations without frames: alone'
    label = first(sprite / 'ytvos/train/Annotations', '*/00005.png')
    label.unlink()
    (problem,) = split_of('ytvos', sprite / 'ytvos', '2018/train').problems
    assert problem == f'{label.parent.name}: no annotation for 1 frames: 00005'


def test_ytvos_all_frames(sprite):
    root = sprite / 'ytvos'
    shutil.copytree(root / 'valid/JPEGImages', root / 'valid_all_frames/JPEGImages')
    kept, gone = sorted((root / 'valid_all_frames/JPEGImages').iterdir())
    (kept / '00003.jpg').unlink()
    shutil.rmtree(gone)
    assert split_of('ytvos', root, '2018/valid').notes == [
        'valid_all_frames: 1 sequences, 5 frames',
        f'valid_all_frames lacks {gone.name}',
        f'valid_all_frames lacks frames of valid in {kept.name}',
    ]


def test_facts_of_every_dataset():
    names = 'davis fbms imagenet jhmdb kinetics400 mose oxuva segtrack spriteworld '
    assert ' '.join(checkable_names()) == f'{names}trackingnet vip visor voc ytvos'
    assert load_data_info('mose').expected('valid').sequences == 311
    assert load_data_info('trackingnet').expected('train').sequences == 30132
    for name in ['imagenet', 'kinetics400', 'mose', 'oxuva', 'trackingnet', 'visor']:
        info = load_data_info(name)
        assert set(info.folders) == set(info.counts)


def test_mose(tmp_path):
    tree = write_davis_tree(tmp_path / 'tree', dict(a=3, b=2), size=(16, 24))
    for part in ('JPEGImages', 'Annotations'):
        (tmp_path / 'mose/train').mkdir(parents=True, exist_ok=True)
        (tree / part / '480p').rename(tmp_path / 'mose/train' / part)
    check = check_data('mose', tmp_path / 'mose')
    assert str(check.splits[0]) == 'train: 2 of 1507 sequences, 5 frames: not the ' + (
        'whole split'
    )
    images = tmp_path / 'mose/train/JPEGImages'
    write_image(images / 'a/00001.jpg', np.zeros((9, 9, 3), np.uint8))
    shutil.rmtree(tmp_path / 'mose/train/Annotations/b')
    check = split_of('mose', tmp_path / 'mose', 'train')
    assert check.problems[0] == 'a: frame 00001 is 9x9, the first 16x24'
    assert check.notes == ['1 videos without labels: b']
    (problem,) = split_of('mose', tmp_path / 'mose', 'valid').problems
    assert problem == 'there is no folder of it: looked for valid/JPEGImages'
    with pytest.raises(KeyError, match=r"MOSE has no split 'val'. Known: \['test', 't"):
        check_data('mose', tmp_path / 'mose', splits=['val'])


@pytest.mark.parametrize(
    'name, place, split, sequences',
    [
        ('trackingnet', 'TRAIN_{}/frames/v', 'train', 30132),
        ('trackingnet', 'train/jpegs/v{}', 'train', 30132),
        ('oxuva', 'images/dev/v{}', 'dev', None),
        ('visor', 'JPEGImages/480p/v{}', 'all', None),
        ('kinetics400', 'video_jpeg/train/c/v{}', 'train', None),
    ],
)
def test_folders_of_frames(tmp_path, name, place, split, sequences):
    for number in (0, 1):
        for t in range(3):
            path = tmp_path / place.format(number) / f'{t}.jpg'
            write_image(path, np.zeros((8, 8, 3), np.uint8))
    (check,) = check_data(name, tmp_path).splits
    assert (check.name, check.sequences) == (split, (sequences, 2))
    assert check.frames == (None, 6) and check.problems == []
    path.write_bytes(b'text')
    (problem,) = check_data(name, tmp_path).splits[0].problems
    assert '2.jpg is not an image' in problem
    middle = path.with_name('1.jpg')
    middle.write_bytes(middle.read_bytes()[:-30])
    assert len(check_data(name, tmp_path, deep=True).splits[0].problems) == 2


def test_video_files(tmp_path):
    root = tmp_path / 'k400'
    for number in range(2):
        path = root / 'train/clapping' / f'v{number}.mp4'
        with VideoWriter(path, (16, 16), 10) as writer:
            for _ in range(4):
                writer.write(np.zeros((16, 16, 3), np.uint8))
    (root / 'train/clapping/empty.mp4').touch()
    check = split_of('kinetics400', root, 'train')
    assert (check.sequences, check.frames) == ((None, 3), (None, None))
    assert check.problems == [
        'clapping/empty.mp4: is empty (0 bytes). Copy or fetch it again.'
    ]
    assert str(check).startswith('train: 3 sequences: something is wrong')
    assert check.notes == ['frames of video files are counted with --deep']
    path.write_bytes(b'no video')
    check = split_of('kinetics400', root, 'train', deep=True)
    assert check.frames == (None, 4) and len(check.problems) == 2


@pytest.mark.parametrize('name', ['jhmdb', 'vip', 'ytvos', 'mose', 'davis'])
def test_wrong_tree_is_shown_beside_the_expected_one(name, tmp_path, capsys):
    for path in ('images/a/0.txt', 'labels/b/0.txt', 'readme.md'):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).touch()
    for number in range(5):
        (tmp_path / 'images' / f'{number}.csv').touch()
    assert cli.main(['data', 'check', name, '--data', str(tmp_path)]) == 1
    shown = capsys.readouterr().err
    info = load_data_info(name)
    expected, found = shown.index('Expected tree:'), shown.index('Found in ')
    assert expected < shown.index(f'ROOT/{info.tree[0]}') < found
    assert shown[found:].splitlines() == [
        f'Found in {tmp_path}:',
        '  ROOT/images/   1 folder (a), 5 files .csv',
        '  ROOT/labels/   1 folder (b)',
        '  ROOT/   readme.md',
    ]
    assert info.licence in shown and info.homepage in shown


def test_root_that_is_not_unique_or_empty(sprite, tmp_path):
    with pytest.raises(FileNotFoundError, match=r'no folder JPEGImages. Did you mean'):
        check_data('davis', sprite)
    (tmp_path / 'images').mkdir()
    with pytest.raises(FileNotFoundError, match=r'(?s)holds no sequence of OxUvA.*Fou'):
        check_data('oxuva', tmp_path)
    with pytest.raises(FileNotFoundError, match=r"'.*none' is not a folder"):
        check_data('trackingnet', tmp_path / 'none')
    (tmp_path / 'empty/Images').mkdir(parents=True)
    with pytest.raises(FileNotFoundError, match=r'Images holds no sequence of VIP'):
        check_data('vip', tmp_path / 'empty')
