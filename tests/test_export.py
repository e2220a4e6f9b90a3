"""Exported weights: equal features in plain timm, the way back, the card, errors."""

import json

import pytest
import timm
import torch
from mmengine.config import Config
from safetensors.torch import load_file

from densecorr import cli
from densecorr.apis.export import export_backbone
from densecorr.convert import load_backbone
from densecorr.registry import MODELS
from densecorr.utils.checkpoints import hash_tensors
from tests.test_models.test_catmae import INPUTS, VIT, batch, build

SETTINGS = {k: VIT[k] for k in ('img_size', 'patch_size', 'embed_dim', 'depth')}
DATA = dict(type='SpriteWorldClips')


def write_config(folder, backbone=VIT, **fields):
    model = dict(type='CatMAE', backbone=backbone, inputs=INPUTS)
    fields = (
        dict(train_dataloader=dict(dataset=DATA), checkpoint_source='catmae') | fields
    )
    path = folder / 'toy.py'
    Config(dict(model=model, **fields)).dump(path)
    return path


@pytest.fixture
def trained(tmp_path):
    """Config, checkpoint of a training with a validation beside it, and its method."""
    method = build().eval()
    meta = dict(iter=20, epoch=2, seed=7, config='model = 1')
    checkpoint = tmp_path / 'iter_20.pth'
    torch.save(dict(meta=meta, state_dict=method.state_dict()), checkpoint)
    scores = [(0, 0.5), (20, 0.625), (40, 0.75)]
    history = [dict(iter=i, metrics={'toy/J&F-Mean': x}) for i, x in scores]
    (tmp_path / 'validation.json').write_text(json.dumps(history))
    return write_config(tmp_path), str(checkpoint), method


def images():
    return batch(2, 3, 32, 32).float() / 255


@torch.no_grad()
@pytest.mark.parametrize('ending', ['.safetensors', '.pth'])
def test_plain_timm_gives_equal_features(trained, tmp_path, ending):
    config, checkpoint, method = trained
    done = export_backbone(config, checkpoint, tmp_path / f'vit{ending}')
    plain = timm.create_model(
        VIT['arch'], num_classes=0, num_heads=2, **SETTINGS
    ).eval()
    read = load_file if ending == '.safetensors' else torch.load
    plain.load_state_dict(read(done.weights), strict=True)
    (expected,) = method.backbone.tokens(images())
    torch.testing.assert_close(plain.forward_features(images()), expected)


@torch.no_grad()
def test_a_resnet_for_timm(tmp_path):
    backbone = dict(
        type='ResNet', depth=18, strides=(1, 2, 2, 2), out_indices=(3,), pool='max'
    )
    torch.manual_seed(0)
    network = MODELS.build(backbone).eval()
    checkpoint = tmp_path / 'ours.pth'
    state = {f'backbone.{k}': v for k, v in network.state_dict().items()}
    torch.save(dict(state_dict=state, meta={}), checkpoint)
    done = export_backbone(
        write_config(tmp_path, backbone), str(checkpoint), tmp_path / 'resnet'
    )
    assert done.weights.name == 'resnet.safetensors'
    plain = timm.create_model('resnet18', num_classes=0).eval()
    plain.load_state_dict(load_file(done.weights), strict=True)
    (expected,) = network(images())
    torch.testing.assert_close(plain.forward_features(images()), expected)
    assert "timm.create_model('resnet18', num_classes=0)" in done.card.read_text()


@pytest.mark.parametrize('ending', ['.safetensors', '.pth'])
def test_official_layout_and_back(trained, tmp_path, ending):
    config, checkpoint, method = trained
    out = tmp_path / f'official{ending}'
    done = export_backbone(config, checkpoint, out, layout='official')
    assert (done.names, done.lacks) == ('catmae', 'the decoder and mask_token')
    content = load_file(out) if ending == '.safetensors' else torch.load(out)['model']
    assert content['pos_embed'].shape == (1, 17, 16)
    again = MODELS.build(VIT)
    load_backbone(again, str(out), expected='catmae')  # as a config says it
    expected = method.backbone.state_dict()
    assert again.state_dict().keys() == expected.keys()
    for key, value in expected.items():
        assert torch.equal(again.state_dict()[key], value), key


def test_network_inside_of_a_network(tmp_path):
    backbone = dict(type='DULNet', outputs=('key',), dim=8)
    network = MODELS.build(backbone)
    checkpoint = tmp_path / 'ours.pth'
    state = {f'backbone.{k}': v for k, v in network.state_dict().items()}
    torch.save(dict(state_dict=state, meta={}), checkpoint)
    config = write_config(tmp_path, backbone, checkpoint_source='dul')
    done = export_backbone(config, str(checkpoint), tmp_path / 'plain.pth')
    names = {
        k.removeprefix('backbone.') for k in network.state_dict() if 'emb_q' not in k
    }
    assert set(torch.load(done.weights)) == names
    whole = export_backbone(config, str(checkpoint), tmp_path / 'w.pth', 'official')
    assert 'fast_net.emb_q.conv1.weight' in torch.load(whole.weights)['model']


def test_card(trained, tmp_path):
    config, checkpoint, _ = trained
    done = export_backbone(config, checkpoint, tmp_path / 'vit.safetensors')
    text = done.card.read_text()
    assert done.card.name == 'vit.safetensors.md'
    call = "timm.create_model('vit_tiny_patch16_224', num_classes=0, "
    for words in (
        *(call, "load_file('vit.safetensors')", 'mean (0.485, 0.456, 0.406)'),
        *('| method | CatMAE |', '| iter | 20 |', '| data | SpriteWorldClips |'),
        *('| 20 | 62.50 |', done.fingerprint, "type='CatMAE'"),
    ):
        assert words in text, words
    assert '75.00' not in text  # a validation after the checkpoint
    state = trained[2].backbone.state_dict()
    results = {f'backbone.{key}': value for key, value in state.items()}  # of a tracker
    assert done.fingerprint == hash_tensors(results)
    assert str(tmp_path) not in text
    again = export_backbone(config, checkpoint, tmp_path / 'vit.safetensors')
    assert again.card.read_text() == text


def test_program(trained, tmp_path, capsys):
    config, checkpoint, _ = trained
    run = ['export', str(config), checkpoint, str(tmp_path / 'out.pth')]
    assert cli.main([*run, '--layout', 'official']) == 0
    printed = capsys.readouterr().out
    assert 'names of catmae' in printed
    assert 'without  the decoder and mask_token' in printed

    def fails(*words):
        assert cli.main([*run, *words]) == 1
        return capsys.readouterr().err

    assert "layout is 'mmseg', allowed are ('timm', 'official')" in fails(
        '--layout', 'mmseg'
    )
    assert 'ends like a file of format' in fails('--format', 'safetensors')
    assert "format is 'onnx', allowed are" in fails('--format', 'onnx')
    bare = str(write_config(tmp_path, checkpoint_source=None))
    run[1] = bare
    assert "add checkpoint_source = 'catmae'" in fails('--layout', 'official')
    run[1] = str(write_config(tmp_path, checkpoint_source='mae'))
    run[3] = str(tmp_path / 'out.safetensors')
    assert "under 'model', which a safetensors file cannot hold" in fails(
        '--layout', 'official'
    )
    run[2] = str(tmp_path / 'none.pth')
    assert 'does not exist' in fails()
    (tmp_path / 'empty.py').write_text('a = 1\n')
    run[1] = str(tmp_path / 'empty.py')
    assert 'has no model.backbone to export' in fails()
    run[1:3] = [str(write_config(tmp_path, VIT | dict(depth=3))), checkpoint]
    assert 'does not fit TimmFeatures' in fails()
