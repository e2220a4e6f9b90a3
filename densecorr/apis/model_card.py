"""The card of exported weights: what they are, where they come from, their numbers."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmengine.config import Config

from densecorr.apis.zoo import Training, Zoo, read_zoo
from densecorr.engine.fingerprint import code_version, digest
from densecorr.utils.files import write_atomic
from densecorr.utils.tables import format_markdown

# arguments of TimmFeatures that timm.create_model does not have
_OWN = ('type', 'arch', 'out_indices', 'norm', 'facet', 'pos_embed_rule', 'init')
_HISTORY = 'validation.json'


@dataclass(frozen=True)
class Exported:
    """Facts of an exported file.

    Attributes:
        weights: name of the file.
        layout: ``'timm'`` or ``'official'``.
        names: format that the names follow.
        fingerprint: hash of the tensors, as results of the network have it.
        digest: sha256 of the file.
        tensors: how many there are.
        numbers: in all of them.
        lacks: what an official file has besides.
        note: what every output has to say of the weights.
    """

    weights: str
    layout: str
    names: str
    fingerprint: str
    digest: str
    tensors: int
    numbers: int
    lacks: str = ''
    note: str = ''


def write_card(
    path: Path, exported: Exported, cfg: Config, checkpoint: str, content: Any
) -> None:
    """Write the card; equal inputs give equal bytes.

    Args:
        path: of the card.
        exported: the file that it is about.
        cfg: of the network.
        checkpoint: that was exported; validations of its training lie beside it.
        content: of the checkpoint, from which the training is told.
    """
    meta = content.get('meta', {}) if isinstance(content, Mapping) else {}
    meta = meta if isinstance(meta, Mapping) else {}
    parts = [
        f'# {exported.weights}',
        _summary(exported, cfg, checkpoint),
        '## Use\n\n' + _usage(exported, cfg),
        '## Training\n\n' + _training(cfg, meta),
        '## Numbers\n\n' + _numbers(Path(checkpoint), meta),
        '## Fingerprint\n\n' + _fingerprint(exported, meta),
        '## Config\n\n```python\n' + cfg.pretty_text.strip() + '\n```',
    ]
    write_atomic(path, '\n\n'.join(parts) + '\n')


def _summary(exported: Exported, cfg: Config, checkpoint: str) -> str:
    lines = [
        f'Backbone of `{Path(checkpoint).name}`, trained with densecorr '
        f'(`{Path(cfg.filename or "config").name}`): {exported.tensors} tensors, '
        f'{exported.numbers:,} numbers, names of `{exported.names}`.'
    ]
    if exported.lacks:
        lines.append(f'Not in the file, other than in official ones: {exported.lacks}.')
    if exported.note:
        lines.append(f'Note: {exported.note}.')
    return '\n'.join(lines)


def _usage(exported: Exported, cfg: Config) -> str:
    backbone, inputs = cfg.model.backbone.to_dict(), cfg.model.get('inputs', {})
    read = (
        f"load_file('{exported.weights}')"
        if exported.weights.endswith('.safetensors')
        else f"torch.load('{exported.weights}', weights_only=True)"
    )
    lines = [
        f'python tools/test.py CONFIG TASK {exported.weights} --source {exported.names}'
    ]
    text = '```bash\n' + '\n'.join(lines) + '\n```\n'
    if exported.layout == 'timm':
        text += (
            f'\n```python\n{_create(backbone)}\nmodel.load_state_dict({read})\n```\n'
        )
    given = ', '.join(f'{key} {value}' for key, value in inputs.items())
    return f'{text}\nInputs: {given or "see the config"}.'


def _create(backbone: Mapping[str, Any]) -> str:
    """The line that builds the network with timm."""
    arch = backbone.get('arch') or f'resnet{backbone.get("depth", 18)}'
    options = (
        {k: v for k, v in backbone.items() if k not in _OWN}
        if 'arch' in backbone
        else {}
    )
    words = [repr(arch), 'num_classes=0', *(f'{k}={v!r}' for k, v in options.items())]
    return f'model = timm.create_model({", ".join(words)})'


def _training(cfg: Config, meta: Mapping[str, Any]) -> str:
    rows = [['method', cfg.model.get('type', '')]]
    entry = _entry(cfg, zoo := read_zoo())
    if entry is not None:
        rows += [
            ['paper', f'[{entry.paper}]({entry.address})'],
            ['length of the recipe', f'{entry.clips} clips a step, {entry.length}'],
        ]
    rows += [['data', text] for text in _data(cfg, entry, zoo)]
    for name in ('iter', 'epoch', 'seed', 'source'):
        if name in meta:
            rows.append([name, str(meta[name])])
    return format_markdown(rows, ['', ''])


def _entry(cfg: Config, zoo: Zoo) -> Training | None:
    """What the metafile says of a config."""
    stem = Path(cfg.filename or '').name
    return next((t for t in zoo.trainings if Path(t.config).name == stem), None)


def _data(cfg: Config, entry: Training | None, zoo: Zoo) -> list[str]:
    facts = [zoo.datasets[name] for name in (entry.data if entry else ())]
    found = [f'{fact["title"]}; {fact["licence"]}' for fact in facts]
    dataset = cfg.get('train_dataloader', {}).get('dataset', {})
    if dataset and not found:
        found = [str(dataset.get('data') or dataset.get('type'))]
    return found or ['not in the config']


def _numbers(checkpoint: Path, meta: Mapping[str, Any]) -> str:
    """Validations of the training up to the checkpoint."""
    path = checkpoint.parent / _HISTORY
    if not path.is_file():
        return 'No validation lies beside the checkpoint.'
    history = json.loads(path.read_text('utf-8'))
    last = meta.get('iter')
    kept = [each for each in history if last is None or each['iter'] <= last]
    names = list(dict.fromkeys(name for each in kept for name in each['metrics']))
    rows = [
        [str(each['iter']), *(_percent(each['metrics'].get(name)) for name in names)]
        for each in kept
    ]
    return 'Percent, by iterations.\n\n' + format_markdown(rows, ['iteration', *names])


def _percent(value: float | None) -> str:
    return '' if value is None else f'{100 * value:.2f}'


def _fingerprint(exported: Exported, meta: Mapping[str, Any]) -> str:
    version = code_version()
    rows: list[Sequence[str]] = [
        ['tensors, as in the fingerprint of results', exported.fingerprint],
        ['file', exported.digest],
        ['densecorr, its sources', f'{version["densecorr"]}, {version["sources"]}'],
    ]
    if 'config' in meta:
        rows.append(['config of the training', digest(str(meta['config']))])
    return format_markdown([[a, f'`{b}`'] for a, b in rows], ['sha256 of', ''])
