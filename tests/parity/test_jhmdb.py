"""JHMDB as CRW and as Spa-then-Temp have it: joints to maps, to joints, to PCK."""

from __future__ import annotations

from dataclasses import replace
from functools import reduce
from typing import Any

import numpy as np
import torch
from mmengine.config import Config

from densecorr.evaluation.functional.keypoints import (
    JointCounts,
    count_joints,
    joint_errors,
)
from densecorr.ops.size_policy import resolve_size
from densecorr.propagation.joints import JointCodec, gaussian_maps, mean_of_top
from densecorr.propagation.tracker import VideoTracker
from densecorr.registry import MODELS
from densecorr.structures import VideoSample

from .adapters_propagation import run_frames
from .pipelines import CONFIGS, load_golden, memory_video, model_of
from .replay import DEVICE, Case, replay


def _protocol(name: str) -> dict[str, Any]:
    """The JHMDB part of a shipped protocol."""
    path = CONFIGS / 'protocols' / f'{name}.py'
    return Config.fromfile(path).protocol.jhmdb.to_dict()


def _points(joints: np.ndarray) -> np.ndarray:
    """``(2, j, t)`` of the golden files to ``(t, j, 2)`` float64."""
    return joints.transpose(2, 1, 0).astype(np.float64)


def _coords(points: np.ndarray) -> np.ndarray:
    """``(j, 2)`` to ``(2, j)``, ``(t, j, 2)`` to ``(2, j, t)``; -1 where lost."""
    return np.nan_to_num(points.T, nan=-1.0)


def _codec(protocol: str, **changes: object) -> JointCodec:
    """The codec of a shipped protocol."""
    return JointCodec(**{**_protocol(protocol)['joints'], **changes})


def _pck(
    protocol: str, videos: list[tuple[np.ndarray, np.ndarray]], thresholds: np.ndarray
) -> JointCounts:
    """Counts over ``(t, j, 2)`` predictions and truths with a protocol's options."""
    options = _protocol(protocol)['metric']
    start = 1 if options.pop('skip_first') else 0
    limits = [float(f'{value:g}') for value in thresholds]
    counts = [
        count_joints(joint_errors(pred[start:], target[start:], **options), limits)
        for pred, target in videos
    ]
    return reduce(lambda one, other: one + other, counts)


@replay('crw', 'jhmdb_labels', inputs=['points', 'sigma', 'height', 'width'])
def test_crw_labels(case: Case) -> None:
    points = case.points.astype(np.float64)
    maps = gaussian_maps(points, (case.height, case.width), case.sigma)
    case.close('maps', maps, atol=1e-6)


@replay('crw', 'jhmdb_pose', inputs=['soft', 'topk'])
def test_crw_pose(case: Case) -> None:
    soft = case.tensor('soft').permute(2, 0, 1)
    case.close('coords', _coords(mean_of_top(soft[1:], case.topk)), atol=1e-5)
    plan = resolve_size((soft.shape[1], soft.shape[2]))  # a cell is a pixel
    joints = _codec('crw', topk=case.topk).to_joints(soft, plan)
    case.close('coords', _coords(joints), atol=1e-5)


def _crw_tracker(case: Case) -> VideoTracker:
    """CRW's network and JHMDB protocol with the case's settings."""
    protocol = _protocol('crw')
    protocol['size']['fixed'] = (case.crop_size, case.crop_size)
    protocol['joints'].update(sigma=case.sigma, topk=case.pose_topk)
    protocol['context']['num_frames'] = case.n_context
    protocol['window']['radius'] = case.radius
    protocol['select'] = dict(topk=case.topk, temperature=case.temperature)
    tracker = MODELS.build({**model_of('crw_res18'), 'protocol': protocol})
    load_golden(tracker.backbone, dict(model=case.state_dict()), 'crw')
    return tracker.eval().to(DEVICE)


def _joint_video(frames: np.ndarray, joints: np.ndarray) -> VideoSample:
    video = memory_video(frames, np.zeros(frames.shape[1:3], np.uint8))
    return replace(video, read_joints=lambda t: joints[t])


@replay(
    'crw',
    'jhmdb_pipeline',
    inputs=[
        'keys',
        'shapes',
        'frames',
        'joints',
        'crop_size',
        'coords_without_tie',
        'topk',
        'radius',
        'temperature',
        'n_context',
        'pose_topk',
        'sigma',
    ],
)
def test_crw_pipeline(case: Case) -> None:
    tracker, joints = _crw_tracker(case), _points(case.joints) - 1
    video = _joint_video(case.frames, joints)
    plan, codec = tracker.inputs.plan(*video.size), tracker.protocol.joint_codec()
    feats = tracker.features(list(case.frames))
    label0 = codec.to_soft(joints[0], plan, (feats.shape[2], feats.shape[3]))
    case.close('label0', label0.permute(1, 2, 0), atol=1e-6)
    soft = run_frames(tracker.propagator, feats, label0.to(DEVICE))
    case.close('soft', soft.permute(0, 2, 3, 1), atol=1e-4)
    found = np.stack([result.joints for result in tracker.track_joints(video)])
    size = np.array(video.size[::-1])
    cells = np.nan_to_num(found / size * soft.shape[-1], nan=-1.0)  # pixels to cells
    sure = case.coords_without_tie.T  # (t, j)
    assert sure[1:].any()
    expected = _points(case.coords)
    np.testing.assert_allclose(cells[sure], expected[sure], rtol=0, atol=1e-3)
    case.compared('coords')


@replay(
    'crw',
    'jhmdb_pck',
    inputs=[
        'thresholds',
        'n_videos',
        'feature_resolution',
        'box_ratio',
        'v*_joints',
        'v*_pred',
        'v*_height',
        'v*_width',
    ],
)
def test_crw_pck(case: Case) -> None:
    videos = []
    for i in range(case.n_videos):
        cells = _points(case[f'v{i}_pred'])
        size = np.array([case[f'v{i}_width'], case[f'v{i}_height']])
        pred = np.where(cells < 0, np.nan, cells / case.feature_resolution * size)
        videos.append((pred, _points(case[f'v{i}_joints']) - 1))
    counts = _pck('crw', videos, case.thresholds)
    case.close('pck_joint', 100 * counts.per_joint(), atol=1e-3)
    case.close('pck', 100 * counts.pck(), atol=1e-3)


@replay(
    'spa_then_temp',
    'jhmdb_encode',
    inputs=['pos_img', 'sigma', 'image_size', 'input_size', 'feat_size'],
)
def test_spa_then_temp_encode(case: Case) -> None:
    joints = _points(case.pos_img)[0] - 1
    size = tuple(int(n) for n in case.image_size)
    case.close('pose_map', gaussian_maps(joints, size, case.sigma), atol=1e-6)
    case.close('pose_map_sigma0', gaussian_maps(joints, size, 0), atol=1e-6)
    plan = resolve_size(size, fixed=tuple(case.input_size))
    codec = _codec('spa_then_temp', sigma=case.sigma)
    grid = tuple(int(n) for n in case.feat_size)
    soft = codec.to_soft(joints, plan, grid)
    case.close('feat_map', soft, atol=1e-5)
    whole = codec.to_soft(joints, plan, plan.input_size)  # a cell is a pixel
    case.close('resized', whole, atol=1e-5)
    back = torch.nn.functional.interpolate(whole[None], size, mode='bilinear')[0]
    case.close('frame0_output', back, atol=1e-5)
    first = codec.first_joints(joints, soft, plan)
    np.testing.assert_array_equal(first, mean_of_top(back, codec.topk))


@replay(
    'spa_then_temp',
    'jhmdb_decode_pck',
    inputs=['heatmaps_*', 'pos_img_*', 'thresholds', 'top'],
)
def test_spa_then_temp_decode_pck(case: Case) -> None:
    codec = _codec('spa_then_temp', topk=case.top)
    videos = []
    for i in range(2):
        maps = case.tensor(f'heatmaps_{i}')
        plan = resolve_size((maps.shape[2], maps.shape[3]))
        pred = np.stack([codec.to_joints(frame, plan) for frame in maps])
        case.close(
            f'coords_{i}', np.nan_to_num(pred.transpose(2, 1, 0), nan=-1), atol=1e-4
        )
        target = _points(case[f'pos_img_{i}']) - 1
        videos.append((pred[: len(target)], target))
    counts = _pck('spa_then_temp', videos, case.thresholds)
    case.close('pck', 100 * counts.pck(), atol=1e-4)
