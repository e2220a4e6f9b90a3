"""A runner small enough to see what one hook does, and a method with a teacher."""

import copy
import logging
from types import SimpleNamespace

import torch
from mmengine.optim import OptimWrapper
from torch import nn

from densecorr.registry import MODELS
from tests.training_toys import SeeEdges

IMPORTS = dict(imports=['tests.training_toys', 'tests.test_engine.hook_toys'])
INPUTS = dict(color='rgb', mean=(0.5,) * 3, std=(0.25,) * 3)
METHOD = dict(type='TaughtEdges', backbone=dict(type='Edges'), inputs=INPUTS)


@MODELS.register_module(force=True)
class TaughtEdges(SeeEdges):
    """SeeEdges with a teacher, a temperature, and a copy of it in the outputs."""

    def __init__(self, temperature=1.0, **kwargs):
        super().__init__(**kwargs)
        self.teacher = copy.deepcopy(self.backbone).requires_grad_(False)
        self.temperature = temperature

    def loss(self, inputs, data_samples):
        outputs = super().loss(inputs, data_samples)
        outputs['loss_edges'] = outputs['loss_edges'] / self.temperature
        outputs['seen_temperature'] = torch.tensor(float(self.temperature))
        return outputs


class Net(nn.Module):
    """Two layers, a norm between them, a teacher of the first, a temperature."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.first, self.norm = nn.Linear(3, 4), nn.BatchNorm1d(4)
        self.drop, self.last = nn.Dropout(0.5), nn.Linear(4, 2)
        self.teacher = nn.Linear(3, 4).requires_grad_(False)
        self.temperature = 1.0
        self.register_buffer('scale', torch.tensor(2.0))

    def forward(self, x):
        return self.last(self.drop(self.norm(self.first(x)))).square().mean()


class Recorder:
    """A visualizer that remembers."""

    def __init__(self):
        self.scalars, self.images = {}, {}

    def add_scalars(self, scalars, step):
        self.scalars[step] = dict(scalars)

    def add_image(self, name, image, step):
        self.images[step] = image


def fake_runner(hooks, model=None, optimizer=None, max_iters=20, **fields):
    """What hooks need of a Runner in training; five iterations are an epoch."""
    model = model or Net()
    wrapped = getattr(model, 'module', model)
    trained = [p for p in wrapped.parameters() if p.requires_grad]
    optimizer = optimizer or torch.optim.SGD(trained, lr=0.1)
    return SimpleNamespace(
        model=model,
        hooks=list(hooks),
        optim_wrapper=OptimWrapper(optimizer, **fields),
        iter=0,
        max_iters=max_iters,
        train_loop=SimpleNamespace(iters_per_epoch=5, data_time=0.25, step_time=0.5),
        visualizer=Recorder(),
        logger=logging.getLogger('hook-toys'),
    )


def call(runner, name, **arguments):
    for hook in runner.hooks:
        getattr(hook, name)(runner, **arguments)


def start(*hooks, **fields):
    """A runner after ``before_train``."""
    runner = fake_runner(hooks, **fields)
    call(runner, 'before_train')
    return runner


def iterate(runner, times=1, outputs=None):
    """Iterations in train mode on fixed data; gives the outputs of the last one."""
    for _ in range(times):
        runner.model.train()
        torch.manual_seed(runner.iter)
        call(runner, 'before_train_iter', batch_idx=runner.iter, data_batch=None)
        loss = runner.model(torch.randn(8, 3))
        runner.optim_wrapper.update_params(loss)
        found = dict(outputs or {}, loss=loss.detach())
        call(
            runner,
            'after_train_iter',
            batch_idx=runner.iter,
            data_batch=None,
            outputs=found,
        )
        runner.iter += 1
    return found
