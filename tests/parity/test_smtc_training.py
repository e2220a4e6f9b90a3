"""SMTC: frames, views, the whole network, its losses and steps of training."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import numpy as np
import torch
from timm.layers import DropPath
from torch import Tensor, nn

from densecorr.apis.config import load_config
from densecorr.engine.optim.param_groups import ParamGroupsConstructor
from densecorr.engine.unused_parameters import leave_out
from densecorr.models.heads.slots import ClipSlots
from densecorr.models.layers.clip_views import ViewDraw
from densecorr.models.methods.smtc import SMTC
from densecorr.ops.ema import ema_update_
from densecorr.ops.schedule import make_schedule
from densecorr.ops.slots import instance_areas, semantic_areas, slot_similarity
from densecorr.registry import MODELS, TRANSFORMS

from .adapters_methods import SMTC_RENAME, renamed
from .fill import fill
from .replay import DEVICE, Case, replay
from .test_smtc_losses import close

CONFIGS = Path(__file__).parents[2] / 'configs' / 'train'
NOT_TRAINED = load_config(CONFIGS / 'smtc_vits16.py').unused_parameters
NETWORK = ['keys', 'shapes', 'scales', 'num_*', 'iters', 'resolution', '*_divisor']
ROUNDING = ('slot_attention.project_q.bias', 'slot_attention.norm_slots.bias')


def smtc_of(case: Case, recipe: str = 'smtc_vits16_efficient', **head: Any) -> SMTC:
    """The method of a config with the case's settings and weights, no views."""
    config = load_config(CONFIGS / f'{recipe}.py').model.to_dict()
    side = case.resolution // 16
    config['head']['grid'] = (side, side)
    config['head']['slots'].update(
        num_slots=case.num_slots,
        num_instances=case.num_instances,
        iterations=case.iters,
        **head,
    )
    config.update(views=None, train_inputs=dict(mean=(0.0,) * 3, std=(1.0,) * 3))
    method = MODELS.build(config)
    load(method, weights_of(case))
    return method.to(DEVICE)


@functools.cache
def filled(key: str, shape: tuple[int, ...]) -> Tensor:
    """Kept, because four cases have the same 22 million numbers."""
    return torch.from_numpy(fill(key, shape))


def weights_of(case: Case, teacher: bool = False) -> dict[str, Tensor]:
    """Official weights of the case's student, or of its teacher near to it."""
    state = {}
    for key, text, scale in zip(case.keys, case.shapes, case.scales, strict=True):
        shape = tuple(int(side) for side in str(text).split(',') if side)
        value = filled(str(key), shape)
        if teacher:
            value = 0.9 * value + 0.1 * filled(f'teacher.{key}', shape)
        state[str(key)] = float(scale) * value
    return renamed(state, SMTC_RENAME)


def load(method: SMTC, state: dict[str, Tensor], part: str = '') -> None:
    """Weights of the student, or of another module with the same parts, strictly."""
    wanted = {f'{part}{key}': value for key, value in state.items()}
    found = method.load_state_dict(wanted, strict=False)
    assert not found.unexpected_keys
    left = ('teacher.',) if not part else ('backbone.', 'head.')
    assert all(key.startswith(left) for key in found.missing_keys)


def pixels(case: Case, name: str) -> Tensor:
    return case.tensor(name).float() / case.image_divisor


def noise(case: Case, name: str, clips: int, step: Any = slice(None)) -> Tensor:
    """``(b, t, s, p, c)`` from ``(b * t, s, p, c)``."""
    values = case.tensor(name)[step].float() / case.noise_divisor
    return values.unflatten(0, (clips, -1))


def parameter(module: nn.Module, key: str) -> nn.Parameter:
    """By its official name, of the method or its teacher."""
    encoder = key.startswith('encoder.')
    part = module.get_submodule('backbone.model' if encoder else 'head')
    return part.get_parameter(key.removeprefix('encoder.'))


@replay('smtc', 'frame_read', inputs=['image_rgb', 'resolution'])
def test_frames(case: Case) -> None:
    size = tuple(int(side) for side in case.resolution)
    steps = load_config(CONFIGS / 'smtc_vits16.py').train_dataloader.dataset.pipeline
    sample = dict(frames=case.image_rgb[None], rng=np.random.default_rng(0))
    for step in steps:
        settings = dict(step, size=size) if 'size' in step else dict(step)
        sample = TRANSFORMS.build(settings)(sample)
    case.close('expected', sample['inputs']['frames'][0], atol=1e-5)


@replay(
    'smtc',
    'augment',
    inputs=[
        *('clips', 'gray', 'jitter', 'blur', 'order', 'brightness', 'contrast'),
        *('saturation', 'hue', 'blur_*', 'mean', 'std'),
    ],
)
def test_views(case: Case) -> None:
    views = MODELS.build(dict(type='ClipViews'))
    kernel = tuple(int(side) for side in case.blur_kernel)
    views._kernel = lambda clip: kernel  # of 32 x 44 pixels; ours are of squares
    names = ('brightness', 'contrast', 'saturation', 'hue')
    factors = np.stack([case[name] for name in names], 1)
    draws = [
        ViewDraw(
            bool(case.gray[i]),
            case.order,
            factors[i] if case.jitter[i] else None,
            bool(case.blur[i]),
            case.blur_sigma,
        )
        for i in range(len(case.clips))
    ]
    config = load_config(CONFIGS / 'smtc_vits16.py').model.inputs.to_dict()
    normalize = MODELS.build(
        dict(type='SMTC', backbone=tiny(), inputs=config)
    ).normalize.to(DEVICE)
    found = normalize(views.to(DEVICE)(case.tensor('clips'), draws))
    case.close('expected', found, atol=1e-4)


def tiny() -> dict[str, Any]:
    """A backbone that has no part in a test."""
    small = dict(depth=1, embed_dim=8, num_heads=1, img_size=32)
    arch = 'vit_small_patch16_224'
    return dict(type='TimmFeatures', arch=arch, facet='key', norm=False, **small)


@replay(
    'smtc',
    'model_forward',
    inputs=[*NETWORK, 'images', 'noise', 'mask_mode', 'attention_threshold'],
)
def test_network(case: Case) -> None:
    threshold = case.attention_threshold
    method = smtc_of(case, area=case.mask_mode, area_threshold=threshold).eval()
    frames = pixels(case, 'images')
    inputs = dict(frames=frames, student_noise=noise(case, 'noise', len(frames)))
    with torch.no_grad():
        slots = method.student_slots(inputs, [])
    assert slots.semantic_dots.shape[1] == case.num_frames
    expected = dict(
        train_semantic_dots=slots.semantic_dots,
        train_key_features=slots.keys,
        train_semantic_slots=slots.semantic_slots,
        train_instance_slots=slots.instance_slots,
        train_objects=slots.objects,
        eval_semantic_mask=semantic_areas(slots.semantic_dots),
        eval_similarity=slot_similarity(slots.semantic_slots, slots.instance_slots),
        eval_instance_mask=instance_areas(slots.semantic_dots, slots.instance_dots),
    )
    for name, value in expected.items():
        close(case, name, value)
    rows, columns = (side // 16 for side in frames.shape[-2:])
    case.exact('eval_h', rows)
    case.exact('eval_w', columns)


@replay(
    'smtc',
    'whole_loss_*',
    inputs=[
        *(*NETWORK, 'view_*', 'noise_*', 'mask_mode', '*_threshold', 'sinkhorn_*'),
        *('negative_margin', 'margin'),
    ],
)
def test_losses_of_the_network(case: Case) -> None:
    strict = case.mask_mode == 'soft'
    recipe = 'smtc_vits16' if strict else 'smtc_vits16_efficient'
    method = smtc_of(case, recipe).eval()
    load(method, weights_of(case, teacher=True), 'teacher.')
    assert method.head.slot_attention.area == case.mask_mode
    assert method.valid == dict(
        share_threshold=case.semantic_threshold,
        area_threshold=case.area_threshold,
        similarity_threshold=case.similarity_threshold,
    )
    seen: list[ClipSlots] = []
    for head in (method.head, method.teacher['head']):
        head.register_forward_hook(lambda _, args, slots: seen.append(slots))
    total, outputs = method.parse_losses(method.loss(batch_of(case, slice(None)), []))
    student, teacher = seen
    close(case, 'student_dots', student.semantic_dots)
    close(case, 'teacher_dots', teacher.semantic_dots)
    case.exact('student_valid', method.count(student))
    case.exact('teacher_valid', method.count(teacher))
    names = dict(entropy='overlap', transport='transport', instance='instance')
    for official, name in names.items():
        close(case, f'loss_{official}', outputs[f'loss_{name}'])
    close(case, 'loss', total)
    total.backward()
    found = [float(parameter(method, str(k)).grad.norm()) for k in case.grad_keys]
    wanted = case.grad_norms
    small = wanted < 1e-6
    np.testing.assert_allclose(np.array(found)[~small], wanted[~small], rtol=1e-3)
    np.testing.assert_allclose(np.array(found)[small], wanted[small], atol=1e-6)
    without = {n for n, p in method.named_parameters() if p.grad is None}
    mine = {n for n in without if not n.startswith('teacher.')}
    official = {
        str(key).replace('encoder.', 'backbone.model.') for key in case.no_grad_keys
    }
    assert mine == official
    case.compared('grad_keys', 'grad_norms', 'no_grad_keys')


def batch_of(case: Case, step: Any) -> dict[str, Tensor]:
    """Inputs of the method."""
    frames = pixels(case, 'view_student')[step]
    return dict(
        frames=frames,
        teacher_frames=pixels(case, 'view_teacher')[step],
        student_noise=noise(case, 'noise_student', len(frames), step),
        teacher_noise=noise(case, 'noise_teacher', len(frames), step),
    )


class RecordedDropPath(nn.Module):
    """Drops the paths that were recorded."""

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate, self.uniform = rate, torch.empty(0)

    def forward(self, x: Tensor) -> Tensor:
        kept = 1 - self.rate
        factor = (kept + self.uniform).floor() / kept
        return x * factor.view(-1, *[1] * (x.ndim - 1))


def record_drop_paths(case: Case, method: SMTC) -> list[list[RecordedDropPath]]:
    """Replaces those of blocks 2 and later; the rates of the config are the case's."""
    found = []
    blocks = method.backbone.model.blocks
    for i, block in enumerate(blocks):
        assert isinstance(block.drop_path1, DropPath) == (i > 0)
        rate = case.drop_path_rate * i / (len(blocks) - 1)
        if i > 0:
            np.testing.assert_allclose(block.drop_path1.drop_prob, rate, rtol=1e-6)
            block.drop_path1 = RecordedDropPath(rate)
            block.drop_path2 = RecordedDropPath(rate)
            found.append([block.drop_path1, block.drop_path2])
    return found


def optimizer_of(case: Case, method: SMTC) -> torch.optim.Optimizer:
    """That of the config, with the case's rate; its groups are the case's."""
    leave_out(method, NOT_TRAINED)
    wrapper = load_config(CONFIGS / 'smtc_vits16_efficient.py').optim_wrapper.to_dict()
    wrapper.pop('constructor')
    wrapper['optimizer'].update(lr=case.lr, eps=case.adam_eps)
    np.testing.assert_allclose(wrapper['optimizer']['betas'], case.betas, rtol=1e-6)
    groups = wrapper.pop('paramwise_cfg')
    return ParamGroupsConstructor(wrapper, groups)(method).optimizer


def set_rates(case: Case, optimizer: torch.optim.Optimizer, step: int) -> None:
    """By the schedules of the config at the length of the case."""
    length = case.num_train_steps // case.iters_per_epoch * case.iters_per_epoch
    cosine = dict(type='cosine', end=0.1)
    gate = dict(type='piecewise', milestones=[case.grad_iter], values=[0.0, 1.0])
    encoder = dict(type='product', schedules=[cosine, gate])
    for group in optimizer.param_groups:
        config = encoder if group['name'] == 'encoder' else cosine
        first = group.setdefault('initial_lr', group['lr'])
        group['lr'] = first * make_schedule(config, case.iters_per_epoch, length)(step)


def check_groups(case: Case, method: SMTC, optimizer: Any, step: int) -> None:
    """Rates and weight decays of all parameters that are trained."""
    by_id = {id(p): g for g in optimizer.param_groups for p in g['params']}
    for key, number in zip(case.param_keys, case.param_groups, strict=True):
        group = by_id.get(id(parameter(method, str(key))))
        if group is None:
            continue  # no gradient: checked by its norm
        rate, decay = case.group_lr[step, number], case.group_weight_decay[step, number]
        np.testing.assert_allclose(group['lr'], rate, rtol=1e-6)
        np.testing.assert_allclose(group['weight_decay'], decay, rtol=1e-6)


@replay(
    'smtc',
    'train_steps',
    inputs=[
        *(*NETWORK, 'view_*', 'noise_*', 'drop_path_*', 'lr', 'grad_iter', 'betas'),
        *('encoder_lr_factor', 'ema_momentum', 'adam_eps', 'margin', 'iters_per_epoch'),
    ],
)
def test_steps(case: Case) -> None:
    method = smtc_of(case).train()
    drops = record_drop_paths(case, method)
    optimizer = optimizer_of(case, method)
    for part in ('backbone', 'head'):
        ema_update_(method.teacher[part], getattr(method, part), 0.0)
    keys = [str(key) for key in case.param_keys]
    start = {key: parameter(method, key).detach().clone() for key in keys}
    uniform = case.tensor('drop_path_uniform')
    for step in range(len(case.losses)):
        for i, pair in enumerate(drops):
            for j, module in enumerate(pair):
                module.uniform = uniform[step, i, j]
        set_rates(case, optimizer, step)
        check_groups(case, method, optimizer, step)
        total, outputs = method.parse_losses(method.loss(batch_of(case, step), []))
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
        ema_update_(method.teacher['head'], method.head, case.ema_momentum)
        names = ('loss_overlap', 'loss_transport', 'loss_instance', 'loss')
        found = np.array([float(outputs[name]) for name in names])
        np.testing.assert_allclose(found, case.losses[step], rtol=1e-4, atol=1e-4)
        shares = [float(outputs[f'valid_share{who}']) for who in ('', '_teacher')]
        np.testing.assert_allclose(shares, case.valid_fraction[step], atol=1e-6)
        check_norms(case, keys, method, start, step)
    case.compared('losses', 'valid_fraction', 'param_keys', 'param_groups')
    case.compared('group_lr', 'group_weight_decay')
    case.compared('student_update_norms', 'teacher_update_norms')


def check_norms(
    case: Case, keys: list[str], method: SMTC, start: dict[str, Tensor], step: int
) -> None:
    """How far student and teacher have moved."""
    parts = [('student', method, 2e-2), ('teacher', method.teacher, 5e-2)]
    for who, module, rtol in parts:
        wanted = case[f'{who}_update_norms'][step]
        for key, norm in zip(keys, wanted, strict=True):
            if key in ROUNDING:
                continue
            found = float((parameter(module, key).detach() - start[key]).norm())
            if norm == 0:
                assert found == 0, (who, key)
            np.testing.assert_allclose(found, norm, rtol=rtol, err_msg=f'{who} {key}')
