import pytest
import torch

from densecorr.apis.benchmarks import features
from densecorr.apis.benchmarks.timing import alternate
from densecorr.models.backbones.fold import fold_batch_norm
from densecorr.registry import MODELS


def images(height=64, width=96):
    return torch.randn(1, 3, height, width, generator=torch.Generator().manual_seed(0))


def randomised(network):
    torch.manual_seed(0)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            for values in (module.weight.data, module.bias.data, module.running_mean):
                values.normal_(1, 0.2)
            module.running_var.uniform_(0.5, 2)
    return network.eval()


@pytest.mark.parametrize(
    'config',
    [
        dict(type='ResNet', depth=18, padding_mode='reflect'),
        dict(type='ResNet', depth=50, out_indices=(1, 3)),
        dict(type='DULNet', outputs=('res3', 'key')),
    ],
    ids=['resnet18', 'resnet50', 'dul'],
)
def test_folded_network_is_the_same_function(config):
    network = randomised(MODELS.build(config))
    before = {key: value.clone() for key, value in network.state_dict().items()}
    folded = fold_batch_norm(network)
    assert not any(isinstance(m, torch.nn.BatchNorm2d) for m in folded.modules())
    with torch.no_grad():
        for ours, theirs in zip(folded(images()), network(images()), strict=True):
            unit = torch.nn.functional.normalize(theirs, dim=1)
            close = torch.nn.functional.normalize(ours, dim=1)
            torch.testing.assert_close(close, unit, rtol=0, atol=1e-5)
    assert all(torch.equal(before[k], v) for k, v in network.state_dict().items())


def test_fold_refuses_training_mode():
    with pytest.raises(ValueError, match=r'training mode.*network\.eval\(\)'):
        fold_batch_norm(MODELS.build(dict(type='ResNet')))


def test_explicit_attention_is_the_same_function_with_a_softmax_matrix():
    config = dict(type='TimmFeatures', arch='vit_tiny_patch16_224', depth=2)
    network = MODELS.build({**config, 'pos_embed_rule': 'size'}).eval()
    explicit = features.with_explicit_attention(network)
    with torch.no_grad():
        torch.testing.assert_close(
            explicit(images())[0], network(images())[0], rtol=0, atol=1e-5
        )
    kinds = {type(block.attn) for block in explicit.model.blocks}
    assert kinds == {features.ExplicitAttention}


def test_alternate_takes_turns_after_a_warm_up():
    calls = []
    runs = {name: lambda name=name: calls.append(name) for name in 'ab'}
    seconds = alternate(runs, pairs=3)
    assert calls == list('ab' * 4)
    assert set(seconds) == {'a', 'b'}
    assert min(seconds.values()) >= 0


@pytest.mark.parametrize(('target', 'code'), [(0.0, 0), (1e9, 1)])
def test_main_reports_and_judges(monkeypatch, capsys, target, code):
    threads = torch.get_num_threads()
    monkeypatch.setattr(features, 'TARGET_RATIO', target)
    argv = ['--arch', 'vit_tiny_patch16_224', '--size', '64', '96', '--pairs', '1']
    assert features.main(argv) == code
    torch.set_num_threads(threads)
    text = capsys.readouterr().out
    assert 'vit_tiny_patch16_224 at 64x96 (24 tokens)' in text
    assert ('MISSED' in text) == bool(code)
    assert 'crw ResNet-18 at 64x96: plain' in text
