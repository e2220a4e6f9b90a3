"""Several papers' losses on one backbone, from a config alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from densecorr.ops.gradients import gradient_agreement
from densecorr.registry import MODELS
from densecorr.utils.suggest import suggest

from .base import LOSS, BaseMethod

_SEED = 'seed'


@MODELS.register_module()
class Mixed(BaseMethod):
    """The weighted sum of the losses of several methods that share a backbone.

    Every part is a method as it is, built from its own config with the backbone and the
    inputs of this one. Its heads, teachers and queues are its own; its backbone has the
    weights of the common one. Parts see the same clips and read of their inputs what
    they know. The first part draws the noise that it would draw alone, the others draw
    from seeds of their own.

    Args:
        backbone: config of the common network.
        inputs: see :class:`BaseMethod`.
        parts: name to the config of a method, without ``inputs``, and

            - ``weight``: of all of its losses, above 0; 1 where it is left out;
            - ``loss_weights``: name of one of its losses to a further factor;
            - ``frames``: numbers of the frames of a clip that the part sees, from 0;
              all where it is left out;
            - ``backbone``: what the part takes of the network in another way, for
              example ``dict(out_indices=(2,))``.

            A part that is None is left out.
        train_inputs: see :class:`BaseMethod`.

    Attributes:
        parts: the methods by name; ``parts.<name>.weight`` can be scheduled.
        measure_gradients: put out how the parts pull at the backbone, see
            :class:`densecorr.engine.hooks.LossGradientsHook`, which sets it.

    Outputs are those of the parts as ``<part>/<output>``, losses with their weights.
    """

    def __init__(
        self,
        backbone: dict,
        inputs: dict,
        parts: Mapping[str, Mapping[str, Any] | None],
        train_inputs: dict | None = None,
    ) -> None:
        super().__init__(backbone, inputs, train_inputs)
        given = {name: dict(part) for name, part in parts.items() if part is not None}
        _check_names(given)
        self.loss_weights, self.frames = (
            {name: part.pop(key, None) for name, part in given.items()}
            for key in ('loss_weights', 'frames')
        )
        common = dict(inputs=inputs, train_inputs=train_inputs)
        built = {
            name: _build_part(name, part, backbone, common)
            for name, part in given.items()
        }
        for name, part in built.items():
            lend_backbone(part, self.backbone, name)
        self.parts = nn.ModuleDict(built)
        self.measure_gradients = False

    def train(self, mode: bool = True) -> Mixed:
        """Parts and what they see of the backbone follow."""
        super().train(mode)
        for part in self._methods().values():
            part.backbone.train(mode)
        return self

    def loss(
        self, inputs: dict[str, Tensor], data_samples: list[dict]
    ) -> dict[str, Tensor]:
        """Outputs of all parts; gradients of their losses where they are asked for.

        Raises:
            KeyError: ``loss_weights`` name a loss that the part does not put out.
            ValueError: ``frames`` of a part are not in the clips.
        """
        outputs: dict[str, Tensor] = {}
        totals = {}
        for number, (name, part) in enumerate(self._methods().items()):
            seen = _chosen_frames(name, inputs, self.frames[name])
            found = part.loss(seen, _with_own_seeds(data_samples, number))
            found = self._weighted(name, part.weight, found)
            outputs |= {f'{name}/{key}': value for key, value in found.items()}
            losses = [value for key, value in found.items() if LOSS in key]
            totals[name] = torch.stack(losses).sum()
        if self.measure_gradients and torch.is_grad_enabled():
            outputs |= self._gradients(totals)
        return outputs

    def _methods(self) -> dict[str, Any]:
        return dict(self.parts.items())

    def _weighted(
        self, name: str, weight: float, found: dict[str, Tensor]
    ) -> dict[str, Tensor]:
        """Outputs of a part with its losses weighted."""
        single = self.loss_weights[name] or {}
        losses = [key for key in found if LOSS in key]
        for key in single:
            if key not in losses:
                raise KeyError(
                    f'loss_weights of part {name!r} of Mixed name {key!r}, which is no '
                    f'loss of {type(self.parts[name]).__name__}. '
                    f'{suggest(key, losses)}'
                )
        factors = {key: weight * single.get(key, 1.0) for key in losses}
        return {key: value * factors.get(key, 1) for key, value in found.items()}

    def _gradients(self, totals: dict[str, Tensor]) -> dict[str, Tensor]:
        shared = [p for p in self.backbone.parameters() if p.requires_grad]
        found = gradient_agreement(totals, shared)
        norms = {f'gradients/norm_{name}': x for name, x in found.norms.items()}
        cosines = {
            f'gradients/cosine_{one}_{other}': x
            for (one, other), x in found.cosines.items()
        }
        return {**norms, **cosines}


def lend_backbone(part: BaseMethod, network: nn.Module, name: str) -> None:
    """Give a method the weights of a network, which stays the owner.

    The method's backbone keeps its own settings, such as ``out_indices``; its layers
    are those of the network from now on. It is no submodule of the method any more, so
    that a state dict has the weights once.

    Args:
        part: its backbone was built from the config of the network.
        network: whose layers are shared.
        name: of the part, for the error.

    Raises:
        ValueError: the method's backbone has other tensors than the network.
    """
    own = part.backbone
    shapes = [
        {key: tuple(x.shape) for key, x in module.state_dict().items()}
        for module in (own, network)
    ]
    if shapes[0] != shapes[1]:
        raise ValueError(
            f'part {name!r} of Mixed changes its backbone to another network than the '
            'common one. Change what it takes of it, such as out_indices, or the '
            'common backbone.'
        )
    for kind in ('_modules', '_parameters', '_buffers'):
        getattr(own, kind).update(getattr(network, kind))
    del part.backbone
    object.__setattr__(part, 'backbone', own)  # a plain attribute


def _build_part(
    name: str, config: dict[str, Any], backbone: dict, common: dict[str, Any]
) -> BaseMethod:
    kind = MODELS.get(str(config.get('type')))
    if not (isinstance(kind, type) and issubclass(kind, BaseMethod)) or kind is Mixed:
        raise ValueError(
            f'part {name!r} of Mixed has type {config.get("type")!r}, which is no '
            'method that can be a part. Take one of densecorr.models.methods, such as '
            'CatMAE or CRW.'
        )
    weight = config.pop('weight', 1.0)
    if not weight > 0:
        raise ValueError(
            f'weight of part {name!r} of Mixed is {weight}; give a number above 0, or '
            f'leave the part out: model.parts.{name}=None.'
        )
    changes = config.pop('backbone', {})
    if common['train_inputs'] is None:
        common = dict(inputs=common['inputs'])
    part: Any = MODELS.build({**config, **common, 'backbone': {**backbone, **changes}})
    frozen = [net for net in part.frozen if getattr(part, net, None) is not None]
    if frozen:
        raise ValueError(
            f'part {name!r} of Mixed has {frozen}, networks that are never trained and '
            'whose weights no field of a mixed config gives. Set them to None.'
        )
    part.weight = float(weight)
    return part


def _check_names(parts: Mapping[str, Any]) -> None:
    wrong = [name for name in parts if not name.isidentifier() or LOSS in name]
    if wrong or not parts:
        raise ValueError(
            f'parts of Mixed are {list(parts)}; give at least one, under plain names '
            f'without {LOSS!r}, which tells losses from other outputs.'
        )


def _chosen_frames(
    name: str, inputs: dict[str, Tensor], chosen: Sequence[int] | None
) -> dict[str, Tensor]:
    """Inputs with some of the frames ``(b, t, ...)``."""
    if chosen is None:
        return inputs
    count = inputs['frames'].shape[1]
    if not all(0 <= number < count for number in chosen):
        raise ValueError(
            f'part {name!r} of Mixed sees frames {list(chosen)}; the clips have frames '
            f'0 to {count - 1}. Let the clip sampler draw more.'
        )
    return {**inputs, 'frames': inputs['frames'][:, list(chosen)]}


def _with_own_seeds(data_samples: list[dict], number: int) -> list[dict]:
    """Samples with seeds of a part; those of the first one stay."""
    if not number:
        return data_samples
    return [
        {**sample, _SEED: _own_seed(sample[_SEED], number)}
        if _SEED in sample
        else sample
        for sample in data_samples
    ]


def _own_seed(seed: int, number: int) -> int:
    state = np.random.SeedSequence((seed, number)).generate_state(1, np.uint64)
    return int(state[0]) >> 1  # below 2**63
