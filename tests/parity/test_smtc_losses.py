"""SMTC: correspondence, slot attention, losses and the filter of valid instances."""

from __future__ import annotations

import numpy as np
import torch

from densecorr.models.layers.slot_attention import SemanticSlotAttention
from densecorr.models.losses.slot_instance import slot_instance
from densecorr.models.losses.slot_transport import transport_plans
from densecorr.ops.slots import valid_instances
from densecorr.registry import MODELS

from .adapters_methods import scaled_state
from .replay import DEVICE, Case, replay

RTOL = 1e-5  # of the largest value of an array, as its README says
ATTENTION = 'slot_attention.'


def close(case: Case, name: str, actual: torch.Tensor, rtol: float = RTOL) -> None:
    case.close(name, actual, atol=rtol * float(np.abs(case[name]).max()))


def close_norms(case: Case, keys: str, name: str, gradients, rtol: float) -> None:
    """Norms of gradients by official parameter names."""
    norms = [float(gradients[str(key)].double().norm()) for key in case[keys]]
    case.close(name, np.array(norms, np.float32), atol=rtol * case[name].max())
    case.compared(keys)


@replay(
    'smtc',
    'slot_attention_*',
    inputs=[
        *('keys', 'shapes', 'scales', 'features', 'noise', 'num_*', 'iters', 'eps'),
        *('mask_*', 'cot_*'),
    ],
)
def test_slot_attention(case: Case) -> None:
    attention = SemanticSlotAttention(
        case.features.shape[-1],
        case.num_slots,
        case.num_instances,
        case.iters,
        area=case.mask_mode,
        area_threshold=case.mask_threshold,
    )
    state = scaled_state(case)
    attention.load_state_dict({k.removeprefix(ATTENTION): v for k, v in state.items()})
    attention.to(DEVICE)
    features = case.tensor('features').requires_grad_()
    found = attention(features, case.tensor('noise'))
    total = sum(
        (value * case.tensor(f'cot_{name}')).sum()
        for name, value in found._asdict().items()
    )
    total.backward()
    for name, value in found._asdict().items():
        close(case, name, value)
    close(case, 'grad_features', features.grad)
    close(case, 'grad_features_norm', features.grad.norm())
    gradients = {ATTENTION + k: p.grad for k, p in attention.named_parameters()}
    close_norms(case, 'grad_keys', 'grad_norms', gradients, RTOL)
    assert float(attention.slots_sigma.grad.abs().max()) == 0


@replay(
    'smtc',
    'correspondence',
    inputs=[
        *('keys', 'shapes', 'key_maps', 'batch', 'num_frames', 'resolution'),
        'cot_fused',
    ],
)
def test_correspondence(case: Case) -> None:
    channels = case.key_maps.shape[1]
    side = case.resolution // 16
    head = MODELS.build(dict(type='SlotHead', channels=channels, grid=(side, side))).to(
        DEVICE
    )
    found = head.load_state_dict(case.state_dict(), strict=False)
    assert not found.unexpected_keys
    maps = case.tensor('key_maps').requires_grad_()
    fused = head.fuse(maps.unflatten(0, (case.batch, case.num_frames)))
    close(case, 'fused', fused)
    (fused * case.tensor('cot_fused')).sum().backward()
    close(case, 'grad_key_maps_norm', maps.grad.norm())
    gradients = dict(head.named_parameters())
    gradients = {k: p.grad for k, p in gradients.items() if p.grad is not None}
    close_norms(case, 'keys', 'grad_norms', gradients, RTOL)


@replay('smtc', 'loss_entropy', inputs=['semantic_dots'])
def test_overlap(case: Case) -> None:
    dots = case.tensor('semantic_dots').requires_grad_()
    loss = MODELS.build(dict(type='SlotOverlapLoss'))(dots)
    loss.backward()
    close(case, 'loss', loss)
    close(case, 'grad_semantic_dots', dots.grad)


@replay(
    'smtc',
    'loss_transport',
    inputs=['student_dots', 'teacher_*', 'sinkhorn_*', 'log_eps'],
)
def test_transport(case: Case) -> None:
    settings = dict(epsilon=case.sinkhorn_eps, iterations=case.sinkhorn_iters)
    keys = case.tensor('teacher_keys')
    t = keys.shape[1]
    case.exact('num_pairs', t * (t - 1))
    first, _ = transport_plans(keys[:, 0], keys[:, 1], **settings)
    _, last = transport_plans(keys[:, -2], keys[:, -1], **settings)
    close(case, 'plan_first_pair', first)
    close(case, 'plan_last_pair', last)
    dots = case.tensor('student_dots').requires_grad_()
    criterion = MODELS.build(dict(type='SlotTransportLoss', **settings))
    loss = criterion(dots, case.tensor('teacher_dots'), keys)
    loss.backward()
    close(case, 'loss', loss)
    close(case, 'grad_student_dots', dots.grad)


@replay(
    'smtc',
    'loss_instance',
    inputs=['student_*', 'teacher_*', 'negative_margin'],
)
def test_instance(case: Case) -> None:
    objects = case.tensor('student_objects').requires_grad_()
    others = (case.tensor('teacher_objects'), case.tensor('student_valid'))
    arguments = (objects, *others, case.tensor('teacher_valid'))
    for method in ('permutations', 'scipy'):
        found = slot_instance(*arguments, margin=case.negative_margin, method=method)
        case.exact('match', found.matches)
    criterion = MODELS.build(dict(type='SlotInstanceLoss', margin=case.negative_margin))
    loss = criterion(*arguments)
    loss.backward()
    close(case, 'loss', loss)
    close(case, 'grad_student_objects', objects.grad)
    none = torch.zeros_like(arguments[2])
    case.exact('loss_no_valid', criterion(*arguments[:2], none, arguments[3]).detach())


@replay(
    'smtc',
    'valid_filter',
    inputs=['semantic_*', 'instance_slots', '*_threshold'],
)
def test_valid_filter(case: Case) -> None:
    for recipe in ('relaxed', 'strict'):
        valid = valid_instances(
            case.tensor('semantic_dots'),
            case.tensor('semantic_slots'),
            case.tensor('instance_slots'),
            case[f'{recipe}_threshold'],
            case.area_threshold,
            case.similarity_threshold,
        )
        case.exact(f'valid_{recipe}', valid)
