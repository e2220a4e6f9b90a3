import torch

from densecorr.convert import convert
from densecorr.registry import MODELS

from .replay import DEVICE, replay


@replay(
    'vfs',
    'resnet18_features',
    inputs=['image', 'keys', 'shapes', 'strides', 'out_index'],
)
def test_features(case):
    state, stage = convert(case.state_dict(), 'vfs').state, case.out_index
    test = dict(strides=case.strides.tolist(), out_indices=[stage])
    backbone = MODELS.build(dict(type='ResNet', depth=18, **test)).to(DEVICE).eval()
    backbone.load_state_dict(state, strict=True)
    train = MODELS.build(dict(type='ResNet', depth=18)).to(DEVICE).eval()
    train.load_state_dict(state, strict=True)
    with torch.no_grad():
        image = case.tensor('image')
        (feats,), (feats_train,) = backbone(image), train(image)
        blocks = backbone.block_maps(image, stage)
    case.close('feat', feats, atol=1e-4)
    case.close('feat_train', feats_train, atol=1e-4)
    step = feats.shape[1] // case.feat_block0.shape[1]
    case.close('feat_block0', blocks[0][:, ::step], atol=1e-4)
    case.exact('all_blocks', len(blocks))
    case.close('feat', blocks[-1], atol=1e-4)
