"""MoCo v2: two views of an image agree, those of other images do not."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn

from densecorr.models.layers.key_queue import KeyQueue
from densecorr.ops.monitors import feature_std
from densecorr.ops.noise import item_noise
from densecorr.registry import MODELS
from densecorr.utils.ranks import exchange_ranks, gather_ranks, rank_count

from .base import BaseMethod, clip_seeds

_VIEWS = 2
_TOP = (1, 5)  # places in the accuracies


@MODELS.register_module()
class MoCoV2(BaseMethod):
    """Momentum contrast with a multilayer head, the first step of Spa-then-Temp.

    A query is the first view of an image through backbone and head; its key is the
    second view through the teacher, whose weights follow (``EMATeacherHook``, one for
    ``backbone`` and one for ``head``, ``buffers='keep'``). Negatives are the keys of
    earlier batches.

    Batch norms of the teacher could tell a key by the images that it shared a batch
    with. So processes exchange images before the teacher and keys after it, in an order
    drawn from the clips' seeds; with one process, or with ``sync_bn``, that changes
    nothing.

    Args:
        backbone: config of the network; the last of its maps is used.
        inputs: see :class:`BaseMethod`.
        head: config of the head, ``in_channels`` is filled in. The default is one
            hidden layer, 128 channels and length 1.
        loss: config of the loss, see :class:`InfoNCELoss`.
        queue_length: negatives, a multiple of the images of all processes' batches.
        shuffle: exchange images between processes before the teacher.
        train_inputs: see :class:`BaseMethod`.

    Reads ``frames``: ``(b, 2, 3, H, W)``, two views of each image, and each clip's
    ``seed``.

    Reference: Chen et al., arXiv:2003.04297; He et al., CVPR 2020, arXiv:1911.05722.
        Official: facebookresearch/moco ``moco/builder.py``, ``main_moco.py``.
    """

    def __init__(
        self,
        backbone: dict,
        inputs: dict,
        head: dict | None = None,
        loss: dict | None = None,
        queue_length: int = 65536,
        shuffle: bool = True,
        train_inputs: dict | None = None,
    ) -> None:
        super().__init__(backbone, inputs, train_inputs)
        channels = self.backbone.channels[-1]
        default = dict(type='ProjectionHead', in_channels=channels, depth=1)
        self.head: Any = MODELS.build({**default, **(head or {})})
        self.contrast: Any = MODELS.build({'type': 'InfoNCELoss', **(loss or {})})
        parts = dict(backbone=self.backbone, head=self.head)
        self.teacher = nn.ModuleDict(copy.deepcopy(parts)).requires_grad_(False)
        self.queue = KeyQueue(queue_length, self.head.out_channels)
        self.shuffle = shuffle

    def loss(
        self, inputs: dict[str, Tensor], data_samples: list[dict]
    ) -> dict[str, Tensor]:
        """``loss_contrast``, how often the key is found, and the queries' spread.

        Raises:
            ValueError: frames of another shape than the class says, or a queue that is
                no multiple of the batch.
        """
        frames = inputs['frames']
        if frames.ndim != 5 or frames.shape[1] != _VIEWS:
            raise ValueError(
                f'frames of MoCoV2 are {tuple(frames.shape)}; give two views of each '
                'image, (b, 2, 3, H, W): ClipRepeat and then transforms per_frame.'
            )
        self.queue.check(len(frames) * rank_count())
        queries = self.embed(frames[:, 0], self.backbone, self.head)
        keys = self.keys_of(frames[:, 1], data_samples)
        found = self.contrast(queries, keys, self.queue.keys.clone())
        self.queue.push(gather_ranks(keys).flatten(0, 1))
        losses = dict(loss_contrast=found.losses.mean())
        for top in _TOP:
            losses[f'accuracy_top{top}'] = (found.places < top).float().mean()
        return {**losses, 'feature_std': feature_std(queries)}

    def embed(self, images: Tensor, backbone: nn.Module, head: nn.Module) -> Tensor:
        """``(b, 3, H, W)`` images to ``(b, c)`` of length 1."""
        maps = backbone(self.normalize(images))[-1]
        return head(maps.mean((2, 3)))

    @torch.no_grad()
    def keys_of(self, images: Tensor, data_samples: list[dict]) -> Tensor:
        """The teacher's ``(b, c)`` keys of ``(b, 3, H, W)`` images."""
        parts = self.teacher['backbone'], self.teacher['head']
        if not self.shuffle or rank_count() == 1:
            return self.embed(images, *parts)
        noise = item_noise(clip_seeds(data_samples), 0, (), images.device)  # (b,)
        order = gather_ranks(noise).flatten().argsort(stable=True)
        keys = self.embed(exchange_ranks(images, order), *parts)
        return exchange_ranks(keys, order.argsort())
