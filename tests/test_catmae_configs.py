"""CatMAE's configs: what they build, a short training, its weights, its pictures."""

import json
import logging
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch

from densecorr.apis.config import load_config, resolve, tracker_config
from densecorr.apis.train import train
from densecorr.convert import load_backbone
from densecorr.engine.hooks import ReconstructionHook
from densecorr.ops.schedule import make_schedule
from densecorr.registry import DATASETS, MODELS, TASK_UTILS, TRANSFORMS
from tests.test_models.test_catmae import DECODER, VIT, build
from tests.trees import moving_blobs, write_image

CONFIGS = Path(__file__).resolve().parents[1] / 'configs' / 'train'
SPRITEWORLD = CONFIGS / 'catmae_vittiny8_spriteworld.py'
FACTS = {  # clips of a step, trained parameters, those of the encoder, visible patches
    'vits16': (2048, 28.20, 21.59, 9),
    'vits8': (464, 32.63, 21.37, 39),
}


@pytest.mark.parametrize('name', FACTS)
def test_published_values(name):
    cfg = load_config(CONFIGS / f'catmae_{name}.py')
    clips, trained, encoder, visible = FACTS[name]
    loader, wrapper = cfg.train_dataloader, cfg.optim_wrapper
    assert loader.batch_size * wrapper.accumulative_counts * 4 == clips
    assert cfg.auto_scale_lr.base_batch_size == clips
    optimizer = wrapper.optimizer
    assert optimizer.lr == pytest.approx(1.5e-4 * clips / 256)
    assert (optimizer.betas, optimizer.weight_decay) == ((0.9, 0.95), 0.05)
    sampler = TASK_UTILS.build(loader.dataset.sampler)
    assert (sampler.gaps, sampler.reverse) == (((4, 48), (4, 48)), True)
    assert (loader.dataset.clips_per_video, cfg.train_cfg.max_epochs) == (2, 150)
    (rate,) = cfg.default_hooks.schedules['values']
    schedule = make_schedule(rate.schedule.to_dict(), 7, 7 * 150)
    factors = [schedule(7 * epoch) for epoch in (0, 2.5, 5, 77.5, 150)]
    assert factors == pytest.approx([0, 0.5, 1, 0.5, 0], abs=1e-9)
    with torch.device('meta'):
        network = load_config(CONFIGS / f'catmae_{name}.py').model
        network.backbone.init = 'timm'  # numbers alone
        method = MODELS.build(network)
        tracker = MODELS.build(tracker_config(resolve(cfg.filename, 'davis')))
    method.backbone.model.pos_embed.requires_grad_(False)
    counts = [
        sum(p.numel() for p in part.parameters() if p.requires_grad) / 1e6
        for part in (method, method.backbone)
    ]
    assert counts == pytest.approx([trained, encoder], abs=0.005)
    size = loader.dataset.pipeline[0].size // method.backbone.stride
    assert int(size**2 * (1 - method.mask_ratios[0])) == visible
    assert method.backbone.state_dict().keys() == tracker.backbone.state_dict().keys()


def test_clips():
    frames = np.random.default_rng(0).integers(0, 256, (3, 240, 320, 3), np.uint8)
    rng = np.random.default_rng(0)
    sample = dict(frames=frames, video='clip', seed=3, rng=rng, replaced=())
    for step in load_config(
        CONFIGS / 'catmae_vits16.py'
    ).train_dataloader.dataset.pipeline:
        sample = TRANSFORMS.build(step)(sample)
    assert tuple(sample['inputs']['frames'].shape) == (3, 3, 224, 224)


def toy_options(**changes):
    """Changes of the config of generated clips: two steps on two clips."""
    data = 'train_dataloader.dataset.'
    return {
        'train_cfg.max_iters': 2,
        'train_dataloader.batch_size': 2,
        f'{data}worlds.num_clips': 2,
        f'new:{data}worlds.size': (48, 64),
        'model.backbone.embed_dim': 24,
        'model.backbone.depth': 1,
        'default_hooks.schedules.values.0.schedule.warmup': 1,
        'custom_hooks.0.dataset.worlds.num_clips': 2,
        'new:custom_hooks.0.dataset.worlds.size': (48, 64),
        'new:custom_hooks.0.num_clips': 3,
        'new:custom_hooks.0.batch_size': 2,
        'validation': None,
    } | changes


def test_two_steps_pictures_and_weights(tmp_path):
    settings = dict(cfg_options=toy_options(), device='cpu', threads=1)
    found = train(SPRITEWORLD, tmp_path / 'run', **settings)
    (log,) = (tmp_path / 'run').rglob('scalars.json')
    rows = [json.loads(line) for line in log.read_text().splitlines()]
    seen = [row for row in rows if 'validation/relative_error' in row]
    assert [row['step'] for row in seen] == [0, 2]
    assert seen[0]['validation/patch_mean'] == seen[1]['validation/patch_mean']
    assert seen[0]['validation/reconstruction'] != seen[1]['validation/reconstruction']
    for done in (0, 2):
        picture = cv2.imread(
            str(tmp_path / f'run/previews/reconstruction_iter_{done}.jpg')
        )
        assert picture.shape == (3 * 52, 7 * 52, 3)  # clips x pictures, with their gaps
    cfg = load_config(SPRITEWORLD)
    cfg.model.backbone.update(embed_dim=24, depth=1)
    backbone = MODELS.build(cfg.model.backbone)
    report = load_backbone(backbone, found['checkpoint'])
    assert (report.unknown, report.missing) == ([], [])
    state = torch.load(found['checkpoint'], weights_only=True)['state_dict']
    assert any(key.startswith('decoder.') for key in state)
    settings['cfg_options'] = toy_options(custom_hooks=[])
    plain = train(SPRITEWORLD, tmp_path / 'plain', **settings)
    expected = torch.load(plain['checkpoint'], weights_only=True)['state_dict']
    torch.testing.assert_close(
        state, expected, rtol=0, atol=0
    )  # looking changes nothing


def clips_of(**changes):
    config = load_config(SPRITEWORLD).custom_hooks[0].dataset.to_dict()
    config['worlds'] |= dict(num_clips=2, size=(48, 64))
    return config | changes


def runner_of(method, folder):
    return SimpleNamespace(
        model=method,
        iter=0,
        work_dir=str(folder),
        logger=logging.getLogger('toy'),
        visualizer=SimpleNamespace(
            add_scalars=lambda scalars, step: None,
            add_image=lambda name, image, step: None,
        ),
    )


def test_looking_keeps_modes(tmp_path):
    method = build(backbone=VIT | dict(img_size=48)).train()
    method.decoder.eval()
    hook = ReconstructionHook(clips_of(), num_clips=1, shown=1)
    hook.before_train(runner_of(method, tmp_path))
    assert method.training
    assert not method.decoder.training
    assert method.backbone.training


def test_what_the_hook_refuses(tmp_path):
    runner = runner_of(build(decoder=DECODER), tmp_path)
    with pytest.raises(ValueError, match='num_clips of ReconstructionHook is 0'):
        ReconstructionHook({}, num_clips=0)
    with pytest.raises(ValueError, match='takes 9 clips, its dataset has 4'):
        ReconstructionHook(clips_of(), num_clips=9).before_train(runner)
    with pytest.raises(ValueError, match=r"is 'parts\.mae', which is no module of Cat"):
        ReconstructionHook({}, method='parts.mae').before_train(runner)
    runner.model = torch.nn.Linear(1, 1)
    with pytest.raises(
        ValueError, match=r'Linear has no \[.reconstruct.*Take the hook'
    ):
        ReconstructionHook({}).before_train(runner)


def test_two_frames_are_too_few(tmp_path):
    frames, _ = moving_blobs(2, size=(48, 64))
    for t, frame in enumerate(frames):
        write_image(tmp_path / 'videos/short' / f'{t:05d}.png', frame)
    data = load_config(CONFIGS / 'catmae_vits16.py').train_dataloader.dataset
    data.update(data=None, split=None, root=str(tmp_path / 'videos'))
    text = 'is long enough: CatMAESampler takes 3 frames, the longest has 2'
    with pytest.raises(ValueError, match=text):
        DATASETS.build(data)
    with pytest.raises(ValueError, match='no option makes one of fewer than three fra'):
        TASK_UTILS.build(data.sampler).draw(np.random.default_rng(0), 2, visit=0)
    worlds = dict(num_clips=1, num_frames=2, size=(48, 64))
    with pytest.raises(ValueError, match='have 2 frames, CatMAESampler needs 3'):
        DATASETS.build(clips_of(worlds=worlds))
