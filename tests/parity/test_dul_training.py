"""DUL: views, anchors, the loss and a training step of the official code."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from densecorr.apis.config import load_config
from densecorr.datasets.transforms.boxes import short_side_size
from densecorr.models.losses.dul import map_rows, pseudo_labels
from densecorr.ops.affine import (
    aligned_places,
    inverse_affine,
    similarity_matrix,
    take_places,
)
from densecorr.ops.anchors import anchor_places
from densecorr.ops.cross_entropy import hard_cross_entropy
from densecorr.registry import MODELS, OPTIM_WRAPPER_CONSTRUCTORS, TRANSFORMS

from .adapters_methods import DUL_RENAME, renamed
from .replay import DEVICE, Case, replay

CONFIGS = Path(__file__).parents[2] / 'configs' / 'train'
NO_GRADIENT = 'fast_net.emb_q.conv1.bias'  # a batch norm follows: rounding alone
OFFSETS = ['anchor_x', 'anchor_y', 'ref_x', 'ref_y']
SETTINGS = ['grid', 'grid_ref', 'temperature', 'weight_ref', *OFFSETS]


def step_of(pipeline, kind):
    """A transform of a training pipeline of the configs."""
    (config,) = [dict(step) for step in pipeline if step['type'] == kind]
    return config


@replay(
    'dul',
    'views',
    inputs=[
        'sequence', 'crop_size', 'smallest_range', 'rnd_crop', 'video_len', 'frame_gap',
        'start', 'perm', 'u_*', 'crop_ij', 'zoom', 'zoom_ij',
    ],
)  # fmt: skip
def test_views(case: Case) -> None:
    config = load_config(CONFIGS / 'dul_res18_ytvos.py')
    low, high = case.smallest_range.tolist()
    size = tuple(case.crop_size.tolist())
    pipeline = config.train_dataloader.dataset.pipeline
    build = TRANSFORMS.build
    resize, crop, flip, second, pack = map(build, pipeline)
    step = min(len(case.sequence), case.video_len * case.frame_gap) // case.video_len
    found = []
    for v in range(len(case.start)):
        sample = dict(frames=case.sequence[case.start[v] + step * case.perm[v]])
        side = low + int((high - low) * case.u_scale[v])
        whole = short_side_size(sample['frames'].shape[1:3], side)
        sample = resize.apply(sample, size=whole)
        corner = case.crop_ij[v].tolist()
        if not case.rnd_crop:
            corner = [round((a - b) / 2) for a, b in zip(whole, size, strict=True)]
        sample = crop.apply(sample, boxes=[(*corner, *size)] * case.video_len)
        sample = flip.apply(sample, flips=[case.u_flip[v] > 0.5] * case.video_len)
        guided = bool(case.u_guided_flip[v] > 0.5)
        sample = second.apply(sample, guided, case.zoom[v], case.zoom_ij[v])
        found.append(pack(sample)['inputs'])
    views = {name: torch.stack([f[name] for f in found]) for name in found[0]}
    case.exact('view_main', views['frames'])
    case.exact('view_reg', views['second_frames'])
    theta = views['theta'][:, None].expand(-1, case.video_len, -1, -1)
    case.close('affine_main', theta, atol=1e-6)
    case.exact('affine_reg', torch.eye(2, 3).expand_as(theta))
    normalize = MODELS.build(config.model).normalize
    for name, key in [('view_main', 'frames'), ('view_reg', 'second_frames')]:
        images = normalize(views[key][:, 0])[..., ::8, ::8]
        case.close(f'{name}_norm', images, atol=1e-5)


@replay('dul', 'affine', inputs=['crop_size', 'params', 'params_rot', 'feats'])
def test_affine(case: Case) -> None:
    size = tuple(case.crop_size.tolist())
    for end in ('', '_rot'):
        rows = case[f'params{end}'].astype(np.float64)
        matrices = [
            similarity_matrix(size, (dy, dx), 1 / c, int(f), np.deg2rad(a))
            for dy, dx, a, c, f in rows
        ]
        inverses = np.stack([inverse_affine(matrix) for matrix in matrices])
        case.close(f'affine{end}', np.stack(matrices), atol=1e-5)
        case.close(f'affine{end}_inv', inverses, atol=1e-5)
        feats = case.tensor('feats')[: len(rows)]
        theta = torch.from_numpy(inverses.astype(np.float32)).to(DEVICE)
        places = aligned_places(theta, feats.shape[-2:])
        aligned = take_places(map_rows(feats), places)  # (n, h * w, c)
        case.exact(f'aligned{end}', aligned.mT.reshape(feats.shape))


@replay('dul', 'anchors', inputs=['feats', 'clip_len', 'grid', 'offset_*'])
def test_anchors(case: Case) -> None:
    feats = case.tensor('feats').unflatten(0, (-1, case.clip_len))
    size = tuple(feats.shape[-2:])
    offsets = torch.stack([case.tensor('offset_y'), case.tensor('offset_x')], 1)
    places = anchor_places(offsets, size, case.grid)
    case.exact('index', places.view(-1, case.grid, case.grid))
    anchors = take_places(map_rows(feats[:, 0]), places)
    case.exact('anchors', anchors.flatten(0, 1))
    outside = torch.ones(*feats.shape[:2], size[0] * size[1])
    outside[:, 0] = outside[:, 0].scatter(1, places.cpu(), 0)
    case.exact('anchor_mask', outside.view(-1, *size))


def offsets_of(case, first, second):
    """Drawn offsets (oy, ox) of both grids."""
    return [
        torch.stack([case.tensor(f'{name}_y'), case.tensor(f'{name}_x')], 1)
        for name in (first, second)
    ]


def labels_of_all_frames(main, second, theta, anchors):
    """Pseudo labels and cross entropies, frame 0 included, by the loss's own parts."""
    t, (h, w) = main.shape[1], main.shape[-2:]
    classes = take_places(map_rows(main[:, 0]), anchors)
    labels = pseudo_labels(map_rows(second).flatten(1, 2), classes)
    places = aligned_places(theta, (h, w))[:, None].expand(-1, t, -1)
    queries = take_places(map_rows(main), places).flatten(1, 2)
    logits = queries @ classes.flatten(0, 1).T  # (b, t * h * w, b * k)
    return labels, logits


@replay('dul', 'loss', inputs=['feats_*', 'affine_*', 'clip_len', *SETTINGS])
def test_loss(case: Case) -> None:
    t, tau = case.clip_len, case.temperature
    feats = case.tensor('feats_main').requires_grad_()
    stacked = feats.unflatten(0, (-1, t + 1))
    others = case.tensor('feats_reg').unflatten(0, (-1, t - 1))
    theta = case.tensor('affine_main').unflatten(0, (-1, t))[:, 0]
    size = tuple(feats.shape[-2:])
    anchors, pairs = (
        anchor_places(offsets, size, grid)
        for offsets, grid in zip(
            offsets_of(case, 'anchor', 'ref'), (case.grid, case.grid_ref), strict=True
        )
    )
    loss = MODELS.build(dict(type='DULLoss', temperature=tau))
    main = stacked[:, :t]
    terms = loss(main, stacked[:, t], others, theta, anchors, pairs)
    case.close('loss_temp', terms.temporal, atol=1e-4)
    case.close('loss_ref', terms.cross_view, atol=1e-4)
    total = terms.temporal + case.weight_ref * terms.cross_view
    case.close('loss', total, atol=1e-4)
    (grad,) = torch.autograd.grad(total, feats, retain_graph=True)
    case.close('grad_feats_main', grad, atol=1e-5)
    # what the loss leaves out: frame 0, and the products
    second = torch.cat([stacked[:, t:], others], 1)
    labels, logits = labels_of_all_frames(main, second, theta, anchors)
    error = hard_cross_entropy(logits, labels, tau).view(-1, t, *size)
    labels = labels.view(-1, t, *size)
    assert torch.equal(labels[:, 1:].flatten(2), terms.labels)
    case.exact('pseudo', labels.flatten(0, 1))
    case.close('error_map', error.flatten(0, 1), atol=1e-4)
    case.close('error_first', error[:, 0].mean(), atol=1e-4)
    maps = (logits / tau).unflatten(1, (t, *size)).flatten(0, 1).movedim(-1, 1)
    case.close('logits_sample', maps[:, ::7, ::5, ::5], atol=1e-4)


def dul_of(case: Case, **options):
    """The method of the config with the case's settings and weights."""
    config = load_config(CONFIGS / 'dul_res18_ytvos.py').model
    config.update(
        grid=case.grid,
        pair_grid=case.grid_ref,
        loss=dict(type='DULLoss', temperature=round(case.temperature, 6)),
        cross_view_weight=round(case.weight_ref, 6),
        **options,
    )
    method = MODELS.build(config)
    method.load_state_dict(renamed(case.state_dict(), DUL_RENAME), strict=True)
    return method.to(DEVICE).train()


def batch_of(case: Case) -> dict[str, torch.Tensor]:
    anchors, pairs = offsets_of(case, 'anchor', 'ref')
    return dict(
        frames=case.tensor('frames_main').movedim(-1, -3),
        second_frames=case.tensor('frames_reg').movedim(-1, -3),
        theta=case.tensor('affine_main')[:, 0],
        anchor_offsets=anchors,
        pair_offsets=pairs,
    )


def parameters_of(case, method):
    """The parameters in the order of ``param_names``."""
    official = {str(name): torch.empty(0) for name in case.param_names}
    parameters = dict(method.named_parameters())
    assert len(parameters) == len(official)
    return [parameters[name] for name in renamed(official, DUL_RENAME)]


def close_norms(case, name, values, rtol):
    """Compare norms, but for the one that is zero."""
    kept = np.array([str(n) != NO_GRADIENT for n in case.param_names])
    found = torch.stack(list(values)).double().cpu().numpy()[kept]
    np.testing.assert_allclose(found, case[name][kept], rtol=rtol, err_msg=name)
    case.compared(name)


def statistics_of(case, method, prefix, names):
    for i, name in enumerate(case.bn_names):
        norm = method.get_submodule(str(name).replace('fast_net.', 'backbone.'))
        for part in names:
            case.close(f'{prefix}bn{i}_{part}', getattr(norm, part), atol=1e-5)


def optimizer_deltas(case, method, config):
    """Norms of what the first step of a config's optimiser changes."""
    wrapper = load_config(CONFIGS / config).optim_wrapper.to_dict()
    kind = OPTIM_WRAPPER_CONSTRUCTORS.get(wrapper.pop('constructor'))
    optimizer = kind(wrapper, wrapper.pop('paramwise_cfg'))(method).optimizer
    groups = {id(p): g for g in optimizer.param_groups for p in g['params']}
    parameters = parameters_of(case, method)
    rates = [groups[id(p)]['lr'] / wrapper['optimizer']['lr'] for p in parameters]
    decays = [groups[id(p)]['weight_decay'] for p in parameters]
    case.close('lr_mult', np.array(rates, np.float32), atol=0)
    case.close('weight_decay', np.array(decays, np.float32), atol=0)
    before = [parameter.detach().clone() for parameter in parameters]
    optimizer.step()
    deltas = [(p.detach() - b).norm() for p, b in zip(parameters, before, strict=True)]
    with torch.no_grad():
        for parameter, value in zip(parameters, before, strict=True):
            parameter.copy_(value)
    return deltas


@replay(
    'dul',
    'train_step',
    inputs=[
        'keys', 'shapes', 'frames_*', 'affine_*', 'param_names', 'bn_names', *SETTINGS
    ],
)  # fmt: skip
def test_training_step(case: Case) -> None:
    method = dul_of(case)
    seen = []
    method.contrast.register_forward_hook(
        lambda _, args, terms: seen.append((args, terms))
    )
    losses = method.loss(batch_of(case), [])
    (main, first, others, theta, anchors, _), terms = seen[0]
    case.close('loss_temp', losses['loss_temporal'], atol=1e-4)
    case.close('loss_ref', terms.cross_view, atol=1e-4)
    total = losses['loss_temporal'] + losses['loss_cross_view']
    case.close('loss', total, atol=1e-4)
    second = torch.cat([first[:, None], others], 1)
    labels, _ = labels_of_all_frames(main, second, theta, anchors)
    case.exact('pseudo', labels.view(-1, *main.shape[-2:]))
    total.backward()
    norms = [parameter.grad.norm() for parameter in parameters_of(case, method)]
    close_norms(case, 'grad_norm', norms, 1e-2)
    statistics_of(case, method, '', ['running_mean', 'running_var'])
    for kind, config in [('sgd', 'trackingnet'), ('adam', 'ytvos')]:
        deltas = optimizer_deltas(case, method, f'dul_res18_{config}.py')
        close_norms(case, f'{kind}_delta_norm', deltas, 1e-2)
    _options(case)
    _float64(case)


def _options(case: Case) -> None:
    method = dul_of(case, block_bn=True)
    total, outputs = method.parse_losses(method.loss(batch_of(case), []))
    case.close('block_bn_loss', total, atol=1e-4)
    case.close('block_bn_loss_temp', outputs['loss_temporal'], atol=1e-4)
    cross_view = outputs['loss_cross_view'] / method.cross_view_weight
    case.close('block_bn_loss_ref', cross_view, atol=1e-4)
    total.backward()
    norms = [parameter.grad.norm() for parameter in parameters_of(case, method)]
    close_norms(case, 'block_bn_grad_norm', norms, 1e-2)
    statistics_of(case, method, 'block_', ['running_mean'])


def _float64(case: Case) -> None:
    """The sharp test: images are normalised in float32, all else is float64.

    The second pass has a gradient here, which changes no number.
    """
    method, batch = dul_of(case, stop_gradient=False), batch_of(case)
    for name in ('frames', 'second_frames'):
        batch[name] = method.normalize(batch[name]).double()
    batch['theta'] = batch['theta'].double()
    method.double().normalize = torch.nn.Identity()
    losses = method.loss(batch, [])
    case.close('f64_loss_temp', losses['loss_temporal'], atol=1e-9)
    cross_view = losses['loss_cross_view'] / method.cross_view_weight
    case.close('f64_loss_ref', cross_view, atol=1e-9)
    total = losses['loss_temporal'] + losses['loss_cross_view']
    case.close('no_stop_loss', total, atol=1e-4)
    total.backward()
    norms = [parameter.grad.norm() for parameter in parameters_of(case, method)]
    close_norms(case, 'f64_grad_norm', norms, 1e-6)
    close_norms(case, 'no_stop_grad_norm', norms, 1e-2)
