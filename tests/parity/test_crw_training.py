import torch

from densecorr.registry import MODELS

from .adapters_methods import CRW_RENAME, renamed
from .pipelines import model_of
from .replay import DEVICE, replay

DROPS = ('drop_forward', 'drop_backward')


def drops_of(case):
    """Dropped edges as ``(b, t - 1, n, n)``."""
    return {name: case.tensor(name).transpose(0, 1) for name in DROPS}


@replay('crw', 'walk_*', inputs=['nodes', 'drop_*', 'dropout', 'temperature', 'flip'])
def test_walk(case):
    nodes = case.tensor('nodes').requires_grad_()  # (b, c, t, n)
    config = dict(
        type='RandomWalkLoss', temperature=case.temperature, flip=bool(case.flip)
    )
    walk = MODELS.build(config)(nodes.permute(0, 2, 3, 1), **drops_of(case))
    case.close('loss', walk.loss, atol=1e-5)
    case.close('cycle_losses', walk.cycle_losses, atol=1e-5)
    case.close('cycle_accuracies', walk.cycle_accuracies, atol=1e-5)
    if nodes.shape[2] > 2:
        walk.loss.backward()
    else:
        assert not walk.loss.requires_grad
    grad = torch.zeros_like(nodes) if nodes.grad is None else nodes.grad
    case.close('grad_nodes', grad, atol=1e-5)


def crw_of(case):
    """The method with the case's settings and official weights."""
    backbone = {**model_of('crw_res18')['backbone'], 'out_indices': (3,)}
    statistics = dict(mean=case.mean.tolist(), std=case.std.tolist())
    config = dict(
        type='CRW',
        backbone=backbone,
        inputs=dict(color='rgb', mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225)),
        train_inputs=dict(color='rgb', **statistics),
        loss=dict(temperature=case.temperature),
        edge_dropout=case.dropout,
    )
    method = MODELS.build(config)
    method.load_state_dict(renamed(case.state_dict(), CRW_RENAME), strict=True)
    return method.to(DEVICE).train()


@replay(
    'crw',
    'train_resnet18_*',
    inputs=[
        'keys', 'shapes', 'frames', 'mean', 'std', 'drop_*', 'dropout', 'temperature',
        'grad_names',
    ],
)  # fmt: skip
def test_training_step(case):
    method = crw_of(case)
    frames = case.tensor('frames').movedim(-1, -3)  # (b, t, n, 3, s, s)
    if frames.shape[2] == 1:
        frames = frames.squeeze(2)  # the positions of whole frames are the nodes
    seen = []
    method.walk.register_forward_hook(
        lambda _, args, walk: seen.append((args[0], walk))
    )
    losses = method.loss(dict(frames=frames, **drops_of(case)), [])
    nodes, walk = seen[0]
    case.close('nodes', nodes.permute(0, 3, 1, 2), atol=2e-5)
    case.close('loss', losses['loss_walk'], atol=1e-5)
    case.close('cycle_losses', walk.cycle_losses, atol=1e-5)
    running_mean = method.backbone.bn1.running_mean
    case.close('bn1_running_mean', running_mean, atol=1e-5)
    losses['loss_walk'].backward()
    gradients = {name: parameter.grad for name, parameter in method.named_parameters()}
    official = {str(name): torch.empty(0) for name in case.grad_names}
    names = renamed(official, CRW_RENAME)
    norms = torch.stack([gradients[name].norm() for name in names])
    case.close('grad_norms', norms, atol=0, rtol=2e-3)
