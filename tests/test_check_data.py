import os
from pathlib import Path

import numpy as np
import pytest

from densecorr import cli
from densecorr.apis.check_data import check_data
from densecorr.utils.data_info import load_data_info
from tests.trees import moving_blobs, write_davis_tree, write_image, write_palette_png

CHECKOUT = Path(__file__).resolve().parents[1]
PACK = Path(os.environ.get('DENSECORR_DATA') or CHECKOUT / 'data') / 'davis'


@pytest.fixture
def root(tmp_path):
    """DAVIS-2016 train of which only dog-agility (25 frames) is there, in whole."""
    return write_davis_tree(
        tmp_path, {'dog-agility': 25}, size=(16, 24), year=2016, split='train'
    )


def frame(root, index):
    return root / 'JPEGImages' / '480p' / 'dog-agility' / f'{index:05d}.jpg'


def annotation(root, index):
    return root / 'Annotations' / '480p' / 'dog-agility' / f'{index:05d}.png'


def problems(root, **options):
    (split,) = check_data('davis', root, splits=['2016/train'], **options).splits
    return split.problems


def test_sound_files_have_no_problems_but_the_split_is_not_whole(root):
    check = check_data('davis', root)
    (split,) = check.splits
    assert (split.name, split.sequences, split.frames) == (
        '2016/train',
        (30, 1),
        (2079, 25),
    )
    assert split.problems == problems(root, deep=True) == []
    assert (len(split.missing), 'bear' in split.missing) == (29, True)
    assert not check.ok
    text = str(check)
    assert '2016/train: 1 of 30 sequences, 25 of 2079 frames: not the whole' in text
    assert 'ROOT/JPEGImages/480p/<sequence>' in text and 'https://davisch' in text


def test_whole_split_is_ok(tmp_path):
    facts = load_data_info('davis').sequences('2016/val')
    root = write_davis_tree(tmp_path, {'x': 104}, size=(8, 8), year=2016, lists=False)
    for place, suffix in (('JPEGImages', 'jpg'), ('Annotations', 'png')):
        source = root / place / '480p' / 'x'
        for name, fact in facts.items():
            (source.parent / name).mkdir()
            for t in range(fact.frames):
                path = source / f'{t:05d}.{suffix}'
                (source.parent / name / path.name).symlink_to(path)
    check = check_data('davis', root)
    assert [split.name for split in check.splits] == ['2016/val', '2017/val']
    assert check.splits[0].ok and check.splits[0].frames == (1376, 1376)
    assert str(check.splits[0]).endswith('1376 of 1376 frames: complete')
    assert 'x' not in check.splits[0].missing
    only = check_data('davis', root, splits=['2016/val'])
    assert only.ok and 'https' not in str(only)


def test_missing_files_are_named(root):
    for index in (3, 20):
        frame(root, index).unlink()
    annotation(root, 3).unlink()
    annotation(root, 7).unlink()
    assert problems(root) == [
        'dog-agility: 23 frames, expected 25, without 00003 00020',
        'dog-agility: no annotation for 1 frames: 00007',
        'dog-agility: annotation 00020.png has no frame',
    ]


def test_many_names_are_cut(root):
    for index in range(8):
        annotation(root, index).unlink()
    names = '00000 00001 00002 00003 00004 00005 ... (8)'
    assert problems(root) == [f'dog-agility: no annotation for 8 frames: {names}']


def test_folders_without_files(root):
    for index in range(25):
        annotation(root, index).unlink()
    nothing, *others = problems(root)
    assert 'no annotation for 25 frames' in nothing
    assert 'holds no frame, nothing' in others[0]
    annotation(root, 0).parent.rmdir()
    assert 'There is no folder of frames' in problems(root)[1]


def test_odd_sizes(root):
    write_image(frame(root, 4), np.zeros((16, 25, 3), np.uint8))
    write_image(annotation(root, 6), np.zeros((15, 24), np.uint8))
    expected = [
        'dog-agility: frame 00004 is 16x25, the first 16x24',
        'dog-agility: annotation 00004.png is 16x24, its frame 16x25',
        'dog-agility: annotation 00006.png is 15x24, its frame 16x24',
    ]
    assert problems(root) == problems(root, deep=True) == expected


def test_files_that_cannot_be_read(root):
    frame(root, 2).write_bytes(b'')
    frame(root, 3).write_bytes(b'text')
    annotation(root, 5).write_bytes(b'')
    empty, no_image, empty_label = problems(root)
    assert '00002.jpg is empty (0 bytes)' in empty
    assert '00003.jpg is not an image' in no_image
    assert '00005.png is empty' in empty_label


def test_only_deep_finds_truncated_files(root):
    for path in (frame(root, 2), annotation(root, 2)):
        path.write_bytes(path.read_bytes()[:-30])
    assert problems(root) == []
    first, second = problems(root, deep=True)
    assert '00002.jpg' in first and '00002.png' in second


@pytest.mark.parametrize(
    'ids, split, text',
    [
        ((1, 2), '2017/val', None),
        ((1,), '2017/val', '1 objects in the first annotation, expected 2'),
        ((1, 2, 3), '2017/val', '3 objects in the first annotation, expected 2'),
        (
            (255,),
            '2017/val',
            '0 and 255 only, as in the 2016 release; use it with year',
        ),
        ((255,), '2016/val', None),
        ((), '2016/val', 'the first annotation has no object'),
        ((), '2017/val', 'the first annotation has no object'),
    ],
)
def test_objects_of_the_first_annotation(tmp_path, ids, split, text):
    root = write_davis_tree(tmp_path, {'horsejump-high': 50}, size=(16, 24))
    path = root / 'Annotations/480p/horsejump-high/00000.png'
    write_palette_png(path, moving_blobs(1, ids, (16, 24))[1][0])
    (found,) = check_data('davis', root, splits=[split]).splits
    assert len(found.problems) == (text is not None)
    assert text is None or text in found.problems[0]


def test_unknown_dataset_split_and_empty_root(tmp_path):
    with pytest.raises(KeyError, match=r"'dafis'. Did you mean 'davis'"):
        check_data('dafis', tmp_path)
    (tmp_path / 'JPEGImages' / '480p').mkdir(parents=True)
    with pytest.raises(
        FileNotFoundError, match=r'(?s)480p holds no sequence .*Expected'
    ):
        check_data('davis', tmp_path)
    with pytest.raises(KeyError, match=r"no split '2017/all'.*2017/val"):
        check_data('davis', tmp_path, splits=['2017/all'])


def test_program_says_it_by_text_and_exit_code(root, capsys):
    assert cli.main(['data', 'davis', '--data', str(root)]) == 1
    assert '1 of 30 sequences' in capsys.readouterr().out
    assert cli.main(['data', 'davis', '--data', str(root / 'none')]) == 1
    error = capsys.readouterr().err
    assert f"'{root}/none' is not a folder" in error and 'ROOT/JPEGImages' in error


def test_published_pack():
    if not PACK.is_dir():
        pytest.skip('real DAVIS is absent: set DENSECORR_DATA to the folder of davis/')
    check = check_data('davis', PACK)
    by_name = {split.name: split for split in check.splits}
    assert by_name['2016/val'].problems == []
    assert by_name['2016/val'].sequences == (20, 8)
    assert '8 of 30 sequences, 583 of 1999 frames' in str(by_name['2017/val'])
    few = [text.split(':')[0] for text in by_name['2017/val'].problems]
    assert few == ['bmx-trees', 'horsejump-high', 'soapbox']  # one object each here
