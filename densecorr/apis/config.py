"""Resolving a config: the task, the protocol, options, and the tracker they make."""

from __future__ import annotations

import copy
import difflib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mmengine.config import Config

from densecorr.registry import DATASETS, MODELS, PROTOCOLS
from densecorr.utils.paths import config_root
from densecorr.utils.plain_config import PlainConfig
from densecorr.utils.suggest import suggest

_TASK = 'task_'
_NEW = 'new:'
_TEST_FIELDS = ('test_dataset', 'test_evaluator', 'task')
_PROTOCOLS = Path('_base_') / 'protocols'
_SEGMENTATION = 'segmentation'
_TRACKER_PARTS = ('backbone', 'inputs')


def load_config(path: str | Path) -> Config:
    """Read a config file; ``configs/...`` is also looked for where densecorr is.

    Raises:
        FileNotFoundError: there is no such file; names the nearest configs.
    """
    path = Path(path)
    shipped = config_root().joinpath(*path.parts[1:])
    if not path.is_file() and path.parts[:1] == ('configs',) and shipped.is_file():
        path = shipped
    if not path.is_file():
        near = difflib.get_close_matches(
            path.as_posix(), [p.as_posix() for p in _config_files(path)], cutoff=0.4
        )
        hint = f' Did you mean {" or ".join(near)}?' if near else ''
        raise FileNotFoundError(
            f'There is no config {path}.{hint} Configs lie in configs/test and '
            'configs/train.'
        )
    return PlainConfig.of(Config.fromfile(str(path)))


def task_names(cfg: Config) -> list[str]:
    """Tasks that a config offers: its keys ``task_<name>``."""
    return sorted(key[len(_TASK) :] for key in cfg if key.startswith(_TASK))


def apply_task(cfg: Config, task: str) -> Config:
    """Lay ``cfg.task_<task>`` over the test fields; works on a copy.

    A task names the dataset, the metrics, and the part of the protocol that it uses.
    Those of ``_base_/tasks/segmentation`` belong to every config.

    Raises:
        KeyError: the config has no such task, or the task lacks a field.
    """
    cfg = copy.deepcopy(cfg)
    shared = segmentation_tasks(cfg)
    if task in shared and _TASK + task not in cfg:
        cfg.merge_from_dict(Config.fromfile(str(shared[task])).to_dict())
    known = task_names(cfg)
    if task not in known:
        names = [*known, *shared]
        raise KeyError(
            f'{_name(cfg)} has no task {task!r}. {suggest(task, names)} Add '
            f"'../_base_/tasks/{task}.py' to its _base_ to have it."
        )
    fields = cfg[_TASK + task]
    missing = [field for field in _TEST_FIELDS if field not in fields]
    if missing:
        raise KeyError(
            f'{_TASK}{task} of {_name(cfg)} lacks {missing}; a task has '
            f'{list(_TEST_FIELDS)}.'
        )
    for field in fields:
        cfg[field] = copy.deepcopy(fields[field])
    return cfg


def protocol_files(cfg: Config | None = None) -> dict[str, Path]:
    """Known protocols by name: the files of ``_base_/protocols``.

    They are looked for above the config, in ``configs`` of the working directory, and
    among the configs of densecorr; the first of a name counts.
    """
    return _files_of(_PROTOCOLS, cfg)


def segmentation_tasks(cfg: Config | None = None) -> dict[str, Path]:
    """Tasks that every config has, by name: files of ``_base_/tasks/segmentation``."""
    return _files_of(Path('_base_') / 'tasks' / _SEGMENTATION, cfg)


def _files_of(folder: Path, cfg: Config | None) -> dict[str, Path]:
    """Config files of a folder of ``configs``, by name; the first of a name counts."""
    roots: list[Path] = []
    if cfg is not None and cfg.filename:
        roots += list(Path(cfg.filename).resolve().parents)
    roots += [Path('configs'), config_root()]
    files: dict[str, Path] = {}
    for root in roots:
        for path in sorted((root / folder).glob('*.py')):
            files.setdefault(path.stem, path)
    return files


def apply_protocol(cfg: Config, protocol: str, segmentation: bool = False) -> Config:
    """Replace ``cfg.protocol`` by a known one, or by that of a file; works on a copy.

    Args:
        cfg: a config.
        protocol: a name in ``configs/_base_/protocols``, a name that a plugin has
            registered in ``PROTOCOLS``, or the path of a ``.py`` file that defines
            ``protocol``.
        segmentation: names of ``_base_/protocols/segmentation`` come first.

    Raises:
        KeyError: no such protocol; names the known and the nearest ones.
    """
    known = protocol_files(cfg)
    if segmentation:
        known |= _files_of(_PROTOCOLS / _SEGMENTATION, cfg)
    path = known.get(protocol)
    if path is None and Path(protocol).suffix == '.py' and Path(protocol).is_file():
        path = Path(protocol)
    if path is None and protocol in PROTOCOLS.module_dict:
        cfg = copy.deepcopy(cfg)
        cfg.protocol = PROTOCOLS.build(dict(type=protocol))
        return cfg
    if path is None:
        names = [*known, *PROTOCOLS.module_dict]
        raise KeyError(
            f'there is no protocol {protocol!r}. {suggest(protocol, names)} A path of '
            'a .py file that defines `protocol` works too.'
        )
    source = Config.fromfile(str(path))
    if 'protocol' not in source:
        raise KeyError(f'{path} defines no `protocol`; it has {sorted(source)}.')
    cfg = copy.deepcopy(cfg)
    cfg.protocol = source.protocol
    return cfg


def apply_options(cfg: Config, options: Mapping[str, Any] | None) -> Config:
    """Change fields of a config by dotted keys; works on a copy.

    A key must exist in the config, so that a misspelt one is never ignored. The prefix
    ``new:`` adds a key that the config does not have, for example
    ``{'new:model.chunk': 4}``; the constructor that gets it still refuses names that
    it does not know.

    Raises:
        KeyError: a key does not exist; names the nearest known ones.
    """
    cfg = copy.deepcopy(cfg)
    for key, value in (options or {}).items():
        path = key.removeprefix(_NEW)
        if path == key:
            _check_key(cfg, path)
        try:
            cfg.merge_from_dict({path: value}, allow_list_keys=True)
        except KeyError as error:
            raise KeyError(
                f'--cfg-options {key}: {error.args[0]}. The config has no such entry.'
            ) from error
    return cfg


def tracker_config(cfg: Config) -> dict[str, Any]:
    """Config of the tracker that evaluates ``cfg.model`` by ``cfg.protocol``.

    A model that is not a tracker, such as a method in training, is replaced by a
    tracker of its backbone and its inputs. ``cfg.tracker`` has what these change for
    evaluation without slots, for example ``dict(backbone=dict(out_indices=(2,)))``.

    Raises:
        KeyError: the config lacks the model, its parts, or the protocol.
    """
    for field, file in (('model', 'models'), ('protocol', 'protocols')):
        if field not in cfg:
            raise KeyError(
                f'{_name(cfg)} has no `{field}`. Add a file of _base_/{file} to its '
                '_base_.'
            )
    model, wanted = cfg.model.to_dict(), cfg.get('test_model', 'VideoTracker')
    slots: dict[str, Any] = {}
    if model.get('type') != wanted:
        missing = [part for part in _TRACKER_PARTS if part not in model]
        if missing:
            raise KeyError(
                f'model of {_name(cfg)} lacks {missing}; a tracker is made of '
                f'{list(_TRACKER_PARTS)}.'
            )
        kept = {part: model[part] for part in _TRACKER_PARTS}
        slots = _slots_of(model, wanted)
        model = {**kept, **slots, 'type': wanted}
    for part, changes in cfg.get('tracker', {}).items():
        if part not in _TRACKER_PARTS:
            raise KeyError(
                f'tracker of {_name(cfg)} has {part!r}; it changes what evaluation '
                f'takes of the model: {list(_TRACKER_PARTS)}.'
            )
        if not slots:  # they need the features that they learned from
            model[part] = {**model[part], **changes}
    if 'limits' in cfg:
        model['limits'] = cfg.limits.to_dict()
    return {**model, 'protocol': protocol_part(cfg)}


def _slots_of(model: Mapping[str, Any], wanted: str) -> dict[str, Any]:
    """The head of a method with slots, where the wanted model takes one."""
    if not hasattr(MODELS.get(model['type']), 'slots_of'):
        return {}
    parts = getattr(MODELS.get(wanted), 'extra_parts', ())
    return {part: model.get(part) or {} for part in parts}


def protocol_part(cfg: Config) -> dict[str, Any]:
    """What the protocol says about the task.

    Raises:
        KeyError: the protocol says nothing about the task.
    """
    protocol, task = cfg.protocol.to_dict(), cfg.task
    if task not in protocol:
        known = sorted(k for k, v in protocol.items() if isinstance(v, dict))
        raise KeyError(
            f'protocol {protocol.get("name")!r} has no part for task {task!r}; it has '
            f'{known}. Choose another --protocol.'
        )
    return protocol[task]


def print_form(
    config: str | Path,
    task: str | None = None,
    protocol: str | None = None,
    options: Mapping[str, Any] | None = None,
) -> str:
    """The text of a config with task, protocol and options applied."""
    return resolve(config, task, protocol, options).pretty_text


def resolve(
    config: str | Path,
    task: str | None = None,
    protocol: str | None = None,
    options: Mapping[str, Any] | None = None,
) -> Config:
    """Read a config and apply task, protocol and options.

    The protocol names the decoder of the images, so the dataset of the task gets it;
    and what its numbers were measured on (``data``) and with (``metric``), which the
    dataset and the first metric get, unless ``options`` say something else.
    ``protocol = dict(type=NAME)`` in a config is one that a plugin has registered.
    """
    cfg = load_config(config)
    shared = task in segmentation_tasks(cfg)
    if protocol is not None:
        cfg = apply_protocol(cfg, protocol, shared)
    elif 'type' in cfg.get('protocol', {}):
        cfg.protocol = PROTOCOLS.build(cfg.protocol.to_dict())
    if task is None:
        return apply_options(cfg, options)
    cfg = apply_task(apply_options(cfg, _of_tasks(options)), task)
    if protocol is None and 'default_protocol' in cfg:
        cfg = apply_protocol(cfg, cfg.default_protocol, shared)
    part = protocol_part(cfg) if 'protocol' in cfg else {}
    if part.get('metric'):
        if not cfg.test_evaluator:
            raise ValueError(f'task {task!r} has no metric for {part["metric"]}.')
        cfg.test_evaluator[0].update(part['metric'])
    if part.get('data'):
        cfg = _with_data(cfg, part['data'])
    cfg = apply_options(cfg, options)
    reader = part.get('reader')
    if reader is not None:
        cfg.test_dataset.reader = reader
    return cfg


def _of_tasks(options: Mapping[str, Any] | None) -> dict[str, Any]:
    """Options that change ``task_<name>``, which is copied when it is applied."""
    given = (options or {}).items()
    return {k: v for k, v in given if k.removeprefix(_NEW).startswith(_TASK)}


def _with_data(cfg: Config, data: Mapping[str, Any]) -> Config:
    """Lay what a protocol says about the data over the dataset; works on a copy.

    Raises:
        ValueError: the protocol's kind of dataset is none of the task's.
    """
    cfg, own, wanted = copy.deepcopy(cfg), cfg.test_dataset.type, data.get('type')
    if wanted is not None and not issubclass(DATASETS.get(wanted), DATASETS.get(own)):
        raise ValueError(
            f'protocol {cfg.protocol.name!r} is scored on data of type {wanted!r}, '
            f'which {own!r} of this task cannot be made to. Choose a protocol of the '
            "data's own size, for example catmae_s16_native or crw."
        )
    cfg.test_dataset.update(data)
    return cfg


def _check_key(cfg: Config, key: str) -> None:
    """Raise where the dotted ``key`` does not exist in ``cfg``."""
    node: Any = cfg.to_dict()
    for depth, part in enumerate(key.split('.')):
        if isinstance(node, (list, tuple)):
            if part.isdigit() and int(part) < len(node):
                node = node[int(part)]
                continue
            known = [str(i) for i in range(len(node))]
        else:
            known = list(node) if isinstance(node, Mapping) else []
            if part in known:
                node = node[part]
                continue
        place = '.'.join(key.split('.')[:depth]) or 'the config'
        paths = [path for path, _ in _paths(cfg.to_dict())]
        near = [path for path in paths if path.endswith(f'.{key}')]
        near = near or difflib.get_close_matches(key, paths, n=3, cutoff=0.6)
        elsewhere = f' Or one of {near}?' if near else ''
        raise KeyError(
            f'--cfg-options {key}: {place} has no key {part!r}. {suggest(part, known)}'
            f'{elsewhere} To add a key that is not in the config, write {_NEW}{key}.'
        )


def _paths(node: Any, prefix: str = '') -> Iterator[tuple[str, Any]]:
    """Every dotted key below ``node`` with its value."""
    items: Any = ()
    if isinstance(node, Mapping):
        items = node.items()
    elif isinstance(node, (list, tuple)):
        items = enumerate(node)
    for key, value in items:
        path = f'{prefix}.{key}' if prefix else str(key)
        yield path, value
        yield from _paths(value, path)


def _config_files(near: Path) -> list[Path]:
    """Config files of the folders in which a user may have meant one."""
    roots = (Path('configs'), near.parent)
    return sorted({p for r in roots if r.is_dir() for p in r.rglob('*.py')})


def _name(cfg: Config) -> str:
    return cfg.filename or 'the config'
