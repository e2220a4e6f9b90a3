"""The two runs of a replay, set up again from their folders, and mixtures of them."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmengine.config import Config

from densecorr.apis.config import protocol_part, tracker_config
from densecorr.apis.diff.factors import Result, kind_of_field, protocol_fields
from densecorr.apis.diff.shares import State
from densecorr.apis.zoo import fetch_from_zoo

_NESTED = ('context', 'window', 'select', 'labels', 'joints')
_SCHEMES = ('http:', 'https:', 'timm:', 'torchvision:', 'zoo:')
_NAMES = ('random', 'zoo')


@dataclass(frozen=True)
class Side:
    """One of the two runs.

    Attributes:
        name: ``'A'`` or ``'B'``.
        result: that is replayed.
        cfg: as it was used.
        checkpoint: as :func:`densecorr.convert.load_backbone` takes it.
        source: its format, recognised where None.
        tf32: whether matrix products could be rounded.
    """

    name: str
    result: Result
    cfg: Config
    checkpoint: str
    source: str | None
    tf32: bool

    @property
    def protocol(self) -> dict[str, Any]:
        """All fields of the protocol by dotted name."""
        return protocol_fields(protocol_part(self.cfg))


def open_side(
    name: str,
    result: Result,
    data: str | None = None,
    checkpoint: str | None = None,
) -> Side:
    """Read what a replay needs of a run.

    Args:
        name: ``'A'`` or ``'B'``.
        result: of ``tools/test.py``.
        data: root of the dataset, where it is not that of the run.
        checkpoint: where the weights lie now, if not where ``run.json`` says.

    Raises:
        FileNotFoundError: the folder lacks its config or ``run.json``, or the weights
            are not where it says.
        ValueError: the result was scored without a model.
    """
    folder = result.folder
    if 'fingerprint' not in result.content:
        raise ValueError(
            f'{result.path} is of tools/score.py: what made the predictions is not '
            'known, so nothing can be replayed. Compare without --replay.'
        )
    for file, remedy in (
        ('config.py', 'evaluate again with the same --out'),
        ('run.json', 'name the weights with --checkpoints'),
    ):
        if not (folder / file).is_file() and not (file == 'run.json' and checkpoint):
            raise FileNotFoundError(
                f'{name}, {folder}, lacks {file}, which a replay needs: copy the whole '
                f'results folder, or {remedy}.'
            )
    cfg = Config.fromfile(str(folder / 'config.py'))
    run = result.run
    if data is not None:
        cfg.test_dataset.root = str(data)
    elif cfg.test_dataset.get('root') and run.get('folder'):
        cfg.test_dataset.root = _found(cfg.test_dataset.root, run['folder'])
    source = run.get('source')
    if checkpoint is None:
        checkpoint = run['checkpoint']
        if checkpoint in _NAMES or checkpoint.startswith(_SCHEMES):
            weights = checkpoint
        else:
            weights = _found(checkpoint, run.get('folder', '.'))
            if not Path(weights).is_file():
                raise FileNotFoundError(
                    f'the weights of {name}, {checkpoint}, are not there any more. '
                    'Name both files with --checkpoints CKPT_A CKPT_B.'
                )
        weights, source = fetch_from_zoo(weights, run.get('config', ''), source)
    else:
        weights = checkpoint
    tf32 = bool(result.content['fingerprint'].get('tf32'))
    return Side(name, result, cfg, weights, source, tf32)


def _found(path: str, folder: str) -> str:
    """A path, or the same one below the folder in which the run was started."""
    there = Path(folder) / path
    return path if Path(path).exists() or not there.exists() else str(there)


class Mixer:
    """Configs between two runs: some factors of the one, some of the other.

    Args:
        first: run A.
        second: run B.
        groups: name of every factor that changes as one, to the factors in it.
    """

    def __init__(
        self, first: Side, second: Side, groups: Mapping[str, tuple[str, ...]]
    ) -> None:
        self.first, self.second, self.groups = first, second, dict(groups)

    def side(self, factor: str, state: State) -> Side:
        """The run that a factor is taken from."""
        names = {name for group in state for name in self.groups.get(group, (group,))}
        return self.second if factor in names else self.first

    def config(self, state: State) -> Config:
        """Resolved config of a state."""
        frames, measure = self.side('frames', state), self.side('measure', state)
        features = self.side('features', state)
        model = tracker_config(features.cfg)
        limits = model.pop('limits', {})
        del model['protocol']
        task, part = self.first.cfg.task, self.part(state)
        dataset = copy.deepcopy(frames.cfg.test_dataset.to_dict())
        if 'reader' in part and 'reader' in dataset:
            dataset['reader'] = part['reader']
        names = [side.cfg.protocol.get('name') for side in (self.first, self.second)]
        name = names[0] if names[0] == names[1] else '+'.join(map(str, names))
        weights = self.side('weights', state).cfg
        return Config(
            {
                'default_scope': 'densecorr',
                'task': task,
                'model': model,
                'limits': limits,
                'protocol': {'name': name, 'revision': None, task: part},
                'test_dataset': dataset,
                'test_evaluator': [
                    dict(m) for m in copy.deepcopy(_list(measure.cfg.test_evaluator))
                ],
                'checkpoint_source': weights.get('checkpoint_source'),
                'randomness': dict(weights.get('randomness') or {}),
            }
        )

    def part(self, state: State) -> dict[str, Any]:
        """The protocol of a state."""
        fields = [side.protocol for side in (self.first, self.second)]
        found: dict[str, Any] = {}
        for field in dict.fromkeys([*fields[0], *fields[1]]):
            kind = kind_of_field(field)
            if kind is None:
                continue  # laid over dataset and metric long ago
            factor = f'protocol {field}' if kind == 'protocol' else kind
            chosen = fields[self.side(factor, state) is self.second]
            if field not in chosen:
                continue
            head, _, name = field.partition('.')
            if head in _NESTED:
                found.setdefault(head, {})[name] = chosen[field]
            else:
                found[field] = chosen[field]
        return found


def _list(value: Any) -> list[Any]:
    return [value] if isinstance(value, Mapping) else list(value)
