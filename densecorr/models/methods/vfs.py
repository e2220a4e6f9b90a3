"""VFS: frames of one video look alike, as a whole."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from densecorr.ops.monitors import feature_std
from densecorr.registry import MODELS

from .base import BaseMethod

_CLIPS = 2


@MODELS.register_module()
class VFS(BaseMethod):
    """Video frame-level similarity: SimSiam on two groups of frames of a video.

    The first half of a clip's frames is one group, the second half the other. The two
    pass the network one after the other, so each has batch statistics of its own.
    Training takes the last stage at stride 32; for tracking the config's ``tracker``
    changes strides and stage, the weights are the same.

    Args:
        backbone: config of the network; the last of its maps is used.
        inputs: see :class:`BaseMethod`.
        head: config of the head, ``in_channels`` is filled in, see
            :class:`SimSiamHead`.
        loss: config of the loss, see :class:`SimSiamLoss`.
        train_inputs: see :class:`BaseMethod`.

    Reads ``frames``: ``(b, 2 t, 3, H, W)``, as ``VFSSampler`` draws them.

    Reference: Xu and Wang, ICCV 2021, arXiv:2103.17263. Official: xvjiarui/VFS
        ``mmaction/models/trackers/sim_siam_base_tracker.py`` (8e055cc).
    """

    def __init__(
        self,
        backbone: dict,
        inputs: dict,
        head: dict | None = None,
        loss: dict | None = None,
        train_inputs: dict | None = None,
    ) -> None:
        super().__init__(backbone, inputs, train_inputs)
        channels = self.backbone.channels[-1]
        head = {'type': 'SimSiamHead', 'in_channels': channels, **(head or {})}
        self.head: Any = MODELS.build(head)
        self.similarity: Any = MODELS.build({'type': 'SimSiamLoss', **(loss or {})})

    def loss(
        self, inputs: dict[str, Tensor], data_samples: list[dict]
    ) -> dict[str, Tensor]:
        """``loss_similarity``, in [0, 4], and the spread of the projections.

        Raises:
            ValueError: frames of another shape than the class says, or a single image
                in a group.
        """
        frames = inputs['frames']
        if frames.ndim != 5 or frames.shape[1] < _CLIPS or frames.shape[1] % _CLIPS:
            raise ValueError(
                f'frames of VFS are {tuple(frames.shape)}; give (b, t, 3, H, W) with '
                'an even number t of frames, the first half of which is compared with '
                'the second. Set num_frames of VFSSampler to 2, 4, 6, ...'
            )
        first, second = (self.embed(half) for half in frames.chunk(_CLIPS, dim=1))
        losses = self.similarity(first[1], first[0], second[1], second[0])
        return dict(loss_similarity=losses.mean(), feature_std=feature_std(first[0]))

    def embed(self, frames: Tensor) -> tuple[Tensor, Tensor]:
        """Projections and predictions, ``(b, t, c)`` each, of ``(b, t, 3, H, W)``."""
        maps = self.backbone(self.normalize(frames).flatten(0, 1))[
            -1
        ]  # (b * t, c, h, w)
        projected = self.head(maps)
        z, p = (feats.unflatten(0, frames.shape[:2]) for feats in projected)
        return z, p
