"""Official key lists to densecorr and back: keys, shapes and values of the backbone."""

import re

import numpy as np
import pytest
import torch

from densecorr.apis.convert import convert_file
from densecorr.convert import SOURCES, choose, convert, export, load_backbone
from densecorr.registry import MODELS
from densecorr.utils.checkpoints import hash_tensors, read_checkpoint

from .replay import PARITY, Case

# source, file, key list, container, what is a head: it cannot come back
LISTS = [
    ('torchvision', 'catmae/encoder_imagenet18', 'keys', '', r'^fc\.'),
    ('moco_v2', 'catmae/encoder_mocov2', 'keys', 'state_dict', r'queue|encoder_k|\.fc'),
    ('simsiam', 'catmae/encoder_simsiam', 'keys', 'state_dict', r'\.fc\.|predictor'),
    ('dino', 'catmae/encoder_dino_r50', 'keys', '', r'(?!)'),
    ('dino', 'dino/vit_features', 'v0_keys', '', r'(?!)'),
    ('dino', 'dino/vit_features', 'v1_keys', '', r'(?!)'),
    ('crw', 'crw/davis_pipeline', 'keys', 'model', r'^selfsim_fc\.'),
    ('dul', 'dul/backbone', 'keys', 'model', r'(?!)'),
    ('vfs', 'vfs/vanilla_tracker', 'keys', 'state_dict', r'^iteration$'),
    ('spa_then_temp', 'spa_then_temp/resnet18_features', 'keys', 'state_dict', r'(?!)'),
    ('catmae', 'catmae/loss_vits16', 'keys', 'model', r'^decoder_|^mask_token$'),
    ('smtc', 'smtc/model_forward', 'keys', 'model_state_dict', r'^(?!encoder\.)'),
    ('timet', 'timet/train_steps', 'keys', '', r'^(?!feature_extractor\.backbone\.)'),
    ('timet_teacher', 'timet/train_steps', 'keys', '', r'^(?!teacher\.backbone\.)'),
]
NO_LIST = {'timm', 'densecorr'}  # the library itself, and files of our own


def read(path: str) -> Case:
    file = PARITY / f'{path}.npz'
    assert file.is_file(), f'no golden case {path}.npz under {PARITY}'
    return Case(file)


def official(path: str, keys: str, container: str) -> tuple[dict, dict]:
    """State dict of a golden list, and the file that holds it."""
    state = read(path).state_dict(keys)
    return state, {container: state, 'epoch': 1} if container else state


def test_every_verified_source_has_a_list():
    verified = {name for name, s in SOURCES.items() if s.status == 'verified'}
    assert {source for source, *_ in LISTS} | NO_LIST == verified


@pytest.mark.parametrize(
    ('source', 'path', 'keys', 'container', 'head'),
    LISTS,
    ids=lambda value: value if isinstance(value, str) and '/' in value else '',
)
def test_backbone_comes_back(tmp_path, source, path, keys, container, head):
    state, content = official(path, keys, container)
    backbone = {k: v for k, v in state.items() if not re.search(head, k)}
    result = convert(content, source)
    assert result.unknown == []
    assert sorted(result.dropped_by_rule) == sorted(set(state) - set(backbone))
    back = export(result.state, source)
    back = back[container] if container else back
    assert list(back) == list(backbone)
    assert hash_tensors(back) == hash_tensors(backbone)


@pytest.mark.parametrize('source', ['crw', 'dul', 'dino', 'timet'])
def test_backbone_comes_back_through_files(tmp_path, source):
    path, keys, container, head = next(
        entry for name, *entry in LISTS if name == source and 'r50' not in entry[0]
    )
    state, content = official(path, keys, container)
    torch.save(content, tmp_path / 'official.pth')
    ours, again = tmp_path / 'ours.pth', tmp_path / 'again.pth'
    convert_file(str(tmp_path / 'official.pth'), ours, source)
    done = convert_file(str(ours), again, to=source)
    assert (done.source, done.to) == ('densecorr', source)
    assert SOURCES[source].export.lacks in str(done)
    found = read_checkpoint(again)
    found = found[container] if container else found
    assert hash_tensors(found) == hash_tensors(
        {key: tensor for key, tensor in state.items() if not re.search(head, key)}
    )


@pytest.mark.parametrize(
    ('source', 'path', 'keys', 'container'),
    [entry[:4] for entry in LISTS if 'vit_features' in entry[1] or 'vits' in entry[1]],
)
def test_vits_go_to_timm(source, path, keys, container):
    _, content = official(path, keys, container)
    result = convert(content, source)
    written = export(result.state, 'timm')
    assert set(written) == set(result.state)
    assert hash_tensors(written) == hash_tensors(result.state)
    with pytest.raises(ValueError, match=r"cannot be written as 'torchvision'"):
        export(result.state, 'torchvision')


def test_both_layouts_of_crw_are_one_network():
    case = read('crw/davis_pipeline')
    plain = convert(dict(model=case.state_dict('keys')), 'crw')
    older = convert(dict(model=case.state_dict('legacy_keys', 'keys')), 'crw')
    assert hash_tensors(plain.state) == hash_tensors(older.state)


def test_student_and_teacher_of_timet_are_two_networks(tmp_path):
    state, _ = official('timet/train_steps', 'keys', '')
    torch.save(state, tmp_path / 'a.pth')
    case = read('timet/train_steps')
    built = dict(
        type='TimmFeatures',
        arch='vit_small_patch16_224',
        pos_embed_rule='scale_factor',
        depth=case.depth,
        num_heads=case.num_heads,
        patch_size=case.patch_size,
    )
    for source, prefix in (
        (None, 'feature_extractor.backbone.'),
        ('timet_teacher', 'teacher.backbone.'),
    ):
        table = state[f'{prefix}pos_embed']
        side = round((table.shape[1] - 1) ** 0.5) * case.patch_size
        network = MODELS.build(dict(built, img_size=side))
        report = load_backbone(network, tmp_path / 'a.pth', source)
        assert report.source == (source or 'timet')
        assert len(report.loaded) + len(report.dropped) == len(state)
        for name, tensor in network.state_dict().items():
            assert np.array_equal(tensor.numpy(), state[prefix + name].numpy()), name


def test_second_version_of_timet_is_read():
    state, content = official('timet/loss_all_frames', 'keys', '')
    assert choose(content) == 'timet'
    result = convert(content, 'timet')
    assert result.unknown == []
    prefix = 'feature_extractor.model.'
    assert {f'{prefix}{name}' for name in result.state} == {
        key for key in state if key.startswith(prefix)
    }
