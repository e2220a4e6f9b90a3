"""SMTC's configs: published values, and what a short training leaves of the teacher."""

from pathlib import Path

import pytest
import torch

from densecorr.apis.config import load_config
from densecorr.apis.train import train
from densecorr.ops.schedule import make_schedule
from densecorr.testing import shrink
from densecorr.utils.checkpoints import read_checkpoint

CONFIGS = Path(__file__).resolve().parents[1] / 'configs' / 'train'
STRICT, RELAXED = CONFIGS / 'smtc_vits16.py', CONFIGS / 'smtc_vits16_efficient.py'
TOY = CONFIGS / 'smtc_vittiny8_spriteworld.py'
# rate, clips of a process, steps, share of the filter, area, decay of the encoder
FACTS = {
    STRICT: (1e-4, 64, 100000, 0.5, 'soft', 0.999),
    RELAXED: (2e-5, 32, 10000, 0.3, 'hard', 1.0),
}
RATES = {  # of head and encoder as shares of the rate of the head
    STRICT: {0: (1.0, 0.01), 99997: (0.1, 0.001), 99999: (0.1, 0.001)},
    RELAXED: {0: (1.0, 0.0), 2999: (None, 0.0), 3000: (None, None),
              9984: (0.1, 0.001), 9999: (0.1, 0.001)},
}  # fmt: skip


@pytest.mark.parametrize('path', FACTS, ids=lambda path: path.stem)
def test_published_values(path):
    cfg = load_config(path)
    rate, clips, steps, share, area, decay = FACTS[path]
    assert cfg.optim_wrapper.optimizer.lr == rate
    assert cfg.train_dataloader.batch_size == clips
    assert cfg.train_cfg == dict(max_iters=steps)
    assert cfg.model.valid.share_threshold == share
    slots = cfg.model.head.slots
    assert (slots.area, slots.num_slots, slots.num_instances) == (area, 16, 4)
    hooks = {hook.get('student'): hook for hook in cfg.custom_hooks}
    assert hooks['backbone'].ema_decay == decay
    assert hooks['head'].ema_decay == 0.999
    dataset = cfg.train_dataloader.dataset
    assert (dataset.clips_per_epoch, dataset.sampler.gap) == (10000, 4)


@pytest.mark.parametrize('path', RATES, ids=lambda path: path.stem)
def test_rates(path):
    cfg = load_config(path)
    mult = cfg.optim_wrapper.paramwise_cfg.groups.encoder.lr_mult
    found = {}
    for entry in cfg.default_hooks.schedules['values']:
        schedule = make_schedule(entry.schedule, 78, cfg.train_cfg.max_iters)
        groups = [entry['groups']] if 'groups' in entry else ['default', 'encoder']
        found.update(dict.fromkeys(groups, schedule))
    for step, (head, encoder) in RATES[path].items():
        if head is not None:
            assert found['default'](step) == pytest.approx(head)
        value = mult * found['encoder'](step)
        expected = mult * found['default'](step) if encoder is None else encoder
        assert value == pytest.approx(expected)


@pytest.fixture(scope='module')
def trained(tmp_path_factory):
    """States after 3 steps of the toy, on keys; the relaxed recipe's teacher."""
    folder = tmp_path_factory.mktemp('smtc')
    cfg = load_config(TOY)
    cfg.model.backbone.update(facet='key', norm=False)
    published = load_config(STRICT).unused_parameters
    cfg.unused_parameters = [name.replace('.11.', '.3.') for name in published]
    cfg = shrink(cfg)
    cfg.custom_hooks[0].ema_decay = 1.0
    cfg.train_cfg = dict(max_iters=3)
    cfg.default_hooks.checkpoint.update(interval=1, unit='iter', max_keep=None)
    cfg.dump(folder / 'toy.py')
    train(folder / 'toy.py', folder / 'out', device='cpu', threads=1)
    names = [folder / 'out' / f'iter_{number}.pth' for number in (1, 3)]
    return [read_checkpoint(str(name))['state_dict'] for name in names]


def test_the_encoder_of_the_teacher_rests(trained):
    first, last = trained
    rests = [key for key in first if key.startswith('teacher.backbone.')]
    moves = [key for key in first if key.startswith('teacher.head.')]
    assert rests
    assert all(torch.equal(first[key], last[key]) for key in rests)
    assert any(not torch.equal(first[key], last[key]) for key in moves)
    student = [key for key in first if key.startswith('backbone.')]
    assert any(not torch.equal(first[key], last[key]) for key in student)


def test_what_the_keys_do_not_need_is_not_trained(trained):
    first, last = trained
    names = ('attn.proj.weight', 'norm2.bias', 'mlp.fc1.weight')
    keys = [f'backbone.blocks.0.{name}' for name in names]
    assert all(torch.equal(first[key], last[key]) for key in keys)
    key = 'backbone.blocks.0.attn.qkv.weight'
    assert not torch.equal(first[key], last[key])
