"""What every training method shares."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

import torch
from mmengine.model import BaseModel
from torch import Tensor, nn

from densecorr.ops.color import rgb_to_lab
from densecorr.registry import MODELS

COLORS = ('rgb', 'lab')
LOSS = 'loss'  # outputs whose names hold it are added up, the others only logged


class NonFiniteLossError(RuntimeError):
    """A loss is NaN or infinite; raised before anything is updated.

    Attributes:
        values: every output of the step by name.
    """

    def __init__(self, values: dict[str, float]) -> None:
        self.values = values
        wrong = {name: value for name, value in values.items() if LOSS in name}
        super().__init__(f'the loss is not finite: {wrong}.')


class ImageNormalizer(nn.Module):
    """Images of a batch as a network takes them, on the batch's own device.

    Args:
        color: ``'rgb'``, images in [0, 1]; or ``'lab'``, L in [0, 100], a and b about
            in [-127, 127].
        mean: per channel.
        std: per channel.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self, mean: Sequence[float], std: Sequence[float], color: str = 'rgb'
    ) -> None:
        super().__init__()
        if color not in COLORS:
            raise ValueError(
                f'color is {color!r}; images of a batch are normalised as one of '
                f'{COLORS}. Other colour spaces are made by a transform of the '
                'pipeline.'
            )
        self.color = color
        if len(mean) != 3 or len(std) != 3 or min(std) <= 0:
            raise ValueError(
                f'mean is {tuple(mean)} and std {tuple(std)}: each needs three '
                'numbers, those of std positive.'
            )
        shape = (3, 1, 1)
        self.register_buffer('mean', torch.tensor(mean).view(shape), persistent=False)
        self.register_buffer('std', torch.tensor(std).view(shape), persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        """``(..., 3, H, W)`` to normalised float32.

        Uint8 images are RGB, for ``'lab'`` they are converted by the closed formula.
        Floats are in the colour space already.

        Raises:
            ValueError: the images have not three channels.
        """
        if images.dim() < 3 or images.shape[-3] != 3:
            raise ValueError(
                f'images are {tuple(images.shape)}, expected (..., 3, H, W). PackClip '
                'makes this shape.'
            )
        if images.dtype == torch.uint8:
            images = images.to(self.mean.dtype) / 255
            images = rgb_to_lab(images) if self.color == 'lab' else images
        return (images - self.mean) / self.std


class BaseMethod(BaseModel):
    """A backbone that learns; subclasses write :meth:`loss`.

    Args:
        backbone: config of the network that is evaluated afterwards.
        inputs: colour space, mean and std of the images; evaluation uses the same.
        train_inputs: those of training, where a paper trained with others.

    Attributes:
        backbone: the network.
        normalize: images of a batch to the network's input, see
            :class:`ImageNormalizer`.
        frozen: names of further networks that are never trained. Their weights are
            fields of the training config under these names.
    """

    frozen: tuple[str, ...] = ()

    def __init__(
        self, backbone: dict, inputs: dict, train_inputs: dict | None = None
    ) -> None:
        super().__init__()
        self.backbone: Any = MODELS.build(backbone)
        self.normalize = ImageNormalizer(**(train_inputs or inputs))

    def forward(
        self,
        inputs: dict[str, Tensor],
        data_samples: list[dict] | None = None,
        mode: str = LOSS,
    ) -> dict[str, Tensor]:
        """Losses of a batch; MMEngine's loops ask for nothing else here.

        Raises:
            ValueError: another mode.
        """
        if mode != LOSS:
            raise ValueError(
                f"mode is {mode!r}; a method gives 'loss' alone. Features come from "
                'its backbone, label maps from a VideoTracker.'
            )
        return self.loss(inputs, data_samples or [])

    @abstractmethod
    def loss(
        self, inputs: dict[str, Tensor], data_samples: list[dict]
    ) -> dict[str, Tensor]:
        """Named scalars of a batch.

        Args:
            inputs: ``frames`` ``(b, t, ..., 3, H, W)`` uint8 and what else is packed.
            data_samples: of each clip, see :mod:`densecorr.structures`.

        Returns:
            0-dim tensors; those with ``loss`` in their name are added up and
            minimised, the others are logged.
        """

    def parse_losses(
        self, losses: dict[str, Tensor]
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """The sum that is minimised, and what is logged.

        Raises:
            NonFiniteLossError: the sum is NaN or infinite.
        """
        total, outputs = super().parse_losses(losses)
        outputs = {name: value.detach() for name, value in outputs.items()}
        if not torch.isfinite(total):
            raise NonFiniteLossError({k: float(v) for k, v in outputs.items()})
        return total, outputs


def clip_seeds(data_samples: Sequence[dict]) -> list[int]:
    """Noise seeds of the clips of a batch, for :func:`densecorr.ops.noise.item_noise`.

    Raises:
        ValueError: there is no clip, or one has no seed.
    """
    if not data_samples or any('seed' not in sample for sample in data_samples):
        raise ValueError(
            'the clips of the batch carry no `seed`, from which their noise is drawn. '
            'Pack them with PackClip, or give the noise as an input.'
        )
    return [int(sample['seed']) for sample in data_samples]
