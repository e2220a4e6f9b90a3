"""What decides the numbers of a result, by factor, read from its ``metrics.json``."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mmengine.registry import Registry

from densecorr.apis.score import SCORE_TASKS
from densecorr.engine.fingerprint import canonical
from densecorr.engine.test_loop import METRICS_SCHEMA
from densecorr.ops.size_policy import resolve_size
from densecorr.propagation.protocol import Protocol
from densecorr.registry import DATASETS, METRICS, MODELS

FILE = 'metrics.json'
KINDS = (
    'weights',
    'frames',
    'size rule',
    'image reader',
    'features',
    'protocol',
    'decode',
    'measure',
    'protocol name',
    'protocol revision',
    'versions',
)
_SCHEMAS = range(1, METRICS_SCHEMA + 1)
_DATASET = ('name', 'split', 'year', 'task')  # of metainfo: which data are scored
_DECODE = {
    'labels': ('decode', 'decode_size', 'stretch', 'first_output'),
    'joints': ('topk', 'decode', 'first_output'),
}
_PROTOCOL_ELSEWHERE = ('size', 'resizer', 'reader', 'metric', 'data')  # other factors
_SIZE_ELSEWHERE = ('image_size', 'multiple', 'align_corners')  # not of the protocol
_NOT_SETTINGS = ('root', 'sequences', 'reader', 'self')  # of a dataset
_NOT_MEASURE = ('official', 'self')  # compares, changes no number
_NOT_FEATURES = ('protocol', 'limits', 'self')  # of a tracker

Fields = Mapping[str, Any]


@dataclass(frozen=True)
class Result:
    """One evaluation.

    Attributes:
        path: of its ``metrics.json``.
        content: of that file.
        run: content of ``run.json`` beside it; empty where there is none.
        factors: kind to its fields; None where the file does not record it.
        videos: by name ``frames``, ``labels`` and ``inputs``; None where unknown.
    """

    path: Path
    content: Mapping[str, Any]
    run: Mapping[str, Any]
    factors: Mapping[str, Fields | None]
    videos: Mapping[str, Fields] | None

    @property
    def metrics(self) -> Mapping[str, float]:
        """The numbers, fractions."""
        return self.content['metrics']

    @property
    def folder(self) -> Path:
        """Where the file lies."""
        return self.path.parent


def read_result(path: str | Path) -> Result:
    """Read an evaluation.

    Args:
        path: a ``metrics.json`` of tools/test.py or tools/score.py, or its folder.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is no ``metrics.json``, or of another schema version.
    """
    path = Path(path)
    path = path / FILE if path.is_dir() else path
    if not path.is_file():
        raise FileNotFoundError(
            f'there is no {path}. Name the --out of tools/test.py or tools/score.py, '
            f'or the {FILE} in it; a run that was not finished has none.'
        )
    content = _read(path)
    run_path = path.with_name('run.json')
    run = _read(run_path) if run_path.is_file() else {}
    if not isinstance(content.get('metrics'), dict) or 'schema' not in content:
        raise ValueError(
            f'{path} is no {FILE} of densecorr: it has {sorted(content)[:8]}.'
        )
    if content['schema'] not in _SCHEMAS:
        raise ValueError(
            f'{path} has schema {content["schema"]!r}, this version reads '
            f'{list(_SCHEMAS)}. Use the version of densecorr that wrote it, or '
            'evaluate again.'
        )
    videos = content.get('videos') or _videos_of_records(path.parent)
    return Result(path, content, run, factors_of(content), videos)


def check_comparable(first: Result, second: Result) -> None:
    """Refuse results whose numbers are of different things.

    Raises:
        ValueError: other tasks, or other datasets or splits; names both.
    """
    contents = (first.content, second.content)
    pairs = []
    if all('fingerprint' in content for content in contents):  # of one program
        pairs.append(('task', *(content.get('task') for content in contents)))
    facts = [content.get('dataset') or {} for content in contents]
    pairs += [(f'dataset {key}', *(f.get(key) for f in facts)) for key in _DATASET]
    for name, ours, theirs in pairs:
        if ours != theirs:
            raise ValueError(
                f'{first.path} and {second.path} cannot be compared: their {name} is '
                f'{ours!r} and {theirs!r}. Compare results of one task on one dataset.'
            )


def factors_of(content: Mapping[str, Any]) -> dict[str, Fields | None]:
    """Fields of every kind of ``KINDS``, with defaults filled in.

    So a field that one result names and the other leaves at its default does not
    differ. What a protocol says of data and metric is part of these.
    """
    found: dict[str, Fields | None] = dict.fromkeys(KINDS)
    print_ = content.get('fingerprint') or {}
    if 'dataset' in print_:
        settings = _filled(print_['dataset'], DATASETS, _NOT_SETTINGS)
        found['frames'] = _flat(settings)
    if 'metrics' in print_:
        found['measure'] = _measure(print_['metrics'])
    elif 'options' in content and content.get('task') in SCORE_TASKS:
        kind = SCORE_TASKS[content['task']]
        found['measure'] = _measure([dict(content['options'], type=kind.metric)])
    if 'weights' in print_:
        found['weights'] = {'tensors': print_['weights']}
    if 'model' in print_:
        found['features'] = _features(print_)
    if 'code' in print_:
        found['versions'] = _flat(print_['code'])
    whole = print_.get('protocol') or {}
    part = whole.get(print_.get('task'))
    if isinstance(part, Mapping):
        found |= _protocol(part)
        found['protocol name'] = {'name': whole.get('name')}
        found['protocol revision'] = {'revision': whole.get('revision')}
    return found


def protocol_fields(part: Mapping[str, Any]) -> dict[str, Any]:
    """All fields of one task of a protocol by dotted name, defaults filled in.

    ``size`` stays one dict. A protocol of other keys than ours is only flattened.
    """
    try:
        whole = asdict(Protocol.from_config(part))
    except (KeyError, ValueError, TypeError):
        whole = dict(part)
    size = canonical(whole.pop('size', {}))
    fields = _flat({key: value for key, value in whole.items() if value is not None})
    return {**fields, 'size': size, 'label_stride': whole.get('label_stride')}


def kind_of_field(field: str) -> str | None:
    """Kind that a field of a protocol belongs to; None where it is counted elsewhere.

    Args:
        field: a name of :func:`protocol_fields`.
    """
    part, _, name = field.partition('.')
    if part in ('size', 'resizer'):
        return 'size rule'
    if part == 'reader':
        return 'image reader'
    if part in _PROTOCOL_ELSEWHERE:
        return None
    return 'decode' if name in _DECODE.get(part, ()) else 'protocol'


def _protocol(part: Mapping[str, Any]) -> dict[str, Fields]:
    found: dict[str, dict[str, Any]] = {
        kind: {} for kind in ('size rule', 'image reader', 'protocol', 'decode')
    }
    for field, value in protocol_fields(part).items():
        kind = kind_of_field(field)
        if field == 'size':
            known = _defaults(resolve_size)
            rule = {k: v for k, v in known.items() if k not in _SIZE_ELSEWHERE}
            found['size rule'] |= canonical({**rule, **value})
        elif kind is not None:
            found[kind][field] = value
    return dict(found)


def _features(print_: Mapping[str, Any]) -> dict[str, Any]:
    model = _filled(print_['model'], MODELS, _NOT_FEATURES)
    if isinstance(model.get('backbone'), Mapping):
        model['backbone'] = _filled(model['backbone'], MODELS)
    rest = {key: print_[key] for key in ('limits', 'tf32') if key in print_}
    return _flat({**model, **rest})


def _measure(configs: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    configs = [configs] if isinstance(configs, Mapping) else configs
    for number, config in enumerate(configs):
        given = {k: v for k, v in config.items() if k not in _NOT_MEASURE}
        filled = _filled(given, METRICS, _NOT_MEASURE)
        try:  # None may stand for what the task does
            metric: Any = METRICS.build(dict(given))
            filled |= {
                name: getattr(metric, name)
                for name in filled
                if isinstance(getattr(metric, name, None), (bool, int, float, str))
            }
        except (KeyError, TypeError, ValueError):
            pass  # a metric that is not there any more is compared as it stands
        prefix = f'{number}.' if len(configs) > 1 else ''
        found |= {f'{prefix}{key}': value for key, value in _flat(filled).items()}
    return found


def _filled(
    config: Mapping[str, Any], registry: Registry, without: tuple[str, ...] = ('self',)
) -> dict[str, Any]:
    """A config with the defaults of its class; as it stands where there is none."""
    try:
        kind = registry.get(str(config.get('type')))
    except ImportError:  # of a plugin
        kind = None
    known: dict[str, Any] = {}
    for base in inspect.getmro(kind) if inspect.isclass(kind) else ():
        constructor = vars(base).get('__init__')
        if constructor is not None:
            known = {**_defaults(constructor), **known}
            if not _passes_on(constructor):
                break
    found = canonical({**_plain(known), **config})
    return {key: value for key, value in found.items() if key not in without}


def _defaults(function: Callable[..., Any]) -> dict[str, Any]:
    parameters = inspect.signature(function).parameters.values()
    return {p.name: p.default for p in parameters if p.default is not p.empty}


def _passes_on(function: Callable[..., Any]) -> bool:
    """Whether a constructor takes arguments that it does not name."""
    parameters = inspect.signature(function).parameters.values()
    return any(p.kind is p.VAR_KEYWORD for p in parameters)


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """Those that have a JSON form."""
    found = {}
    for key, value in values.items():
        try:
            found[key] = canonical(value)
        except TypeError:
            continue
    return found


def _flat(value: Any, path: str = '') -> dict[str, Any]:
    """Dotted names and values; lists and empty dicts are values."""
    if isinstance(value, Mapping) and value:
        found: dict[str, Any] = {}
        for key, item in value.items():
            found |= _flat(item, f'{path}.{key}' if path else str(key))
        return found
    return {path: canonical(value)} if path else {}


def _videos_of_records(folder: Path) -> dict[str, Fields] | None:
    """What ``metrics.json`` of schema 1 did not have, from the records beside it."""
    found: dict[str, Fields] = {}
    for path in sorted((folder / 'records').rglob('*.json')):
        record = _read(path)
        try:
            found[record['video']] = dict(
                frames=record['num_frames'],
                labels=len(record['label_frames']),
                inputs=record['fingerprint']['inputs'],
            )
        except (KeyError, TypeError):
            continue
    return found or None


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding='utf-8'))
    except (ValueError, OSError) as error:
        raise ValueError(f'{path} cannot be read: {error}.') from error
    if not isinstance(content, dict):
        raise ValueError(f'{path} is no {FILE} of densecorr: it holds no object.')
    return content
