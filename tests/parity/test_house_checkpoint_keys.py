"""Rules of convert/ on the key lists of the official checkpoints."""

import numpy as np
import timm
import torch
import torchvision

from densecorr.convert import convert, load_backbone, recognise
from densecorr.registry import MODELS

from .replay import PARITY, Case

RESNETS = {120: 'resnet18', 216: 'resnet34', 318: 'resnet50'}


def resnet_shapes(count: int) -> dict[str, tuple[int, ...]]:
    with torch.device('meta'):
        model = getattr(torchvision.models, RESNETS[count])()
    return {k: tuple(v.shape) for k, v in model.state_dict().items() if k[:3] != 'fc.'}


def shapes(state: dict) -> dict[str, tuple[int, ...]]:
    return {key: tuple(tensor.shape) for key, tensor in state.items()}


def load(folder, path, content, **backbone):
    """Save as the official program does, then load as the configs do."""
    torch.save(content, path / 'official.pth')
    model = MODELS.build(backbone)
    return model, load_backbone(model, path / 'official.pth', folder)


def check_resnet(folder, case, keys, container, tmp_path, values_of=None):
    state = case.state_dict(keys, values_of)
    content = {container: state, 'epoch': 1}
    assert folder in recognise(content)
    result = convert(content, folder)
    assert shapes(result.state) == resnet_shapes(len(result.state))
    assert result.unknown == []
    depth = int(RESNETS[len(result.state)].removeprefix('resnet'))
    model, report = load(folder, tmp_path, content, type='ResNet', depth=depth)
    assert len(report.loaded) == len(result.state)
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, state[result.origin[name]]), name
    return result


def cases(folder: str, pattern: str) -> list[Case]:
    found = [Case(path) for path in sorted((PARITY / folder).glob(f'{pattern}.npz'))]
    assert found, f'no golden case {folder}/{pattern}.npz under {PARITY}'
    return found


def test_crw(tmp_path):
    for case in cases('crw', 'davis_pipeline'):
        for keys in ('keys', 'legacy_keys'):
            result = check_resnet('crw', case, keys, 'model', tmp_path, 'keys')
            assert result.dropped_by_rule == [
                'selfsim_fc.0.weight',
                'selfsim_fc.0.bias',
            ]


def test_spa_then_temp(tmp_path):
    for pattern in ('resnet*_features', 'vanilla_tracker'):
        for case in cases('spa_then_temp', pattern):
            check_resnet('spa_then_temp', case, 'keys', 'state_dict', tmp_path)


def test_spa_then_temp_drops_the_frozen_teacher(tmp_path):
    case = cases('spa_then_temp', 'resnet18_features')[0]
    state = case.state_dict()
    teacher = {k.replace('backbone.', 'backbone_t.'): v for k, v in state.items()}
    content = dict(state_dict={**state, **teacher, 'iteration': torch.tensor(3)})
    assert recognise(content) == ['spa_then_temp']
    result = convert(content, 'spa_then_temp')
    assert sorted(result.dropped_by_rule) == sorted([*teacher, 'iteration'])


def test_vfs(tmp_path):
    for pattern in ('resnet18_features', 'vanilla_tracker'):
        for case in cases('vfs', pattern):
            result = check_resnet('vfs', case, 'keys', 'state_dict', tmp_path)
            assert set(result.dropped_by_rule) <= {'iteration'}


def test_vfs_and_its_converted_file_give_the_same(tmp_path):
    state = cases('vfs', 'resnet18_features')[0].state_dict()
    training = convert(dict(state_dict=state), 'vfs')
    head = {'img_head.projection_fcs.0.weight': torch.ones(2, 2)}
    assert recognise(dict(state_dict={**state, **head})) == ['vfs']
    converted = convert(dict(state_dict=training.state, meta={}), 'vfs')
    assert shapes(converted.state) == shapes(training.state)
    assert list(converted.origin) == list(converted.origin.values())


def test_dul(tmp_path):
    for case in cases('dul', 'backbone'):
        state = case.state_dict()
        content = dict(model=state, score=0.5, epoch=3)
        assert recognise(content) == ['dul']
        prefixed = {f'module.{key}': tensor for key, tensor in state.items()}
        assert convert(dict(model=prefixed), 'dul').state.keys() == (
            convert(content, 'dul').state.keys()
        )
        network, report = load('dul', tmp_path, content, type='DULNet')
        assert len(report.loaded) == len(state) == len(network.state_dict())
        assert report.dropped == []
        backbone, report = load('dul', tmp_path, content, type='ResNet')
        assert shapes(backbone.state_dict()) == resnet_shapes(len(report.loaded))
        assert all(key.startswith('fast_net.emb_q.') for key in report.dropped)
        assert len(report.dropped) == len(state) - len(report.loaded)
        for name, tensor in backbone.state_dict().items():
            assert torch.equal(tensor, state[f'fast_net.backbone.{name}']), name


def vit(case: Case, name: str) -> dict:
    return dict(
        patch_size=case[f'{name}_patch_size'],
        depth=case[f'{name}_depth'],
        num_heads=case[f'{name}_heads'],
    )


def test_dino(tmp_path):
    for case in cases('dino', 'vit_features'):
        for name in [key[:-5] for key in case.arrays if key.endswith('_keys')]:
            state = case.state_dict(f'{name}_keys')
            head = {'head.mlp.0.weight': torch.ones(2, 2)}
            teacher = {f'backbone.{key}': t for key, t in state.items()} | head
            student = {f'module.{key}': -t for key, t in teacher.items()}
            model = timm.create_model(
                'vit_small_patch16_224', num_classes=0, **vit(case, name)
            )
            for content, dropped in (
                (state, []),
                (dict(student=student, teacher=teacher, epoch=1), list(head)),
            ):
                assert 'dino' in recognise(content)
                result = convert(content, 'dino')
                assert shapes(result.state) == shapes(model.state_dict())
                assert result.dropped_by_rule == dropped
                assert result.unknown == []
                backbone, report = load(
                    'dino',
                    tmp_path,
                    content,
                    type='TimmFeatures',
                    arch='vit_small_patch16_224',
                    pos_embed_rule='scale_factor',
                    **vit(case, name),
                )
                assert len(report.loaded) == len(state)
                for key, tensor in backbone.state_dict().items():
                    assert np.array_equal(tensor.numpy(), state[key].numpy()), key
