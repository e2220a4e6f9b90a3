"""Values that follow a schedule: rates of the optimiser, attributes of the model."""

from __future__ import annotations

import logging
import numbers
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from mmengine.hooks import Hook
from mmengine.logging import print_log
from torch import Tensor, nn

from densecorr.engine.hooks.parts import method_of
from densecorr.ops.schedule import Schedule, make_schedule
from densecorr.registry import HOOKS
from densecorr.utils.suggest import suggest

Setter = Callable[[float], None]

_OF_OPTIMIZER = ('lr', 'weight_decay', 'momentum')
_KEYS = ('target', 'schedule', 'groups', 'absolute')


@HOOKS.register_module()
class ScheduledValuesHook(Hook):
    """Sets values before every iteration, each a function of the iteration alone.

    Nothing is remembered here, so a resumed run sets what an unbroken one sets. The
    initial values of the optimiser stay in its param groups (``initial_lr`` and so on)
    and in checkpoints.

    Args:
        values: one dict for each value:

            - ``target``: ``'lr'``, ``'weight_decay'`` or ``'momentum'`` of the
              optimiser (momentum is the first of Adam's betas); or the dotted name of
              a number of the model, such as ``'temperature'`` or
              ``'loss.temperature'``; or that of another hook, such as
              ``'EMATeacherHook.ema_decay'``.
            - ``schedule``: see :func:`densecorr.ops.schedule.make_schedule`. For the
              optimiser its value multiplies the initial one of each param group,
              elsewhere it is the value.
            - ``groups``: of the optimiser, numbers or names of param groups; all where
              left out.
            - ``absolute``: of the optimiser; True sets the schedule's value itself.

    Adds ``scheduled/<target>`` to the outputs for the log, but not the rates, which
    are logged anyway.

    Raises:
        KeyError: a key of an entry, or a schedule's type, is unknown.
        ValueError: a target does not exist, or two entries set the same one; told
            before the first iteration.
        TypeError: an argument of a schedule is wrong.
    """

    priority = 'VERY_HIGH'  # before every hook that may read the values

    def __init__(self, values: Sequence[Mapping[str, Any]]) -> None:
        self.values = [dict(entry) for entry in values]
        for entry in self.values:
            _check_keys(entry)
        self._set: list[tuple[str, Schedule, Setter]] = []

    def before_train(self, runner: Any) -> None:
        """Find the targets."""
        _note_initial(runner.optim_wrapper.optimizer)
        length, total = runner.train_loop.iters_per_epoch, runner.max_iters
        self._set, taken = [], set[tuple]()
        for entry in self.values:
            schedule = make_schedule(entry['schedule'], length, total)
            setter, places = self._find(runner, entry)
            if taken & places:
                raise ValueError(
                    f'ScheduledValuesHook sets {entry["target"]!r} twice. Give each '
                    'entry other groups, or one schedule of type product.'
                )
            taken |= places
            self._set.append((entry['target'], schedule, setter))

    def before_train_iter(
        self, runner: Any, batch_idx: int, data_batch: Any = None
    ) -> None:
        """Set the values of this iteration."""
        for _, schedule, setter in self._set:
            setter(schedule(runner.iter))

    def after_train_iter(
        self,
        runner: Any,
        batch_idx: int,
        data_batch: Any = None,
        outputs: dict | None = None,
    ) -> None:
        """Add the values that were used to the outputs, for the log."""
        if outputs is None:
            return
        for target, schedule, _ in self._set:
            if target not in _OF_OPTIMIZER:
                outputs[f'scheduled/{target}'] = schedule(runner.iter)

    def _find(self, runner: Any, entry: Mapping) -> tuple[Setter, set[tuple]]:
        """What sets the target, and the places that it sets."""
        target = entry['target']
        if target in _OF_OPTIMIZER:
            if target != 'weight_decay' and getattr(runner, 'param_schedulers', None):
                raise ValueError(
                    f'ScheduledValuesHook sets {target!r}, and the config has a '
                    'param_scheduler that may do so, too. Leave one of them out.'
                )
            groups = _choose_groups(runner.optim_wrapper.optimizer, entry.get('groups'))
            absolute = bool(entry.get('absolute', False))
            places = {(target, number) for number in groups}
            return _optimizer_setter(groups, target, absolute), places
        extra = sorted({'groups', 'absolute'} & set(entry))
        if extra:
            raise ValueError(
                f'{target!r} of ScheduledValuesHook is no value of the optimiser and '
                f'takes no {extra}.'
            )
        return _attribute_setter(runner, target, self), {(target,)}


def _check_keys(entry: Mapping) -> None:
    for key in entry:
        if key not in _KEYS:
            raise KeyError(
                f'an entry of ScheduledValuesHook has {key!r}. {suggest(key, _KEYS)}'
            )
    missing = [key for key in ('target', 'schedule') if key not in entry]
    if missing:
        raise KeyError(f'an entry of ScheduledValuesHook lacks {missing}: {entry}.')


def _note_initial(optimizer: torch.optim.Optimizer) -> None:
    """Keep the initial values in the param groups; a checkpoint carries them on."""
    for group in optimizer.param_groups:
        for field in _OF_OPTIMIZER:
            value = _get(group, field)
            if value is not None:
                group.setdefault(f'initial_{field}', float(value))


def _get(group: Mapping, field: str) -> Any:
    if field == 'momentum' and 'betas' in group:
        return group['betas'][0]
    return group.get(field)


def _choose_groups(
    optimizer: torch.optim.Optimizer, wanted: Sequence[int | str] | int | str | None
) -> dict[int, dict]:
    """Param groups by number.

    Raises:
        ValueError: one that is wanted does not exist.
    """
    groups = dict(enumerate(optimizer.param_groups))
    if wanted is None:
        return groups
    chosen: dict[int, dict] = {}
    for name in [wanted] if isinstance(wanted, (int, str)) else wanted:
        found = {n: g for n, g in groups.items() if name in (n, g.get('name'))}
        if not found:
            known = [str(g.get('name', n)) for n, g in groups.items()]
            raise ValueError(
                f'the optimiser has no param group {name!r}. '
                f'{suggest(str(name), known)}'
            )
        chosen.update(found)
    return chosen


def _optimizer_setter(groups: dict[int, dict], field: str, absolute: bool) -> Setter:
    """What sets a field of param groups.

    Raises:
        ValueError: they have no such field.
    """
    for number, group in groups.items():
        if _get(group, field) is None:
            known = [name for name in _OF_OPTIMIZER if _get(group, name) is not None]
            raise ValueError(
                f'param group {number} of the optimiser has no {field!r}; of what can '
                f'be scheduled it has {known}.'
            )

    def setter(value: float) -> None:
        for group in groups.values():
            new = value if absolute else value * group[f'initial_{field}']
            if field == 'momentum' and 'betas' in group:
                group['betas'] = (new, *group['betas'][1:])
            elif isinstance(group[field], Tensor):  # of capturable optimisers
                group[field].fill_(new)
            else:
                group[field] = new

    return setter


def _attribute_setter(runner: Any, target: str, own: Hook) -> Setter:
    """What sets a number of the model or of another hook.

    Raises:
        ValueError: there is none of this name; names the nearest ones.
    """
    model, (place, _, name) = method_of(runner), target.rpartition('.')
    hooks = [h for h in runner.hooks if type(h).__name__ == place and h is not own]
    modules = dict(model.named_modules())
    owners: list[Any] = hooks or ([modules[place]] if place in modules else [])
    owners = [owner for owner in owners if name in _numbers_of(owner)]
    if not owners:
        known = [*_OF_OPTIMIZER]
        for prefix, module in modules.items():
            known += [f'{prefix}.{n}'.lstrip('.') for n in _numbers_of(module)]
        for hook in runner.hooks:
            known += [f'{type(hook).__name__}.{n}' for n in _numbers_of(hook)]
        raise ValueError(
            f'ScheduledValuesHook cannot set {target!r}: neither the model nor a hook '
            f'has such a number. {suggest(target, known)}'
        )
    if len(owners) > 1:
        print_log(
            f'{target} is scheduled for {len(owners)} hooks alike',
            logger='current',
            level=logging.WARNING,
        )

    def setter(value: float) -> None:
        for owner in owners:
            old = getattr(owner, name)
            if isinstance(old, Tensor):
                old.fill_(value)
            else:
                setattr(owner, name, value)

    return setter


def _numbers_of(owner: Any) -> list[str]:
    """Names of attributes that can be scheduled: floats, ints, 0-dim float buffers."""
    found = [
        name
        for name, value in vars(owner).items()
        if not name.startswith('_')
        and isinstance(value, numbers.Real)
        and not isinstance(value, bool)
    ]
    if isinstance(owner, nn.Module):
        found += [
            name
            for name, value in owner.named_buffers(recurse=False)
            if value.dim() == 0 and value.is_floating_point()
        ]
    return found
