"""CatMAE: clips, masks, the whole loss with its gradients, groups of parameters."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from densecorr.apis.config import load_config
from densecorr.models.methods.base import ImageNormalizer
from densecorr.ops.pos_embed import sincos_pos_embed
from densecorr.ops.random_masking import random_masking
from densecorr.registry import MODELS, OPTIM_WRAPPER_CONSTRUCTORS, TRANSFORMS

from .adapters_methods import CATMAE_RENAME, renamed
from .replay import DEVICE, Case, replay
from .test_catmae_backbones import weights_of

CONFIGS = Path(__file__).parents[2] / 'configs' / 'train'
DECODER_TABLE = 'decoder_pos_embed'  # computed for the images, no tensor of ours
SIZES = [
    f'{part}_{name}'
    for part in ('encoder', 'decoder')
    for name in ('dim', 'depth', 'heads')
]


@replay('catmae', 'random_masking', inputs=['n_cases', 'c*_noise', 'c*_mask_permille'])
def test_random_masking(case: Case) -> None:
    for i in range(case.n_cases):
        ratio = case[f'c{i}_mask_permille'] / 1000
        found = random_masking(case.tensor(f'c{i}_noise'), ratio)
        case.exact(f'c{i}_kept', found.kept)
        case.exact(f'c{i}_mask', found.masked)
        case.exact(f'c{i}_restore', found.restore)


@replay(
    'catmae', 'triplet_transform', inputs=['frames', 'boxes', 'size', 'mean', 'std']
)
def test_triplet_transform(case: Case) -> None:
    config = load_config(CONFIGS / 'catmae_vits16.py')
    crop, flip, pack = config.train_dataloader.dataset.pipeline
    crop.size = case.size.tolist()
    crop, flip, pack = map(TRANSFORMS.build, (crop, flip, pack))
    assert crop.per_frame
    assert not flip.per_frame
    cut = crop.apply(dict(frames=case.frames), case.boxes)
    case.exact('output_plain', np.stack(cut['frames']))
    turned = flip.apply(cut, [True] * len(case.frames))
    case.exact('output_flipped', np.stack(turned['frames']))
    statistics = dict(mean=case.mean.tolist(), std=case.std.tolist())
    normalize = ImageNormalizer(**{**config.model.inputs, **statistics})
    images = normalize(pack.apply(turned)['inputs']['frames'])
    case.close('normalised_flipped_first', images[0], atol=1e-6)


def method_of(case: Case):
    """The method of the config with the sizes and weights of the case."""
    model = load_config(CONFIGS / 'catmae_vits16.py').model
    model.backbone.update(
        img_size=case.image_size,
        patch_size=case.patch_size,
        embed_dim=case.encoder_dim,
        depth=case.encoder_depth,
        num_heads=case.encoder_heads,
    )
    model.inputs.update(mean=case.mean.tolist(), std=case.std.tolist())
    model.decoder.update(
        channels=case.decoder_dim,
        depth=case.decoder_depth,
        num_heads=case.decoder_heads,
    )
    model.loss.normalize = case.norm_pix_loss
    model.mask_ratios = (case.mask_permille / 1000).tolist()
    model.weights = case.loss_weights.tolist()
    method = MODELS.build(model)
    state = weights_of(case)
    grid = (case.image_size // case.patch_size,) * 2
    table = state.pop(DECODER_TABLE)
    assert torch.equal(table, sincos_pos_embed(case.decoder_dim, grid))
    method.load_state_dict(renamed(state, CATMAE_RENAME), strict=True)
    return method.to(DEVICE).eval()  # recorded without dropout


@replay(
    'catmae',
    'loss_*',
    inputs=[
        *('keys', 'shapes', 'sincos_keys', 'frames', 'mean', 'std', 'mask_noise'),
        *('mask_permille', 'loss_weights', 'patch_size', 'image_size', 'grad_names'),
        *('norm_pix_loss', *SIZES),
    ],
)
def test_loss(case: Case) -> None:
    method = method_of(case)
    frames = case.tensor('frames').permute(1, 0, 4, 2, 3)  # (b, 3, 3, H, W)
    inputs = dict(frames=frames, mask_noise=case.tensor('mask_noise').transpose(0, 1))
    found = method.reconstruct(inputs, [])
    for number, masking in enumerate(found.maskings, 2):
        case.exact(f'mask{number}', masking.masked)
        case.exact(f'restore{number}', masking.restore)
    case.close('latent1_row', found.first[:, :3], atol=5e-5)
    case.close('latent3', found.others[1], atol=5e-5)
    for number, (pred, term) in enumerate(
        zip(found.preds, method.terms(found), strict=True), 2
    ):
        step = -(-pred.shape[2] // case[f'pred{number}'].shape[2])
        case.close(f'pred{number}', pred[..., ::step], atol=5e-5)
        case.close(f'loss{number}', term, atol=1e-5)
    total, _ = method.parse_losses(method.loss(inputs, []))
    case.close('loss', total, atol=1e-5)
    total.backward()
    parameters = dict(method.named_parameters())
    names = renamed({str(name): name for name in case.grad_names}, CATMAE_RENAME)
    norms = [
        parameters[name.replace('backbone.', 'backbone.model.')].grad.norm().item()
        for name in names
    ]
    case.close('grad_norms', np.array(norms, np.float32), atol=0, rtol=1e-3)


def depth_of(blocks: str, names: list[str]) -> int:
    """Number of blocks that the names of parameters have."""
    return 1 + max(int(n.split('.')[1]) for n in names if n.startswith(f'{blocks}.'))


@replay('catmae', 'param_groups', inputs=[])
def test_param_groups(case: Case) -> None:
    config = load_config(CONFIGS / 'catmae_vits16.py')
    names = [str(name) for name in (*case.no_decay, *case.decay)]
    config.model.backbone.depth = depth_of('blocks', names)
    config.model.decoder.depth = depth_of('decoder_blocks', names)
    method = MODELS.build(config.model)
    wrapper = config.optim_wrapper.to_dict()
    kind = OPTIM_WRAPPER_CONSTRUCTORS.get(wrapper.pop('constructor'))
    optimizer = kind(wrapper, wrapper.pop('paramwise_cfg'))(method).optimizer
    ours = {id(p): name for name, p in method.named_parameters()}
    named = renamed({name: name for name in names}, CATMAE_RENAME)
    found = {}
    for group in optimizer.param_groups:
        case.close('betas', np.array(group['betas'], np.float32), atol=0)
        names = {
            ours[id(p)].replace('backbone.model.', 'backbone.') for p in group['params']
        }
        found[group['weight_decay']] = {str(named.get(name, name)) for name in names}
    weights = np.array(sorted(found), np.float32)
    case.close('weight_decay', weights, atol=0)
    no_decay, decay = (found[key] for key in sorted(found))
    assert no_decay == {*map(str, case.no_decay)}
    assert decay == {*map(str, case.decay)}
    tables = {n for n, p in method.named_parameters() if not p.requires_grad}
    assert tables == {'backbone.model.pos_embed'}
    assert {'pos_embed', DECODER_TABLE} == {*map(str, case.frozen)}
    case.compared('no_decay', 'decay', 'frozen')
