import copy
import shutil

import pytest
import torch
from torch import nn
from torch._dynamo.utils import counters

from densecorr.engine.activation_checkpointing import checkpoint_activations
from densecorr.engine.compiling import compile_if_asked


class Backbone(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Linear(3, 4), nn.Linear(4, 2)

    def forward(self, x):
        return self.last(self.first(x).relu())


class Method(nn.Module):
    def __init__(self):
        super().__init__()
        self.backbone = Backbone()

    def forward(self, x):
        return self.backbone(x)


def hide_compilers(monkeypatch, tmp_path):
    monkeypatch.delenv('CXX', raising=False)
    monkeypatch.setenv('PATH', str(tmp_path))


@pytest.mark.parametrize('option', [None, False])
def test_off_changes_nothing(option, monkeypatch, tmp_path):
    hide_compilers(monkeypatch, tmp_path)
    model = Method()
    assert not compile_if_asked(model, option)
    assert model.backbone._compiled_call_impl is None


def test_no_compiler_is_named(monkeypatch, tmp_path):
    hide_compilers(monkeypatch, tmp_path)
    message = r"needs a C\+\+ compiler, but none of \['g\+\+'.*compile = False"
    for option in (True, {}, dict(mode='max-autotune')):
        with pytest.raises(FileNotFoundError, match=message):
            compile_if_asked(Method(), option)
    monkeypatch.setenv('CXX', 'no-such-compiler')
    with pytest.raises(FileNotFoundError, match=r"none of \['no-such-compiler'\]"):
        compile_if_asked(Method(), True)


def test_other_backends_need_no_compiler(monkeypatch, tmp_path):
    hide_compilers(monkeypatch, tmp_path)
    graphs = []

    def backend(graph, inputs):
        graphs.append(graph)
        return graph.forward

    model = Method()
    plain = copy.deepcopy(model)
    names = list(model.state_dict())
    assert compile_if_asked(model, dict(backend=backend))
    x = torch.randn(5, 3)
    torch.testing.assert_close(model(x), plain(x))
    assert len(graphs) == 1
    assert list(model.state_dict()) == names
    assert copy.deepcopy(model).backbone._compiled_call_impl is None
    torch.compiler.reset()


def test_bad_options_are_named():
    with pytest.raises(KeyError, match=r"takes no 'modes'. Did you mean 'mode'"):
        compile_if_asked(Method(), dict(modes='default'))
    with pytest.raises(ValueError, match='Linear has no backbone to compile'):
        compile_if_asked(nn.Linear(1, 1), True)
    model = Method()
    checkpoint_activations(model, ['backbone.first'])
    with pytest.raises(ValueError, match=r"do not go together: \['first'\] of the b"):
        compile_if_asked(model, True)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which('g++') is None, reason='needs a C++ compiler')
def test_compiled_backbone_computes_the_same():
    model = Method()
    plain = copy.deepcopy(model)
    counters.clear()
    assert compile_if_asked(model, True)
    x = torch.randn(5, 3)
    for network in (model, plain):
        network(x).square().mean().backward()
    torch.testing.assert_close(model(x), plain(x))
    for mine, other in zip(model.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(mine.grad, other.grad)
    assert counters['stats']['unique_graphs'] >= 1
    torch.compiler.reset()
