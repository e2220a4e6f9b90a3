"""Every model of configs under every protocol, and what protocols say of themselves."""

from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config

from densecorr.apis.config import apply_protocol, load_config, resolve
from densecorr.apis.evaluate import describe_protocol
from densecorr.apis.report import notes_of
from densecorr.propagation.protocol import Protocol
from densecorr.registry import MODELS
from tests.parity.pipelines import memory_video

ROOT = Path(__file__).resolve().parents[1] / 'configs' / '_base_'
NAMES = sorted(path.stem for path in (ROOT / 'models').glob('*.py'))
PROTOCOLS = {
    path.stem: Config.fromfile(path).protocol.to_dict()
    for path in sorted((ROOT / 'protocols').glob('*.py'))
}
UNVERIFIED = {'cropmae', 'rsp', 'sfc', 'dift_sd', 'dift_adm', 'dinov3'}
RESIZED = {'catmae_s16', 'catmae_s8', 'cropmae', 'rsp'}
PUBLISHED = {  # stride, recent frames, shape, radius, inclusive, top-k, temperature
    'catmae_s16': ((16, 8), 20, 'circle', 18, False, 8, 0.7),
    'catmae_s8': (8, 20, 'circle', 32, False, 12, 0.5),
    'cropmae': (16, 20, 'circle', 20, False, 7, 0.7),
    'dift_adm': (8, 28, 'square', 15, True, 10, 0.1),
    'dift_sd': (8, 28, 'square', 15, True, 15, 0.2),
    'dinov3': (16, 7, 'circle', 12, True, 5, 0.2),
    'rsp': (16, 30, 'square', 30, True, 7, 0.1),
    'sfc': (8, 20, 'circle', 15, False, 15, 0.1),
    'smtc_s16': (16, 20, 'circle', 7, False, 7, 0.2),
    'smtc_s8': (16, 20, 'circle', 35, False, 28, 0.2),
    'spa_then_temp_d4': (4, 20, 'square', 35, True, 10, 0.07),
    'timet': (16, 4, 'square', 12, True, 5, 0.1),
    'vfs_res50': (8, 20, 'circle', 18, False, 10, 0.07),
}
SMALL_SIDE, SMALL_MULTIPLE = 60, 32
CONFIG = 'configs/test/crw_res18.py'


@pytest.fixture(autouse=True)
def _in_the_checkout(monkeypatch):
    monkeypatch.chdir(ROOT.parents[1])


def small_protocol(name):
    """The part for DAVIS with frames of a few patches."""
    part = PROTOCOLS[name]['davis']
    size = dict(part['size'])
    if 'short_side' in size:
        size['short_side'] = SMALL_SIDE
    if 'long_multiple' in size:
        size['long_multiple'] = SMALL_MULTIPLE
    return {**part, 'size': size}


def small_backbone(config):
    """The network with fewer layers; stride, stages and rules are its own."""
    if config['type'] != 'TimmFeatures':
        return {**config, 'depth': 18}
    small = dict(depth=1, embed_dim=24, num_heads=2)
    return {**config, **small}


@pytest.mark.parametrize('name', NAMES)
def test_every_protocol_tracks_with_every_model(name):
    model = Config.fromfile(ROOT / 'models' / f'{name}.py').model.to_dict()
    torch.manual_seed(0)
    backbone = MODELS.build(small_backbone(model['backbone'])).eval()
    shape = dict(stride=backbone.stride, any_size=backbone.any_size)
    rng = np.random.default_rng(0)
    frames = rng.integers(0, 256, (2, 75, 109, 3), dtype=np.uint8)
    first = np.zeros((75, 109), np.uint8)
    first[20:60, 30:80] = 3
    for protocol in PROTOCOLS:
        tracker = MODELS.build(
            dict(
                type='VideoTracker',
                backbone=dict(type='RawColors', **shape),
                inputs=model['inputs'],
                protocol=small_protocol(protocol),
            )
        ).eval()
        tracker.backbone = backbone  # built once
        plan = tracker.inputs.plan(75, 109)
        seen = tracker.seen_size(plan.input_size)
        if not backbone.any_size:
            assert all(side % backbone.stride == 0 for side in seen), protocol
        results = list(tracker.track(memory_video(frames, first)))
        assert [r.label_map.shape for r in results] == [(75, 109)] * 2, protocol
        assert set(np.unique(results[1].label_map)) <= {0, 3}, protocol


@pytest.mark.parametrize('name', sorted(PUBLISHED))
def test_numbers_of_the_protocols(name):
    protocol = PROTOCOLS[name]
    part = Protocol.from_config(protocol['davis'])
    window, rule = part.window, part.select
    assert PUBLISHED[name] == (
        protocol['published_stride'],
        part.context.num_frames,
        window.shape,
        window.radius,
        window.inclusive,
        rule.topk,
        rule.temperature,
    )
    late = Protocol.from_config(protocol['ytvos'])
    assert (late.window, late.select, late.data) == (window, rule, {})


def test_larger_windows_for_joints_and_parts_at_stride_4():
    d8, d4 = PROTOCOLS['spa_then_temp'], PROTOCOLS['spa_then_temp_d4']
    radii = [[p[t]['window']['radius'] for t in ('jhmdb', 'vip')] for p in (d8, d4)]
    assert radii == [[5, 16], [12, 35]]
    assert d4['jhmdb'] == {**d8['jhmdb'], 'window': d4['jhmdb']['window']}


def test_every_protocol_says_what_it_is():
    keys = {'name', 'revision', 'published_stride', 'source', 'davis'}
    for name, protocol in PROTOCOLS.items():
        assert keys <= set(protocol), name
        assert protocol['name'] == name
        assert protocol.get('verified', True) == (name not in UNVERIFIED), name
        assert bool(protocol['davis'].get('data')) == (name in RESIZED), name


@pytest.mark.parametrize('name', sorted(UNVERIFIED))
def test_unverified_protocols_say_so(name):
    cfg = apply_protocol(load_config(CONFIG), name)
    facts = describe_protocol(cfg, cfg.protocol.published_stride)
    assert facts['verified'] is False
    text = f'protocol {name} is unverified: no output of its official code proves it'
    assert facts['note'] == text
    assert text in notes_of(dict(protocol=facts))[0]
    both = describe_protocol(cfg, 4)['note']
    assert both.startswith(text + '; protocol') and both.endswith('has stride 4')


def test_a_protocol_published_at_two_strides():
    cfg = apply_protocol(load_config(CONFIG), 'catmae_s16')
    for stride in (16, 8):
        facts = describe_protocol(cfg, stride)
        assert (facts['published_stride'], facts['note']) == (stride, '')
    facts = describe_protocol(cfg, 4)
    assert facts['published_stride'] == 16
    assert facts['note'].endswith('published at stride 16, this run has stride 4')


def test_labels_on_a_grid_of_their_own_are_said():
    cfg = resolve(CONFIG, 'davis', 'smtc_s8')
    facts = describe_protocol(cfg, 16)
    assert (facts['stride'], facts['label_stride'], facts['note']) == (16, 8, '')
    assert 'label_stride' not in describe_protocol(resolve(CONFIG, 'davis'), 8)


def test_native_size_is_labelled_apart():
    resized = resolve(CONFIG, 'davis', 'catmae_s16')
    native = resolve(CONFIG, 'davis', 'catmae_s16_native')
    assert resized.test_dataset.type == 'ResizedDAVISDataset'
    assert resized.test_dataset.resize == (480, 880)
    assert native.test_dataset.type == 'DAVISDataset'
    assert 'resize' not in native.test_dataset
    note = describe_protocol(native, 16)['note']
    assert note == "frames and labels keep their size, other than CatMAE's 480x880"
    smaller = resolve(
        CONFIG, 'davis', 'catmae_s16', {'test_dataset.resize': (240, 440)}
    )
    assert describe_protocol(smaller, 16)['note'] == (
        'protocol catmae_s16 is scored on data of 480x880, this run on data of 240x440'
    )
    same = {**native.protocol.davis.to_dict(), 'data': None}
    assert same == {**resized.protocol.davis.to_dict(), 'data': None}


def test_data_of_another_kind_cannot_be_resized(tmp_path):
    path = tmp_path / 'toy.py'
    path.write_text(
        f'_base_ = [{str(ROOT.parent / "test/crw_res18.py")!r}]\n'
        "task_toy = dict(task='davis', test_dataset=dict(type='SpriteWorld'), "
        'test_evaluator=[])\n'
    )
    with pytest.raises(ValueError, match=r"'ResizedDAVISDataset', which 'SpriteWorld'"):
        resolve(path, 'toy', 'catmae_s16')
    cfg = resolve(path, 'toy', 'catmae_s16_native')
    assert cfg.test_dataset.type == 'SpriteWorld'


def test_bad_grid_of_labels_is_named():
    with pytest.raises(ValueError, match=r'label_stride of a protocol is 0; give at'):
        Protocol.from_config({**PROTOCOLS['smtc_s8']['davis'], 'label_stride': 0})
