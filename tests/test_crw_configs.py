"""CRW's configs: what they build, what they make of a clip, and a short training."""

from pathlib import Path

import numpy as np
import pytest
import torch

from densecorr.apis.config import load_config, resolve, tracker_config
from densecorr.apis.evaluate import evaluate
from densecorr.apis.train import train
from densecorr.ops.schedule import make_schedule
from densecorr.registry import DATASETS, MODELS, TRANSFORMS

CONFIGS = Path(__file__).resolve().parents[1] / 'configs' / 'train'
K400, IMAGE = CONFIGS / 'crw_res18_k400.py', CONFIGS / 'crw_res18_k400_image.py'
SPRITEWORLD = CONFIGS / 'crw_res18_spriteworld.py'


def packed(config, frames):
    """What the training pipeline of a config makes of frames."""
    sample = dict(
        frames=frames, video='clip', seed=3, rng=np.random.default_rng(0), replaced=()
    )
    for step in load_config(config).train_dataloader.dataset.pipeline:
        sample = TRANSFORMS.build(step)(sample)
    return sample['inputs']['frames']


@pytest.mark.parametrize(
    ('config', 'shape'), [(K400, (4, 49, 3, 64, 64)), (IMAGE, (4, 3, 256, 256))]
)
def test_clips_of_kinetics(config, shape):
    frames = np.random.default_rng(0).integers(0, 256, (4, 256, 340, 3), np.uint8)
    assert packed(config, frames).shape == shape


@pytest.mark.parametrize('config', [K400, IMAGE, SPRITEWORLD])
def test_training_and_evaluation_fit_together(config):
    with torch.device('meta'):
        method = MODELS.build(load_config(config).model)
    cfg = resolve(config, 'davis')
    with torch.device('meta'):
        tracker = MODELS.build(tracker_config(cfg))
    assert method.backbone.state_dict().keys() == tracker.backbone.state_dict().keys()
    assert (tracker.backbone.stride, tracker.backbone.channels) == (8, [256])
    assert cfg.protocol.name == 'crw'
    DATASETS.get(load_config(config).train_dataloader.dataset.type)


def test_values_of_the_release():
    cfg = load_config(K400)
    method = MODELS.build(cfg.model)
    assert sum(p.numel() for p in method.parameters()) == 11_242_176
    assert (method.walk.temperature, method.edge_dropout) == (0.05, 0.1)
    train_mean, test_mean = method.normalize.mean.flatten(), cfg.model.inputs.mean
    assert train_mean.tolist() == pytest.approx([0.4914, 0.4822, 0.4465])
    assert test_mean == (0.485, 0.456, 0.406)
    loader, optimizer = cfg.train_dataloader, cfg.optim_wrapper.optimizer
    assert (loader.batch_size, loader.dataset.clips_per_video) == (20, 5)
    assert (optimizer.type, optimizer.lr, cfg.train_cfg.max_epochs) == (
        'Adam',
        1e-4,
        25,
    )
    (rate,) = cfg.default_hooks.schedules['values']
    schedule = make_schedule(rate.schedule.to_dict(), 10, 250)
    assert [schedule(i) for i in (0, 199, 200, 249)] == pytest.approx([1, 1, 0.3, 0.3])


def test_two_steps_and_an_evaluation(tmp_path):
    options = {
        'train_cfg.max_iters': 2,
        'train_dataloader.num_workers': 0,
        'train_dataloader.batch_size': 1,
        'train_dataloader.dataset.worlds.num_clips': 2,
        'task_spriteworld.test_dataset.num_clips': 1,
        'task_spriteworld.test_dataset.num_frames': 3,
    }
    found = train(
        SPRITEWORLD, tmp_path / 'run', cfg_options=options, device='cpu', threads=1
    )
    assert found['iterations'] == 2
    scores = evaluate(
        SPRITEWORLD,
        'spriteworld',
        found['checkpoint'],
        tmp_path / 'results',
        cfg_options=options,
        device='cpu',
        threads=1,
        yardsticks='none',
        votes=False,
    )['metrics']
    last = found['validation'][-1]['metrics']
    assert last == {f'spriteworld/{name}': value for name, value in scores.items()}
