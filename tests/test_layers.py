"""Imports of the package point down, never up, never sideways."""

from pathlib import Path

import pytest

import densecorr

from .layers import LAYERS, violations

MODULES = (
    '__init__',
    'structures',
    'compat',
    'registry',
    'cli',
    'testing',
    'utils/__init__',
    'utils/images',
    'ops/__init__',
    'ops/window',
    'evaluation/__init__',
    'evaluation/functional/__init__',
    'evaluation/functional/region',
    'evaluation/metrics/__init__',
    'evaluation/metrics/vos',
    'models/__init__',
    'models/backbones/__init__',
    'models/backbones/resnet',
    'models/methods/__init__',
    'models/methods/crw',
    'datasets/__init__',
    'datasets/davis',
    'visualization/__init__',
    'convert/__init__',
    'convert/rules',
    'propagation/__init__',
    'propagation/tracker',
    'engine/__init__',
    'engine/hooks',
    'apis/__init__',
    'apis/evaluate',
)


@pytest.fixture
def plant(tmp_path):
    """A package of empty modules; ``plant(module, code)`` gives its violations."""
    root = tmp_path / 'densecorr'

    def write(module: str, code: str) -> list[str]:
        path = root / f'{module}.py'
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(code)
        return violations(root)

    for module in MODULES:
        write(module, '"""Empty."""')
    return write


def test_the_package_keeps_its_layers():
    root = Path(densecorr.__file__).parent
    assert len(list(root.rglob('*.py'))) > 50
    assert violations(root) == []


def test_every_layer_of_the_table_is_tried():
    tried = {module.removesuffix('/__init__').replace('/', '.') for module in MODULES}
    assert {entry for layer in LAYERS for entry in layer} <= tried


ALLOWED = [
    ('models/backbones/resnet', 'from densecorr.registry import MODELS'),
    ('models/backbones/resnet', 'from densecorr.ops.window import Window'),
    ('models/backbones/resnet', 'from . import resnet'),
    ('models/methods/crw', 'from ..backbones import resnet'),
    ('models/methods/crw', 'from densecorr.evaluation.functional import region'),
    ('models/__init__', 'from densecorr.models import methods'),
    ('evaluation/__init__', 'from .metrics import vos'),
    ('evaluation/metrics/vos', 'from ..functional.region import j'),
    ('propagation/tracker', 'from densecorr.models.backbones import resnet'),
    ('engine/hooks', 'import densecorr.datasets.davis as davis'),
    ('apis/evaluate', 'from densecorr import engine, convert, __version__'),
    ('cli', 'import densecorr\nprint(densecorr.__version__)'),
    ('utils/images', 'import numpy.models\nfrom importlib import import_module\n'),
    ('utils/images', 'import_module(name)\nimport_module("json.decoder")'),
    ('__init__', 'from . import compat'),
    ('registry', 'node("densecorr.models")'),
]


@pytest.mark.parametrize(('module', 'code'), ALLOWED, ids=lambda x: x.split('\n')[0])
def test_allowed(plant, module, code):
    assert plant(module, code) == []


UP = [
    'from densecorr.models.backbones.resnet import ResNet',
    'from densecorr.models import backbones',
    'from densecorr import models',
    'import densecorr.models',
    'import densecorr.models.backbones as b',
    'from ..models import backbones',
    'from .. import models',
    'from ..models.backbones import *',
    'def f():\n    from densecorr.models import ResNet',
    'def f():\n    def g():\n        from ..models import ResNet',
    'try:\n    import densecorr.models\nexcept ImportError:\n    pass',
    'import importlib\nimportlib.import_module("densecorr.models")',
    'from importlib import import_module as im, import_module\n'
    'import_module("..models", "densecorr.ops")',
    '__import__("densecorr.models")',
    'import densecorr\ndensecorr.models.ResNet',
    'from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import densecorr.models',
]


@pytest.mark.parametrize('code', UP, ids=range(len(UP)))
def test_imports_upwards_are_named(plant, code):
    (text,) = plant('ops/window', code)
    line = code.count('\n') + 1 if 'except' not in code else 2
    assert text.startswith(f'densecorr.ops.window:{line} imports densecorr.models')
    assert text.endswith('layer 2 is above layer 0. Move the shared part down.')


@pytest.mark.parametrize(
    ('module', 'target'),
    [
        ('registry', 'models'),
        ('utils/images', 'registry'),
        ('evaluation/functional/region', 'registry'),
        ('models/backbones/resnet', 'propagation.tracker'),
        ('models/backbones/resnet', 'models.methods.crw'),
        ('models/backbones/__init__', 'models.methods'),
        ('propagation/tracker', 'models.methods.crw'),
        ('models/methods/crw', 'engine.hooks'),
        ('engine/hooks', 'apis.evaluate'),
        ('engine/hooks', 'cli'),
    ],
)
def test_each_layer_is_closed_upwards(plant, module, target):
    (text,) = plant(module, f'import densecorr.{target}')
    assert f'imports densecorr.{target}: layer ' in text
    assert ' is above layer ' in text


@pytest.mark.parametrize(
    ('module', 'target'),
    [
        ('datasets/davis', 'models.backbones'),
        ('models/backbones/resnet', 'datasets.davis'),
        ('models/methods/crw', 'datasets.davis'),
        ('models/methods/crw', 'evaluation.metrics.vos'),
        ('models/methods/crw', 'visualization'),
        ('evaluation/metrics/vos', 'datasets.davis'),
        ('evaluation/metrics/vos', 'models.backbones.resnet'),
        ('evaluation/metrics/vos', 'convert'),
        ('convert/rules', 'models.backbones.resnet'),
        ('convert/rules', 'datasets'),
        ('visualization/__init__', 'datasets'),
        ('visualization/__init__', 'convert'),
        ('datasets/davis', 'visualization'),
    ],
)
def test_sideways_imports_are_named(plant, module, target):
    (text,) = plant(module, f'from densecorr.{target} import x')
    column = module.split('/')[0]
    assert f'imports densecorr.{target}: {column} and ' in text
    assert text.endswith('never import one another.')


def test_sideways_by_a_relative_import(plant):
    (text,) = plant('datasets/davis', 'from ..models.backbones import resnet')
    assert 'densecorr.datasets.davis:1 imports densecorr.models.backbones' in text
    assert 'datasets and models never import one another.' in text
    text, _ = plant('datasets/__init__', 'from ..models import backbones')
    assert text.startswith('densecorr.datasets:1 imports densecorr.models.backbones')


@pytest.mark.parametrize(
    ('module', 'target'),
    [
        ('propagation/tracker', 'evaluation.metrics.vos'),
        ('evaluation/metrics/vos', 'propagation.tracker'),
        ('cli', 'apis'),
    ],
)
def test_neighbours_of_one_layer_are_named(plant, module, target):
    (text,) = plant(module, f'import densecorr.{target}')
    assert 'are of one layer. Move the shared part down.' in text


def test_modules_without_a_layer_are_named(plant):
    (text,) = plant('helpers/misc', '"""Misc."""')
    assert text == (
        'densecorr.helpers.misc has no layer. Give it one in tests/layers.py.'
    )
    texts = plant('ops/window', 'from densecorr.helpers import misc')
    assert len(texts) == 2
    assert 'imports densecorr.helpers.misc: the layers do not know' in texts[1]


@pytest.mark.parametrize(
    'code',
    ['import densecorr.nothing', 'from ..nothing import x', 'from .none import x'],
)
def test_imports_of_modules_that_do_not_exist_are_named(plant, code):
    (text,) = plant('ops/window', code)
    assert text.endswith('the layers do not know this module.')


def test_the_package_itself_imports_only_the_lowest_layer(plant):
    (text,) = plant('__init__', 'from densecorr.models.backbones import resnet')
    assert text.endswith('the package itself imports from layer 0 alone.')
