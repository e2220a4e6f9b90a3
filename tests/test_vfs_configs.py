"""VFS's configs: what they build, and what they make of a clip."""

from pathlib import Path

import numpy as np
import pytest
import torch

from densecorr.apis.config import apply_options, load_config, resolve, tracker_config
from densecorr.ops.schedule import make_schedule
from densecorr.registry import DATASETS, MODELS, TASK_UTILS, TRANSFORMS

CONFIGS = Path(__file__).resolve().parents[1] / 'configs' / 'train'
RES18, RES50 = CONFIGS / 'vfs_res18_k400.py', CONFIGS / 'vfs_res50_k400.py'
SPRITEWORLD = CONFIGS / 'vfs_res18_spriteworld.py'
COLORS = {2: 0.8, 3: 0.2, 4: 0.5}  # transforms of the variant with colours


def frames_of(config, options=None):
    """What the training pipeline makes of equal frames, ``(t, 3, H, W)``."""
    dataset = apply_options(load_config(config), options).train_dataloader.dataset
    t = TASK_UTILS.build(dataset.sampler.to_dict()).num_frames
    image = np.random.default_rng(0).integers(0, 256, (1, 256, 340, 3), np.uint8)
    frames = np.repeat(image, t, axis=0)
    sample = dict(frames=frames, video='clip', rng=np.random.default_rng(0))
    for step in dataset.pipeline:
        sample = TRANSFORMS.build(step)(sample)
    return sample['inputs']['frames']


@pytest.mark.parametrize(('config', 't'), [(RES18, 8), (RES50, 2)])
def test_every_frame_is_drawn_by_itself(config, t):
    frames = frames_of(config)
    assert frames.shape == (t, 3, 224, 224)
    assert len({frame.numpy().tobytes() for frame in frames}) == t


def test_variant_with_colours():
    options = {
        f'train_dataloader.dataset.pipeline.{i}.prob': p for i, p in COLORS.items()
    }
    plain, colored = frames_of(RES18), frames_of(RES18, options)  # crops are the same
    assert (plain != colored).flatten(1).any(1).sum() >= 4
    steps = apply_options(load_config(RES18), options).train_dataloader.dataset.pipeline
    drawn = TRANSFORMS.build(steps[4]).draw(
        np.random.default_rng(0), dict(frames=[None] * 200)
    )['sigmas']
    assert 60 < np.count_nonzero(drawn) < 140  # decided for every frame
    assert 0.1 <= drawn[drawn > 0].min() < drawn.max() <= 0.2


@pytest.mark.parametrize('config', [RES18, RES50, SPRITEWORLD])
def test_training_and_evaluation_fit_together(config):
    with torch.device('meta'):
        method = MODELS.build(load_config(config).model)
        cfg = resolve(config, 'davis')
        tracker = MODELS.build(tracker_config(cfg))
    assert method.backbone.state_dict().keys() == tracker.backbone.state_dict().keys()
    wide = 4 if config == RES50 else 1
    assert (method.backbone.stride, method.backbone.channels) == (32, [512 * wide])
    assert (tracker.backbone.stride, tracker.backbone.channels) == (8, [256 * wide])
    assert cfg.protocol.name == ('vfs_res50' if config == RES50 else 'vfs')
    DATASETS.get(load_config(config).train_dataloader.dataset.type)


@pytest.mark.parametrize(
    ('config', 'hidden', 'clips', 'repeats', 'intra_video'),
    [(RES18, 128, 64, 2, True), (RES50, 512, 256, 5, False)],
)
def test_values_of_the_release(config, hidden, clips, repeats, intra_video):
    cfg = load_config(config)
    with torch.device('meta'):
        method = MODELS.build(cfg.model)
    out = method.backbone.channels[-1]
    assert method.head.projection_fcs[6].weight.shape == (out, out)
    assert method.head.predictor_fcs[0].weight.shape == (hidden, out)
    assert method.similarity.intra_video is intra_video
    assert (cfg.auto_scale_lr.base_batch_size, cfg.sync_bn) == (clips, True)
    assert clips % cfg.train_dataloader.batch_size == 0
    assert cfg.train_dataloader.dataset.clips_per_video == repeats
    assert cfg.optim_wrapper.optimizer == dict(
        type='SGD', lr=0.05, momentum=0.9, weight_decay=1e-4
    )
    (rate,) = cfg.default_hooks.schedules['values']
    schedule = make_schedule(rate.schedule.to_dict(), 10, 1000)
    assert [schedule(i) for i in (0, 500, 1000)] == pytest.approx([1, 0.5, 0])
    assert cfg.train_cfg.max_epochs == 100
