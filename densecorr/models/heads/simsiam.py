"""The head of SimSiam: a projection, and a predictor of another view's projection."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor, nn

from densecorr.registry import MODELS
from densecorr.utils.ranks import rank_count


class Projected(NamedTuple):
    """Result of :class:`SimSiamHead`, of any length.

    Attributes:
        projections: ``(n, c)``, z.
        predictions: ``(n, c)``, p: what the projections of another view should be.
    """

    projections: Tensor
    predictions: Tensor


@MODELS.register_module()
class SimSiamHead(nn.Module):
    """Mean of a map, three linear layers with batch norm, and a predictor of two.

    The projection is Linear-BN-ReLU, Linear-BN-ReLU, Linear-BN; the predictor
    Linear-BN-ReLU, Linear. All linear layers have a bias. The layers are numbered as
    VFS numbers them: its ``img_head.*`` are this module's.

    Args:
        in_channels: of the maps.
        channels: of the projection, in all layers; None: ``in_channels``.
        predictor_channels: inside the predictor; None: a quarter of ``channels``, as in
            both networks of VFS.

    Shape: ``(n, in_channels, h, w)`` maps to ``(n, channels)`` each.

    Reference: Chen and He, CVPR 2021, arXiv:2011.10566. Official: xvjiarui/VFS
        ``mmaction/models/heads/sim_siam_head.py`` (8e055cc).
    """

    def __init__(
        self,
        in_channels: int,
        channels: int | None = None,
        predictor_channels: int | None = None,
    ) -> None:
        super().__init__()
        out = in_channels if channels is None else channels
        hidden = out // 4 if predictor_channels is None else predictor_channels
        for name, value in [
            ('in_channels', in_channels),
            ('channels', out),
            ('predictor_channels', hidden),
        ]:
            if value < 1:
                raise ValueError(f'{name} of SimSiamHead is {value}; give at least 1.')
        self.projection_fcs = nn.Sequential(
            *_linear_norm(in_channels, out),
            nn.ReLU(),
            *_linear_norm(out, out),
            nn.ReLU(),
            *_linear_norm(out, out),
        )
        self.predictor_fcs = nn.Sequential(
            *_linear_norm(out, hidden), nn.ReLU(), nn.Linear(hidden, out)
        )

    def forward(self, maps: Tensor) -> Projected:
        """Project ``(n, c, h, w)`` maps.

        Raises:
            ValueError: one image alone in training, which has no batch statistics.
        """
        plain = isinstance(self.projection_fcs[1], nn.BatchNorm1d)
        if self.training and len(maps) == 1 and (plain or rank_count() == 1):
            raise ValueError(
                'SimSiamHead has 1 image, whose batch norm has no statistics. Raise '
                'batch_size of train_dataloader to 2 or more.'
            )
        projections = self.projection_fcs(maps.mean((2, 3)))
        return Projected(projections, self.predictor_fcs(projections))


def _linear_norm(in_channels: int, channels: int) -> tuple[nn.Module, nn.Module]:
    return nn.Linear(in_channels, channels), nn.BatchNorm1d(channels)
