import re

import pytest

from densecorr.apis.config import (
    apply_options,
    apply_protocol,
    apply_task,
    load_config,
    protocol_files,
    protocol_part,
    resolve,
    task_names,
    tracker_config,
)

CONFIG = """
model = dict(type='VideoTracker', backbone=dict(type='ResNet', depth=18),
             inputs=dict(color='rgb'))
protocol = dict(name='a', revision=1, davis=dict(select=dict(topk=5)), vip=dict(x=1))
task_davis = dict(task='davis', test_dataset=dict(type='D', year=2017),
                  test_evaluator=[dict(type='M', bound_th=0.008)])
task_vip = dict(task='vip', test_dataset=dict(type='V'), test_evaluator=[])
"""


@pytest.fixture
def folder(tmp_path):
    protocols = tmp_path / '_base_/protocols'
    protocols.mkdir(parents=True)
    (protocols / 'other.py').write_text("protocol = dict(name='other', davis=dict())")
    (protocols / 'empty.py').write_text('x = 1')
    (tmp_path / 'test').mkdir()
    (tmp_path / 'test/res18.py').write_text(CONFIG)
    return tmp_path


@pytest.fixture
def cfg(folder):
    return load_config(folder / 'test/res18.py')


def test_missing_config_names_the_nearest(folder):
    with pytest.raises(
        FileNotFoundError, match=r'no config .*res81\.py\. Did you mean .*res18\.py'
    ):
        load_config(folder / 'test/res81.py')


def test_apply_task_lays_the_task_over_the_test_fields(cfg):
    assert task_names(cfg) == ['davis', 'vip']
    resolved = apply_task(cfg, 'davis')
    assert resolved.test_dataset == dict(type='D', year=2017)
    assert resolved.test_evaluator == [dict(type='M', bound_th=0.008)]
    assert resolved.task == 'davis'
    assert 'test_dataset' not in cfg
    again = apply_task(resolved, 'vip')
    assert again.test_dataset == dict(type='V')


def test_unknown_task_lists_the_known(cfg):
    with pytest.raises(
        KeyError,
        match=r"no task 'davos'\. Did you mean 'davis'\? .*davis, .*foreground",
    ):
        apply_task(cfg, 'davos')


def test_incomplete_task_is_named(cfg):
    del cfg['task_davis']['task']
    with pytest.raises(KeyError, match=r"task_davis .*lacks \['task'\]"):
        apply_task(cfg, 'davis')


def test_protocol_by_name_and_by_path(cfg, folder):
    assert set(protocol_files(cfg)) >= {'other', 'empty'}
    assert apply_protocol(cfg, 'other').protocol.name == 'other'
    assert cfg.protocol.name == 'a'
    path = folder / 'mine.py'
    path.write_text("protocol = dict(name='mine', davis=dict())")
    assert apply_protocol(cfg, str(path)).protocol.name == 'mine'


def test_unknown_protocol_lists_the_known(cfg):
    with pytest.raises(KeyError, match=r"no protocol 'othr'\. Did you mean 'other'\?"):
        apply_protocol(cfg, 'othr')
    with pytest.raises(KeyError, match=r'empty\.py defines no `protocol`; .*x'):
        apply_protocol(cfg, 'empty')


def test_options_change_known_keys_only(cfg):
    cfg = apply_task(cfg, 'davis')
    options = {'protocol.davis.select.topk': 7, 'test_evaluator.0.bound_th': 1}
    changed = apply_options(cfg, options)
    assert changed.protocol.davis.select.topk == 7
    assert changed.test_evaluator[0].bound_th == 1
    assert cfg.protocol.davis.select.topk == 5
    assert apply_options(cfg, None).to_dict() == cfg.to_dict()


@pytest.mark.parametrize(
    ('key', 'message'),
    [
        ('protocol.davis.select.top', r"select has no key 'top'\. Did you mean 'topk'"),
        ('modle.backbone.depth', r"the config has no key 'modle'\. Did you mean 'mod"),
        ('test_evaluator.3.x', r"test_evaluator has no key '3'"),
        ('protocol.revision.x', r"protocol\.revision has no key 'x'"),
        ('select.topk', r"Or one of .*'protocol\.davis\.select\.topk'"),
    ],
)
def test_unknown_option_is_refused(cfg, key, message):
    cfg = apply_task(cfg, 'davis')
    with pytest.raises(KeyError, match=message) as caught:
        apply_options(cfg, {key: 1})
    assert re.search(rf'write new:{re.escape(key)}', str(caught.value))


def test_new_option_is_added_when_it_says_so(cfg):
    assert apply_options(cfg, {'new:model.chunk': 4}).model.chunk == 4


def test_options_of_a_task_reach_what_it_is_laid_over(folder):
    path = folder / 'test/res18.py'
    options = {'task_davis.test_dataset.year': 2016, 'new:task_vip.note': 'x'}
    assert resolve(path, 'davis', options=options).test_dataset.year == 2016
    assert resolve(path, 'davis').test_dataset.year == 2017
    later = {**options, 'test_dataset.year': 2018}
    assert resolve(path, 'davis', options=later).test_dataset.year == 2018


def test_tracker_config_takes_the_protocol_of_the_task(cfg):
    tracker = tracker_config(apply_task(cfg, 'davis'))
    assert tracker == dict(
        type='VideoTracker',
        backbone=dict(type='ResNet', depth=18),
        inputs=dict(color='rgb'),
        protocol=dict(select=dict(topk=5)),
    )


def test_limits_of_the_config_reach_the_tracker(cfg):
    cfg.limits = dict(max_memory='1GB')
    tracker = tracker_config(apply_task(cfg, 'davis'))
    assert tracker['limits'] == dict(max_memory='1GB')


def test_method_becomes_a_tracker_of_its_backbone(cfg):
    cfg.model.type, cfg.model.head = 'DUL', dict(type='H')
    tracker = tracker_config(apply_task(cfg, 'davis'))
    assert set(tracker) == {'type', 'backbone', 'inputs', 'protocol'}
    assert tracker['type'] == 'VideoTracker'


def test_what_a_tracker_lacks_is_named(cfg):
    cfg = apply_task(cfg, 'davis')
    cfg.model = dict(type='DUL', backbone=dict(type='R'))
    with pytest.raises(KeyError, match=r"lacks \['inputs'\]"):
        tracker_config(cfg)
    cfg.pop('model')
    with pytest.raises(KeyError, match=r'has no `model`\. Add a file of _base_/models'):
        tracker_config(cfg)


def test_protocol_without_the_task_is_named(cfg):
    cfg = apply_task(cfg, 'davis')
    cfg.task = 'jhmdb'
    with pytest.raises(KeyError, match=r"'a' has no part for task 'jhmdb'; .*davis"):
        protocol_part(cfg)


def test_an_option_of_a_metric_that_a_task_does_not_have():
    options = {'new:test_evaluator.0.official': True}
    with pytest.raises(KeyError, match=r'0\.official: Index 0 exceeds .*no such entry'):
        resolve('configs/test/crw_res18.py', 'davis_testdev', None, options)
