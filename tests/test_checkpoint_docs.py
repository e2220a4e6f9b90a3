"""docs/checkpoints.md, docs/extend.md and the configs against the table of formats."""

import re
from pathlib import Path

import pytest
import torch

from densecorr import convert as door
from densecorr.apis.config import load_config
from densecorr.convert import SOURCES, convert, export, load_backbone
from densecorr.registry import MODELS

ROOT = Path(__file__).resolve().parents[1]
MODEL_CONFIGS = sorted((ROOT / 'configs/_base_/models').glob('*.py'))


def row(name, source):
    status = f'{source.status}, reduction ours' if source.note else source.status
    checked = source.evidence or f'code alone: {source.reference.split(" ")[0]}'
    written = 'no'
    if source.export is not None:
        lacks = source.export.lacks
        written = 'yes, whole' if lacks == 'nothing' else f'yes, lacks {lacks}'
    return f'| `{name}` | {source.title} | {status} | {checked} | {written} |'


def test_table_of_formats():
    text = (ROOT / 'docs/checkpoints.md').read_text(encoding='utf-8')
    table = [line for line in text.splitlines() if line.startswith('| `')]
    assert table[1:] == [row(name, source) for name, source in SOURCES.items()]
    assert table[0].startswith('| `--source` |')
    for name in re.findall(r'--(?:source|to) (\w+)', text):
        assert name in {*SOURCES, 'NAME'}, name


def test_entry_of_the_page_on_extending(monkeypatch):
    page = (ROOT / 'docs/extend.md').read_text(encoding='utf-8')
    blocks = re.findall(r'```python\n(.*?)```', page, flags=re.DOTALL)
    (code,) = [block for block in blocks if 'SOURCES[' in block]
    monkeypatch.setattr(door, 'SOURCES', table := dict(SOURCES))
    exec(code, {})
    (name,) = set(table) - set(SOURCES)
    monkeypatch.setitem(SOURCES, name, table[name])
    state = {'trunk.conv1.weight': torch.ones(2), 'classifier.bias': torch.ones(1)}
    result = convert(dict(net=state), name)
    assert list(result.state) == ['conv1.weight']
    assert result.dropped_by_rule == ['classifier.bias']
    back = export(result.state, name)
    assert list(back['net']) == ['trunk.conv1.weight']


@pytest.mark.parametrize('path', MODEL_CONFIGS, ids=lambda path: path.stem)
def test_models_name_the_program_of_their_files(path, tmp_path):
    """Weights in the layout of a model's program load without --source."""
    cfg = load_config(path)
    source = cfg.get('checkpoint_source')
    assert source in SOURCES, f'{path} needs checkpoint_source'
    if SOURCES[source].export is None:
        return
    backbone = cfg.model.backbone.to_dict()
    if backbone['type'] == 'TimmFeatures' and 'vit' in backbone['arch']:
        backbone['depth'] = 1
    network = MODELS.build(backbone)
    torch.save(export(network.state_dict(), source), tmp_path / 'a.pth')
    report = load_backbone(network, tmp_path / 'a.pth', expected=source)
    read_as = {'dinov2_vits14': 'timm'}  # without a mask token the names are timm's
    assert report.source == read_as.get(path.stem, source)
