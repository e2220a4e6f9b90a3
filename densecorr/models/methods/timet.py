"""TimeT: a pretrained network learns which parts of a video stay the same thing."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from densecorr.models.heads.prototypes import Prototypes
from densecorr.models.layers.row_queue import RowQueue
from densecorr.ops.attention_mask import attention_mask
from densecorr.ops.monitors import cluster_usage, feature_std
from densecorr.ops.noise import item_noise
from densecorr.registry import MODELS
from densecorr.utils.ranks import gather_ranks, rank_count

from .base import BaseMethod, clip_seeds

MIN_FRAMES = 2  # the first one is assigned, the last one learns
_PUSHED = 10  # rows for each clip that enter the queue in a step


class Encoded(NamedTuple):
    """What a backbone makes of images.

    Attributes:
        tokens: ``(b, h, w, c)``.
        mask: ``(b, h, w)`` bool, cells that count; None: all.
    """

    tokens: Tensor
    mask: Tensor | None


@MODELS.register_module()
class TimeT(BaseMethod):
    """Time-tuning of dense features.

    Patches of the first frame of each clip are assigned to prototypes, all of which
    are used alike; the assignment is carried to the last frame by the features of the
    backbone, and there it is what head and prototypes should find. One pass of the
    backbone does it; a teacher makes another one, over the first frames. Gradients
    reach the last frame alone. Batch norms of the backbone use their running
    statistics.

    Args:
        backbone: config of a pretrained network; the last of its maps is used.
        inputs: see :class:`BaseMethod`.
        head: config of the head, ``in_channels`` is filled in. The default is
            :class:`MLPHead`.
        num_prototypes: at least 2.
        loss: config of the loss, see :class:`TimeTLoss`.
        unfrozen: parameters of the backbone whose names contain one of these are
            trained, the others stay; None trains all.
        teacher: assign the first frame by copies of backbone, head and prototypes,
            which ``EMATeacherHook`` has to update.
        queue_length: patches of earlier batches, over all processes, that are balanced
            along with those of the batch; 0: none.
        mask: share of the class token's attention, in (0, 1]: only the patches that
            hold it count, see :func:`densecorr.ops.attention_mask.attention_mask`; 0.65
            in the paper's code. None: all count.

    Reads ``frames``: ``(b, t, 3, H, W)``, t of at least 2, and with a queue each
    clip's ``seed``.

    Reference: Salehi, Gavves, Snoek and Asano, ICCV 2023, arXiv:2308.11796. Official:
        SMSD75/Timetuning ``time_tuning.py`` (94550b5).
    """

    def __init__(
        self,
        backbone: dict,
        inputs: dict,
        head: dict | None = None,
        num_prototypes: int = 200,
        loss: dict | None = None,
        unfrozen: Sequence[str] | None = ('blocks.10.', 'blocks.11.'),
        teacher: bool = False,
        queue_length: int = 0,
        mask: float | None = None,
    ) -> None:
        super().__init__(backbone, inputs)
        channels = self.backbone.channels[-1]
        default = dict(type='MLPHead', in_channels=channels)
        self.head: Any = MODELS.build({**default, **(head or {})})
        self.prototypes = Prototypes(num_prototypes, self.head.out_channels)
        self.contrast: Any = MODELS.build({'type': 'TimeTLoss', **(loss or {})})
        if unfrozen is not None:
            _freeze_others(self.backbone, unfrozen)
        parts = dict(backbone=self.backbone, head=self.head, prototypes=self.prototypes)
        self.teacher = None
        if teacher:
            self.teacher = nn.ModuleDict(copy.deepcopy(parts)).requires_grad_(False)
        self.queue = None
        if queue_length:
            rows = queue_length // rank_count()
            self.queue = RowQueue(rows, self.head.out_channels)
        self.mask = mask
        if mask is not None and not hasattr(self.backbone, 'maps_and_attention'):
            raise ValueError(
                f'mask of TimeT is {mask}, but a {type(self.backbone).__name__} '
                'has no class token that attends to patches. Set mask=None.'
            )

    def train(self, mode: bool = True) -> TimeT:
        """Batch norms of the backbone keep their statistics in training, too."""
        super().train(mode)
        for module in self.backbone.modules():
            if isinstance(module, _BatchNorm):
                module.eval()
        if self.teacher is not None:
            self.teacher.eval()
        return self

    def loss(
        self, inputs: dict[str, Tensor], data_samples: list[dict]
    ) -> dict[str, Tensor]:
        """``loss_cluster``, how prototypes are used, and the spread of features.

        Raises:
            ValueError: frames of another shape than the class says, or of sides that
                the patches do not divide.
        """
        frames = inputs['frames']
        if frames.ndim != 5 or frames.shape[1] < MIN_FRAMES:
            raise ValueError(
                f'frames of TimeT are {tuple(frames.shape)}; give (b, t, 3, H, W) with '
                f't of at least {MIN_FRAMES}: raise num_frames of the clip sampler.'
            )
        b, t = frames.shape[:2]
        with torch.no_grad():
            before = self.encode(self.backbone, frames[:, :-1].flatten(0, 1))
        last = self.encode(self.backbone, frames[:, -1])
        earlier = before.tokens.unflatten(0, (b, t - 1))
        tokens = torch.cat([earlier, last.tokens.detach()[:, None]], 1)
        masks = None
        if before.mask is not None and last.mask is not None:
            masks = torch.cat(
                [before.mask.unflatten(0, (b, t - 1)), last.mask[:, None]], 1
            )
        source, prototypes = self._source(frames, tokens, masks)
        queue = self._renew_queue(source[:, 0], data_samples)
        gather = gather_ranks if rank_count() > 1 else None
        assigned = self.contrast.assign(source, prototypes, queue, gather)
        labels = self.contrast.labels(assigned, tokens)
        feats = self.project(self.head, *last)  # (b, n, d)
        used = cluster_usage(_one_hot(labels, len(prototypes)))
        return dict(
            loss_cluster=self.contrast(
                feats, self.prototypes.weight, labels, last.mask
            ),
            cluster_share=used.share,
            cluster_perplexity=used.perplexity,
            feature_std=feature_std(feats),
        )

    def encode(self, backbone: Any, images: Tensor) -> Encoded:
        """Tokens and mask of ``(b, 3, H, W)`` images, in one pass."""
        images = self.normalize(images)
        if self.mask is None:
            return Encoded(backbone(images)[-1].permute(0, 2, 3, 1), None)
        maps, attention = backbone.maps_and_attention(images)  # (b, heads, h, w)
        grid = (attention.shape[2], attention.shape[3])
        mask = attention_mask(attention.detach().flatten(2), grid, mass=self.mask)
        return Encoded(maps[-1].permute(0, 2, 3, 1), mask)

    def project(self, head: nn.Module, tokens: Tensor, mask: Tensor | None) -> Tensor:
        """``(..., n, d)`` features of the head, zero outside of the mask."""
        feats = head(tokens)
        if mask is not None:
            feats = feats * mask[..., None]
        return feats.flatten(-3, -2)

    @torch.no_grad()
    def _source(
        self, frames: Tensor, tokens: Tensor, masks: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """Features ``(b, t, n, d)`` that are balanced, and prototypes for them."""
        count = 1 if self.contrast.assign_frames == 'first' else frames.shape[1]
        if self.teacher is None:
            shown = None if masks is None else masks[:, :count]
            feats = self.project(self.head, tokens[:, :count], shown)
            return feats, self.prototypes.weight.detach()
        found = self.encode(self.teacher['backbone'], frames[:, :count].flatten(0, 1))
        feats = self.project(self.teacher['head'], *found)
        return feats.unflatten(0, (len(frames), count)), self._teacher_prototypes()

    def _teacher_prototypes(self) -> Tensor:
        assert self.teacher is not None
        prototypes: Any = self.teacher['prototypes']
        return prototypes.weight

    @torch.no_grad()
    def _renew_queue(self, source: Tensor, data_samples: list[dict]) -> Tensor | None:
        """Push random rows of ``(b, n, d)``; all rows if the queue is full."""
        if self.queue is None:
            return None
        noise = item_noise(
            clip_seeds(data_samples), 0, source.shape[1:2], source.device
        )
        chosen = noise.flatten().argsort()[: _PUSHED * len(source)]
        self.queue.push(source.flatten(0, 1)[chosen[: len(self.queue.rows)]])
        return self.queue.rows if self.queue.full() else None


def _freeze_others(backbone: nn.Module, unfrozen: Sequence[str]) -> None:
    """Take away the gradient of parameters whose names contain none of ``unfrozen``."""
    names = [name for name, _ in backbone.named_parameters()]
    for part in unfrozen:
        if not any(part in name for name in names):
            parts = sorted({name.rpartition('.')[0] for name in names})
            raise ValueError(
                f'unfrozen of TimeT has {part!r}, which no parameter of the backbone '
                f'contains. Its parameters lie in {parts}.'
            )
    for name, parameter in backbone.named_parameters():
        parameter.requires_grad_(any(part in name for part in unfrozen))


def _one_hot(labels: Tensor, number: int) -> Tensor:
    return nn.functional.one_hot(labels, number).float()
