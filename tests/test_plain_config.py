"""Texts of configs: every config comes back from its text."""

import copy
import math
from pathlib import Path

import pytest
from mmengine.config import Config

from densecorr.apis.config import load_config
from densecorr.utils.plain_config import PlainConfig, config_text

ROOT = Path(__file__).resolve().parents[1] / 'configs'
CONFIGS = sorted([*ROOT.glob('test/*.py'), *ROOT.glob('train/*.py')])


def test_text_of_nested_values():
    values = dict(
        model=dict(type='A', sizes=(1,), inner={'J&F': 0.5, 'class': None}),
        a=[],
        long=[dict(name='x' * 40, flag=True), dict(name='y' * 40, empty={})],
    )
    assert config_text(values).splitlines() == [
        'a = []',
        'long = [',
        f"    dict(flag=True, name='{'x' * 40}'),",
        f"    dict(empty=dict(), name='{'y' * 40}'),",
        ']',
        "model = dict(inner={'J&F': 0.5, 'class': None}, sizes=(1,), type='A')",
    ]


def test_lines_break_at_their_end():
    for length in range(60, 90):
        value = 'b' * length
        lines = config_text(dict(name=dict(a=value))).splitlines()
        line = f"name = dict(a='{value}')"
        fits = len(line) <= 88
        assert lines == ([line] if fits else ['name = dict(', f"    a='{value}',", ')'])


def test_order_of_names_does_not_matter():
    one = dict(a=1, b=dict(c=2, d=[3, dict(f=4, e=5)]))
    other = dict(b=dict(d=[3, dict(e=5, f=4)], c=2), a=1)
    assert config_text(one) == config_text(other)


@pytest.mark.parametrize('path', CONFIGS, ids=lambda path: path.stem)
def test_configs_come_back_from_their_texts(path):
    cfg = load_config(path)
    values = {}
    exec(cfg.pretty_text, values)
    values.pop('__builtins__')
    assert values == cfg.to_dict() == Config.fromfile(str(path)).to_dict()


def test_mmengine_writes_the_text(tmp_path):
    cfg = PlainConfig.of(Config(dict(a=dict(b=(1, 2)), limit=math.pi)))
    again = copy.deepcopy(cfg)
    again.a.b = 3
    again.dump(tmp_path / 'config.py')
    assert (tmp_path / 'config.py').read_text() == f'a = dict(b=3)\nlimit = {math.pi}\n'
    assert cfg.a.b == (1, 2)
    assert load_config(tmp_path / 'config.py').to_dict() == again.to_dict()
