"""Evaluating a method while it trains, by the pieces that evaluate checkpoints."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from mmengine.config import Config

from densecorr.apis.config import resolve, tracker_config
from densecorr.engine.launch import Processes
from densecorr.models.methods.base import BaseMethod
from densecorr.registry import DATASETS, LOOPS, MODELS

_PREVIEW = 'PreviewHook'
_LOOP = 'VideoTestLoop'  # of tasks that name none
_ENTRY = ('task', 'name', 'tracker')

Validate = Callable[[str, Path], dict[str, float]]


def build_validation(
    cfg: Config,
    options: Mapping[str, Any] | None,
    method: BaseMethod,
    processes: Processes,
) -> Validate:
    """What a :class:`ValidationHook` calls: (task, folder) to numbers.

    Trackers and datasets of all tasks are built here once, so that a missing dataset
    is told before training. The weights are copied into a network of its own at every
    call: the method in training keeps its modes and statistics.

    Args:
        cfg: of the training; ``validation.tasks`` has tasks of it, see
            :func:`validation_tasks`, and ``validation.options`` changes for them by
            dotted key.
        options: of the command line.
        method: in training.
        processes: of this run.

    Raises:
        KeyError: a task, or its part of the protocol, does not exist.
        FileNotFoundError: the data of a task is not there.
    """
    changes = {**(options or {}), **(cfg.validation.get('options') or {})}
    loops = {}
    for name, entry in validation_tasks(cfg).items():
        task_cfg = resolve(cfg.filename, entry['task'], None, changes)
        if entry.get('tracker'):
            task_cfg.merge_from_dict({'tracker': entry['tracker']})
        tracker: Any = MODELS.build(tracker_config(task_cfg))
        loops[name] = (tracker.to(processes.device), task_cfg)
        DATASETS.build(task_cfg.test_dataset)

    def validate(name: str, folder: Path) -> dict[str, float]:
        tracker, task_cfg = loops[name]
        tracker.backbone.load_state_dict(method.backbone.state_dict())
        if getattr(tracker, 'head', None) is not None:
            tracker.head.load_state_dict(method.get_submodule('head').state_dict())
        loop: Any = LOOPS.build(
            dict(
                type=task_cfg.get('test_loop', _LOOP),
                runner=SimpleNamespace(model=tracker, call_hook=_nothing),
                dataloader=dict(dataset=task_cfg.test_dataset),
                evaluator=task_cfg.test_evaluator,
                out_dir=str(folder),
                title=f'validation, {name}',
            )
        )
        return loop.run()

    return validate


def validation_tasks(cfg: Config) -> dict[str, dict[str, Any]]:
    """What ``validation.tasks`` evaluates, by name.

    An entry is the name of a task, or ``dict(task=..., name=..., tracker=...)``, which
    is known as ``name`` and evaluated with these changes of the tracker, for example
    ``dict(backbone=dict(outputs=('key',)))`` for another layer.

    Raises:
        KeyError: an entry has unknown keys, or no task.
        ValueError: two entries have one name.
    """
    tasks: dict[str, dict[str, Any]] = {}
    for entry in cfg.validation.tasks:
        found = dict(task=entry) if isinstance(entry, str) else dict(entry)
        if 'task' not in found or not set(found) <= set(_ENTRY):
            raise KeyError(
                f'validation.tasks of {cfg.filename} has {found}; give the name of a '
                f'task, or a dict of {list(_ENTRY)}.'
            )
        name = found.setdefault('name', found['task'])
        if name in tasks:
            raise ValueError(
                f'validation.tasks of {cfg.filename} has two entries {name!r}. Give '
                'each a name of its own.'
            )
        tasks[name] = found
    return tasks


def with_preview_tasks(
    hooks: Sequence[Any], cfg: Config, options: Mapping[str, Any] | None
) -> list[Any]:
    """Hooks with ``PreviewHook(task=...)`` spelt out.

    The clip and the tracker are those of the task, unless the hook has its own.

    Raises:
        KeyError: the config has no such task.
        ValueError: the task tracks no video.
    """
    filled = []
    for hook in hooks:
        if isinstance(hook, Mapping) and hook.get('type') == _PREVIEW:
            hook = dict(hook)
            if 'task' in hook:
                task = hook.pop('task')
                task_cfg = resolve(cfg.filename, task, None, options)
                if task_cfg.get('test_loop', _LOOP) != _LOOP:
                    raise ValueError(
                        f'PreviewHook of {cfg.filename} has task {task!r}, which '
                        'tracks no video. Take one that does, for example davis.'
                    )
                hook.setdefault('video', task_cfg.test_dataset.to_dict())
                hook.setdefault('tracker', tracker_config(task_cfg))
        filled.append(hook)
    return filled


def _nothing(name: str, **kwargs: Any) -> None:
    """Hooks of the training hear nothing of an evaluation inside it."""
