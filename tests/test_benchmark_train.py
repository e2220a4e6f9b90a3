import json

import pytest
import torch
from mmengine.config import Config

from densecorr.apis.benchmarks import train, train_step
from densecorr.apis.benchmarks.memory import in_fresh_process
from densecorr.apis.benchmarks.train_step import Request, measure, step_config
from densecorr.engine.activation_checkpointing import is_checkpointed
from densecorr.engine.hooks import EMATeacherHook
from densecorr.engine.optim import AutocastOptimWrapper
from tests.training_toys import SeeEdges, write_config

CRW = 'configs/train/crw_res18_k400.py'


@pytest.fixture(autouse=True)
def same_threads():
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def toy(tmp_path):
    return str(write_config(tmp_path))


def test_line_and_its_error():
    assert train.extrapolate([1, 2, 4], [3, 5, 9], 16) == pytest.approx((33, 0))
    # through (1, 1), (2, 2) and (3, 4): the line 1.5 x - 2 / 3, at 4 the lines of
    # pairs give 4, 5.5 and 6
    value, error = train.extrapolate([1, 2, 3], [1, 2, 4], 4)
    assert (value, error) == pytest.approx((16 / 3, 4 / 3))
    with pytest.raises(ValueError, match=r'\[1, 2, 2\]; give at least 3 different'):
        train.extrapolate([1, 2, 2], [1, 2, 2], 4)


def test_step_is_that_of_the_training(tmp_path, monkeypatch):
    seen = []
    loss = SeeEdges.loss

    def watched(self, inputs, data_samples):
        frames, network = inputs['frames'], self.backbone
        state = torch.is_autocast_enabled('cpu'), is_checkpointed(network.norm)
        seen.append((len(frames), *state))
        return loss(self, inputs, data_samples)

    monkeypatch.setattr(SeeEdges, 'loss', watched)
    steps = []
    wrapper_step = AutocastOptimWrapper.step
    monkeypatch.setattr(
        AutocastOptimWrapper,
        'step',
        lambda self, **kwargs: steps.append(wrapper_step(self, **kwargs)),
    )
    path = write_config(
        tmp_path,
        validation=dict(tasks=['none']),
        default_hooks=dict(checkpoint=dict(type='NoSuchHook')),
        custom_hooks=[dict(type='CollapseMonitorHook', watch=dict(none=1))],
    )
    request = Request(
        str(path), 6, {'new:model.noise': 0.2}, 'bfloat16', ['backbone.norm']
    )
    found = measure(request)
    assert seen == [(6, True, True)] * 3  # one to warm up, two measured
    assert len(steps) == 3
    assert found['batch'] == 6
    assert found['seconds'] > 0
    assert found['bytes'] >= 0
    assert not list(tmp_path.glob('**/*.pth'))


def test_teachers_are_updated(tmp_path, monkeypatch):
    hook = dict(type='EMATeacherHook', student='head', teacher='head')
    path = write_config(tmp_path, custom_hooks=[hook])
    built = []
    monkeypatch.setattr(
        EMATeacherHook, 'before_train', lambda self, runner: built.extend(self.students)
    )
    monkeypatch.setattr(
        EMATeacherHook, 'after_train_iter', lambda *args, **kwargs: None
    )
    measure(Request(str(path), 1, iters=1))
    assert built == ['head']


def test_published_pipelines_take_generated_clips():
    cfg = step_config(Request(CRW, 5, iters=1))
    clips = train_step.RepeatedClips(
        **{k: v for k, v in cfg.train_dataloader.dataset.items() if k != 'type'}
    )
    assert len(clips) == 10
    assert len(clips.clips) == 4
    assert clips.clips[0]['inputs']['frames'].shape == (4, 49, 3, 64, 64)
    assert cfg.train_dataloader.batch_size == 5
    own = step_config(Request(CRW, 5, own_data=True)).train_dataloader.dataset.dataset
    assert own == Config.fromfile(CRW).train_dataloader.dataset
    images = train_step.generated(dict(type='ImageClips', pipeline=[]))
    assert images['sampler'] == dict(type='GapSampler', num_frames=1)


def test_table_and_json_of_an_extrapolation(toy, tmp_path, monkeypatch):
    asked, lines = [], []

    def found(request):
        asked.append((request.batch, request.amp, request.checkpointing))
        n, more = request.batch, request.batch == 2
        return dict(batch=n, seconds=n / 5 + more / 100, bytes=2e8 * n + 1e7 * more)

    monkeypatch.setattr(train, 'measure_in_fresh_process', found)
    monkeypatch.setattr(train, 'print_log', lines.append)
    out = tmp_path / 'out.json'
    run = [toy, '--device', 'cpu', '--out', str(out), '--amp', 'bfloat16']
    run += ['--activation-checkpointing', 'backbone.conv', '--batch', '16']
    assert train.main([*run, '--cfg-options', 'new:model.noise=0.2']) == 0
    assert asked == [(n, 'bfloat16', ['backbone.conv']) for n in (1, 2, 4)]
    assert lines[0].splitlines()[-1] == (
        '| `toy.py` | 16 | `new:model.noise=0.2` `--amp bfloat16` '
        '`--activation-checkpointing backbone.conv` | 3.19 ± 0.16 s | 5.01 | '
        '3.19 ± 0.16 GB | extrapolated from batches 1, 2, 4 on the CPU |'
    )
    result = json.loads(out.read_text())
    assert result['batch'] == 16
    assert [each['batch'] for each in result['measured']] == [1, 2, 4]
    assert train.main([toy, '--device', 'cpu', '--batches', '4']) == 0
    assert lines[1].splitlines()[-1] == (
        '| `toy.py` | 4 | | 0.8 s | 5 | 0.8 GB | measured on the CPU |'
    )


def test_rows_of_a_page_are_added_and_replaced(toy, tmp_path, monkeypatch):
    def found(request):
        return dict(batch=request.batch, seconds=seconds, bytes=2e9)

    monkeypatch.setattr(train, 'measure_in_fresh_process', found)
    page = tmp_path / 'page.md'
    page.write_text('before\n<!-- cost: tools/benchmark.py train -->\n')
    run = [toy, '--device', 'cpu', '--batches', '4', '--pages', str(page)]
    seconds = 1.0
    with pytest.raises(
        ValueError, match=r'page\.md has no lines .*benchmark\.py train'
    ):
        train.main(run)
    page.write_text(page.read_text() + '<!-- end -->\nafter\n')
    assert train.main(run) == 0
    assert train.main([*run, '--amp', 'bfloat16']) == 0
    seconds = 8.0
    assert train.main(run) == 0
    *_, first, second, _, _, last = page.read_text().splitlines()
    assert first == '| `toy.py` | 4 | | 8 s | 0.5 | 2 GB | measured on the CPU |'
    assert second.startswith('| `toy.py` | 4 | `--amp bfloat16` | 1 s | 4 |')
    assert last == 'after'


def test_fresh_process_measures(toy):
    found = train_step.measure_in_fresh_process(Request(toy, 2, iters=1, device='cpu'))
    assert found['batch'] == 2
    assert found['seconds'] > 0


def test_wrong_requests_are_refused(toy):
    with pytest.raises(ValueError, match=r'batch is 0; give at least 1'):
        train.measure_training_step(Request(toy, 0))
    with pytest.raises(ValueError, match=r'iters is 0; give at least 1'):
        train.measure_training_step(Request(toy, 1, iters=0))
    with pytest.raises(ValueError, match=r'batches are \[1, 2\]; give at least 3'):
        train.measure_training_step(Request(toy, 8, device='cpu'), [1, 2])
    with pytest.raises(KeyError, match=r"lacks \['train_dataloader'.*configs/train"):
        step_config(Request('configs/test/crw_res18.py', 1))
    with pytest.raises(
        RuntimeError, match=r'measuring process failed: .*no_such_module'
    ):
        in_fresh_process('densecorr.no_such_module', 1)
