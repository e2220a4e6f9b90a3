import torch

from densecorr.convert import convert
from densecorr.ops.size_policy import resolve_size
from densecorr.propagation.frames import resize_maps
from densecorr.registry import MODELS

from .replay import DEVICE, replay


def dul_net(case):
    outputs = ('res3', 'res4', 'key')
    dim = case.eval_key.shape[1]
    network = MODELS.build(dict(type='DULNet', outputs=outputs, dim=dim)).to(DEVICE)
    network.load_state_dict(convert(case.state_dict(), 'dul').state, strict=True)
    return network


@replay('dul', 'backbone', inputs=['images', 'keys', 'shapes', 'bn_names'])
def test_backbone(case):
    images, network = case.tensor('images'), dul_net(case).eval()
    with torch.no_grad():
        for name, feats in zip(network.outputs, network(images[:1]), strict=True):
            case.close(f'eval_{name}', feats, atol=1e-5)
        raw = network.raw_maps(images[:1])
        case.close('eval_key_raw', raw['key'], atol=1e-4)
        case.close('eval_res3_scale', raw['res3'].norm(dim=1), atol=1e-4)
        case.close('eval_res4_scale', raw['res4'].norm(dim=1), atol=1e-4)
        network = dul_net(case).train()
        case.close('train_key', network(images)[-1], atol=1e-5)
    for i, name in enumerate(case.bn_names):
        norm = network.get_submodule(str(name).removeprefix('fast_net.'))
        case.close(f'bn{i}_running_mean', norm.running_mean, atol=1e-5)
        case.close(f'bn{i}_running_var', norm.running_var, atol=1e-5)


@replay('dul', 'resize', inputs=['frames', 'smallest'])
def test_resize(case):
    frames = case.tensor('frames')
    plan = resolve_size(
        tuple(frames.shape[-2:]),
        short_side=case.smallest,
        side_rounding='floor',
        align_corners=True,
    )
    resized = resize_maps(frames, plan.resized_size, plan.align_corners)
    case.close('resized', resized, atol=5e-5)
