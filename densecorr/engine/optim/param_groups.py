"""Named groups of parameters with rates and weight decays of their own."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from mmengine.optim import OptimWrapper
from torch import nn

from densecorr.registry import OPTIM_WRAPPER_CONSTRUCTORS, OPTIM_WRAPPERS, OPTIMIZERS
from densecorr.utils.suggest import suggest

DEFAULT = 'default'  # group of parameters that no pattern names
_RULE_KEYS = ('patterns', 'lr_mult', 'decay_mult')
_KEYS = ('groups', 'no_decay_1d', 'layer_decay')
_BLOCK = re.compile(r'(.*\.)blocks\.(\d+)\.')
_AFTER_BLOCKS = ('norm.', 'fc_norm.', 'head.')


@dataclass(frozen=True)
class GroupRule:
    """Parameters that are trained alike.

    Args:
        name: of the group, by which schedules address it.
        patterns: shell patterns of whole parameter names, ``'backbone.*'``.
        lr_mult: multiplies the optimiser's rate.
        decay_mult: multiplies the optimiser's weight decay.
    """

    name: str
    patterns: tuple[str, ...] = field(default=())
    lr_mult: float = 1.0
    decay_mult: float = 1.0

    def matches(self, name: str) -> bool:
        """Whether a parameter of this name belongs here."""
        return any(fnmatchcase(name, pattern) for pattern in self.patterns)


@OPTIM_WRAPPER_CONSTRUCTORS.register_module()
class ParamGroupsConstructor:
    """Builds an OptimWrapper whose optimiser has named groups of parameters.

    A parameter belongs to the first entry of ``groups`` that matches its name, others
    to the group ``'default'``. A group of the config becomes several groups of the
    optimiser, all under its name, where weight decay or layers differ. Parameters
    without ``requires_grad`` are left out.

    Args:
        optim_wrapper_cfg: ``type``, ``optimizer`` and further arguments of the
            wrapper.
        paramwise_cfg: any of

            - ``groups``: dict of name to ``dict(patterns=[...], lr_mult=1.0,
              decay_mult=1.0)``.
            - ``no_decay_1d``: no weight decay for parameters of one dimension and for
              biases; False by default. (Class tokens and position tables have more.)
            - ``layer_decay``: ``dict(rate=0.75, backbone='backbone')``: the rate of
              a ViT's layer falls by this factor with every layer below the last one.

    Raises:
        KeyError: an unknown key.
        ValueError: values that make no sense; on a call, a pattern that matches no
            parameter, or a model without parameters to train.

    Reference:
        Layer-wise decay: Bao et al. (BEiT), ICLR 2022, arXiv:2106.08254, App. H.
    """

    def __init__(
        self,
        optim_wrapper_cfg: Mapping[str, Any],
        paramwise_cfg: Mapping[str, Any] | None = None,
    ) -> None:
        self.wrapper = {'type': 'OptimWrapper', **optim_wrapper_cfg}
        self.optimizer = dict(self.wrapper.pop('optimizer'))
        options = dict(paramwise_cfg or {})
        _check_keys('paramwise_cfg', options, _KEYS)
        self.rules = _read_rules(options.get('groups') or {})
        self.no_decay_1d = bool(options.get('no_decay_1d', False))
        self.layer_decay = options.get('layer_decay')

    def __call__(self, model: nn.Module) -> OptimWrapper:
        """The wrapper for a model, its groups in the order of its parameters."""
        groups = self.groups_of(getattr(model, 'module', model))
        optimizer = OPTIMIZERS.build({**self.optimizer, 'params': groups})
        return OPTIM_WRAPPERS.build({**self.wrapper, 'optimizer': optimizer})

    def groups_of(self, model: nn.Module) -> list[dict[str, Any]]:
        """Param groups: ``name``, ``params`` and, where they differ, their rates."""
        names = [name for name, _ in model.named_parameters()]
        for rule in self.rules:
            _check_patterns(rule, names, type(model).__name__)
        rates = _layer_rates(names, **self.layer_decay) if self.layer_decay else {}
        groups: dict[tuple[str, float, float], list[nn.Parameter]] = {}
        for name, parameter in model.named_parameters():
            if not parameter.requires_grad:
                continue
            found = (rule for rule in self.rules if rule.matches(name))
            rule = next(found, GroupRule(DEFAULT))
            flat = parameter.ndim <= 1 or name.split('.')[-1] == 'bias'
            decay = 0.0 if self.no_decay_1d and flat else rule.decay_mult
            key = (rule.name, rule.lr_mult * rates.get(name, 1.0), decay)
            groups.setdefault(key, []).append(parameter)
        if not groups:
            raise ValueError(
                f'{type(model).__name__} has no parameter that requires a gradient. '
                'Leave some of them trainable.'
            )
        return [self._group(*key, params) for key, params in groups.items()]

    def _group(
        self, name: str, lr_mult: float, decay_mult: float, params: list[nn.Parameter]
    ) -> dict[str, Any]:
        group: dict[str, Any] = dict(params=params, name=name)
        for value, mult in (('lr', lr_mult), ('weight_decay', decay_mult)):
            if value in self.optimizer:
                group[value] = self.optimizer[value] * mult
            elif mult == 0:
                group[value] = 0.0
            elif mult != 1:
                raise ValueError(
                    f'group {name!r} multiplies {value} by {mult}, but the optimizer '
                    f'of the config has none. Add optimizer.{value}.'
                )
        return group


def _read_rules(groups: Mapping[str, Mapping[str, Any]]) -> list[GroupRule]:
    rules = []
    for name, options in groups.items():
        _check_keys(f'group {name!r}', options, _RULE_KEYS)
        patterns: str | Sequence[str] = options.get('patterns', ())
        if name == DEFAULT or isinstance(patterns, str) or not patterns:
            raise ValueError(
                f'group {name!r} has patterns={patterns!r}; give a list of shell '
                f"patterns such as ['backbone.*'], and another name than {DEFAULT!r}."
            )
        mults = {k: float(v) for k, v in options.items() if k != 'patterns'}
        if min(mults.values(), default=0) < 0:
            raise ValueError(f'group {name!r} has {mults}; none should be negative.')
        rules.append(GroupRule(name, tuple(patterns), **mults))
    return rules


def _check_keys(what: str, options: Mapping, known: Sequence[str]) -> None:
    for key in options:
        if key not in known:
            raise KeyError(f'{what} has {key!r}. {suggest(key, known)}')


def _check_patterns(rule: GroupRule, names: Sequence[str], model: str) -> None:
    for pattern in rule.patterns:
        if not any(fnmatchcase(name, pattern) for name in names):
            parts = {f'{name.rpartition(".")[0]}.*' for name in names if '.' in name}
            raise ValueError(
                f'group {rule.name!r} has {pattern!r}, which matches no parameter of '
                f'{model}. {suggest(pattern, parts | set(names))}'
            )


def _layer_rates(
    names: Sequence[str], rate: float, backbone: str = 'backbone'
) -> dict[str, float]:
    """Factor of every parameter of a ViT; the stem is the layer below block 0.

    Raises:
        ValueError: the rate is not in (0, 1], or there are no blocks.
    """
    if not 0 < rate <= 1:
        raise ValueError(f'rate of layer_decay is {rate}; it should be in (0, 1].')
    own = [name for name in names if name.startswith(f'{backbone}.')]
    found = {name: match for name in own if (match := _BLOCK.match(name))}
    if not found:
        raise ValueError(
            f'layer_decay is for ViTs: {backbone!r} has no parameters called '
            "blocks.0.*. Name the ViT (layer_decay.backbone), or multiply by 'groups'."
        )
    depth = max(int(match[2]) for match in found.values()) + 1
    vit = next(iter(found.values()))[1]  # 'backbone.' or 'backbone.model.'
    layers = {}
    for name in own:
        if name in found:
            layers[name] = int(found[name][2]) + 1
        elif name.startswith(vit):
            last = name[len(vit) :].startswith(_AFTER_BLOCKS)
            layers[name] = depth + 1 if last else 0
    return {name: rate ** (depth + 1 - layer) for name, layer in layers.items()}
