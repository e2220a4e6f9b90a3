"""CatMAE: patches, masks, the loss, what reaches the decoder, what is refused."""

import pytest
import torch

from densecorr.models.heads.catmae_decoder import CatMAEDecoder
from densecorr.models.layers.cross_decoder import CrossDecoderLayer
from densecorr.models.losses.patch_reconstruction import patch_reconstruction
from densecorr.ops.patches import patchify, unpatchify
from densecorr.ops.random_masking import num_kept, put_rows, random_masking
from densecorr.registry import MODELS

INPUTS = dict(color='rgb', mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
SAMPLES = [dict(seed=5), dict(seed=6)]
DECODER = dict(channels=16, depth=1, num_heads=2, hidden=32)
VIT = dict(
    type='TimmFeatures',
    arch='vit_tiny_patch16_224',
    img_size=32,
    patch_size=8,
    embed_dim=16,
    depth=2,
    num_heads=2,
    pos_embed_rule='scale_factor',
    init='mae',
)


def build(backbone=None, **options):
    torch.manual_seed(0)
    settings = dict(decoder=DECODER, mask_ratios=(0.75, 0.75)) | options
    backbone = VIT | (backbone or {})
    return MODELS.build(
        dict(type='CatMAE', backbone=backbone, inputs=INPUTS, **settings)
    )


def batch(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, shape, generator=generator, dtype=torch.uint8)


def clips(b=2, t=3, side=32):
    return dict(frames=batch(b, t, 3, side, side))


def test_values_of_a_patch_are_rows_columns_channels():
    images = torch.arange(2 * 3 * 4 * 6.0).view(2, 3, 4, 6)
    patches = patchify(images, 2)
    assert patches.shape == (2, 6, 12)
    place = images[1, :, 2:4, 2:4]  # second row and column of patches
    assert torch.equal(patches[1, 4], place.permute(1, 2, 0).flatten())
    assert torch.equal(unpatchify(patches, 2, (2, 3)), images)
    with pytest.raises(ValueError, match='images are 4x6, not a multiple of patches'):
        patchify(images, 4)
    with pytest.raises(ValueError, match='which is no 2x2 grid of patches of 2x2'):
        unpatchify(patches, 2, (2, 2))


def test_masking_keeps_the_smallest_noise():
    noise = torch.tensor([[0.4, 0.1, 0.9, 0.2]])
    found = random_masking(noise, 0.5)
    assert found.kept.tolist() == [[1, 3]]
    assert found.masked.tolist() == [[True, False, True, False]]
    assert found.restore.tolist() == [[2, 0, 3, 1]]
    rows = torch.tensor([[[1.0], [3.0]]])
    full = put_rows(rows, found.kept, torch.full((1, 1, 1), 7.0), 4)
    assert full.flatten().tolist() == [7, 1, 7, 3]
    assert (num_kept(196, 0.95), num_kept(10, 0.9)) == (9, 0)
    with pytest.raises(ValueError, match=r'a mask ratio is 1\.5; it is a share'):
        num_kept(4, 1.5)


def test_loss_by_hand_and_without_a_true_patch():
    target = torch.tensor([[[1.0, 3.0], [0.0, 0.0], [5.0, 9.0]]])
    masked = torch.tensor([[True, False, True]])
    half = 0.5**0.5  # of (t - mean) / std, with the unbiased variance
    units = torch.tensor([[[-half, half], [9.0, 9.0], [-half, half]]])
    assert float(patch_reconstruction(units, target, masked)) < 1e-9
    raw = patch_reconstruction(torch.zeros_like(target), target, masked, False)
    assert float(raw) == pytest.approx(((1 + 9) / 2 + (25 + 81) / 2) / 2)
    none = torch.zeros_like(masked)
    assert float(patch_reconstruction(units, target, none)) == 0
    for normalize in (True, False):
        loss = MODELS.build(dict(type='PatchReconstructionLoss', normalize=normalize))
        mean = target.mean(-1, keepdim=True).expand_as(target)
        pred = torch.zeros_like(target) if normalize else mean
        assert loss.baseline(target, masked) == loss(pred, target, masked)
    with pytest.raises(ValueError, match=r'what is masked \(1, 2\); give \(b, n, d\)'):
        patch_reconstruction(units, target, masked[:, :2])


@pytest.mark.parametrize('normalize', [True, False])
def test_gradients_are_those_of_finite_differences(normalize):
    torch.manual_seed(0)
    pred = torch.randn(2, 3, 4, dtype=torch.double, requires_grad=True)
    target, masked = torch.rand(2, 3, 4).double(), torch.rand(2, 3) < 0.5

    def loss(pred):
        return patch_reconstruction(pred, target, masked, normalize)

    assert torch.autograd.gradcheck(loss, (pred,))


def test_outputs_and_gradients():
    method = build()
    losses = method.loss(clips(), SAMPLES)
    names = ['loss_frame_2', 'loss_frame_3', 'relative_error', 'feature_std']
    assert list(losses) == names
    assert all(value.ndim == 0 for value in losses.values())
    method.parse_losses(losses)[0].backward()
    without = [n for n, p in method.named_parameters() if p.grad is None]
    assert without == ['backbone.model.pos_embed']
    terms = method.eval().terms(method.reconstruct(clips(), SAMPLES))
    weighted = method.loss(clips(), SAMPLES)
    assert float(weighted['loss_frame_2']) == pytest.approx(0.8 * float(terms[0]))
    assert float(weighted['loss_frame_3']) == pytest.approx(float(terms[1]))


def test_hidden_pixels_do_not_matter():
    method, inputs = build().eval(), clips()
    found = method.reconstruct(inputs, SAMPLES)
    changed = inputs['frames'].clone()
    for frame, masking in enumerate(found.maskings, 1):
        cells = masking.masked.view(-1, 1, 4, 4)
        hidden = cells.repeat_interleave(8, 2).repeat_interleave(8, 3)
        changed[:, frame] = torch.where(hidden, 0, changed[:, frame])
    again = method.reconstruct(dict(frames=changed), SAMPLES)
    for name in ('first', 'others', 'preds'):
        torch.testing.assert_close(getattr(again, name), getattr(found, name))


def test_the_third_frame_sees_the_second_one():
    method, inputs = build().eval(), clips()
    found = method.reconstruct(inputs, SAMPLES)
    other = inputs['frames'].clone()
    other[:, 1] = 255 - other[:, 1]
    again = method.reconstruct(dict(frames=other), SAMPLES)
    assert (again.preds[1] - found.preds[1]).abs().max() > 1e-3
    other = inputs['frames'].clone()
    other[:, 2] = 255 - other[:, 2]
    again = method.reconstruct(dict(frames=other), SAMPLES)
    torch.testing.assert_close(again.preds[0], found.preds[0])


def test_masks_are_those_of_the_clips():
    method, inputs = build().eval(), clips()
    found = method.reconstruct(inputs, SAMPLES)
    alone = method.reconstruct(dict(frames=inputs['frames'][1:]), SAMPLES[1:])
    for whole, part in zip(found.maskings, alone.maskings, strict=True):
        assert torch.equal(whole.kept[1:], part.kept)
    torch.testing.assert_close(found.preds[1][1:], alone.preds[1])
    assert not torch.equal(*[masking.kept for masking in found.maskings])


def test_dropout_is_active_in_training_alone():
    method, inputs = build(), clips()
    totals = {
        mode: {
            float(method.train(mode).loss(inputs, SAMPLES)['loss_frame_3'])
            for _ in 'ab'
        }
        for mode in (True, False)
    }
    assert [len(totals[mode]) for mode in (True, False)] == [2, 1]
    still = build(decoder=DECODER | dict(dropout=0.0))
    assert len({float(still.loss(inputs, SAMPLES)['loss_frame_2']) for _ in 'ab'}) == 1


def test_one_masked_frame_and_images_of_another_size():
    method = build(mask_ratios=(0.5,), weights=(1.0,))
    losses = method.loss(clips(t=2, side=48), SAMPLES)
    assert list(losses)[:2] == ['loss_frame_2', 'relative_error']


def test_pictures_show_frames_as_they_were():
    method, inputs = build().eval(), clips()
    with torch.no_grad():
        pictures = method.pictures(method.reconstruct(inputs, SAMPLES), (4, 4))
    assert [tuple(p.shape) for p in pictures] == [(2, 3, 3, 32, 32)] * 2
    for frame, rows in enumerate(pictures, 1):
        torch.testing.assert_close(rows[:, 0], inputs['frames'][:, frame] / 255)


def test_initial_weights():
    vit = build().backbone.model
    assert not vit.pos_embed.requires_grad
    assert vit.blocks[0].mlp.fc1.bias.abs().max() == 0
    bound = (6 / (16 + 64)) ** 0.5  # of a Xavier-uniform 64 x 16 matrix
    assert 0.9 * bound < float(vit.blocks[0].mlp.fc1.weight.max()) <= bound
    patches = float(vit.patch_embed.proj.weight.max())
    assert 0.9 < patches / (6 / (16 + 192)) ** 0.5 <= 1


def test_what_is_refused():
    with pytest.raises(
        ValueError, match=r'ratio of CatMAE is 0\.95, which leaves none'
    ):
        build(mask_ratios=(0.5, 0.95))
    with pytest.raises(ValueError, match=r'none of the 4 patches .* at most 0\.75'):
        build(mask_ratios=(0.8, 0.8)).loss(clips(side=16), SAMPLES)
    with pytest.raises(
        ValueError, match=r'mask_ratios of CatMAE are \(0\.5,\) and wei'
    ):
        build(mask_ratios=(0.5,))
    with pytest.raises(
        ValueError, match=r'\(2, 2, 3, 32, 32\); give \(b, 3, 3, H, W\)'
    ):
        build().loss(clips(t=2), SAMPLES)
    with pytest.raises(ValueError, match="'ResNet', which cannot leave out patches"):
        MODELS.build(
            dict(type='CatMAE', backbone=dict(type='ResNet', depth=18), inputs=INPUTS)
        )
    with pytest.raises(ValueError, match="init of TimmFeatures is 'moco', allowed are"):
        build(backbone=dict(init='moco'))
    with pytest.raises(ValueError, match='has a row for a class token'):
        build(backbone=dict(class_token=False, global_pool='avg', norm=False))
    with pytest.raises(ValueError, match='of 16 channels has 3 heads; the channels'):
        CrossDecoderLayer(16, 3)
    with pytest.raises(ValueError, match='CatMAEDecoder has depth 0 and dropout'):
        CatMAEDecoder(8, 12, depth=0)
    with pytest.raises(ValueError, match='carry no `seed`'):
        build().loss(clips(), [])
