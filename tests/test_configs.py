"""Every config parses, resolves for each of its tasks, and tracks a tiny video."""

import ast
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config

from densecorr.apis.config import (
    load_config,
    protocol_files,
    resolve,
    task_names,
    tracker_config,
)
from densecorr.apis.train import train
from densecorr.convert import load_backbone
from densecorr.datasets.toy.layouts.write import write_layout
from densecorr.registry import DATASETS, METRICS, MODELS
from densecorr.testing import shrink

from .test_datasets.hand_clip import HandClip
from .trees import (
    moving_blobs,
    write_davis_tree,
    write_image,
    write_vip_tree,
    write_ytvos_tree,
)

ROOT = Path(__file__).resolve().parents[1] / 'configs'
CONFIGS = sorted(ROOT.glob('test/*.py'))
TRAINED = sorted(ROOT.glob('train/*.py'))
BASES = sorted(ROOT.glob('_base_/**/*.py'))


def name_of(path):
    return path.relative_to(ROOT).as_posix()


def test_configs_were_found():
    names = {path.stem for path in CONFIGS}
    assert {'crw_res18', 'dino_vits16', 'dul_res18', 'res18_d8', 'vfs_res18'} <= names
    assert {'crw', 'dino', 'dul', 'spa_then_temp', 'vfs'} <= set(protocol_files())
    names = {path.stem for path in TRAINED}
    assert {'crw_res18_k400', 'crw_res18_spriteworld'} <= names


@pytest.mark.parametrize('path', [*CONFIGS, *TRAINED, *BASES], ids=name_of)
def test_config_parses_to_plain_values(path):
    cfg = Config.fromfile(str(path))
    assert len(cfg) > 0
    ast.literal_eval(repr(cfg.to_dict()))


@pytest.mark.parametrize('path', [*CONFIGS, *TRAINED], ids=name_of)
def test_config_says_what_it_is(path):
    assert ast.get_docstring(ast.parse(path.read_text()))


def tree_of(task, folder):
    """A tree with one video for the dataset of a task."""
    if task == 'jhmdb':
        write_layout('jhmdb', [HandClip(num_frames=3)], folder)
        return folder
    if task == 'vip':
        return write_vip_tree(folder, {'videos1': 3})
    if task.startswith('ytvos'):
        return write_ytvos_tree(folder)
    year = 2016 if '16' in task else 2017
    split = 'test-dev' if task == 'davis_testdev' else 'val'
    return write_davis_tree(folder, {'dog': 3}, year=year, split=split)


def protocol_for(path, task):
    """None for the config's own protocol, CRW's where it has no part for the task."""
    cfg = Config.fromfile(str(path))
    part = cfg[f'task_{task}'].task
    if part in cfg.protocol:
        return None
    with pytest.raises(KeyError, match=f'no part for task {part!r}; it has .*--proto'):
        resolve(path, task)
    return 'crw'


@pytest.mark.parametrize('path', CONFIGS, ids=name_of)
def test_config_builds_for_every_task(path, tmp_path):
    tasks = task_names(Config.fromfile(str(path)))
    assert {'davis', 'davis_testdev', 'jhmdb', 'vip', 'ytvos18', 'ytvos19'} <= {*tasks}
    for task in tasks:
        tree = tree_of(task, tmp_path / task)
        options = {'test_dataset.root': str(tree)}
        cfg = resolve(path, task, protocol_for(path, task), options)
        video = DATASETS.build(cfg.test_dataset)[0]
        assert video.num_frames == 3
        for config in cfg.test_evaluator:
            METRICS.build(config).start(video)


@pytest.mark.parametrize('path', CONFIGS, ids=name_of)
def test_config_tracks_at_toy_size(path, tmp_path):
    cfg = shrink(resolve(path, 'davis'))
    cfg.protocol.davis.size = dict(rounding='nearest')
    torch.manual_seed(0)
    tracker = MODELS.build(tracker_config(cfg)).eval()
    tree = write_davis_tree(tmp_path / 'DAVIS', {'dog': 3}, size=(128, 192))
    video = DATASETS.build(dict(type='DAVISDataset', root=str(tree)))[0]
    results = list(tracker.track(video))
    assert [result.index for result in results] == [0, 1, 2]
    assert {result.label_map.shape for result in results} == {(128, 192)}
    truth = moving_blobs(3, (1, 2), (128, 192), 0)[1][0]
    agreement = (results[0].label_map == truth).mean()
    assert agreement > 0.9  # frame 0 is given, at most through the feature grid
    assert set(np.unique(results[2].label_map)) <= {0, 1, 2}


@pytest.fixture(scope='module')
def videos(tmp_path_factory):
    """Two video files, long enough for the samplers of toy configs; images beside."""
    folder = tmp_path_factory.mktemp('data') / 'videos'
    clips = [HandClip(name, (96, 128)) for name in ('dog', 'camel')]
    write_layout('video', clips, folder)
    for path in folder.glob('*.png'):  # first labels, which would be a folder of frames
        path.unlink()
    for i in range(4):
        write_image(folder.with_name('images') / f'{i}.jpg', clips[0].frame(i))
    return folder


def toy_training(path, folder, videos):
    """The config at toy size, on toy videos, as a file."""
    cfg = shrink(load_config(path))
    dataset = cfg.train_dataloader.dataset
    for name in {'data', 'split', 'list_file'} & set(dataset):
        dataset[name] = None
    if 'root' in dataset:
        images = dataset.type == 'ImageClips'
        dataset.root = str(videos.with_name('images') if images else videos)
    if 'clips_per_video' in dataset:
        dataset.clips_per_video = 4
    cfg.dump(folder / path.name)
    return folder / path.name


@pytest.mark.parametrize('path', TRAINED, ids=name_of)
def test_config_trains_at_toy_size(path, tmp_path, videos):
    toy = toy_training(path, tmp_path, videos)
    done = train(toy, tmp_path / 'out', device='cpu', threads=1)
    assert done['iterations'] == 2
    assert len(list((tmp_path / 'out').rglob('events.out.tfevents.*'))) == 1
    backbone = MODELS.build(resolve(toy, 'davis').model.backbone)
    before = {k: v.clone() for k, v in backbone.state_dict().items()}
    report = load_backbone(backbone, done['checkpoint'])
    assert (report.unknown, report.missing) == ([], [])
    assert any((backbone.state_dict()[k] != before[k]).any() for k in before)
    tracker = MODELS.build(tracker_config(resolve(toy, 'davis')))
    report = load_backbone(tracker.backbone, done['checkpoint'])
    assert (report.unknown, report.missing) == ([], [])
    Path(done['checkpoint']).unlink()  # large


def data_of(path):
    """Type of the dataset that a config trains on."""
    return Config.fromfile(str(path)).train_dataloader.dataset.type


@pytest.mark.parametrize(
    'path', [p for p in TRAINED if 'SpriteWorld' not in data_of(p)], ids=name_of
)
def test_missing_data_of_a_training_are_told(path, tmp_path, monkeypatch):
    monkeypatch.delenv('DENSECORR_DATA', raising=False)
    monkeypatch.chdir(tmp_path)
    data = Config.fromfile(str(path)).train_dataloader.dataset.data
    with pytest.raises(FileNotFoundError, match=data):
        train(path, tmp_path / 'out', device='cpu')
