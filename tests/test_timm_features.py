import copy
import pickle

import pytest
import timm
import torch

import densecorr  # noqa: F401  (guards of compat come before timm)
from densecorr.models.backbones.timm_features import TimmFeatures
from densecorr.registry import MODELS

TINY = dict(embed_dim=48, depth=3, num_heads=3)
ARCH = 'vit_tiny_patch16_224'
SHRUNK = (ARCH, 'vit_small_patch14_reg4_dinov2', 'deit3_small_patch16_224')


def images(height=64, width=96, batch=2):
    generator = torch.Generator().manual_seed(0)
    return torch.randn(batch, 3, height, width, generator=generator)


def build(arch=ARCH, **options):
    torch.manual_seed(0)
    kwargs = {**TINY, **options} if arch in SHRUNK else options
    network = MODELS.build(dict(type='TimmFeatures', arch=arch, **kwargs)).eval()
    for module in network.modules():  # a norm that starts as identity hides mistakes
        if isinstance(module, torch.nn.LayerNorm):
            torch.nn.init.normal_(module.weight, 1, 0.2)
            torch.nn.init.normal_(module.bias, 0, 0.2)
    return network


@torch.no_grad()
def run(network, *args):
    return network(images(*args))


@pytest.mark.parametrize(
    ('arch', 'prefix'),
    [
        (ARCH, 1),
        ('vit_small_patch14_reg4_dinov2', 5),
        ('deit3_small_patch16_224', 1),
        ('deit_tiny_distilled_patch16_224', 2),
    ],
)
def test_maps_equal_timm_under_the_size_rule(arch, prefix):
    options = dict(depth=2) if arch.startswith('deit_') else {}
    size = (70, 112) if 'patch14' in arch else (64, 96)
    ours = build(arch, pos_embed_rule='size', out_indices=(0, -1), **options)
    kwargs = {**TINY, **options} if arch in SHRUNK else options
    theirs = timm.create_model(arch, num_classes=0, dynamic_img_size=True, **kwargs)
    theirs.load_state_dict(ours.state_dict(), strict=True)
    last = len(theirs.blocks) - 1
    with torch.no_grad():
        expected = theirs.eval().forward_intermediates(
            images(*size), [0, last], norm=True, intermediates_only=True
        )
        tokens = ours.tokens(images(*size))
    for feats, other in zip(run(ours, *size), expected, strict=True):
        torch.testing.assert_close(feats, other, rtol=0, atol=1e-5)
    assert tokens[0].shape[1] == prefix + expected[0].shape[-1] * expected[0].shape[-2]
    assert ours.channels == [expected[0].shape[1]] * 2


@pytest.mark.parametrize(
    ('arch', 'stride', 'any_size'),
    [
        ('resnet18', 32, True),
        ('convnext_atto', 32, False),  # its patch convolutions drop the border
        ('vit_small_patch16_dinov3', 16, False),
        ('xcit_nano_12_p16_224', 16, False),
        ('hrnet_w18_small', 32, False),  # cannot add its branches at odd sizes
    ],
)
def test_other_architectures(arch, stride, any_size):
    network = build(arch)
    assert (network.stride, network.any_size) == (stride, any_size)
    (feats,) = run(network)
    assert feats.shape == (2, network.channels[0], -(-64 // stride), 96 // stride)
    reference = timm.create_model(arch, num_classes=0)
    assert set(reference.state_dict()) == set(network.state_dict())
    if any_size:
        (feats,) = run(network, 65, 97)
        assert feats.shape[-2:] == (-(-65 // stride), -(-97 // stride))
    else:
        with pytest.raises(ValueError, match=f'65x97, not a multiple of {stride}'):
            run(network, 65, 97)


def test_cnn_stages_come_in_the_order_asked():
    network = build('resnet18', out_indices=(3, 1, -1))
    maps = run(network)
    assert [m.shape[1] for m in maps] == network.channels == [256, 64, 512]
    assert network.out_strides == [16, 4, 32]
    swapped = run(build('resnet18', out_indices=(1, 3)))
    assert torch.equal(swapped[1], maps[0])


def test_keys_are_what_the_attention_uses():
    network = build(facet='key', pos_embed_rule='size', out_indices=(0, -1))
    seen = []
    attn = network.model.blocks[-1].attn
    attn.qkv.register_forward_hook(lambda module, args, out: seen.append(out))
    (_, feats), tokens = run(network), seen[0]
    expected = tokens[:, 1:, 48:96]  # q, k, v of 48 channels; class token first
    torch.testing.assert_close(feats.flatten(2).transpose(1, 2), expected)


def test_norm_is_applied_to_every_block_or_to_none():
    plain = build(pos_embed_rule='size', out_indices=(0, 2), norm=False)
    normed = build(pos_embed_rule='size', out_indices=(0, 2))
    normed.load_state_dict(plain.state_dict())
    for before, after in zip(run(plain), run(normed), strict=True):
        assert not torch.allclose(before, after)
        by_hand = plain.model.norm(before.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        torch.testing.assert_close(by_hand, after)


def test_fused_and_explicit_attention_agree_and_rows_sum_to_one():
    network = build(pos_embed_rule='scale_factor')
    fused = run(network)
    assert all(block.attn.fused_attn for block in network.model.blocks)
    with torch.no_grad():
        attention = network.last_attention(images())
    for block in network.model.blocks:
        block.attn.fused_attn = False
    seen = []
    last = network.model.blocks[-1].attn
    last.attn_drop.register_forward_hook(lambda module, args, out: seen.append(out))
    torch.testing.assert_close(run(network)[0], fused[0], rtol=0, atol=1e-5)
    torch.testing.assert_close(attention, seen[0], rtol=0, atol=1e-6)
    torch.testing.assert_close(attention.sum(-1), torch.ones(2, 3, 25))


def test_blocks_after_the_last_wanted_do_not_run():
    network = build(pos_embed_rule='size', out_indices=(1,))
    network.model.blocks[2].register_forward_hook(lambda *_: pytest.fail('block 2 ran'))
    run(network)


def test_rule_changes_features_and_table_grid_needs_none():
    size, scale = build(pos_embed_rule='size'), build(pos_embed_rule='scale_factor')
    torch.nn.init.normal_(size.model.pos_embed)
    scale.load_state_dict(size.state_dict())
    assert (run(size)[0] - run(scale)[0]).abs().max() > 1e-3
    none = build()
    none.load_state_dict(size.state_dict())
    torch.testing.assert_close(run(none, 224, 224, 1), run(size, 224, 224, 1))


def test_state_dict_carries_timm_names_under_any_prefix():
    network = build()
    parent = torch.nn.ModuleDict(dict(backbone=network))
    assert 'blocks.0.attn.qkv.weight' in network.state_dict()
    assert 'backbone.blocks.0.attn.qkv.weight' in parent.state_dict()
    state = {key: torch.full_like(x, 0.5) for key, x in parent.state_dict().items()}
    parent.load_state_dict(state, strict=True)
    assert all(bool((p == 0.5).all()) for p in network.parameters())
    state['backbone.head.weight'] = torch.zeros(1)
    with pytest.raises(RuntimeError, match=r'head\.weight'):
        parent.load_state_dict(state, strict=True)


def test_copies_and_pickles_keep_their_names():
    network = build()
    keys, state = set(network.state_dict()), network.state_dict()
    for other in (copy.deepcopy(network), pickle.loads(pickle.dumps(network))):
        assert set(other.state_dict()) == keys
        other.load_state_dict(state, strict=True)
        torch.testing.assert_close(run(other, 224, 224), run(network, 224, 224))


def test_eva_with_a_table_needs_the_size_rule():
    options = dict(arch='eva02_tiny_patch14_224', depth=2)
    with pytest.raises(ValueError, match=r"'scale_factor', allowed are \('size',\)"):
        TimmFeatures(pos_embed_rule='scale_factor', **options)
    with pytest.raises(ValueError, match='grid is 5x8, the positional table 16x16'):
        run(TimmFeatures(**options).eval(), 70, 112)
    assert run(TimmFeatures(pos_embed_rule='size', **options).eval(), 70, 112)


@pytest.mark.parametrize(
    ('options', 'text'),
    [
        (dict(facet='value'), r"facet of TimmFeatures is 'value', allowed.*'key'"),
        (dict(out_indices=(3,)), r'out_indices.*\(3,\).*from -3 to 2'),
        (dict(out_indices=()), r'out_indices.*\(\), it needs one or more'),
        (dict(arch='vit_tinny'), r"'vit_tinny', timm .* no such model. Similar: .*vit"),
        (dict(pos_embed_rule='bicubic'), r"'bicubic', allowed are \('scale_factor'"),
        (dict(global_pool='avg'), r"no norm after its blocks.*global_pool='token'"),
    ],
)
def test_errors(options, text):
    with pytest.raises(ValueError, match=text):
        TimmFeatures(**{'arch': ARCH, **TINY, **options})


def test_errors_of_cnns_and_sizes():
    with pytest.raises(ValueError, match=r"facet='key' needs a plain ViT.*a ResNet"):
        TimmFeatures('resnet18', facet='key')
    with pytest.raises(ValueError, match=r"'resnet18' is 'size', allowed are \(\)"):
        TimmFeatures('resnet18', pos_embed_rule='size')
    with pytest.raises(ValueError, match=r'last_attention needs a plain ViT'):
        build('resnet18').last_attention(images())
    with pytest.raises(ValueError, match=r'grid is 4x6.*14x14.*pos_embed_rule'):
        run(build())
    with pytest.raises(ValueError, match=r'100x96.*96x96 and 112x96.*rounding='):
        run(build(pos_embed_rule='size'), 100, 96)
