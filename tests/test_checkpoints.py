import argparse
import collections
import hashlib
import os
import pathlib
import pickle

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from densecorr.utils.checkpoints import hash_tensors, read_checkpoint


class Attack:
    """Creates a file when it is unpickled."""

    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return os.system, (f'touch {self.marker}',)


class Harmless:
    pass


WEIGHT = torch.arange(6.0).reshape(2, 3)
INERT = {
    'namespace': argparse.Namespace(lr=0.1, path=pathlib.Path('/data')),
    'float64': np.float64(0.5),
    'float32': np.float32(0.5),
    'int64': np.int64(3),
    'bool_': np.bool_(True),
    'dtype': np.dtype('float32'),
    'path': pathlib.Path('/data'),
    'windows': pathlib.PureWindowsPath('C:/data'),
}


@pytest.mark.parametrize('zipped', [True, False], ids=['zip', 'legacy'])
@pytest.mark.parametrize('name', INERT)
def test_inert_objects_are_read_and_dropped(tmp_path, name, zipped):
    path = tmp_path / 'a.pth'
    content = dict(model=dict(w=WEIGHT), epoch=3, extra=INERT[name], list=[INERT[name]])
    torch.save(content, path, _use_new_zipfile_serialization=zipped)
    found = read_checkpoint(path)
    assert set(found) == {'model', 'epoch', 'list'}
    assert found['epoch'] == 3
    assert found['list'] == []
    assert torch.equal(found['model']['w'], WEIGHT)


def test_numpy_1_names_are_inert_too(tmp_path):
    path = tmp_path / 'a.pth'
    torch.save(dict(w=WEIGHT, score=np.float64(0.5)), path, pickle_protocol=2)
    data = path.read_bytes()
    assert b'numpy._core.multiarray\nscalar' in data
    legacy = tmp_path / 'b.pth'
    torch.save(
        dict(w=WEIGHT, score=np.float64(0.5)),
        legacy,
        _use_new_zipfile_serialization=False,
    )
    old = legacy.read_bytes().replace(b'cnumpy._core.mult', b'cnumpy.core.mult')
    legacy.write_bytes(old)
    assert b'cnumpy.core.multiarray\nscalar' in old
    assert set(read_checkpoint(legacy)) == {'w'}


def test_dicts_of_other_kinds_become_plain(tmp_path):
    path = tmp_path / 'a.pth'
    default = collections.defaultdict(list, a=[1, 2])
    torch.save(dict(d=default, o=collections.OrderedDict(w=WEIGHT)), path)
    found = read_checkpoint(path)
    assert found['d'] == dict(a=[1, 2])
    assert type(found['d']) is type(found['o']) is dict
    assert torch.equal(found['o']['w'], WEIGHT)


def test_safetensors(tmp_path):
    save_file(dict(w=WEIGHT), tmp_path / 'a.safetensors')
    assert torch.equal(read_checkpoint(tmp_path / 'a.safetensors')['w'], WEIGHT)


@pytest.mark.parametrize('protocol', [2, 4])
@pytest.mark.parametrize('zipped', [True, False], ids=['zip', 'legacy'])
def test_malicious_file_is_refused_by_name_and_not_run(tmp_path, zipped, protocol):
    path, marker = tmp_path / 'a.pth', tmp_path / 'marker'
    torch.save(
        dict(w=WEIGHT, attack=Attack(marker)),
        path,
        _use_new_zipfile_serialization=zipped,
        pickle_protocol=protocol,
    )
    with pytest.raises(ValueError, match=r'a\.pth holds posix\.system.*allow_unsafe'):
        read_checkpoint(path)
    assert not marker.exists()


@pytest.mark.parametrize('protocol', [0, 2, 4, 5])
def test_malicious_plain_pickle_is_refused_too(tmp_path, protocol):
    path, marker = tmp_path / 'a.pth', tmp_path / 'marker'
    path.write_bytes(pickle.dumps(dict(attack=Attack(marker)), protocol))
    with pytest.raises(ValueError, match=r'a\.pth holds posix\.system.*allow_unsafe'):
        read_checkpoint(path)
    assert not marker.exists()


def test_the_malicious_file_of_these_tests_does_run_when_allowed(tmp_path):
    path, marker = tmp_path / 'a.pth', tmp_path / 'marker'
    torch.save(dict(w=WEIGHT, attack=Attack(marker)), path)
    assert set(read_checkpoint(path, allow_unsafe=True)) == {'w', 'attack'}
    assert marker.exists()


def test_other_classes_are_refused_and_can_be_allowed(tmp_path):
    path = tmp_path / 'a.pth'
    torch.save(dict(w=WEIGHT, extra=Harmless()), path)
    with pytest.raises(ValueError, match=r'holds .*test_checkpoints\.Harmless'):
        read_checkpoint(path)
    assert set(read_checkpoint(path, allow_unsafe=True)) == {'w'}


def test_missing_file_names_what_can_be_given(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'no\.pth does not exist.*random'):
        read_checkpoint(tmp_path / 'no.pth')
    with pytest.raises(FileNotFoundError, match=r'is a folder.*timm:NAME'):
        read_checkpoint(tmp_path)


@pytest.mark.parametrize('suffix', ['.pth', '.safetensors'])
@pytest.mark.parametrize('share', [0, 0.02, 0.3, 0.9])
def test_truncated_file_names_its_size(tmp_path, suffix, share):
    path = tmp_path / f'a{suffix}'
    save = torch.save if suffix == '.pth' else save_file
    save(dict(w=torch.ones(400)), path)
    data = path.read_bytes()[: int(path.stat().st_size * share)]
    path.write_bytes(data)
    with pytest.raises(ValueError, match=rf'\({len(data)} bytes\) is truncated.*again'):
        read_checkpoint(path)


def test_truncated_legacy_file(tmp_path):
    path = tmp_path / 'a.pth'
    torch.save(dict(w=torch.ones(400)), path, _use_new_zipfile_serialization=False)
    whole = path.read_bytes()
    for size in (30, 200, len(whole) // 2, len(whole) - 10):
        path.write_bytes(whole[:size])
        with pytest.raises(ValueError, match=rf'\({size} bytes\) is truncated or not'):
            read_checkpoint(path)


def test_text_is_no_checkpoint(tmp_path):
    path = tmp_path / 'a.pth'
    path.write_text('<html>404</html>')
    with pytest.raises(ValueError, match=r'not a PyTorch or safetensors file'):
        read_checkpoint(path)


def test_hash_is_that_of_key_dtype_shape_and_bytes():
    text = b'w|torch.float32|(2, 3)|' + WEIGHT.numpy().tobytes()
    assert hash_tensors(dict(w=WEIGHT)) == hashlib.sha256(text).hexdigest()


def test_hash_depends_on_content_alone():
    state = dict(a=torch.ones(2, 2), b=torch.tensor(1.0), c=torch.ones(2).bfloat16())
    value = hash_tensors(state)
    assert value == hash_tensors(dict(reversed(state.items())))
    assert value == hash_tensors({**state, 'a': torch.ones(2, 4)[:, ::2]})
    changed = [
        {**state, 'a': torch.ones(4)},
        {**state, 'a': torch.ones(2, 2).double()},
        {**state, 'b': torch.tensor(2.0)},
        {'x': state['a'], 'b': state['b'], 'c': state['c']},
    ]
    assert len({value, *(hash_tensors(other) for other in changed)}) == 5
