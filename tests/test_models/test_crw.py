import re

import pytest
import torch

from densecorr.registry import MODELS

INPUTS = dict(color='rgb', mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
BACKBONE = dict(
    type='ResNet',
    depth=18,
    strides=(1, 2, 1, 1),
    out_indices=(1,),
    padding_mode='reflect',
)


def build(**options):
    torch.manual_seed(0)
    config = dict(type='CRW', backbone=dict(BACKBONE), inputs=dict(INPUTS), **options)
    return MODELS.build(config)


def batch(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, shape, generator=generator, dtype=torch.uint8)


def samples(*seeds):
    return [dict(seed=seed) for seed in seeds]


def test_a_patch_is_a_node():
    method = build()
    frames = batch(2, 3, 4, 3, 16, 16)
    nodes = method.nodes(frames)
    assert nodes.shape == (2, 3, 4, 128)
    torch.testing.assert_close(nodes.norm(dim=-1), torch.ones(2, 3, 4))
    maps = method.eval().backbone(method.normalize(frames[1, 2, 3])[None])[-1]
    pooled = method.head(maps.mean((2, 3)))[0]
    torch.testing.assert_close(method.nodes(frames)[1, 2, 3], pooled)


def test_a_position_of_the_map_is_a_node():
    method = build(head=dict(depth=-1)).eval()
    frames = batch(1, 3, 3, 16, 24)
    nodes = method.nodes(frames)
    assert nodes.shape == (1, 3, 2 * 3, 128)
    maps = method.backbone(method.normalize(frames[0, :1]))[-1]  # (1, c, 2, 3)
    place = maps[0, :, 1, 2]
    torch.testing.assert_close(nodes[0, 0, 5], place / place.norm())


def test_outputs_and_gradients():
    method = build()
    losses = method.loss(dict(frames=batch(2, 4, 4, 3, 16, 16)), samples(5, 6))
    names = ['loss_walk', 'accuracy_2_steps', 'accuracy_3_steps', 'feature_std']
    assert list(losses) == names
    assert all(value.ndim == 0 for value in losses.values())
    losses['loss_walk'].backward()
    gradients = {name: parameter.grad for name, parameter in method.named_parameters()}
    unused = {name for name, grad in gradients.items() if grad is None}
    assert unused and all(re.match(r'backbone\.layer[34]\.', name) for name in unused)
    assert gradients['backbone.conv1.weight'].abs().sum() > 0


def test_batch_norm_sees_all_images_together():
    frames = batch(2, 3, 4, 3, 16, 16)
    method = build()
    method.nodes(frames)
    images = method.normalize(frames).flatten(0, 2)
    mean = method.backbone.conv1(images).mean((0, 2, 3))
    torch.testing.assert_close(method.backbone.bn1.running_mean, 0.1 * mean)


def test_dropped_edges_belong_to_the_clips():
    frames, method = batch(2, 3, 9, 3, 16, 16), build(edge_dropout=0.5)
    drops = {}
    method.walk.register_forward_hook(
        lambda _, args, walk: drops.update({len(drops): args[1:]})
    )
    for seeds in [(5, 6), (5, 7), (5, 6)]:
        method.loss(dict(frames=frames), samples(*seeds))
    ahead, behind = drops[0]
    assert ahead.shape == (2, 2, 9, 9)
    assert 0.3 < ahead.float().mean() < 0.7
    assert not torch.equal(ahead, behind)
    assert torch.equal(ahead, drops[2][0])
    assert torch.equal(ahead[0], drops[1][0][0])
    assert not torch.equal(ahead[1], drops[1][0][1])
    method.eval().loss(dict(frames=frames), samples(5, 6))
    assert drops[3] == (None, None)


def test_given_edges_are_taken():
    frames, method = batch(1, 3, 4, 3, 16, 16), build(edge_dropout=0.5)
    all_edges = torch.ones(1, 2, 4, 4, dtype=torch.bool)
    inputs = dict(frames=frames, drop_forward=all_edges, drop_backward=all_edges)
    loss = method.loss(inputs, [])['loss_walk']
    assert loss.item() == pytest.approx(torch.tensor(4.0).log().item())


def test_feature_dropout():
    frames, method = batch(1, 3, 4, 3, 16, 16), build(feature_dropout=0.5)
    assert not torch.equal(method.nodes(frames), method.nodes(frames))
    method.eval()
    assert torch.equal(method.nodes(frames), method.nodes(frames))


@pytest.mark.parametrize(
    ('depth', 'keys'),
    [
        (-1, []),
        (0, ['0.weight', '0.bias']),
        (2, ['0.weight', '0.bias', '2.weight', '2.bias', '4.weight', '4.bias']),
    ],
)
def test_head(depth, keys):
    head = MODELS.build(
        dict(type='ProjectionHead', in_channels=6, out_channels=4, depth=depth)
    )
    assert list(head.state_dict()) == keys
    out = head(torch.randn(2, 3, 6, generator=torch.Generator().manual_seed(0)))
    assert out.shape == (2, 3, 6 if depth < 0 else 4) == (2, 3, head.out_channels)
    torch.testing.assert_close(out.norm(dim=-1), torch.ones(2, 3))


def test_head_without_normalisation():
    config = dict(type='ProjectionHead', in_channels=6, out_channels=4, normalize=False)
    head, feats = MODELS.build(config), torch.ones(2, 6)
    assert torch.equal(head(feats), head[0](feats))


def test_head_gives_float32_under_autocast():
    head = MODELS.build(dict(type='ProjectionHead', in_channels=6))
    with torch.autocast('cpu', dtype=torch.bfloat16):
        assert head(torch.ones(2, 6)).dtype == torch.float32


def test_bad_settings():
    with pytest.raises(ValueError, match=r'edge_dropout of CRW is 1; .* \[0, 1\)'):
        build(edge_dropout=1)
    with pytest.raises(ValueError, match=r'feature_dropout of CRW is -0.1; give'):
        build(feature_dropout=-0.1)
    with pytest.raises(ValueError, match='temperature of RandomWalkLoss is 0; give'):
        build(loss=dict(temperature=0))
    with pytest.raises(ValueError, match='depth of ProjectionHead is -2; give -1'):
        build(head=dict(depth=-2))


def test_bad_inputs():
    method, patches = build(), batch(1, 3, 4, 3, 16, 16)
    with pytest.raises(ValueError, match=r'clips of CRW have 2 frames; .* at least 3'):
        method.loss(dict(frames=patches[:, :2]), samples(1))
    text = 'frames of CRW are (1, 3, 3, 16); give patches (b, t, n, 3, p, p)'
    with pytest.raises(ValueError, match=re.escape(text)):
        method.loss(dict(frames=patches[:, :, 0, :, 0]), samples(1))
    edges = torch.zeros(1, 2, 4, 4, dtype=torch.bool)
    with pytest.raises(ValueError, match=r"have only .'drop_forward'.; give"):
        method.loss(dict(frames=patches, drop_forward=edges), samples(1))
    with pytest.raises(ValueError, match='carry no `seed`'):
        method.loss(dict(frames=patches), [{}])
