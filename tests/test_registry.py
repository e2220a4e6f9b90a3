import subprocess
import sys

import mmengine.registry as root
import pytest
from mmengine.registry import DefaultScope, Registry

from densecorr import registry as reg
from densecorr.registry import DATASETS, MODELS, PROTOCOLS, Node
from densecorr.utils.suggest import suggest


class Widget:
    def __init__(self, depth, radius=1):
        self.depth, self.radius = depth, radius


class Outer:
    def __init__(self, inner):
        self.inner = MODELS.build(inner)


@pytest.fixture
def widgets():
    MODELS.register_module(module=Widget)
    MODELS.register_module(module=Outer)
    yield
    for name in ('Widget', 'Outer'):
        MODELS.module_dict.pop(name)


def test_suggest_names_the_nearest_in_any_case():
    text = suggest('resnot', ['ResNet', 'TimmFeatures'])
    assert text == "Did you mean 'ResNet'? Known names: ResNet, TimmFeatures."
    assert suggest('zzz', ['a']) == 'Known names: a.'
    assert suggest('a', []) == 'No names are known here.'
    assert '(30 in all)' in suggest('q', [f'name{i}' for i in range(30)])


def test_builds_with_arguments(widgets):
    built = MODELS.build(dict(type='Widget', depth=3))
    assert (type(built), built.depth, built.radius) == (Widget, 3, 1)
    assert 'Widget' in MODELS
    assert 'Wodget' not in MODELS


def test_every_mmengine_root_has_a_child():
    roots = [r for r in vars(root).values() if isinstance(r, Registry)]
    assert len(roots) >= 20
    without = [r.name for r in roots if 'densecorr' not in r.children]
    assert not without


def test_misspelt_type_names_the_nearest(widgets):
    with pytest.raises(KeyError, match="'Widgit' is not in the 'model' registry") as e:
        MODELS.build(dict(type='Widgit', depth=3))
    assert "Did you mean 'Widget'" in str(e.value)
    assert 'custom_imports' in str(e.value)


@pytest.mark.parametrize('name', ['densecorr.Widgit', 'json', 'no.such.Thing'])
def test_other_unknown_types_are_named_too(name):
    with pytest.raises(KeyError, match=f"'{name}' is not in the 'model' registry"):
        MODELS.build(dict(type=name))


def test_misspelt_argument_names_the_nearest(widgets):
    with pytest.raises(TypeError, match="Widget takes no argument 'dept'") as e:
        MODELS.build(dict(type='Widget', dept=3))
    assert "Did you mean 'depth'? Known names: depth, radius." in str(e.value)
    assert "'model'" in str(e.value)


def test_misspelt_argument_of_a_nested_component_names_that_one(widgets):
    with pytest.raises(TypeError, match="Widget takes no argument 'raduis'"):
        MODELS.build(dict(type='Outer', inner=dict(type='Widget', depth=1, raduis=2)))


def test_other_type_errors_stay(widgets):
    with pytest.raises(TypeError, match='missing 1 required positional'):
        MODELS.build(dict(type='Widget'))


def test_runner_builds_through_the_root_with_the_same_errors(widgets):
    with DefaultScope.overwrite_default_scope('densecorr'):
        built = root.MODELS.build(dict(type='Widget', depth=3))
        assert built.depth == 3
        with pytest.raises(KeyError, match="Did you mean 'Widget'"):
            root.MODELS.build(dict(type='Widgit', depth=3))
        with pytest.raises(TypeError, match="Did you mean 'depth'"):
            root.MODELS.build(dict(type='Widget', dept=3))


def test_component_in_the_wrong_registry(widgets):
    with pytest.raises(KeyError, match="'Widget' is a model, but a dataset") as e:
        DATASETS.build(dict(type='Widget', depth=3))
    assert "one of the 'dataset' registry" in str(e.value)
    with pytest.raises(KeyError, match="'CheckpointHook' is a hook, but a dataset"):
        DATASETS.build(dict(type='CheckpointHook'))


def test_name_registered_twice(widgets):
    with pytest.raises(KeyError, match="'Widget' is already registered in the 'model'"):
        MODELS.register_module(name='Widget', module=Outer)
    assert MODELS.get('Widget') is Widget
    with pytest.raises(KeyError, match=r'force=True.*Did you mean'):
        MODELS.register_module(name='Widget', module=Outer)
    MODELS.register_module(name='Widget', module=Outer, force=True)
    assert MODELS.get('Widget') is Outer


def test_outside_component_may_not_take_a_name_that_is_imported_later():
    code = (
        'from densecorr.registry import MODELS\n'
        'class Mine: pass\n'
        "MODELS.register_module(name='ResNet', module=Mine)\n"
    )
    done = subprocess.run(
        [sys.executable, '-c', code], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "'ResNet' is already registered" in done.stderr
    assert 'by densecorr.models' in done.stderr


def test_protocols_hold_functions_that_return_dicts():
    PROTOCOLS.register_module(name='mine', module=lambda: dict(name='mine'))
    try:
        assert PROTOCOLS.build(dict(type='mine')) == dict(name='mine')
        with pytest.raises(KeyError, match="'mein' is not in the 'protocol' registry"):
            PROTOCOLS.get('mein')
    finally:
        PROTOCOLS.module_dict.pop('mine')


def test_nodes_lists_every_registry_of_the_module():
    assert all(isinstance(node, Node) for node in reg.NODES)
    assert len(reg.NODES) == len({id(n) for n in reg.NODES}) >= 24
