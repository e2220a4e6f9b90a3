"""CRW: features that let a random walker find its way home."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from densecorr.ops.monitors import feature_std
from densecorr.ops.noise import item_noise
from densecorr.ops.walk import MIN_FRAMES, check_rate, dropped_edges
from densecorr.registry import MODELS

from .base import BaseMethod, clip_seeds

DROPS = ('drop_forward', 'drop_backward')  # their places are their noise streams


@MODELS.register_module()
class CRW(BaseMethod):
    """Contrastive random walk over patches or over positions of a feature map.

    A clip of patches has a node for each patch: the mean of its map. A clip of whole
    frames has a node for each position of the map. The head makes nodes of length 1,
    the loss walks over them. Statistics of batch norms run over all images of the
    batch together.

    Args:
        backbone: config of the network; the last of its maps is used.
        inputs: see :class:`BaseMethod`.
        head: of the nodes, ``in_channels`` is filled in. The default is one linear
            layer to 128 channels.
        loss: config of the loss, see :class:`RandomWalkLoss`.
        edge_dropout: share of edges, in [0, 1), that a walker cannot take, drawn anew
            for every clip and direction.
        feature_dropout: dropout of the maps before they become nodes, in [0, 1).
        train_inputs: see :class:`BaseMethod`.

    Reads ``frames``: ``(b, t, n, 3, p, p)`` patches or ``(b, t, 3, H, W)`` frames, t of
    at least 3, and each clip's ``seed``. ``drop_forward`` and ``drop_backward``,
    ``(b, t - 1, n, n)`` bool among the inputs, take the place of drawn edges.

    Reference: Jabri, Owens and Efros, NeurIPS 2020, arXiv:2006.14613. Official:
        ajabri/videowalk ``code/model.py``, ``code/train.py`` (047f3f4).
    """

    def __init__(
        self,
        backbone: dict,
        inputs: dict,
        head: dict | None = None,
        loss: dict | None = None,
        edge_dropout: float = 0.1,
        feature_dropout: float = 0.0,
        train_inputs: dict | None = None,
    ) -> None:
        super().__init__(backbone, inputs, train_inputs)
        check_rate('edge_dropout of CRW', edge_dropout)
        check_rate('feature_dropout of CRW', feature_dropout)
        channels = self.backbone.channels[-1]
        head = {'type': 'ProjectionHead', 'in_channels': channels, **(head or {})}
        self.head: Any = MODELS.build(head)
        self.walk: Any = MODELS.build({'type': 'RandomWalkLoss', **(loss or {})})
        self.edge_dropout = edge_dropout
        self.feature_dropout = nn.Dropout(feature_dropout)

    def nodes(self, frames: Tensor) -> Tensor:
        """Nodes of length 1, ``(b, t, n, c)``.

        Args:
            frames: ``(b, t, n, 3, p, p)`` patches, a node each, or ``(b, t, 3, H, W)``
                frames, whose nodes are the positions of the map, row-major.

        Raises:
            ValueError: frames of another number of axes.
        """
        if frames.ndim not in (5, 6):
            raise ValueError(
                f'frames of CRW are {tuple(frames.shape)}; give patches (b, t, n, 3, '
                'p, p), which PatchGrid makes, or whole frames (b, t, 3, H, W).'
            )
        images = self.normalize(frames)
        maps = self.backbone(images.flatten(0, -4))[-1]  # (b * t * n, c, h, w)
        feats = self.feature_dropout(maps).flatten(2).transpose(1, 2)
        if frames.ndim == 6:
            feats = feats.mean(1)  # (b * t * n, c)
        return self.head(feats).reshape(*frames.shape[:2], -1, self.head.out_channels)

    def loss(
        self, inputs: dict[str, Tensor], data_samples: list[dict]
    ) -> dict[str, Tensor]:
        """``loss_walk``, the accuracy of each cycle, and the spread of the nodes.

        Raises:
            ValueError: frames of another shape than the class says, fewer than three,
                or one of the two inputs of dropped edges alone.
        """
        frames = inputs['frames']
        if frames.ndim > 1 and frames.shape[1] < MIN_FRAMES:
            raise ValueError(
                f'clips of CRW have {frames.shape[1]} frames; a walk that teaches '
                f'needs at least {MIN_FRAMES}. Raise num_frames of the clip sampler.'
            )
        nodes = self.nodes(frames)
        walk = self.walk(nodes, *self._drops(nodes, inputs, data_samples))
        losses = dict(loss_walk=walk.loss)
        for length, accuracy in enumerate(walk.cycle_accuracies, 2):
            losses[f'accuracy_{length}_steps'] = accuracy
        return {**losses, 'feature_std': feature_std(nodes)}

    def _drops(
        self, nodes: Tensor, inputs: dict[str, Tensor], data_samples: list[dict]
    ) -> list[Tensor | None]:
        """Edges to drop forward and backward."""
        given = [name for name in DROPS if name in inputs]
        if given:
            if len(given) < len(DROPS):
                raise ValueError(f'inputs of CRW have only {given}; give {DROPS}.')
            return [inputs[name] for name in DROPS]
        if not (self.training and self.edge_dropout):
            return [None, None]
        _, t, n, _ = nodes.shape
        seeds, shape = clip_seeds(data_samples), (t - 1, n, n)
        streams = range(len(DROPS))
        noise = [item_noise(seeds, stream, shape, nodes.device) for stream in streams]
        return [dropped_edges(values, self.edge_dropout) for values in noise]
