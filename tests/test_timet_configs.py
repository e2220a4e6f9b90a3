"""TimeT's configs: what they build, their command as typed, and a collapse."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from densecorr.apis.config import load_config
from densecorr.apis.train import train
from densecorr.datasets import VideoClips
from densecorr.datasets.toy.layouts.write import write_layout
from densecorr.datasets.toy.presets import make_clips
from densecorr.engine.hooks import CollapseError
from densecorr.registry import MODELS, TASK_UTILS
from densecorr.utils.folds import in_fold
from tests.parity.fill import fill

ROOT = Path(__file__).resolve().parents[1]
CONFIGS = ROOT / 'configs' / 'train'
CONFIG = CONFIGS / 'timet_vits16.py'
SPRITEWORLD = CONFIGS / 'timet_vittiny8_spriteworld.py'
SMALL = {  # 64 pixels, two clips a step
    'train_dataloader.batch_size': 2,
    'train_dataloader.num_workers': 0,
    'train_dataloader.dataset.pipeline.3.short_side': 64,
    'train_dataloader.dataset.pipeline.4.size': 64,
    'train_cfg.max_epochs': 1,
    'new:validation.at_start': False,
    'new:validation.options.test_dataset.num_frames': 1,
}


def test_published_values():
    cfg = load_config(CONFIG)
    loader = cfg.train_dataloader
    assert (loader.batch_size, cfg.train_cfg.max_epochs) == (128, 100)
    sampler = TASK_UTILS.build(loader.dataset.sampler)
    assert (sampler.num_frames, sampler.mode) == (4, 'uniform')
    with torch.device('meta'):
        method = MODELS.build(cfg.model)
    trained = [p.numel() for p in method.parameters() if p.requires_grad]
    whole = sum(p.numel() for p in method.parameters())
    assert round(sum(trained) / 1e6, 2) == 5.70
    assert round(whole / 1e6, 2) == 23.82
    heads = sum(p.numel() for p in method.head.parameters())
    assert round(heads / 1e6, 2) == 2.10
    loss = method.contrast
    assert (loss.temperature, loss.epsilon, loss.iterations) == (0.1, 0.05, 10)
    assert (loss.num_frames, loss.window.radius, loss.rule.topk) == (7, 6, 5)
    assert cfg.validation.interval == 4


@pytest.mark.parametrize(
    ('name', 'channels'),
    [
        ('timet_vits8', 384),
        ('timet_vitb16', 768),
        ('timet_mae_vitb16', 768),
        ('timet_ibot_vits16', 384),
        ('timet_res50', 2048),
    ],
)
def test_other_networks(name, channels):
    cfg = load_config(CONFIGS / f'{name}.py')
    with torch.device('meta'):
        method = MODELS.build(cfg.model)
    assert method.backbone.channels == [channels]
    assert method.backbone.stride == (8 if 'vits8' in name else 16)
    frozen = [p for p in method.backbone.parameters() if not p.requires_grad]
    assert len(frozen) > len(list(method.backbone.parameters())) / 2
    assert cfg.init.address.startswith('https://')


@pytest.mark.parametrize('name', ['davis', 'mose', 'kinetics', 'visor'])
def test_other_data(name):
    source = load_config(CONFIGS / f'timet_vits16_{name}.py').train_dataloader.dataset
    settings = source.to_dict()
    settings.pop('type')
    with pytest.raises(FileNotFoundError, match='Expected tree'):
        VideoClips(**{**settings, 'root': str(ROOT / 'docs')})


@pytest.fixture(scope='module')
def world(tmp_path_factory):
    """SpriteWorld in the layout of YouTube-VOS, and weights under DINO's names."""
    folder = tmp_path_factory.mktemp('timet')
    clips = make_clips('single', 7, size=(64, 96), num_frames=6, seed=1)
    write_layout('ytvos', clips, folder / 'ytvos', train=6)
    backbone = dict(type='TimmFeatures', arch='vit_small_patch16_224', norm=True)
    with torch.device('meta'):
        shapes = {k: v.shape for k, v in MODELS.build(backbone).state_dict().items()}
    state = {key: torch.from_numpy(fill(key, size)) for key, size in shapes.items()}
    torch.save(state, folder / 'dino.pth')
    return folder


def options_of(world):
    data = {
        'train_dataloader.dataset.root': str(world / 'ytvos'),
        'validation.options.test_dataset.root': str(world / 'ytvos'),
        'init.backbone': str(world / 'dino.pth'),
    }
    return {**SMALL, **data}


def test_validation_has_the_videos_that_training_leaves_out(world):
    folders = sorted((world / 'ytvos/train/JPEGImages').iterdir())
    left_out = {path.name for path in folders if in_fold(path.name, (5, 0))}
    assert 0 < len(left_out) < len(folders)
    source = load_config(CONFIG).train_dataloader.dataset.to_dict()
    source.pop('type')
    clips = VideoClips(**{**source, 'root': str(world / 'ytvos')})
    assert set(clips.video_names()) == {path.name for path in folders} - left_out
    with pytest.raises(ValueError, match='leaves none of the'):
        VideoClips(**{**source, 'root': str(world / 'ytvos'), 'without_fold': (1, 0)})


def test_the_command_as_typed(world, tmp_path):
    pairs = [f'{key}={value}' for key, value in options_of(world).items()]
    command = ['bash', 'tools/dist_train.sh', str(CONFIG.relative_to(ROOT)), '1']
    more = ['--work-dir', str(tmp_path / 'run'), '--cfg-options', *pairs]
    done = subprocess.run(
        [*command, *more],
        cwd=ROOT,
        env={
            **os.environ,
            'PATH': f'{Path(sys.executable).parent}:{os.environ["PATH"]}',
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert '2 iterations, last:' in done.stdout
    assert 'video_cluster_ytvos/clip-classes' in done.stdout
    assert (tmp_path / 'run/best_video_cluster_ytvos.pth').is_file()


def test_missing_data_and_weights_are_told_before_anything_is_built(
    tmp_path, monkeypatch
):
    monkeypatch.setenv('DENSECORR_DATA', str(tmp_path))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(MODELS, 'build', lambda *_: pytest.fail('a model was built'))
    with pytest.raises(FileNotFoundError) as found:
        train(CONFIG, tmp_path / 'run', device='cpu', threads=1)
    text = str(found.value)
    assert 'train/JPEGImages/<video>/00000.jpg' in text
    assert 'dino_deitsmall16_pretrain.pth' in text
    assert 'fetched from https://' in text
    assert 'init.backbone=PATH' in text


@pytest.mark.parametrize(
    ('changes', 'error', 'text'),
    [
        (
            {'init.backbone': 'none.pth'},
            FileNotFoundError,
            r"no weights 'none\.pth', which init .*fetched from https.*init\.backbone=",
        ),
        ({'init': 'none.pth'}, FileNotFoundError, r'which init .*options init=PATH'),
        (
            {
                'train_dataloader.dataset.sampler.mode': 'dense',
                'train_dataloader.dataset.sampler.num_frames': 9,
            },
            ValueError,
            'is long enough: TimeTSampler takes 9 frames, the longest has 6',
        ),
        ({'train_dataloader.batch_size': 8}, ValueError, 'an epoch has 5 clips'),
        ({'model.num_prototypes': 1}, ValueError, 'num_prototypes is 1'),
    ],
)
def test_what_cannot_be_trained_is_told(world, tmp_path, changes, error, text):
    options = {**options_of(world), **changes}
    with pytest.raises(error, match=text):
        train(CONFIG, tmp_path / 'run', cfg_options=options, device='cpu', threads=1)


def short(folder, **changes):
    """A few steps of the training on generated clips from random weights."""
    options = {
        'init': None,
        'validation': None,
        'train_dataloader.batch_size': 4,
        'train_dataloader.dataset.worlds.num_clips': 4,
        'train_dataloader.dataset.pipeline.1.size': 48,
        'model.backbone.embed_dim': 24,
        'model.head.channels': [32, 16],
        'model.num_prototypes': 20,
        'default_hooks.checkpoint.interval': 1000,
        **changes,
    }
    return train(
        SPRITEWORLD,
        folder,
        cfg_options=options,
        device='cpu',
        threads=1,
        overwrite=True,
    )


def test_collapse_is_told_without_balance(tmp_path):
    """Everything becomes one prototype, and the monitor says so."""
    watch = [
        dict(type='UnitRowsHook'),
        dict(
            type='CollapseMonitorHook',
            watch=dict(cluster_share=0.15),
            patience=10,
            stop=True,
        ),
    ]
    changes = {'train_cfg.max_iters': 200, 'custom_hooks': watch}
    changes['optim_wrapper.optimizer.lr'] = 5e-3
    with pytest.raises(CollapseError, match=r'cluster_share has been below 0\.15'):
        short(tmp_path / 'free', **{'new:model.loss.iterations': 0}, **changes)
