import pytest
import torch

from densecorr import cli
from densecorr.apis.convert import convert_file
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


def test_converted_file_knows_where_it_came_from(official, tmp_path):
    model, _ = official
    done = convert_file(str(tmp_path / 'crw.pth'), tmp_path / 'out.pth')
    assert (done.source, done.to) == ('crw', 'densecorr')
    digest = hash_tensors(model.state_dict())
    assert hash_tensors(done.result.state) == digest
    text = str(done)
    assert 'format           crw, verified' in text
    assert 'dropped by rule  1  selfsim_fc.0.bias' in text
    assert f'tensor hash      {digest}' in text
    content = read_checkpoint(tmp_path / 'out.pth')
    assert content['meta'] == dict(densecorr_format=1, source='crw')
    other = MODELS.build(dict(type='ResNet', depth=18))
    report = load_backbone(other, tmp_path / 'out.pth')
    assert report.source == 'densecorr, converted from crw'
    assert hash_tensors(other.state_dict()) == digest
    again = convert_file(str(tmp_path / 'out.pth'), tmp_path / 'again.pth')
    assert again.source == 'densecorr'
    assert read_checkpoint(tmp_path / 'again.pth')['meta']['source'] == 'crw'


def test_file_of_several_programs_is_not_guessed(official, tmp_path):
    model, _ = official
    torch.save(model.state_dict(), tmp_path / 'flat.pth')
    with pytest.raises(ValueError, match=r'flat\.pth: .* may be of torch.*--source'):
        convert_file(str(tmp_path / 'flat.pth'), tmp_path / 'out.pth')
    assert not (tmp_path / 'out.pth').exists()


@pytest.mark.parametrize('suffix', ['.pth', '.safetensors'])
def test_other_layouts_are_written(official, tmp_path, suffix, capsys):
    model, state = official
    path, out = str(tmp_path / 'crw.pth'), str(tmp_path / f'out{suffix}')
    assert cli.main(['convert', path, out, '--to', 'torchvision']) == 0
    text = capsys.readouterr().out
    assert 'written as       torchvision, verified' in text
    assert 'not in the file  the classifier fc: only the backbone is' in text
    assert hash_tensors(read_checkpoint(out)) == hash_tensors(model.state_dict())
    back = str(tmp_path / 'back.pth')
    arguments = [out, back, '--source', 'torchvision', '--to', 'crw']
    assert cli.main(['convert', *arguments]) == 0
    assert 'not in the file  the head selfsim_fc' in capsys.readouterr().out
    found = read_checkpoint(back)['model']
    assert set(found) == {f'encoder.model.{key}' for key in model.state_dict()}
    kept = state['encoder.model.conv1.1.weight']
    assert torch.equal(found['encoder.model.conv1.weight'], kept)


def test_what_cannot_be_written_says_why(official, tmp_path, capsys):
    path, out = str(tmp_path / 'crw.pth'), tmp_path / 'out.pth'
    for to, text in (
        ('dyno', "'dyno' is not a checkpoint source"),
        ('videomae', "'videomae' cannot be written: its conversion cannot be undone"),
        ('timm', "cannot be written as 'timm' (timm): their network is another one"),
    ):
        assert cli.main(['convert', path, str(out), '--to', to]) == 1
        assert text in capsys.readouterr().err
    out = tmp_path / 'out.safetensors'
    with pytest.raises(ValueError, match=r"tensors alone, and 'crw' has.*'torchvisi"):
        convert_file(path, out, to='crw')
    assert not list(tmp_path.glob('out*'))


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
    load_backbone(other := MODELS.build(dict(type='ResNet', depth=18)), out)
    assert hash_tensors(other.state_dict()) == hash_tensors(model.state_dict())


def test_source_is_passed_on(official, tmp_path, capsys):
    path, out = str(tmp_path / 'crw.pth'), str(tmp_path / 'out.pth')
    assert cli.main(['convert', path, out, '--source', 'dyno']) == 1
    assert "'dyno' is not a checkpoint source" in capsys.readouterr().err
    assert cli.main(['convert', path, out, '--source', 'crw']) == 0
