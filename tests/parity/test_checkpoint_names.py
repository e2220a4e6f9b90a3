"""Golden key maps of converters, replayed through the rules of convert/."""

import torch

from densecorr.convert import choose, convert, export, recognise

from .replay import replay


def numbered(keys):
    """A state dict that tells its tensors apart."""
    return {str(key): torch.tensor([float(i)]) for i, key in enumerate(keys)}


def there_and_back(state, source):
    """What a program's names become, and what our names become for it."""
    result = convert(dict(state_dict=state), source)
    assert result.unknown == []
    back = export(result.state, source)['state_dict']
    for name, tensor in back.items():
        assert torch.equal(tensor, state[name]), name
    return result, back


@replay('vfs', 'checkpoint_conversion', inputs=['training_keys'])
def test_vfs(case):
    state = numbered(case.training_keys)
    assert choose(dict(state_dict=state)) == 'vfs'
    result, back = there_and_back(state, 'vfs')
    case.exact('torchvision', list(result.state))
    case.exact('official', list(result.origin.values()))
    case.exact('official', list(back))
    assert set(result.dropped_by_rule) == set(state) - set(back)
    converted = dict(state_dict=result.state, meta={})
    assert 'vfs' in recognise(converted)
    case.exact('torchvision', list(convert(converted, 'vfs').state))


@replay('spa_then_temp', 'checkpoint_key_map', inputs=[])
def test_spa_then_temp(case):
    depths = [key.removeprefix('official_') for key in case.arrays if 'offi' in key]
    assert depths
    for depth in depths:
        state = numbered(case[f'official_{depth}'])
        assert recognise(dict(state_dict=state)) == ['vfs', 'spa_then_temp']
        assert choose(dict(state_dict=state), 'spa_then_temp') == 'spa_then_temp'
        result, back = there_and_back(state, 'spa_then_temp')
        case.exact(f'torchvision_{depth}', list(result.state))
        case.exact(f'official_{depth}', list(result.origin.values()))
        case.exact(f'official_{depth}', list(back))
        assert result.dropped_by_rule == []
