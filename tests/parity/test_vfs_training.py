"""VFS's head and its whole training loss."""

from __future__ import annotations

import torch

from densecorr.registry import MODELS

from .adapters_methods import VFS_RENAME, renamed
from .replay import DEVICE, replay

UNIT = dict(color='rgb', mean=(0.0,) * 3, std=(1.0,) * 3)  # images are normalised
SETTINGS = ('intra_video', 'pair')


@replay('vfs', 'simsiam_head', inputs=['keys', 'shapes', 'x1', 'x2'])
def test_head(case):
    state = renamed(case.state_dict(), ((r'^img_head\.', ''),))
    channels = case.x1.shape[1]
    head = MODELS.build(dict(type='SimSiamHead', in_channels=channels))
    head.load_state_dict(state, strict=True)
    head = head.to(DEVICE).train()
    x1 = case.tensor('x1').requires_grad_()
    z1, p1 = head(x1)
    z2, p2 = head(case.tensor('x2'))
    case.close('z1', z1, atol=1e-4)
    case.close('p1', p1, atol=1e-4)
    loss = MODELS.build(dict(type='SimSiamLoss'))
    losses = loss(*(feats[:, None] for feats in (p1, z1, p2, z2)))  # (1, n, 1)
    case.close('loss', losses[0, :, 0], atol=1e-4)
    losses.sum().backward()
    case.close('grad_x1', x1.grad, atol=1e-6)


def vfs_of(case, intra_video):
    """The method with the case's official weights."""
    config = dict(
        type='VFS',
        backbone=dict(type='ResNet', depth=18),
        inputs=UNIT,
        loss=dict(intra_video=intra_video),
    )
    method = MODELS.build(config)
    state = renamed(case.state_dict(), VFS_RENAME)
    del state['iteration']
    method.load_state_dict(state, strict=True)
    return method.to(DEVICE).train()


def frames_of(case, setting):
    """``(b, 2 t, 3, S, S)``; of pairs t = 1, all frames of the clips are the batch."""
    frames = case.tensor('imgs').transpose(2, 3)  # (b, 2, t, 3, S, S)
    if setting == 'pair':
        frames = frames.transpose(1, 2).flatten(0, 1).unsqueeze(2)
    return frames.flatten(1, 2)


@replay(
    'vfs',
    'simsiam_loss',
    inputs=['imgs', 'clip_len', 'keys', 'shapes', 'grad_keys', 'loss_names_*'],
)
def test_training_step(case):
    for setting in SETTINGS:
        method = vfs_of(case, setting == 'intra_video')
        seen = []
        method.similarity.register_forward_hook(
            lambda *args, seen=seen: seen.append(args[2])
        )
        losses = method.loss(dict(frames=frames_of(case, setting)), [])
        rolls = seen[0].flatten(1)  # (rolls, frames)
        assert len(rolls) == len(case[f'loss_names_{setting}'])
        case.close(f'losses_{setting}', rolls / len(rolls), atol=0, rtol=1e-4)
        total = losses['loss_similarity']
        case.close(f'total_{setting}', total, atol=0, rtol=1e-4)
        total.backward()
        gradients = {name: p.grad for name, p in method.named_parameters()}
        official = {str(name): torch.empty(0) for name in case.grad_keys}
        norms = [gradients[name].norm() for name in renamed(official, VFS_RENAME)]
        case.close(f'grad_norms_{setting}', torch.stack(norms), atol=0, rtol=1e-3)
        every = torch.stack([grad.norm() for grad in gradients.values()]).norm()
        case.close(f'grad_total_{setting}', every, atol=0, rtol=1e-3)
