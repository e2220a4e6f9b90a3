"""CatMAE: later frames rebuilt from the first one and a few of their patches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from densecorr.models.losses.patch_reconstruction import patch_statistics
from densecorr.ops.monitors import feature_std
from densecorr.ops.noise import item_noise
from densecorr.ops.patches import patchify, unpatchify
from densecorr.ops.random_masking import Masking, num_kept, random_masking
from densecorr.registry import MODELS

from .base import BaseMethod, clip_seeds

NOISE = 'mask_noise'
_MASKED_FRAMES = (1, 2)  # at most so many follow the visible one
_COLORS = 3


class Reconstruction(NamedTuple):
    """What the network makes of clips of m masked frames.

    Attributes:
        first: ``(b, 1 + n, c)`` tokens of the visible frame, class token first.
        others: tokens of the visible patches of each masked frame, in kept order.
        targets: patches of each masked frame, ``(b, n, d)``.
        preds: what was predicted of them.
        maskings: which of them were visible.
    """

    first: Tensor
    others: list[Tensor]
    targets: list[Tensor]
    preds: list[Tensor]
    maskings: list[Masking]


@MODELS.register_module()
class CatMAE(BaseMethod):
    """Concatenated masked autoencoders.

    The encoder sees the whole first frame, and a few patches of each later one. The
    decoder rebuilds the second frame from the first, and the third from the first and
    the visible patches of the second.

    Args:
        backbone: config of a plain ViT, :class:`TimmFeatures`; ``init='mae'`` begins as
            published.
        inputs: see :class:`BaseMethod`.
        decoder: config of the decoder, see :class:`CatMAEDecoder`; the sizes of tokens
            and patches are filled in.
        loss: config of the loss, see :class:`PatchReconstructionLoss`.
        mask_ratios: share of the patches that is hidden, of each masked frame.
        weights: of the losses of the masked frames.

    Reads ``frames`` ``(b, t, 3, H, W)``, t one more than there are ratios, and each
    clip's ``seed``. ``mask_noise`` ``(b, t - 1, n)`` among the inputs takes the place
    of the drawn one; patches of the smallest noise stay visible.

    Reference: Jiang et al., arXiv:2311.00961. Official: minhoooo1/CatMAE
        ``models_catmae.py`` (0fb1f60).

    Note:
        Dropout of the decoder, 0.1, is active in training as in the official code; the
        paper does not mention it. ``decoder=dict(dropout=0.0)`` has none.
    """

    def __init__(
        self,
        backbone: dict,
        inputs: dict,
        decoder: dict | None = None,
        loss: dict | None = None,
        mask_ratios: Sequence[float] = (0.95, 0.95),
        weights: Sequence[float] = (0.8, 1.0),
    ) -> None:
        super().__init__(backbone, inputs)
        if not getattr(self.backbone, 'is_vit', False):
            raise ValueError(
                f'backbone of CatMAE is {backbone.get("type")!r}, which cannot leave '
                'out patches. Take TimmFeatures with a plain ViT.'
            )
        if len(mask_ratios) not in _MASKED_FRAMES or len(weights) != len(mask_ratios):
            raise ValueError(
                f'mask_ratios of CatMAE are {tuple(mask_ratios)} and weights '
                f'{tuple(weights)}; give one of each for every masked frame, of which '
                f'there are {" or ".join(map(str, _MASKED_FRAMES))}.'
            )
        self.mask_ratios, self.weights = tuple(mask_ratios), tuple(weights)
        vit = self.backbone.model
        self._check_kept(vit.patch_embed.num_patches)
        sizes = dict(
            in_channels=vit.embed_dim, patch_values=_COLORS * self.backbone.stride**2
        )
        self.decoder: Any = MODELS.build(
            {'type': 'CatMAEDecoder', **sizes, **(decoder or {})}
        )
        self.criterion: Any = MODELS.build(
            {'type': 'PatchReconstructionLoss', **(loss or {})}
        )

    def loss(
        self, inputs: dict[str, Tensor], data_samples: list[dict]
    ) -> dict[str, Tensor]:
        """The loss of each masked frame, how it compares, the spread of the tokens.

        ``relative_error`` is the mean loss over that of predicting the mean of every
        patch: 1 is no better.

        Raises:
            ValueError: clips of another number of frames, frames that are no multiple
                of the patches, or a ratio that leaves no patch of them visible.
        """
        found = self.reconstruct(inputs, data_samples)
        terms = self.terms(found)
        losses = {
            f'loss_frame_{number}': weight * term
            for number, (weight, term) in enumerate(
                zip(self.weights, terms, strict=True), 2
            )
        }
        relative = torch.stack(terms).detach().mean() / self.baseline(found)
        spread = feature_std(found.first[:, 1:])
        return {**losses, 'relative_error': relative, 'feature_std': spread}

    def terms(self, found: Reconstruction) -> list[Tensor]:
        """Losses of the masked frames without their weights."""
        parts = zip(found.preds, found.targets, found.maskings, strict=True)
        return [self.criterion(p, target, m.masked) for p, target, m in parts]

    def baseline(self, found: Reconstruction) -> Tensor:
        """The mean loss of predicting the mean of every patch."""
        parts = zip(found.targets, found.maskings, strict=True)
        return torch.stack(
            [self.criterion.baseline(x, m.masked) for x, m in parts]
        ).mean()

    def reconstruct(
        self, inputs: dict[str, Tensor], data_samples: list[dict]
    ) -> Reconstruction:
        """Encode the frames, decode the masked ones; see :meth:`loss` for errors."""
        frames = self.normalize(self._checked(inputs['frames']))
        size = self.backbone.stride
        targets = [patchify(frame, size) for frame in frames[:, 1:].unbind(1)]
        noise = self._noise(inputs, targets[0], data_samples)  # (b, m, n)
        maskings = [
            random_masking(values, ratio)
            for values, ratio in zip(noise.unbind(1), self.mask_ratios, strict=True)
        ]
        (first,) = self.backbone.tokens(frames[:, 0])[-1:]
        others = [
            self.backbone.tokens(frame, masking.kept)[-1]
            for frame, masking in zip(frames[:, 1:].unbind(1), maskings, strict=True)
        ]
        grid = (frames.shape[-2] // size, frames.shape[-1] // size)
        preds = self.decoder(first, others, [m.kept for m in maskings], grid)
        return Reconstruction(first, others, targets, preds, maskings)

    def pictures(self, found: Reconstruction, grid: tuple[int, int]) -> list[Tensor]:
        """Masked frames as they were, as seen and as predicted, in [0, 1].

        Args:
            found: of some clips.
            grid: (h, w) of the patches.

        Returns:
            ``(b, 3, 3, H, W)`` for each masked frame: the frame; its visible patches,
            grey elsewhere; the prediction of every patch, to which the mean and the
            scale of the true patch are given back where the loss takes them away.
        """
        rows = []
        for target, pred, masking in zip(
            found.targets, found.preds, found.maskings, strict=True
        ):
            if self.criterion.normalize:
                mean, scale = patch_statistics(target)
                pred = pred * scale + mean
            seen = target.masked_fill(masking.masked[..., None], 0)
            maps = [
                unpatchify(x.float(), self.backbone.stride, grid)
                for x in (target, seen, pred)
            ]
            images = torch.stack(maps, dim=1) * self.normalize.std + self.normalize.mean
            rows.append(images.clamp(0, 1))
        return rows

    def _checked(self, frames: Tensor) -> Tensor:
        """The frames."""
        wanted = 1 + len(self.mask_ratios)
        if frames.ndim != 5 or frames.shape[1] != wanted:
            raise ValueError(
                f'frames of CatMAE are {tuple(frames.shape)}; give (b, {wanted}, 3, H, '
                f'W): the visible frame and one for each of the mask_ratios '
                f'{self.mask_ratios}, as CatMAESampler draws them.'
            )
        return frames

    def _noise(
        self, inputs: dict[str, Tensor], target: Tensor, data_samples: list[dict]
    ) -> Tensor:
        """Given or drawn noise of the patches of each masked frame."""
        self._check_kept(target.shape[1])
        if NOISE in inputs:
            return inputs[NOISE]
        shape = (len(self.mask_ratios), target.shape[1])
        return item_noise(clip_seeds(data_samples), 0, shape, target.device)

    def _check_kept(self, patches: int) -> None:
        for ratio in self.mask_ratios:
            if num_kept(patches, ratio) < 1:
                raise ValueError(
                    f'a mask ratio of CatMAE is {ratio}, which leaves none of the '
                    f'{patches} patches of a frame visible. Lower it to at most '
                    f'{1 - 1 / patches:.4g}, or take larger images or smaller patches.'
                )
