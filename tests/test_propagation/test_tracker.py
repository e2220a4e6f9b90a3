import numpy as np
import pytest
import torch
from mmengine.config import Config

from densecorr.propagation.frames import resize_maps
from densecorr.propagation.protocol import Protocol
from densecorr.registry import MODELS
from tests.parity.pipelines import CONFIGS, memory_video, protocol_of

PROTOCOLS = sorted(path.stem for path in (CONFIGS / 'protocols').glob('*.py'))


def clip(length=5, size=(64, 96)):
    """A square of 40 pixels that moves 4 pixels a frame; both sides are textured."""
    rng = np.random.default_rng(0)
    ground = np.kron(rng.integers(0, 120, (16, 24, 3)), np.ones((4, 4, 1)))
    ground = ground.astype(np.uint8)
    patch = np.kron(rng.integers(120, 255, (10, 10, 3)), np.ones((4, 4, 1)))
    frames, labels = [], []
    for t in range(length):
        frame, label_map = ground.copy(), np.zeros(size, np.uint8)
        frame[12:52, 12 + 4 * t : 52 + 4 * t] = patch
        label_map[12:52, 12 + 4 * t : 52 + 4 * t] = 3
        frames.append(frame)
        labels.append(label_map)
    return np.stack(frames), labels


def tracker(protocol, **kwargs):
    torch.manual_seed(0)
    model = dict(
        type='VideoTracker',
        backbone=dict(type='ResNet', depth=18, strides=(1, 1, 1, 1), out_indices=(1,)),
        inputs=dict(color='rgb'),
        protocol={**protocol_of(protocol), 'size': {}},
        **kwargs,
    )
    return MODELS.build(model).eval()


@pytest.mark.parametrize('protocol', PROTOCOLS)
def test_every_protocol_follows_a_moving_square(protocol):
    frames, labels = clip()
    results = list(tracker(protocol).track(memory_video(frames, labels[0])))
    assert [result.index for result in results] == list(range(5))
    found = results[-1].label_map
    assert found.dtype == np.uint8
    assert set(np.unique(found)) == {0, 3}
    both = ((found == 3) & (labels[-1] == 3)).sum()
    assert both / ((found == 3) | (labels[-1] == 3)).sum() > 0.5


def test_chunks_of_frames_change_nothing():
    frames, labels = clip()
    video = memory_video(frames, labels[0])
    one = [r.label_map for r in tracker('crw').track(video)]
    three = [r.label_map for r in tracker('crw', chunk=3).track(video)]
    assert np.mean(np.stack(one) == np.stack(three)) > 0.999


def test_an_object_that_appears_later_is_followed_from_its_first_frame():
    frames, labels = clip()
    late = np.zeros_like(labels[2])
    late[44:64, 72:96] = 5
    video = memory_video(frames, labels[0], {2: late})
    results = [r.label_map for r in tracker('dul').track(video)]
    assert [5 in np.unique(r) for r in results] == [False, False, True, True, True]
    assert all(3 in np.unique(r) for r in results)


def test_first_labels_without_objects_are_refused():
    frames, labels = clip()
    video = memory_video(frames, np.zeros_like(labels[0]))
    with pytest.raises(ValueError, match="'golden' has no object in its first labels"):
        list(tracker('crw').track(video))


@pytest.mark.parametrize('protocol', PROTOCOLS)
def test_shipped_protocols_say_what_they_are(protocol):
    config = Config.fromfile(CONFIGS / 'protocols' / f'{protocol}.py').protocol
    assert config.name == protocol
    assert {'revision', 'published_stride', 'source'} <= set(config)
    Protocol.from_config(config.davis)


def test_unknown_and_missing_parts_of_a_protocol_are_named():
    config = protocol_of('crw')
    with pytest.raises(KeyError, match=r"no key 'windows'.*Did you mean 'window'"):
        Protocol.from_config({**config, 'windows': {}})
    with pytest.raises(
        KeyError, match=r"select of a protocol has no key 'top_k'.*topk"
    ):
        Protocol.from_config({**config, 'select': dict(top_k=3)})
    with pytest.raises(KeyError, match=r"lacks \['context'\]"):
        Protocol.from_config({k: v for k, v in config.items() if k != 'context'})


def test_a_backbone_without_weights_goes_where_the_tracker_goes():
    model = MODELS.build(
        dict(
            type='VideoTracker',
            backbone=dict(type='RawColors', stride=8),
            inputs=dict(color='rgb'),
            protocol={**protocol_of('crw'), 'size': {}},
        )
    )
    assert model.device == torch.device('cpu')
    assert model.to('meta').device == torch.device('meta')
    assert model.state_dict() == {}


def test_labels_have_a_grid_of_their_own():
    model = dict(
        type='VideoTracker',
        backbone=dict(type='RawColors', stride=16, any_size=False),
        inputs=dict(color='rgb'),
        protocol=protocol_of('smtc_s8'),
    )
    made = MODELS.build(model)
    assert (made.backbone.stride, made.grid_stride) == (16, 8)
    frames, labels = (
        np.pad(np.stack(x), [(0, 0), (0, 2), (0, 15)] + [(0, 0)] * n, mode='edge')
        for x, n in zip(clip(), (1, 0), strict=True)
    )  # 66 x 111
    feats = made.features(list(frames))  # 64 x 104: six patches of 16, 8 columns left
    assert feats.shape == (5, 4, 8, 13)
    plan = made.inputs.plan(66, 111)
    inputs = torch.stack([made.inputs(frame) for frame in frames])
    coarse = made.backbone(inputs[..., :64, :96])[-1]
    assert torch.equal(feats, resize_maps(coarse, (8, 13)))
    assert made.label_grid(plan.input_size) == (8, 13)
    results = [r.label_map for r in made.track(memory_video(frames, labels[0]))]
    assert results[-1].shape == (66, 111)
    ceiling = MODELS.build(
        dict(type='LabelCeiling', stride=16, any_size=False, protocol=model['protocol'])
    )
    first = next(ceiling.track(memory_video(frames, labels[0]))).label_map
    assert np.array_equal(first, results[0])  # both decode the first labels
