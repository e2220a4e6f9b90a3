import math

import pytest
import timm
import torch
from timm.models import eva, vision_transformer

from densecorr.apis.convert import convert_file
from densecorr.convert import choose, convert, export, load_backbone, recognise
from densecorr.convert.tensor_rules import (
    Part,
    add_sine_positions,
    fuse_query_value_bias,
    fuse_separate_qkv,
    join_masked_bias,
    join_register_positions,
    split_masked_bias,
    split_register_positions,
    sum_kernel_over_time,
)
from densecorr.registry import MODELS
from densecorr.utils.checkpoints import hash_tensors

WIDTH, PATCH = 24, 16  # of the small networks


def parts(**tensors):
    return {
        key.replace('__', '.'): Part(tensor, f'file.{key}')
        for key, tensor in tensors.items()
    }


def test_kernel_sees_a_frame_several_times():
    clip = torch.arange(2 * 3 * 2 * 4 * 4.0).reshape(2, 3, 2, 4, 4)
    frame = torch.randn(1, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    found = sum_kernel_over_time(parts(patch_embed__proj__weight=clip))
    kernel = found['patch_embed.proj.weight'].tensor
    twice = torch.nn.functional.conv3d(frame[:, :, None].repeat(1, 1, 2, 1, 1), clip)
    torch.testing.assert_close(
        torch.nn.functional.conv2d(frame, kernel), twice[:, :, 0], rtol=1e-4, atol=1e-4
    )
    again = sum_kernel_over_time(found)
    assert again['patch_embed.proj.weight'].tensor is kernel


def test_separate_queries_keys_and_values_are_stacked():
    one = torch.ones(2, 3)
    given = parts(
        blocks__0__attn__v__weight=3 * one,
        blocks__0__attn__q__weight=one,
        blocks__0__attn__k__weight=2 * one,
        blocks__0__attn__proj__weight=4 * one,
    )
    found = fuse_separate_qkv(given)
    assert list(found) == ['blocks.0.attn.proj.weight', 'blocks.0.attn.qkv.weight']
    assert found['blocks.0.attn.qkv.weight'].tensor[:, 0].tolist() == [1, 1, 2, 2, 3, 3]
    assert found['blocks.0.attn.qkv.weight'].origin == (
        'file.blocks__0__attn__q__weight + file.blocks__0__attn__k__weight + '
        'file.blocks__0__attn__v__weight'
    )
    del given['blocks.0.attn.k.weight']
    with pytest.raises(ValueError, match=r"lacks \['blocks\.0\.attn\.k\.weight'\]"):
        fuse_separate_qkv(given)


def test_keys_without_a_bias_get_zeros():
    given = parts(
        blocks__0__attn__q_bias=torch.tensor([1.0, 2.0]),
        blocks__0__attn__v_bias=torch.tensor([3.0, 4.0]),
    )
    found = fuse_query_value_bias(given)
    assert found['blocks.0.attn.qkv.bias'].tensor.tolist() == [1, 2, 0, 0, 3, 4]
    del given['blocks.0.attn.v_bias']
    with pytest.raises(ValueError, match=r"but no 'blocks\.0\.attn\.v_bias'.*again"):
        fuse_query_value_bias(given)


def test_sine_positions():
    given = parts(patch_embed__proj__weight=torch.zeros(8, 3, 2, PATCH, PATCH))
    table = add_sine_positions(given)['pos_embed']
    assert table.tensor.shape == (1, 196, 8)
    assert table.origin == '(computed)'
    for row, column, value in (
        (0, 0, 0.0),
        (0, 1, 1.0),
        (5, 0, math.sin(5)),
        (5, 1, math.cos(5)),
        (195, 4, math.sin(195 / 10000**0.5)),
        (195, 7, math.cos(195 / 10000**0.75)),
    ):
        assert float(table.tensor[0, row, column]) == pytest.approx(value, abs=1e-6)


def test_positions_of_registers_go_and_come_back():
    given = parts(
        cls_token=torch.ones(1, 1, 2),
        reg_token=torch.zeros(1, 4, 2),
        pos_embed=torch.arange(10.0).reshape(1, 5, 2),
    )
    found = split_register_positions(given)
    assert found['cls_token'].tensor.tolist() == [[[1, 2]]]
    assert found['pos_embed'].tensor.tolist() == [[[2, 3], [4, 5], [6, 7], [8, 9]]]
    back = join_register_positions({k: p.tensor for k, p in found.items()})
    assert back['pos_embed'][0, 0].tolist() == [0, 0]
    assert torch.equal(back['pos_embed'][:, 1:], given['pos_embed'].tensor[:, 1:])
    without = {k: p for k, p in given.items() if k != 'reg_token'}
    assert split_register_positions(without) == without


def test_masked_bias_goes_and_comes_back():
    bias, mask = torch.tensor([1.0, 2, 7, 7, 3, 4]), torch.tensor([1.0, 1, 0, 0, 1, 1])
    given = parts(a__attn__qkv__bias=bias, a__attn__qkv__bias_mask=mask)
    found = split_masked_bias(given)
    assert {k: p.tensor.tolist() for k, p in found.items()} == {
        'a.attn.q_bias': [1, 2],
        'a.attn.v_bias': [3, 4],
    }
    state = {k: p.tensor for k, p in found.items()}
    back = join_masked_bias({**state, 'a.attn.qkv.weight': torch.ones(6, 2)})
    assert back['a.attn.qkv.bias'].tolist() == [1, 2, 0, 0, 3, 4]
    assert torch.equal(back['a.attn.qkv.bias_mask'], mask)
    with pytest.raises(ValueError, match='bias of the keys that is not zero'):
        split_masked_bias(parts(a__attn__qkv__bias=bias))


# whole networks, small: the names of the original repositories


def draw(*shape):
    draw.seed += 1
    return torch.randn(shape, generator=torch.Generator().manual_seed(draw.seed))


draw.seed = 0


def linear(name, rows, columns):
    return {f'{name}.weight': draw(rows, columns), f'{name}.bias': draw(rows)}


def norm(name):
    return {f'{name}.weight': draw(WIDTH), f'{name}.bias': draw(WIDTH)}


def block(name, gated=''):
    state = norm(f'{name}.norm1') | norm(f'{name}.norm2')
    state |= linear(f'{name}.attn.qkv', 3 * WIDTH, WIDTH)
    state |= linear(f'{name}.attn.proj', WIDTH, WIDTH)
    state |= {f'{name}.ls1.gamma': draw(WIDTH), f'{name}.ls2.gamma': draw(WIDTH)}
    if gated == 'w12':
        state |= linear(f'{name}.mlp.w12', 8 * WIDTH, WIDTH)
        return state | linear(f'{name}.mlp.w3', WIDTH, 4 * WIDTH)
    if gated:
        state |= linear(f'{name}.mlp.w1', 4 * WIDTH, WIDTH)
        state |= linear(f'{name}.mlp.w2', 4 * WIDTH, WIDTH)
        return state | linear(f'{name}.mlp.w3', WIDTH, 4 * WIDTH)
    state |= linear(f'{name}.mlp.fc1', 4 * WIDTH, WIDTH)
    return state | linear(f'{name}.mlp.fc2', WIDTH, 4 * WIDTH)


def dinov2(registers=0, gated=''):
    state = {'cls_token': draw(1, 1, WIDTH), 'pos_embed': draw(1, 5, WIDTH)}
    state |= {'mask_token': draw(1, WIDTH)}
    if registers:
        state['register_tokens'] = draw(1, registers, WIDTH)
    state['patch_embed.proj.weight'] = draw(WIDTH, 3, 14, 14)
    state['patch_embed.proj.bias'] = draw(WIDTH)
    for i in range(2):
        state |= block(f'blocks.{i}', gated)
    return state | norm('norm')


def dinov3(bias=False, gated=''):
    state = {'cls_token': draw(1, 1, WIDTH), 'storage_tokens': draw(1, 4, WIDTH)}
    state |= {'mask_token': draw(1, WIDTH), 'rope_embed.periods': draw(2)}
    state['patch_embed.proj.weight'] = draw(WIDTH, 3, PATCH, PATCH)
    state['patch_embed.proj.bias'] = draw(WIDTH)
    for i in range(2):
        state |= block(f'blocks.{i}', gated)
        both = torch.cat([torch.ones(WIDTH), torch.zeros(WIDTH), torch.ones(WIDTH)])
        state[f'blocks.{i}.attn.qkv.bias_mask'] = both
        state[f'blocks.{i}.attn.qkv.bias'] *= both if bias else 0
    return state | norm('norm')


SMALL = dict(depth=2, embed_dim=WIDTH, num_heads=2)
NETWORKS = {
    'dinov2': (dinov2(), 'vit_small_patch14_dinov2', dict(img_size=28)),
    'dinov2 registers': (
        dinov2(registers=4),
        'vit_small_patch14_reg4_dinov2',
        dict(img_size=28),
    ),
    'dinov3': (dinov3(), 'vit_small_patch16_dinov3', {}),
    'dinov3 bias': (dinov3(bias=True), 'vit_small_patch16_dinov3_qkvb', {}),
    'dinov3 gated': (dinov3(gated='w1'), 'vit_small_plus_patch16_dinov3', {}),
}


@pytest.mark.parametrize('name', NETWORKS)
def test_original_names_load_as_timm_loads_them(tmp_path, name):
    state, arch, options = NETWORKS[name]
    source = name.split()[0]
    assert recognise(state) == [source]
    torch.save(state, tmp_path / 'a.pth')
    options = {**SMALL, **options}
    network = MODELS.build(dict(type='TimmFeatures', arch=arch, **options))
    report = load_backbone(network, tmp_path / 'a.pth')
    assert (report.source, report.status) == (source, 'unverified')
    assert 'mask_token' in report.dropped
    model = timm.create_model(arch, num_classes=0, **options)
    rules = vision_transformer if source == 'dinov2' else eva
    model.load_state_dict(rules.checkpoint_filter_fn(dict(state), model), strict=True)
    assert hash_tensors(network.state_dict()) == hash_tensors(model.state_dict())
    # through the file of densecorr, which keeps biases that are zero
    ours = convert(state, source).state
    torch.save(export(ours, 'densecorr'), tmp_path / 'ours.pth')
    other = MODELS.build(dict(type='TimmFeatures', arch=arch, **options))
    assert load_backbone(other, tmp_path / 'ours.pth').source == 'densecorr'
    assert hash_tensors(other.state_dict()) == hash_tensors(model.state_dict())


@pytest.mark.parametrize('gated', ['', 'w12'])
@pytest.mark.parametrize('registers', [0, 4])
def test_dinov2_comes_back(registers, gated):
    state = dinov2(registers, gated)
    back = export(convert(state, 'dinov2').state, 'dinov2')
    assert set(back) == set(state) - {'mask_token'}
    changed = {key for key in back if not torch.equal(back[key], state[key])}
    assert changed == ({'cls_token', 'pos_embed'} if registers else set())
    first = state['cls_token'] + state['pos_embed'][:, :1]
    torch.testing.assert_close(back['cls_token'] + back['pos_embed'][:, :1], first)


@pytest.mark.parametrize('bias', [False, True])
@pytest.mark.parametrize('gated', ['', 'w1'])
def test_dinov3_comes_back(bias, gated):
    state = dinov3(bias, gated)
    back = export(convert(state, 'dinov3').state, 'dinov3')
    assert set(back) == set(state) - {'mask_token', 'rope_embed.periods'}
    assert all(torch.equal(back[key], state[key]) for key in back)


def test_biases_that_are_not_zero_need_a_network_with_biases(tmp_path):
    torch.save(NETWORKS['dinov3 bias'][0], tmp_path / 'a.pth')
    network = MODELS.build(
        dict(type='TimmFeatures', arch='vit_small_patch16_dinov3', **SMALL)
    )
    with pytest.raises(ValueError, match=r'unknown to the model.*attn\.qkv\.bias'):
        load_backbone(network, tmp_path / 'a.pth')


def test_training_files_of_dinov2_are_read():
    state = dinov2()
    chunked = {
        f'backbone.{key.replace("blocks.1.", "blocks.0.1.")}'.replace(
            'blocks.0.norm', 'blocks.0.0.norm'
        ): tensor
        for key, tensor in state.items()
    }
    for old in ('attn', 'mlp', 'ls1', 'ls2'):
        chunked = {
            k.replace(f'blocks.0.{old}', f'blocks.0.0.{old}'): t
            for k, t in chunked.items()
        }
    content = dict(teacher={**chunked, 'dino_head.mlp.0.weight': draw(2, 2)})
    assert choose(content) == 'dinov2'
    found = convert(content, 'dinov2')
    assert hash_tensors(found.state) == hash_tensors(convert(state, 'dinov2').state)


def videomae():
    kernel = draw(WIDTH, 3, 2, PATCH, PATCH)
    state = {'patch_embed.proj.weight': kernel, 'patch_embed.proj.bias': draw(WIDTH)}
    for i in range(2):
        state |= block(f'blocks.{i}')
        bias = state.pop(f'blocks.{i}.attn.qkv.bias')
        state[f'blocks.{i}.attn.q_bias'] = bias[:WIDTH]
        state[f'blocks.{i}.attn.v_bias'] = bias[:WIDTH] + 1
    state |= norm('norm')
    state = {k: v for k, v in state.items() if '.ls' not in k}
    heads = {'mask_token': draw(1, 1, 8), 'encoder_to_decoder.weight': draw(8, WIDTH)}
    decoder = {f'decoder.{k}': v for k, v in norm('norm').items()}
    return {f'encoder.{k}': v for k, v in state.items()} | decoder | heads


def mae_st():
    state = {k.removeprefix('encoder.'): v for k, v in videomae().items()}
    state = {k: v for k, v in state.items() if 'decoder' not in k and '_bias' not in k}
    state |= {'cls_token': draw(1, 1, WIDTH), 'pos_embed_class': draw(1, 1, WIDTH)}
    state['pos_embed_spatial'] = draw(1, 196, WIDTH)
    state['pos_embed_temporal'] = draw(1, 8, WIDTH)
    for i in range(2):
        weight = state.pop(f'blocks.{i}.attn.qkv.weight')
        for kind, rows in zip('qkv', weight.chunk(3), strict=True):
            state[f'blocks.{i}.attn.{kind}.weight'] = rows
            state[f'blocks.{i}.attn.{kind}.bias'] = draw(WIDTH)
    return state | {'decoder_embed.weight': draw(8, WIDTH)}


@pytest.mark.parametrize('source', ['videomae', 'mae_st'])
def test_video_models_are_reduced_and_say_so(tmp_path, source):
    state = videomae() if source == 'videomae' else mae_st()
    content = dict(model=state, epoch=1)
    assert recognise(content) == [source]
    torch.save(content, tmp_path / 'a.pth')
    tokens = dict(class_token=False, global_pool='avg', fc_norm=False)
    network = MODELS.build(
        dict(
            type='TimmFeatures',
            arch='vit_small_patch16_224',
            pos_embed_rule='scale_factor',
            **SMALL,
            **(tokens if source == 'videomae' else {}),
        )
    )
    report = load_backbone(network, tmp_path / 'a.pth')
    assert report.status == 'unverified'
    assert report.note.startswith('reduction ours: ')
    assert '\nnote      reduction ours: ' in str(report)
    (feats,) = network(draw(1, 3, 32, 48))
    assert feats.shape == (1, WIDTH, 2, 3)
    loaded = network.state_dict()
    bias = loaded['blocks.1.attn.qkv.bias'].chunk(3)
    prefix = 'encoder.' if source == 'videomae' else ''
    kernel = state[f'{prefix}patch_embed.proj.weight']
    assert torch.equal(loaded['patch_embed.proj.weight'], kernel.sum(2))
    if source == 'videomae':
        assert torch.equal(bias[0], state['encoder.blocks.1.attn.q_bias'])
        assert not bias[1].count_nonzero()
        assert loaded['pos_embed'].shape == (1, 196, WIDTH)
    else:
        assert torch.equal(bias[1], state['blocks.1.attn.k.bias'])
        assert torch.equal(loaded['pos_embed'][:, 1:], state['pos_embed_spatial'])
        assert 'pos_embed_temporal' in report.dropped
    with pytest.raises(
        ValueError, match=rf'{source}. cannot be written.*reduction our'
    ):
        export(convert(content, source).state, source)


def test_reduction_is_told_of_converted_files_too(tmp_path):
    torch.save(dict(model=mae_st()), tmp_path / 'a.pth')
    done = convert_file(str(tmp_path / 'a.pth'), tmp_path / 'b.pth')
    assert 'note             reduction ours: ' in str(done)
    network = MODELS.build(
        dict(
            type='TimmFeatures',
            arch='vit_small_patch16_224',
            pos_embed_rule='scale_factor',
            **SMALL,
        )
    )
    report = load_backbone(network, tmp_path / 'b.pth')
    assert report.source == 'densecorr, converted from mae_st'
    assert report.status == 'unverified'
    assert report.note.startswith('reduction ours')
    again = convert_file(str(tmp_path / 'b.pth'), tmp_path / 'c.pth', to='timm')
    assert again.note.startswith('reduction ours')
