import pytest
import torch

from densecorr.models.backbones.dul_net import DULNet
from densecorr.models.backbones.resnet import ResNet
from densecorr.registry import MODELS


def images(height=32, width=48, batch=1):
    generator = torch.Generator().manual_seed(0)
    return torch.randn(batch, 3, height, width, generator=generator)


def shuffled_statistics(network):
    generator = torch.Generator().manual_seed(1)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1, generator=generator)
            module.running_var.uniform_(0.5, 1.5, generator=generator)
            torch.nn.init.normal_(module.weight, 1, 0.1, generator=generator)
            torch.nn.init.normal_(module.bias, 0, 0.1, generator=generator)
    return network.eval()


@pytest.mark.parametrize('depth', [18, 34, 50])
def test_resnet_equals_torchvision(depth):
    from torchvision.models import get_model

    ours = shuffled_statistics(ResNet(depth, out_indices=(0, 1, 2, 3)))
    theirs = get_model(f'resnet{depth}').eval()
    theirs.fc = torch.nn.Identity()
    theirs.load_state_dict(ours.state_dict(), strict=True)
    with torch.no_grad():
        maps = ours(images())
        pooled = theirs(images())
    assert torch.equal(maps[-1].mean((2, 3)), pooled)
    assert [m.shape[1] for m in maps] == ours.channels


@pytest.mark.parametrize(('depth', 'last'), [(18, 'bn2'), (50, 'bn3')])
def test_blocks_may_start_as_their_shortcuts(depth, last):
    network = ResNet(depth, zero_init_residual=True)
    zero = {
        name
        for name, value in network.state_dict().items()
        if name.endswith('.weight') and not value.any()
    }
    depths = {18: (2, 2, 2, 2), 50: (3, 4, 6, 3)}[depth]
    blocks = [f'layer{i + 1}.{n}' for i in range(4) for n in range(depths[i])]
    assert zero == {f'{block}.{last}.weight' for block in blocks}
    weights = dict(ResNet(depth).named_parameters())
    assert all(weights[f'{block}.{last}.weight'].all() for block in blocks)


def test_resnet_starts_like_torchvision():
    from torchvision.models import resnet18

    torch.manual_seed(0)
    theirs = resnet18()
    names = dict(theirs.named_parameters())
    for name, weight in ResNet(18).named_parameters():
        expected = names[name].std()
        torch.testing.assert_close(weight.std(), expected, rtol=0.1, atol=1e-3)


@pytest.mark.parametrize('pool', ['max', 'mean', 'none'])
@pytest.mark.parametrize('strides', [(1, 2, 2, 1), (1, 1, 1, 1), (1, 2, 2, 4)])
@pytest.mark.parametrize('size', [(32, 48), (33, 47), (61, 40)])
def test_resnet_geometry_covers_every_pixel(pool, strides, size):
    network = ResNet(strides=strides, out_indices=(1, 2, 3), pool=pool).eval()
    with torch.no_grad():
        maps = network(images(*size))
    for feats, stride in zip(maps, network.out_strides, strict=True):
        assert feats.shape[-2:] == tuple(-(-side // stride) for side in size)
    assert network.stride == network.out_strides[-1]


def test_resnet_variants_share_one_checkpoint():
    state = ResNet(18).state_dict()
    for options in [
        dict(strides=(1, 1, 1, 1), pool='mean'),
        dict(padding_mode='reflect'),
        dict(dilations=(1, 1, 2, 4)),
    ]:
        ResNet(18, **options).load_state_dict(state, strict=True)


def test_resnet_does_not_run_later_stages():
    network = ResNet(18, out_indices=(1,)).eval()
    network.layer3.register_forward_hook(lambda *_: pytest.fail('layer3 was run'))
    assert len(network(images())) == 1


def test_resnet_block_maps():
    network = shuffled_statistics(ResNet(34, out_indices=(2,)))
    with torch.no_grad():
        blocks = network.block_maps(images(), stage=2)
        (feats,) = network(images())
    assert len(blocks) == 6
    assert torch.equal(blocks[-1], feats)
    assert not torch.equal(blocks[0], feats)


def test_reflect_padding_keeps_a_constant_image_constant():
    network = shuffled_statistics(ResNet(18, padding_mode='reflect'))
    zeros = shuffled_statistics(ResNet(18))
    constant = torch.full((1, 3, 64, 64), 0.5)
    with torch.no_grad():
        (feats,), (padded,) = network(constant), zeros(constant)
    assert feats.flatten(2).std(-1).max() < 1e-5
    assert padded.flatten(2).std(-1).max() > 1e-2


def test_dilation_replaces_stride_on_the_coarse_grid():
    """A dilated stage at stride 1 equals the strided one on every second cell."""
    strided = shuffled_statistics(ResNet(50, strides=(1, 2, 2, 2)))
    dilated = ResNet(50, strides=(1, 2, 2, 1), dilations=(1, 1, 1, 2)).eval()
    dilated.load_state_dict(strided.state_dict())
    first, x = strided.layer4[0], torch.randn(1, 1024, 8, 8)
    with torch.no_grad():
        coarse = first.conv2(first.conv1(x))
        block = dilated.layer4[0]
        block.conv2.dilation, block.conv2.padding = (1, 1), (1, 1)
        fine = block.conv2(block.conv1(x))
    torch.testing.assert_close(fine[..., ::2, ::2], coarse)
    assert dilated.layer4[1].conv2.dilation == (2, 2)
    assert dilated.layer3[1].conv2.dilation == (1, 1)


@pytest.mark.parametrize(
    ('options', 'text'),
    [
        (dict(depth=101), r'depth of ResNet is 101, allowed are \(18, 34, 50\)'),
        (dict(pool='avg'), r"pool of ResNet is 'avg', allowed are \('max', 'mean'"),
        (dict(padding_mode='edge'), r"padding_mode of ResNet is 'edge', allowed"),
        (dict(strides=(1, 2)), r'strides of ResNet is \(1, 2\), it needs 4 positive'),
        (dict(dilations=(1, 1, 0, 1)), r'dilations of ResNet is \(1, 1, 0, 1\)'),
        (dict(out_indices=(4,)), r'out_indices of ResNet is \(4,\).*\(0, 1, 2, 3\)'),
        (dict(out_indices=()), r'out_indices of ResNet is \(\), it needs one or more'),
    ],
)
def test_resnet_errors(options, text):
    with pytest.raises(ValueError, match=text):
        ResNet(**options)


def test_dul_net_outputs_are_unit_maps_in_the_order_asked():
    network = DULNet(outputs=('key', 'res3', 'res4'), dim=32).eval()
    with torch.no_grad():
        maps = network(images(33, 48))
        raw = network.raw_maps(images(33, 48))
    assert [tuple(m.shape[1:]) for m in maps] == [(c, 5, 6) for c in (32, 256, 512)]
    assert network.channels == [32, 256, 512]
    assert network.stride == 8
    for name, feats in zip(network.outputs, maps, strict=True):
        norms = raw[name].norm(dim=1, keepdim=True)
        torch.testing.assert_close(feats * norms, raw[name])
        torch.testing.assert_close(feats.norm(dim=1), torch.ones(1, 5, 6))


@pytest.mark.parametrize(
    ('outputs', 'unused'),
    [(('res3',), 'backbone.layer4'), (('res4', 'res3'), 'emb_q')],
)
def test_dul_net_does_not_run_later_layers(outputs, unused):
    network = DULNet(outputs=outputs).eval()
    layer = network.get_submodule(unused)
    layer.register_forward_hook(lambda *_: pytest.fail(f'{unused} was run'))
    assert len(network(images())) == len(outputs)


def test_dul_net_has_the_published_number_of_parameters():
    network = MODELS.build(dict(type='DULNet'))
    assert sum(p.numel() for p in network.parameters()) == 11_505_856
    assert len(network.state_dict()) == 129
    assert {key.split('.')[0] for key in network.state_dict()} == {'backbone', 'emb_q'}


def test_dul_net_errors():
    with pytest.raises(ValueError, match=r"\('res5',\).*\('res3', 'res4', 'key'\)"):
        DULNet(outputs=('res5',))


def biased(network):
    """Biases other than zero, so that images of zeros are not all."""
    generator = torch.Generator().manual_seed(0)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            noise = torch.randn(module.bias.shape, generator=generator)
            module.bias.data.copy_(noise)
    return network.eval()


def test_zero_batches_shift_statistics_as_two_batches_do():
    options = dict(type='ResNet', depth=18, strides=(1, 2, 1, 1), out_indices=(1,))
    network = biased(MODELS.build(options))
    state = {key: value.clone() for key, value in network.state_dict().items()}
    shifted = MODELS.build({**options, 'zero_batches': True}).eval()
    shifted.load_state_dict(state)
    assert not shifted.training
    network.train()
    with torch.no_grad():
        for shape in ((1, 3, 256, 256), (10, 3, 320, 320)):
            network(torch.zeros(shape))
    moved = 0
    for key, value in network.state_dict().items():
        torch.testing.assert_close(shifted.state_dict()[key], value)
        moved += key.endswith('running_var') and not torch.equal(value, state[key])
    assert moved == 1 + 8 + 1  # stem, two stages of two blocks, one shortcut
    again = MODELS.build(options).eval()
    again.load_state_dict(state)
    assert torch.equal(again.bn1.running_var, state['bn1.running_var'])
