"""Training in one process: exactness, resuming, and what goes wrong."""

import json
from pathlib import Path

import pytest
import torch

from densecorr.apis.train import train
from densecorr.engine.train_checkpoint import LAST, newest_checkpoint
from densecorr.engine.train_loader import ClipBatches
from densecorr.models.methods.base import NonFiniteLossError
from densecorr.structures import ClipKey
from densecorr.utils.replaced_clips import TooManyCorruptError
from tests.training_toys import write_config


def run(folder, out='run', resume=None, options=None, **fields):
    config = write_config(folder, **fields)
    return train(
        config,
        folder / out,
        resume=resume,
        cfg_options=options,
        device='cpu',
        threads=1,
    )


def tensors(value, name=''):
    """Every tensor and number of a checkpoint's state by its place."""
    if isinstance(value, dict):
        return {
            k: v
            for key in value
            for k, v in tensors(value[key], f'{name}.{key}').items()
        }
    if isinstance(value, list | tuple):
        return tensors(dict(enumerate(value)), name)
    return {name: value}


def state(path):
    content = torch.load(path, weights_only=True)
    return tensors({k: content[k] for k in ('state_dict', 'optimizer')})


def assert_equal_states(first, second):
    assert first.keys() == second.keys()
    for name, value in first.items():
        if isinstance(value, torch.Tensor):
            assert torch.equal(value, second[name]), name
        else:
            assert value == second[name], name


def rows(path):
    return path.read_text().splitlines()


def test_a_resumed_run_equals_an_unbroken_one_bit_for_bit(tmp_path):
    model = dict(
        type='SeeEdges',
        backbone=dict(type='Edges', dropout=0.3),
        inputs=dict(mean=(0.5,) * 3, std=(0.25,) * 3),
    )
    done = run(tmp_path, 'whole', model=model)
    assert done['iterations'] == 6
    run(tmp_path, 'parts', model=model, train_cfg=dict(max_iters=3))
    again = run(tmp_path, 'parts', resume='auto', model=model)
    assert again['checkpoint'].endswith('iter_6.pth')
    assert_equal_states(
        state(tmp_path / 'whole/iter_6.pth'), state(tmp_path / 'parts/iter_6.pth')
    )
    assert (tmp_path / 'parts' / LAST).read_text() == 'iter_6.pth'


def test_the_number_of_workers_changes_nothing(tmp_path):
    states = []
    for workers in (0, 2):
        loader = dict(
            batch_size=4, num_workers=workers, dataset=dict(type='NoiseClips')
        )
        keys = [dict(type='KeysHook', path=str(tmp_path / f'keys{workers}'))]
        run(tmp_path, f'w{workers}', train_dataloader=loader, custom_hooks=keys)
        states.append(state(tmp_path / f'w{workers}/iter_6.pth'))
    assert_equal_states(*states)
    assert rows(tmp_path / 'keys0') == rows(tmp_path / 'keys2')
    assert len(rows(tmp_path / 'keys0')) == 6


def test_accumulation_equals_the_whole_batch(tmp_path):
    fields = dict(
        model=dict(
            type='SeeEdges',
            backbone=dict(type='Edges', norm=False),
            inputs=dict(mean=(0.5,) * 3, std=(0.25,) * 3),
        )
    )
    wrapper = dict(type='OptimWrapper', optimizer=dict(type='SGD', lr=0.1))
    run(tmp_path, 'whole', optim_wrapper=wrapper, **fields)
    loader = dict(batch_size=2, num_workers=0, dataset=dict(type='NoiseClips'))
    wrapper = {**wrapper, 'accumulative_counts': 2}
    run(tmp_path, 'parts', optim_wrapper=wrapper, train_dataloader=loader, **fields)
    whole, parts = (state(tmp_path / f'{n}/iter_6.pth') for n in ('whole', 'parts'))
    for name in whole:
        if name.endswith(('weight', 'bias')):
            torch.testing.assert_close(whole[name], parts[name], rtol=0, atol=1e-6)
    assert parts['.state_dict.steps'] == 12  # forward passes, two an iteration


@pytest.mark.parametrize('accumulation', [1, 2])
def test_ranks_share_the_batches_of_one_process(accumulation):
    whole = ClipBatches(26, 4, seed=1, accumulation=accumulation)
    shares = [iter(ClipBatches(26, 2, 1, rank, 2, accumulation)) for rank in range(2)]
    seen = []
    batches = iter(whole)
    for _ in range(2 * whole.iters_per_epoch * accumulation):
        batch = next(batches)
        assert next(shares[0]) + next(shares[1]) == batch
        seen += batch
    assert len(set(seen)) == len(seen)  # no clip twice in an epoch
    assert {key.epoch for key in seen} == {0, 1}


def test_batches_begin_anywhere():
    batches = ClipBatches(10, 3, seed=5)
    assert batches.iters_per_epoch == 3
    stream = iter(batches)
    expected = [next(stream) for _ in range(8)]
    batches.start = 5
    stream = iter(batches)
    assert [next(stream) for _ in range(3)] == expected[5:]
    assert expected[5][0] == ClipKey(1, expected[5][0].item)


def test_a_dataset_smaller_than_an_iteration_is_refused(tmp_path):
    loader = dict(
        batch_size=4, num_workers=0, dataset=dict(type='NoiseClips', num_clips=3)
    )
    with pytest.raises(ValueError, match='an epoch has 3 clips, an iteration takes 4'):
        run(tmp_path, train_dataloader=loader)


def test_a_loss_that_is_not_finite_stops_before_the_update(tmp_path):
    model = dict(
        type='SeeEdges',
        spoil_at=4,
        backbone=dict(type='Edges'),
        inputs=dict(mean=(0.5,) * 3, std=(0.25,) * 3),
    )
    with pytest.raises(NonFiniteLossError, match='iteration 4: the loss is not') as e:
        run(tmp_path, model=model)
    dump = tmp_path / 'run/non_finite_iter_4_rank_0.pth'
    assert str(dump) in str(e.value)
    content = torch.load(dump, weights_only=True)
    assert content['inputs']['frames'].shape == (4, 2, 3, 16, 16)
    assert len(content['data_samples']) == 4
    assert all(torch.isfinite(v).all() for v in content['state_dict'].values())
    assert newest_checkpoint(tmp_path / 'run')[0].name == 'iter_3.pth'


def test_parameters_without_a_gradient_have_to_be_named(tmp_path):
    model = dict(
        type='SeeEdges',
        backbone=dict(type='Edges', stages=2),
        inputs=dict(mean=(0.5,) * 3, std=(0.25,) * 3),
    )
    with pytest.raises(ValueError, match=r'2 parameters get no gradient .*spare'):
        run(tmp_path, model=model)
    run(tmp_path, 'named', model=model, unused_parameters=['backbone.spare.*'])
    with pytest.raises(ValueError, match=r"unused_parameters has 'backbone.spar'"):
        run(tmp_path, 'wrong', model=model, unused_parameters=['backbone.spar'])


def test_a_folder_with_checkpoints_is_not_mixed(tmp_path):
    run(tmp_path)
    with pytest.raises(ValueError, match=r'iter_6\.pth\. Go on from it with --resume'):
        run(tmp_path)
    config = write_config(tmp_path, train_cfg=dict(max_iters=2))
    train(config, tmp_path / 'run', overwrite=True, device='cpu', threads=1)
    names = sorted(p.name for p in (tmp_path / 'run').glob('iter_*'))
    assert names == ['iter_2.pth']  # the last iteration always


def test_resuming_takes_the_newest_checkpoint_that_is_whole(tmp_path):
    run(tmp_path)
    whole = tmp_path / 'run/iter_6.pth'
    whole.write_bytes(whole.read_bytes()[:1000])
    assert newest_checkpoint(tmp_path / 'run')[0].name == 'iter_3.pth'
    done = run(tmp_path, resume='auto')
    assert done['iterations'] == 6
    assert torch.load(whole, weights_only=True)['meta']['iter'] == 6


def test_only_the_newest_checkpoints_are_kept(tmp_path):
    hook = dict(type='TrainCheckpointHook', interval=1, unit='iter', max_keep=2)
    run(tmp_path, default_hooks=dict(checkpoint=hook))
    names = {p.name for p in (tmp_path / 'run').glob('iter_*')}
    assert names == {'iter_5.pth', 'iter_6.pth'}


def test_a_checkpoint_of_another_method_is_refused(tmp_path):
    run(tmp_path, train_cfg=dict(max_iters=3))
    path = tmp_path / 'run/iter_3.pth'
    content = torch.load(path, weights_only=True)
    content['meta']['method'] = 'TimeT'
    torch.save(content, path)
    with pytest.raises(ValueError, match="by the method 'TimeT', the config trains"):
        run(tmp_path, resume='auto')


def test_weights_alone_cannot_be_resumed(tmp_path):
    torch.save(dict(state_dict=dict(a=torch.zeros(1))), tmp_path / 'weights.pth')
    with pytest.raises(ValueError, match=r"has no \['meta', 'optimizer'\]"):
        run(tmp_path, resume=str(tmp_path / 'weights.pth'))
    with pytest.raises(FileNotFoundError, match=r'none\.pth does not exist'):
        run(tmp_path, resume=str(tmp_path / 'none.pth'))


def test_another_network_is_refused(tmp_path):
    run(tmp_path, train_cfg=dict(max_iters=3))
    model = dict(
        type='SeeEdges',
        backbone=dict(type='Edges', norm=False),
        inputs=dict(mean=(0.5,) * 3, std=(0.25,) * 3),
    )
    with pytest.raises(ValueError, match='does not fit the model or optimiser'):
        run(tmp_path, resume='auto', model=model)


@pytest.mark.parametrize(
    ('fields', 'message'),
    [
        (dict(train_cfg=dict()), 'max_epochs=None and max_iters=None; give one'),
        (dict(train_cfg=dict(max_iters=0)), 'max_iters=0; give one of them'),
        (dict(train_cfg=dict(max_iters=1, max_epochs=1)), 'give one of them'),
    ],
)
def test_a_wrong_length_is_named(tmp_path, fields, message):
    with pytest.raises(ValueError, match=message):
        run(tmp_path, **fields)


@pytest.mark.parametrize(
    ('fields', 'message'),
    [
        (dict(optim_wraper=dict()), r"has 'optim_wraper', .* mean 'optim_wrapper'"),
        (dict(costum_hooks=[]), r"has 'costum_hooks'.* mean 'custom_hooks'"),
    ],
)
def test_a_misspelt_field_is_named(tmp_path, fields, message):
    path = write_config(tmp_path, **fields)
    if 'optim_wraper' in fields:
        lines = [
            line
            for line in path.read_text().splitlines()
            if 'optim_wrapper' not in line
        ]
        path.write_text('\n'.join(lines))
    with pytest.raises(KeyError, match=message):
        train(path, tmp_path / 'run', device='cpu', threads=1)


def test_unknown_options_of_the_loader_and_the_command_are_named(tmp_path):
    loader = dict(batch_size=4, num_worker=1, dataset=dict(type='NoiseClips'))
    with pytest.raises(KeyError, match="no option 'num_worker'"):
        run(tmp_path, train_dataloader=loader)
    with pytest.raises(KeyError, match="no key 'lrr'"):
        run(tmp_path, options={'optim_wrapper.optimizer.lrr': 1.0})


def test_a_config_for_evaluation_cannot_be_trained(tmp_path):
    config = Path(__file__).parents[2] / 'configs/test/crw_res18.py'
    with pytest.raises(KeyError, match=r"lacks \['train_dataloader', 'optim_wrapper'"):
        train(config, tmp_path, device='cpu', threads=1)


def test_the_learning_rate_scales_with_the_batch(tmp_path):
    config = write_config(tmp_path, auto_scale_lr=dict(base_batch_size=8))
    train(config, tmp_path / 'a', auto_scale_lr=True, device='cpu', threads=1)
    rate = torch.load(tmp_path / 'a/iter_6.pth', weights_only=True)['optimizer']
    assert rate['param_groups'][0]['lr'] == pytest.approx(0.01 * 4 / 8)
    with pytest.raises(KeyError, match='for how many clips its learning rate is'):
        train(
            write_config(tmp_path),
            tmp_path / 'b',
            auto_scale_lr=True,
            device='cpu',
            threads=1,
        )


def test_clipping_is_logged(tmp_path):
    wrapper = dict(
        type='OptimWrapper',
        optimizer=dict(type='SGD', lr=0.1),
        clip_grad=dict(max_norm=1e-4),
    )
    log = dict(type='OutputsHook', path=str(tmp_path / 'outputs'))
    run(tmp_path, optim_wrapper=wrapper, custom_hooks=[log])
    outputs = [json.loads(row) for row in rows(tmp_path / 'outputs')]
    assert all(row['grad_norm'] > 1e-4 for row in outputs)
    assert outputs[0]['loss'] == outputs[0]['loss_edges']
    assert outputs[-1]['loss'] == pytest.approx(outputs[0]['loss'], abs=1e-2)


def test_a_full_disk_keeps_the_last_checkpoint(tmp_path, monkeypatch):
    import errno

    from densecorr.utils import files

    run(tmp_path, train_cfg=dict(max_iters=3))

    def no_space(handle, data):
        handle.write(data[: len(data) // 2])
        raise OSError(errno.ENOSPC, 'No space left on device')

    monkeypatch.setattr(files, '_write', no_space)
    with pytest.raises(OSError, match='No space left on the device while writing'):
        run(tmp_path, resume='auto')
    monkeypatch.undo()
    assert newest_checkpoint(tmp_path / 'run')[1]['meta']['iter'] == 3
    assert run(tmp_path, resume='auto')['iterations'] == 6


def test_too_many_unreadable_clips_stop_the_run(tmp_path):
    dataset = dict(type='NoiseClips', num_clips=16, corrupt=True)
    loader = dict(batch_size=4, num_workers=0, dataset=dataset)
    length = dict(max_iters=60)
    with pytest.raises(TooManyCorruptError, match='200 of 200 clips could not be read'):
        run(tmp_path, train_dataloader=loader, train_cfg=length)
    length = dict(max_iters=60, max_corrupt=1.0)
    done = run(tmp_path, resume='auto', train_dataloader=loader, train_cfg=length)
    assert done['iterations'] == 60
    content = torch.load(done['checkpoint'], weights_only=True)
    assert content['replaced_clips']['drawn'] == 240
