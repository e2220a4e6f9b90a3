"""Bad input through the program that users type: the text on screen and what remains.

The parts have their own tests; here a whole ``densecorr test`` runs on tiny videos with
a random ResNet-18, as ``python tools/test.py`` would.
"""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from densecorr.registry import MODELS
from tests.program import Program
from tests.trees import (
    moving_blobs,
    voc_palette,
    write_davis_tree,
    write_image,
    write_palette_png,
)

BLACK = np.zeros((64, 96, 3), np.uint8)


@pytest.fixture
def program(tmp_path, capsys):
    return Program(tmp_path, capsys)


@pytest.fixture
def two(program):
    """Videos a and b; a is done first."""
    write_davis_tree(program.root, {'a': 4, 'b': 3})
    return program


# frames


def empty(path: Path) -> None:
    path.write_bytes(b'')


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def make_16_bit(path: Path) -> None:
    path.unlink()
    cv2.imwrite(str(path.with_suffix('.png')), BLACK.astype(np.uint16))


def make_16_bit_jpeg(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[data.index(b'\xff\xc0') + 4] = 16  # precision in the frame header
    path.write_bytes(data)


def make_cmyk(path: Path) -> None:
    Image.fromarray(BLACK).convert('CMYK').save(path)


def resize(path: Path) -> None:
    write_image(path, BLACK[:60])


@pytest.mark.parametrize(
    'damage, parts',
    [
        (empty, ['00001.jpg is empty (0 bytes)', 'Copy or extract it again']),
        (truncate, ['00001.jpg is truncated', 'Copy or extract it again']),
        (make_16_bit, ['00001.png has 16 bits', 'Convert it to 8']),
        (make_16_bit_jpeg, ['00001.jpg has 16 bits', 'Convert it to 8']),
        (make_cmyk, ['00001.jpg is a CMYK JPEG', 'Convert it to RGB']),
        (resize, ['00001.jpg is 60x96', '00000.jpg is 64x96', 'split or resize']),
    ],
)
def test_damaged_frame_is_named_and_finished_videos_are_kept(two, damage, parts):
    damage(two.frame('b', 1))
    text = two.fails("video 'b', frame '00001'", *parts)
    assert 'Traceback' not in text
    assert two.has_record('a') and not two.has_record('b')
    assert not (two.out / 'metrics.json').exists()


def test_repaired_frame_lets_the_run_finish(two):
    whole = two.frame('b', 1).read_bytes()
    truncate(two.frame('b', 1))
    two.fails('00001.jpg is truncated')
    before = (two.out / 'records/a.json').stat().st_mtime_ns
    two.frame('b', 1).write_bytes(whole)
    assert two.works()['num_videos'] == 2
    assert (two.out / 'records/a.json').stat().st_mtime_ns == before


def test_exif_rotation_is_applied(program, capsys):
    write_davis_tree(program.root, {'a': 3})
    plain = program.works()
    upright = program.result('a', '00002')
    exif = Image.Exif()
    exif[0x0112] = 6  # stored lying on its side, shown upright
    for index in range(3):
        with Image.open(program.frame('a', index)) as image:
            turned = image.transpose(Image.Transpose.ROTATE_90)
        turned.save(program.frame('a', index), exif=exif, quality=100)
    shutil.rmtree(program.out)
    turned = program.works()
    assert program.result('a', '00002').shape == (64, 96)
    assert (program.result('a', '00002') == upright).mean() > 0.99
    assert abs(turned['metrics']['J-Mean'] - plain['metrics']['J-Mean']) < 0.05


def test_odd_names_come_out_as_they_are(program):
    write_davis_tree(program.root, {'mein Vidéo 日本': 3})
    for place in ('JPEGImages', 'Annotations'):
        folder = program.root / place / '480p' / 'mein Vidéo 日本'
        for path in list(folder.iterdir()):
            path.rename(folder / f'Bild {8 + int(path.stem)}{path.suffix.upper()}')
    program.works()
    folder = program.out / 'predictions' / 'mein Vidéo 日本'
    assert sorted(path.name for path in folder.iterdir()) == [
        'Bild 10.png',  # after Bild 9 in time
        'Bild 8.png',
        'Bild 9.png',
    ]
    first = moving_blobs(3)[1][0]
    assert (program.result(folder.name, 'Bild 8') > 0)[first > 0].mean() > 0.5


# label maps


def test_label_map_of_another_size(two):
    write_palette_png(two.label('b', 0), np.ones((64, 90), np.uint8))
    two.fails('b/00000.png is 64x90', '00000.jpg is 64x96', 'by nearest neighbour')


def test_label_map_in_colour(two):
    write_image(two.label('b', 0), BLACK)
    two.fails('b/00000.png has pixels of mode RGB', 'palette', 'write_label_map')


def test_first_label_map_without_objects(two):
    write_palette_png(two.label('b', 0), BLACK[..., 0])
    two.fails("sequence 'b'", '00000.png, has no object', 'sequences=[...]')


def test_void_is_background(program):
    write_davis_tree(program.root, {'a': 3})
    label_map = moving_blobs(3)[1][0]
    label_map[:4] = 255
    write_palette_png(program.label('a', 0), label_map)
    metrics = program.works()['metrics']
    assert np.isfinite(list(metrics.values())).all()
    for name in ('00000', '00001', '00002'):
        assert set(np.unique(program.result('a', name))) <= {0, 1, 2}


def test_ids_with_gaps_are_kept(program):
    write_davis_tree(program.root, {'a': 3}, ids=(2, 7))
    program.works()
    for name in ('00000', '00002'):
        assert set(np.unique(program.result('a', name))) == {0, 2, 7}
    image = Image.open(program.out / 'predictions/a/00002.png')
    assert image.mode == 'P'
    palette = np.array(image.getpalette(), np.uint8).reshape(-1, 3)
    np.testing.assert_array_equal(palette, voc_palette()[: len(palette)])


def test_annotation_for_some_frames_only(program):
    write_davis_tree(program.root, {'a': 6}, annotated=[0, 2, 5])
    content = program.works()
    assert '3 of 6 annotations' in content['dataset']['note']
    record = json.loads((program.out / 'records/a.json').read_text())
    (result,) = record['results']
    assert result['frames'] == ['00002']  # neither the first nor the last
    assert len(list((program.out / 'predictions/a').iterdir())) == 6


def test_video_of_one_frame_has_nothing_to_score(two):
    write_davis_tree(two.root, {'a': 3, 'b': 1})
    for index in (1, 2):
        two.frame('b', index).unlink()
        two.label('b', index).unlink()
    two.fails("sequence 'b' has 1 annotated frames", 'skip_ends=False')
    code, text = two('--cfg-options', 'new:test_evaluator.0.skip_ends=False')
    assert code == 1 and 'Choose another --out, or --overwrite' in text
    code, text = two(
        '--overwrite', '--cfg-options', 'new:test_evaluator.0.skip_ends=False'
    )
    assert code == 0, text
    assert (two.result('b', '00000') == moving_blobs(1, seed=1)[1][0]).mean() > 0.9


# names and places


def test_missing_dataset_root(program):
    text = program.fails(
        f"'{program.root}' is not a folder",
        'ROOT/JPEGImages/480p/<sequence>/00000.jpg',
        'https://davischallenge.org',
        'python tools/check_data.py davis --data ROOT',
    )
    assert 'Traceback' not in text


@pytest.mark.parametrize(
    'options, parts',
    [
        (dict(task='davsi'), ["'davsi'", "'davis'", 'davis16', '_base_']),
        (dict(protocol='cwr'), ["'cwr'", "'crw'", 'dino']),
        (dict(option='protocol.davis.select.topn=5'), ["'topn'", "'topk'", 'new:']),
        (dict(option='new:model.chunks=2'), ["'chunks'", "'chunk'"]),
        (dict(option='new:test_dataset.sets=val'), ["'sets'", 'split']),
        (dict(option='new:protocol.davis.topk=2'), ["'topk'", 'select']),
        (dict(sequence='bb'), ["'bb'", 'DAVIS-2017 val', "'b'"]),
        (dict(max_frames='0'), ['max_frames', 'at least 1', '0']),
    ],
    ids=str,
)
def test_unknown_names_give_the_nearest(two, options, parts):
    extra: list[str] = []
    for key, flag in (
        ('protocol', '--protocol'),
        ('option', '--cfg-options'),
        ('sequence', '--sequences'),
        ('max_frames', '--max-frames'),
    ):
        extra += [flag, options[key]] if key in options else []
    code, text = two(*extra, task=options.get('task', 'davis'))
    assert code == 1
    for part in parts:
        assert part in text, f'{part!r} is not in: {text}'
    assert 'Traceback' not in text
    assert not two.has_record('a')


def test_output_below_a_regular_file(two):
    two.out.write_text('a file')
    code, text = two('--out', str(two.out / 'deep' / 'er'))
    assert code == 1
    assert f'{two.out} is a regular file' in text
    assert 'Give another output folder' in text
    assert two.out.read_text() == 'a file'


# checkpoints


@pytest.fixture
def checkpoint(tmp_path):
    """Weights that fit the config."""
    backbone = MODELS.build(
        dict(type='ResNet', depth=18, strides=(1, 2, 1, 1), out_indices=(2,))
    )
    return save_as_crw(backbone, tmp_path / 'weights.pth')


def save_as_crw(backbone: torch.nn.Module, path: Path) -> Path:
    state = backbone.state_dict()
    torch.save(dict(model={f'encoder.model.{k}': v for k, v in state.items()}), path)
    return path


def test_fitting_checkpoint_works(two, checkpoint):
    code, text = two(weights=str(checkpoint))
    assert code == 0, text


def test_checkpoint_of_several_programs(two, tmp_path):
    state = MODELS.build(dict(type='ResNet', depth=18)).state_dict()
    torch.save(state, tmp_path / 'flat.pth')
    weights = str(tmp_path / 'flat.pth')
    two.fails('flat.pth', 'may be of torchvision or dino', '--source', weights=weights)
    code, text = two('--source', 'torchvision', weights=weights)
    assert code == 0, text


def test_missing_checkpoint(two):
    weights = str(two.root / 'none.pth')
    two.fails('none.pth does not exist', 'https address', 'random', weights=weights)
    assert not two.has_record('a')


def test_truncated_checkpoint(two, checkpoint):
    checkpoint.write_bytes(checkpoint.read_bytes()[:5000])
    two.fails(
        'weights.pth (5000 bytes) is truncated',
        'copy it again',
        weights=str(checkpoint),
    )


def test_checkpoint_of_another_architecture(two, tmp_path):
    save_as_crw(MODELS.build(dict(type='ResNet', depth=50)), tmp_path / 'r50.pth')
    two.fails(
        'r50.pth',
        'does not fit ResNet',
        'Use the config of its architecture',
        weights=str(tmp_path / 'r50.pth'),
    )


class Attack:
    """Creates a file when it is unpickled."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Callable, tuple[str]]:
        return os.system, (f'touch {self.marker}',)


def test_malicious_checkpoint_does_not_run(two, tmp_path, checkpoint):
    state = torch.load(checkpoint, weights_only=True)
    bad, marker = tmp_path / 'bad.pth', tmp_path / 'ran'
    torch.save(dict(state_dict=state, extra=Attack(marker)), bad)
    two.fails('bad.pth', 'system', 'allow_unsafe', weights=str(bad))
    assert not marker.exists()
    assert not two.has_record('a')
