import pytest
import torch

from densecorr import cli
from densecorr.apis.convert import convert_file, format_conversion
from densecorr.convert import load_backbone
from densecorr.registry import MODELS
from densecorr.utils.checkpoints import hash_tensors, read_checkpoint


class Extra:
    pass


@pytest.fixture
def official(tmp_path):
    """A CRW checkpoint in the older layout, and the network that it came from."""
    torch.manual_seed(0)
    model = MODELS.build(dict(type='ResNet', depth=18))
    names = {key: f'encoder.model.{key}' for key in model.state_dict()}
    names['conv1.weight'] = 'encoder.model.conv1.1.weight'
    state = {names[key]: tensor for key, tensor in model.state_dict().items()}
    state['selfsim_fc.0.bias'] = torch.zeros(128)
    torch.save(dict(model=state, epoch=3), tmp_path / 'crw.pth')
    return model, state


def test_converted_file_is_plain_and_loads(official, tmp_path):
    model, _ = official
    names, result = convert_file(str(tmp_path / 'crw.pth'), tmp_path / 'out.pth')
    assert names == ['crw']
    content = read_checkpoint(tmp_path / 'out.pth')
    digest = hash_tensors(model.state_dict())
    assert hash_tensors(content) == digest
    text = format_conversion(names, result)
    assert 'dropped by rule  1  selfsim_fc.0.bias' in text
    assert text.endswith(digest)
    other = MODELS.build(dict(type='ResNet', depth=18))
    load_backbone(other, tmp_path / 'out.pth')
    assert hash_tensors(other.state_dict()) == digest


def test_unknown_keys_write_nothing(official, tmp_path):
    _, state = official
    torch.save(dict(model={**state, 'neck.w': torch.ones(1)}), tmp_path / 'a.pth')
    with pytest.raises(ValueError, match=r"1 keys.*\['neck\.w'\].*--source"):
        convert_file(str(tmp_path / 'a.pth'), tmp_path / 'out.pth')
    assert not (tmp_path / 'out.pth').exists()


def test_remedy_for_an_unsafe_file_works(official, tmp_path, capsys):
    model, state = official
    unsafe, out = str(tmp_path / 'unsafe.pth'), str(tmp_path / 'out.pth')
    torch.save(dict(model=state, extra=Extra()), unsafe)
    assert cli.main(['convert', unsafe, out]) == 1
    remedy = f'densecorr convert {unsafe} OUT.pth --allow-unsafe'
    assert remedy in capsys.readouterr().err
    assert cli.main(['convert', unsafe, out, '--allow-unsafe']) == 0
    assert hash_tensors(model.state_dict()) in capsys.readouterr().out
    assert hash_tensors(read_checkpoint(out)) == hash_tensors(model.state_dict())


def test_source_is_passed_on(official, tmp_path, capsys):
    path, out = str(tmp_path / 'crw.pth'), str(tmp_path / 'out.pth')
    assert cli.main(['convert', path, out, '--source', 'dyno']) == 1
    assert "'dyno' is not a checkpoint source" in capsys.readouterr().err
    assert cli.main(['convert', path, out, '--source', 'crw']) == 0
