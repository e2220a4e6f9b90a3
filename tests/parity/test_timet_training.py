"""TimeT: the loss with its options, on recorded features and from pixels."""

from __future__ import annotations

from typing import Any

import torch

from densecorr.models.layers.row_queue import RowQueue
from densecorr.models.losses.timet import prototype_scores
from densecorr.ops.attention_mask import attention_mask
from densecorr.registry import MODELS

from .adapters_timet import (
    LOSS,
    NETWORK,
    loss_settings,
    method_of,
    named_parameters,
    our_names,
)
from .replay import DEVICE, Case, replay


@replay(
    'timet',
    'queue_assignment',
    inputs=['features', 'prototypes', 'queue', 'epsilon', 'iterations'],
)
def test_queue_assignment(case: Case) -> None:
    feats, prototypes = case.tensor('features'), case.tensor('prototypes')
    case.close('scores', prototype_scores(feats, prototypes), atol=1e-5)
    settings = dict(epsilon=case.epsilon, iterations=case.iterations)
    loss = MODELS.build(dict(type='TimeTLoss', **settings))
    source = feats[:, None]
    case.close('q_without_queue', loss.assign(source, prototypes), atol=1e-5)
    rows = case.tensor('queue')
    queue = RowQueue(len(rows), rows.shape[1]).to(DEVICE)
    queue.push(rows)
    assert queue.full()
    found = loss.assign(source, prototypes, queue.rows)
    case.close('q_with_queue', found, atol=1e-5)
    queue.rows[-1] = 0
    found = loss.assign(source, prototypes, queue.rows if queue.full() else None)
    case.close('q_with_last_row_zero', found, atol=1e-5)


def compare_loss(
    case: Case,
    head: torch.Tensor,
    tokens: torch.Tensor,
    step: int | None = None,
    queue: torch.Tensor | None = None,
    mask: torch.Tensor | None = None,
) -> None:
    """Assignment, labels, loss and gradients of recorded features.

    Args:
        case: its expected arrays; with ``step`` their entry.
        head: ``(b, t, n, d)`` features.
        tokens: ``(b, t, n, c)`` features.
        step: of a case with several.
        queue: rows that are balanced along.
        mask: ``(b, t, n)`` bool.
    """
    loss = MODELS.build(loss_settings(case))
    prototypes = case.tensor('prototypes').requires_grad_()
    teachers = 'teacher_head_features' in case
    source = case.tensor('teacher_head_features') if teachers else head
    rows = case.tensor('teacher_prototypes') if teachers else prototypes
    last = head[:, -1].clone().requires_grad_()
    shown, kept = last, None
    if mask is not None:
        source, shown = source * mask[..., None], last * mask[:, -1, :, None]
        kept = mask[:, -1].unflatten(1, (case.grid, case.grid))
    q = loss.assign(source[:, :1], rows, queue)
    labels = loss.labels(q, tokens.unflatten(2, (case.grid, case.grid)))
    value = loss(shown, prototypes, labels, kept)
    value.backward()
    found = dict(
        q_first=(q, 1e-5),
        loss=(value, 1e-5),
        grad_head_last=(last.grad, 1e-6),
        grad_prototypes=(prototypes.grad, 1e-6),
    )
    if step is None:
        case.exact('labels', labels)
        for name, (tensor, atol) in found.items():
            case.close(name, tensor, atol=atol)
        return
    torch.testing.assert_close(labels, case.tensor('labels')[step], rtol=0, atol=0)
    for name, (tensor, atol) in found.items():
        expected = case.tensor(name)[step]
        torch.testing.assert_close(tensor.detach(), expected, rtol=0, atol=atol)
    case.compared('labels', *found)


RECORDED = ['prototypes', 'grid', 'head_features', 'backbone_features', *LOSS]


@replay('timet', 'loss_plain', inputs=RECORDED)
def test_loss(case: Case) -> None:
    compare_loss(case, case.tensor('head_features'), case.tensor('backbone_features'))


@replay('timet', 'loss_teacher', inputs=[*RECORDED, 'teacher_*'])
def test_loss_of_a_teacher(case: Case) -> None:
    compare_loss(case, case.tensor('head_features'), case.tensor('backbone_features'))


@replay(
    'timet',
    'loss_masked',
    inputs=[*RECORDED, 'cls_attention', 'threshold', 'blur_sigma'],
)
def test_loss_under_a_mask(case: Case) -> None:
    head, grid = case.tensor('head_features'), (case.grid, case.grid)
    mask = attention_mask(
        case.tensor('cls_attention'), grid, mass=case.threshold, sigma=case.blur_sigma
    )
    mask = mask.flatten(1).unflatten(0, head.shape[:2])
    case.close('mask_last', mask[:, -1].float().unflatten(1, grid), atol=0)
    compare_loss(case, head, case.tensor('backbone_features'), mask=mask)


@replay('timet', 'loss_queue', inputs=[*RECORDED, 'permutation'])
def test_loss_with_a_queue(case: Case) -> None:
    head, tokens = case.tensor('head_features'), case.tensor('backbone_features')
    queue = RowQueue(case.queue_size, head.shape[-1]).to(DEVICE)
    count = case.vectors_per_step
    rows, active = [], []
    assert count == min(10 * head.shape[1], case.queue_size)
    case.compared('queue_size', 'vectors_per_step')
    for step, order in enumerate(case.tensor('permutation')):
        queue.push(head[step, :, 0].flatten(0, 1)[order[:count]])
        rows.append(queue.rows.clone())
        active.append(int(queue.full()))
        more = queue.rows if queue.full() else None
        compare_loss(case, head[step], tokens[step], step, more)
    case.close('queue_after', torch.stack(rows), atol=0)
    case.exact('queue_active', active)


def gradients(case: Case, method: Any) -> None:
    """Norms of the gradients by official names; no other parameter has one."""
    named, names = named_parameters(method), our_names(case.grad_names)
    assert {name for name, p in named.items() if p.grad is not None} == set(names)
    found = [named[name].grad.norm() for name in names]
    case.close('grad_norms', torch.stack(found), atol=0, rtol=2e-3)
    case.close('grad_prototypes', method.prototypes.weight.grad, atol=2e-6)


def run_loss(case: Case, method: Any) -> dict[str, torch.Tensor]:
    """A backward pass on the case's frames; what went through the loss."""
    seen: dict[str, Any] = {}
    method.contrast.register_forward_hook(
        lambda _, args, value: seen.update(feats=args[0], labels=args[2], loss=value)
    )
    assign = method.contrast.assign
    method.contrast.assign = lambda *args: seen.setdefault('q', assign(*args))
    encode = method.encode
    method.encode = lambda *args: seen.update(last=encode(*args)) or seen['last']
    frames = case.tensor('frames').movedim(-1, -3)
    outputs = method.loss(dict(frames=frames), [])
    outputs['loss_cluster'].backward()
    return seen


@replay('timet', 'loss_end_to_end', inputs=[*NETWORK, *LOSS, 'grid', 'grad_names'])
def test_loss_from_pixels(case: Case) -> None:
    method = method_of(case)
    seen = run_loss(case, method)
    tokens = seen['last'].tokens.flatten(1, 2)[:, ::5]
    case.close('backbone_tokens_last', tokens, atol=5e-5)
    case.close('head_features_last', seen['feats'], atol=5e-5)
    case.close('q_first', seen['q'], atol=1e-5)
    scores = prototype_scores(seen['feats'], method.prototypes.weight)
    case.close('target_scores', scores, atol=5e-5)
    case.exact('labels', seen['labels'])
    case.close('loss', seen['loss'], atol=2e-5)
    gradients(case, method)
    named = named_parameters(method)
    frozen = {name for name, p in named.items() if not p.requires_grad}
    assert frozen == set(our_names(case.frozen_names))
    case.compared('frozen_names')


@replay('timet', 'loss_all_frames', inputs=[*NETWORK, *LOSS, 'grid', 'grad_names'])
def test_loss_of_the_later_version(case: Case) -> None:
    method = method_of(case, loss=dict(assign_frames='all'))
    seen = run_loss(case, method)
    case.exact('labels', seen['labels'])
    case.close('loss', seen['loss'], atol=2e-5)
    gradients(case, method)
