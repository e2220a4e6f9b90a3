"""Spa-then-Temp's second step: correlations, selection, losses, clips."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from densecorr.convert import convert
from densecorr.datasets.transforms.boxes import random_resized_box, square_box
from densecorr.models.losses.match_selection import SCORES
from densecorr.models.methods.base import ImageNormalizer
from densecorr.ops.correlation import (
    displacement_volume,
    global_correlation,
    local_correlation,
)
from densecorr.registry import MODELS, TRANSFORMS

from .pipelines import model_of
from .replay import DEVICE, Case, replay

IMAGENET = dict(mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))


def dense(windows: Tensor) -> Tensor:
    """``(b, h, w, d, d)`` windows as ``(b, n, n)``."""
    b, h, w, side, _ = windows.shape
    reach = side // 2
    out = windows.new_zeros(b, h, w, h + 2 * reach, w + 2 * reach)
    for y in range(h):
        for x in range(w):
            out[:, y, x, y : y + side, x : x + side] = windows[:, y, x]
    out = out[..., reach : reach + h, reach : reach + w]
    return out.reshape(b, h * w, h * w)


@replay(
    'spa_then_temp',
    'non_local_correlation',
    inputs=['target', 'references', 'radius', 'colour', 'cotangent'],
)
def test_non_local_correlation(case: Case) -> None:
    colour = case.tensor('colour').flatten(0, 1)  # (b * t, 1, h, w)
    times = case.references.shape[1]
    settings = dict(
        local={},
        global_student={},
        global_teacher=dict(scale=1 / 0.07),
        normalised=dict(scale=1 / 0.07, unit=True),
    )
    for name, options in settings.items():
        one = case.tensor('target').requires_grad_()
        references = case.tensor('references').requires_grad_()
        target = one.repeat_interleave(times, 0)
        reference = references.flatten(0, 1)
        if name == 'local':
            found = local_correlation(target, reference, colour, case.radius)
            corr, moved = dense(found.windows), found.transported.flatten(2)
        else:
            corr = global_correlation(target, reference, **options)
            moved = colour.flatten(2) @ corr.transpose(1, 2)
        corr = corr.unflatten(0, references.shape[:2])
        atol = 1e-4 if name == 'global_teacher' else 1e-5
        rtol = 1e-5 if name == 'global_teacher' else 0
        case.close(f'corr_{name}', corr, atol=atol, rtol=rtol)
        moved = moved.transpose(1, 2).unflatten(0, references.shape[:2])
        case.close(f'reconstruction_{name}', moved, atol=atol, rtol=rtol)
        (corr * case.tensor('cotangent')).sum().backward()
        case.close(f'grad_target_{name}', one.grad, atol=atol, rtol=rtol)
        norm = references.grad.norm()
        case.close(f'grad_refs_norm_{name}', norm, atol=atol, rtol=1e-5)
    references = case.tensor('references').transpose(1, 2)  # (b, c, t, h, w)
    corr = global_correlation(case.tensor('target'), references)
    case.close('corr_joint', corr, atol=1e-5)
    moved = corr @ references.flatten(2).transpose(1, 2)
    case.close('joint_transform', moved.flatten(0, 1), atol=1e-5)


@replay(
    'spa_then_temp',
    'local_correlation_volume',
    inputs=['input1', 'input2', 'max_displacement'],
)
def test_local_correlation_volume(case: Case) -> None:
    maps = (case.tensor(name) for name in ('input1', 'input2'))
    volume = displacement_volume(*maps, case.max_displacement)
    case.close('volume', volume.permute(0, 3, 4, 1, 2), atol=1e-5)


@replay('spa_then_temp', 'entropy_selection', inputs=['feat0', 'feat1', 'radius', 'T'])
def test_entropy_selection(case: Case) -> None:
    pairs = [case.tensor(f'feat{i}').unflatten(0, (-1, 2)) for i in range(2)]
    fine, coarse = ((pair[:, 1], pair[:, 0]) for pair in pairs)
    radii = case.radius.tolist()
    volume = displacement_volume(*coarse, radii[1])
    case.close('entropy', SCORES['official'](volume), atol=1e-3)
    windows = []
    for maps, radius, cell in ((fine, radii[0], 2), (coarse, radii[1], 1)):
        nothing = torch.zeros_like(maps[0][:, :1])
        windows.append(local_correlation(*maps, nothing, radius, cell=cell).windows)
    case.close('target', dense(windows[0]) / 4, atol=1e-6)
    case.close('student', dense(windows[1]), atol=1e-6)
    loss = MODELS.build(dict(type='LocalDistillationLoss', weight=1.0))
    for name, threshold in (('threshold', 'official'), ('soft', 'soft')):
        selection = MODELS.build(
            dict(
                type='MatchSelection',
                radius=radii[1],
                threshold=threshold,
                share=case['T'],
            )
        )
        weight = selection(*coarse)
        if name == 'threshold':
            case.exact(f'weight_{name}', weight)
        else:
            case.close(f'weight_{name}', weight, atol=1e-6)
        found = loss(windows[1], windows[0], weight)
        case.close(f'local_loss_{name}', found, atol=0, rtol=1e-5)


def method_of(case: Case, setting: str) -> torch.nn.Module:
    """The registered method with the case's settings and official weights."""
    resnet = dict(type='ResNet', depth=18)
    weights = case.loss_weights.tolist()
    assert weights[0] == weights[1]  # of the two reconstructions
    soft = setting == 'soft_not_detached'
    config = dict(
        type='SpaThenTemp',
        backbone=dict(resnet, strides=(1, 2, 2, 4), pool='none', out_indices=(1, 2, 3)),
        inputs=model_of('res18_d8')['inputs'],
        teacher=dict(
            backbone=dict(resnet, pool='max', out_indices=(3,)),
            inputs=dict(color='rgb', **IMAGENET),
        ),
        radii=case.radius.tolist(),
        selection=dict(threshold='soft' if soft else 'official', share=case['T']),
        losses=dict(
            reconstruction=dict(factor=case.recon_weight, weight=weights[0]),
            local=dict(weight=weights[2], detach=not soft),
            distant=dict(weight=weights[3], temperature=case.temperature_t),
        ),
    )
    if setting == 'no_teacher':
        config['teacher'] = None
    method = MODELS.build(config)
    state = case.state_dict()
    student = convert(state, 'spa_then_temp').state
    method.backbone.load_state_dict(student, strict=True)
    if method.teacher is not None:
        teacher = {
            key.replace('backbone_t.', 'backbone.'): value
            for key, value in state.items()
            if key.startswith('backbone_t.')
        }
        teacher = convert(teacher, 'spa_then_temp').state
        method.teacher.load_state_dict(teacher, strict=True)
    return method.to(DEVICE).train()


def official_names(case: Case) -> list[str]:
    """Names of the measured gradients as the student's network has them."""
    state = {str(key): torch.empty(0) for key in case.keys}
    origin = convert(state, 'spa_then_temp').origin
    ours = {official: name for name, official in origin.items()}
    return [ours[str(key)] for key in case.grad_keys]


@replay(
    'spa_then_temp',
    'framework_loss',
    inputs=[
        'imgs', 'images_lab', 'dropped_channel', 'radius', 'feat_size', 'loss_weights',
        'T', 'temperature_t', 'recon_weight', 'keys', 'shapes', 'grad_keys',
    ],
)  # fmt: skip
def test_framework_loss(case: Case) -> None:
    ours = dict(
        stage0_l1_loss='loss_reconstruction_0',
        stage1_l1_loss='loss_reconstruction_1',
        local_corrdis_loss='loss_local',
        global_corrdis_loss='loss_global',
    )
    names = official_names(case)
    for setting in ('main', 'soft_not_detached', 'no_teacher'):
        method = method_of(case, setting)
        inputs = dict(
            frames=denormalised(case, 'imgs', IMAGENET),
            images_lab=denormalised(case, 'images_lab', model_of('res18_d8')['inputs']),
            dropped_channel=case.tensor('dropped_channel'),
        )
        weights = kept_weights(method)
        total, outputs = method.parse_losses(method.loss(inputs, []))
        expected = [str(name) for name in case[f'loss_names_{setting}']]
        assert {name for name in outputs if name.startswith('loss_')} == {
            ours[name] for name in expected
        }
        losses = torch.stack([outputs[ours[name]] for name in expected])
        case.exact(f'loss_names_{setting}', expected)
        case.close(f'losses_{setting}', losses, atol=0, rtol=1e-4)
        case.close(f'total_{setting}', total, atol=0, rtol=1e-4)
        if setting == 'soft_not_detached':
            case.close(f'weight_{setting}', weights[0], atol=1e-5)
        else:
            case.exact(f'weight_{setting}', weights[0])
        total.backward()
        gradients = {
            name: torch.zeros(()) if parameter.grad is None else parameter.grad
            for name, parameter in method.backbone.named_parameters()
        }
        norms = torch.stack([gradients[name].norm() for name in names])
        case.close(f'grad_norms_{setting}', norms, atol=0, rtol=2e-3)
        squares = [gradient.square().sum() for gradient in gradients.values()]
        grad_total = torch.stack(squares).sum().sqrt()
        case.close(f'grad_total_{setting}', grad_total, atol=0, rtol=2e-3)
        mean = method.backbone.bn1.running_mean
        case.close('conv1_running_mean_after', mean, atol=1e-5)
        if method.teacher is not None:
            assert all(p.grad is None for p in method.teacher.parameters())


def kept_weights(method: torch.nn.Module) -> list[Tensor]:
    """A list that gets the selection's weights."""
    weights: list[Tensor] = []
    method.selection.register_forward_hook(lambda *args: weights.append(args[2]))
    return weights


def denormalised(case: Case, name: str, inputs: dict) -> Tensor:
    """Normalised images of a case as our clips carry them: ``(b, 2, 3, H, W)``."""
    mean, std = (torch.tensor(inputs[key]).view(3, 1, 1) for key in ('mean', 'std'))
    return case.tensor(name)[:, 0] * std.to(DEVICE) + mean.to(DEVICE)


PIPELINE_TEST = ['frames', 'test_*', 'crop_box', 'size']


@replay(
    'spa_then_temp',
    'pipelines',
    inputs=[*PIPELINE_TEST, 'draw_log_aspect_*', 'draw_area_*', 'draw_offset_*'],
)
def test_training_pipeline(case: Case) -> None:
    left, top, right, bottom = case.crop_box.tolist()
    box = np.array([(top, left, bottom - top, right - left)] * 2)
    crop = TRANSFORMS.build(dict(type='ClipRandomResizedCrop', size=case.size))
    flip = TRANSFORMS.build(dict(type='ClipRandomFlip'))
    lab = TRANSFORMS.build(dict(type='ClipToLab'))
    pack = TRANSFORMS.build(dict(type='PackClip', keys=['images_lab']))
    rgb_input = ImageNormalizer(**IMAGENET)
    lab_input = ImageNormalizer(**model_of('res18_d8')['inputs'])
    for flipped in (0, 1):
        sample = crop.apply(dict(frames=case.frames, video='golden'), boxes=box)
        sample = flip.apply(sample, flips=np.array([bool(flipped)] * 2))
        inputs = pack(lab.apply(sample))['inputs']
        images = rgb_input(inputs['frames'])
        case.close(f'imgs_flip{flipped}', images[None], atol=1e-5)
        images = lab_input(inputs['images_lab'])
        case.close(f'images_lab_flip{flipped}', images[None], atol=1e-5)
        formula = lab_input(inputs['frames'])  # the named option of the method
        case.close(f'images_lab_flip{flipped}', formula[None], atol=5e-3)
    size = case.frames.shape[1:3]
    for n in range(sum(name.startswith('draw_box') for name in case.arrays)):
        x, y = case[f'draw_offset_{n}'].tolist()
        aspects = np.exp(case[f'draw_log_aspect_{n}'].astype(np.float64))
        areas = case[f'draw_area_{n}'].tolist()
        top, left, height, width = random_resized_box(
            size, areas, aspects.tolist(), (y, x), square_box(size)
        )
        found = [left, top, left + width, top + height]
        case.exact(f'draw_box_{n}', found)
