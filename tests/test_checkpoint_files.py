"""Files as the programs of the method cards write them, with all that lies beside."""

import argparse
import collections
import pathlib
import time

import numpy as np
import pytest
import torch
from mmengine.logging import MessageHub
from mmengine.optim import OptimWrapper
from safetensors.torch import save_file
from torch import nn
from torch.optim import lr_scheduler

from densecorr.convert import convert, recognise
from densecorr.utils.checkpoints import read_checkpoint

from .test_convert.keys import FORMATS, tensors


def state_of(source):
    _, keys, _, dropped = FORMATS[source]
    return tensors(*keys, *dropped)


def trained(optimiser=torch.optim.AdamW, **options):
    """An optimiser that has made a step, so that it has moments."""
    network = nn.Linear(3, 2)
    network(torch.ones(1, 3)).sum().backward()
    made = optimiser(network.parameters(), lr=0.1, **options)
    made.step()
    return made


def args(**values):
    """What argparse gave, with the kinds of values that parsers make."""
    path = pathlib.Path('checkpoints') / 'run'
    return argparse.Namespace(
        lr=1e-3,
        output_dir=path,
        device=torch.device('cpu'),
        betas=(0.9, 0.95),
        **values,
    )


def scaler():
    return torch.amp.GradScaler('cpu').state_dict()


def multi_step(optimiser):
    return lr_scheduler.MultiStepLR(optimiser, [2, 4])


def mmcv(source):
    """mmcv 1: meta with the environment, numpy scalars and the runner's messages."""
    optimiser = trained(torch.optim.SGD, momentum=0.9)
    meta = dict(
        env_info='sys.platform: linux',
        config='model = dict()',
        seed=np.int64(3),
        time=time.asctime(time.gmtime(0)),
        epoch=np.int64(5),
        iter=100,
        hook_msgs=dict(best_score=np.float64(0.6), best_ckpt=pathlib.Path('a.pth')),
        CLASSES=None,
    )
    return dict(
        meta=meta, state_dict=state_of(source), optimizer=optimiser.state_dict()
    )


def mmengine(source):
    """MMEngine: a message hub with log buffers, and the states of schedules."""
    hub = MessageHub.get_instance(f'files of {source}')
    for step in range(3):
        hub.update_scalar('train/loss', 0.5 * step)
    hub.update_info('epoch', 2)
    wrapper = OptimWrapper(trained())
    return dict(
        meta=dict(seed=np.int32(0), experiment_name='a', dataset_meta=None),
        state_dict=collections.OrderedDict(state_of(source)),
        message_hub=hub.state_dict(),
        optimizer=wrapper.state_dict(),
        param_schedulers=[multi_step(trained()).state_dict()],
    )


def dino(source):
    networks = {'student': state_of(source), 'teacher': state_of(source)}
    return networks | {
        'optimizer': trained().state_dict(),
        'epoch': 3,
        'args': args(arch='vit_small'),
        f'{source}_loss': tensors('center'),
        'fp16_scaler': scaler(),
    }


def mae(source):
    return dict(
        model=state_of(source),
        optimizer=trained().state_dict(),
        epoch=3,
        scaler=scaler(),
        args=args(accum_iter=2),
    )


def crw(source):
    optimiser = trained()
    return dict(
        model=state_of(source),
        optimizer=optimiser.state_dict(),
        lr_scheduler=multi_step(optimiser).state_dict(),
        epoch=3,
        args=args(frame_transforms='crop', visdom=None),
    )


def dul(source):
    optimiser = trained()
    return dict(
        model=state_of(source),
        opt=optimiser.state_dict(),
        score=np.float64(0.69),
        epoch=3,
    )


def timet(source):
    """A scheduler as an object, as programs that do not ask for its state write it."""
    optimiser = trained()
    return dict(
        epoch=1,
        global_step=20,
        model=state_of(source),
        optimizer=optimiser.state_dict(),
        scheduler=lr_scheduler.CosineAnnealingLR(optimiser, 10),
    )


def moco(source):
    return dict(
        epoch=200,
        arch='resnet50',
        state_dict=state_of(source),
        optimizer=trained(torch.optim.SGD, momentum=0.9).state_dict(),
    )


def smtc(source):
    return dict(
        iteration=500,
        model_state_dict=state_of(source),
        optimizer_state_dict=trained().state_dict(),
        loss=torch.tensor(1.5),
    )


FILES = {
    'dino': dino,
    'ibot': dino,
    'mae': mae,
    'catmae': mae,
    'crw': crw,
    'dul': dul,
    'timet': timet,
    'moco_v2': moco,
    'simsiam': moco,
    'smtc': smtc,
    'vfs': mmcv,
    'spa_then_temp': mmcv,
    'densecorr': mmengine,
}


@pytest.mark.parametrize('zipped', [True, False], ids=['zip', 'legacy'])
@pytest.mark.parametrize('source', FILES)
def test_whole_training_files_are_read(tmp_path, source, zipped):
    content = FILES[source](source)
    path = tmp_path / 'a.pth'
    torch.save(content, path, _use_new_zipfile_serialization=zipped)
    found = read_checkpoint(path)
    assert recognise(found) == [source]
    result, given = convert(found, source), convert(content, source)
    assert result.origin == given.origin
    assert result.dropped_by_rule == given.dropped_by_rule
    for name, tensor in given.state.items():
        assert torch.equal(result.state[name], tensor)


LOOSE = {
    'scheduler': lambda: lr_scheduler.StepLR(trained(), 3),
    'chain': lambda: lr_scheduler.ChainedScheduler([multi_step(trained())]),
    'optimiser': lambda: trained(torch.optim.SGD),
    'array': lambda: np.arange(6.0).reshape(2, 3),
    'random state': lambda: np.random.default_rng(0).bit_generator.state,
    'counter': lambda: collections.Counter([2, 2, 4]),
    'buffers': lambda: mmengine('densecorr')['message_hub'],
    'factory': lambda: collections.defaultdict(list, a=[np.float32(1)]),
}


@pytest.mark.parametrize('name', LOOSE)
def test_objects_of_training_programs_are_passed_over(tmp_path, name):
    path = tmp_path / 'a.pth'
    weight = torch.ones(2)
    torch.save(dict(w=weight, thing=LOOSE[name](), more=[LOOSE[name](), 1]), path)
    found = read_checkpoint(path)
    assert torch.equal(found['w'], weight)
    assert found['more'][-1] == 1
    kinds = (dict, list, tuple, int, float, str, bool, type(None), torch.Tensor)

    def check(value):
        assert isinstance(value, kinds), value
        for inner in value.values() if isinstance(value, dict) else ():
            check(inner)
        for inner in value if isinstance(value, list | tuple) else ():
            check(inner)

    check(found)


def test_other_objects_beside_the_weights_are_refused_by_name(tmp_path):
    for thing, name in (
        (nn.Linear(2, 2), r'torch\.nn\.modules\.linear\.Linear'),
        (torch.utils.data.TensorDataset, r'torch\.utils\.data\.dataset\.TensorDataset'),
        (eval, r'(builtins\.|__builtin__\.)?eval'),
    ):
        torch.save(dict(model=tensors('a'), extra=thing), tmp_path / 'a.pth')
        with pytest.raises(ValueError, match=rf'a\.pth holds {name}.*--allow-unsafe'):
            read_checkpoint(tmp_path / 'a.pth')


class Getter:
    """Asks for a method of a class, which is not given."""

    def __reduce__(self):
        return getattr, (torch.Tensor, 'mean')


class Call:
    """Calls what :class:`Getter` would have given."""

    def __init__(self, argument):
        self.argument = argument

    def __reduce__(self):
        return Method(), (self.argument,)


class Method:
    def __call__(self, *args):
        raise AssertionError

    def __reduce__(self):
        return getattr, (torch.Tensor, 'mean')


def test_a_method_by_name_is_not_looked_up_and_cannot_be_called(tmp_path):
    path = tmp_path / 'a.pth'
    torch.save(dict(model=tensors('a'), extra=Getter()), path)
    assert set(read_checkpoint(path)) == {'model'}
    torch.save(dict(model=tensors('a'), extra=Call(torch.ones(2))), path)
    with pytest.raises(ValueError, match=r'a\.pth holds .*getattr, .*--allow-unsafe'):
        read_checkpoint(path)


def test_safetensors_of_a_program(tmp_path):
    _, keys, _, _ = FORMATS['crw']
    save_file(tensors(*keys), tmp_path / 'a.safetensors')
    found = read_checkpoint(tmp_path / 'a.safetensors')
    assert recognise(found) == ['crw']
    assert set(convert(found, 'crw').origin.values()) == set(keys)
