"""Numbers while training are those of the evaluation afterwards."""

import json
from pathlib import Path

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from densecorr.apis.evaluate import evaluate
from densecorr.apis.train import prepare_folder, train
from tests.training_toys import write_config
from tests.trees import write_davis_tree

BASES = Path(__file__).resolve().parents[2] / 'configs/_base_'


@pytest.fixture
def options(tmp_path):
    write_davis_tree(tmp_path / 'davis', {'blobs': 4, 'more': 3})
    return {
        'task_davis.test_dataset.root': str(tmp_path / 'davis'),
        'protocol.davis.context.num_frames': 2,
    }


def config_with(folder, **validation):
    names = ('protocols/crw.py', 'tasks/davis.py', 'train_runtime.py')
    fields = dict(
        _base_=[str(BASES / name) for name in names],
        train_cfg=dict(max_iters=4),
        model=dict(
            type='SeeEdges',
            backbone=dict(type='Edges', stride=8),
            inputs=dict(mean=(0.5,) * 3, std=(0.25,) * 3),
        ),
        default_hooks=dict(checkpoint=dict(interval=2, unit='iter', max_keep=None)),
        validation=dict(tasks=['davis'], interval=2, unit='iter') | validation,
    )
    return write_config(folder, **fields)


def run(folder, options, out='run', **settings):
    settings = dict(best='davis/J&F-Mean') | settings
    resume = settings.pop('resume', None)
    return train(
        config_with(folder, **settings),
        folder / out,
        resume=resume,
        cfg_options=options,
        device='cpu',
        threads=1,
    )


def test_validation_is_the_evaluation_of_the_checkpoint(tmp_path, options):
    done = run(tmp_path, options)
    assert [entry['iter'] for entry in done['validation']] == [0, 2, 4]
    again = evaluate(
        config_with(tmp_path),
        'davis',
        done['checkpoint'],
        tmp_path / 'after',
        cfg_options=options,
        device='cpu',
        threads=1,
        yardsticks='none',
        votes=False,
    )
    last = done['validation'][-1]['metrics']
    assert last == {f'davis/{k}': v for k, v in again['metrics'].items()}
    assert json.loads((tmp_path / 'run/validation.json').read_text()) == list(
        done['validation']
    )
    trained = {
        e['iter']: e['metrics']['davis/J&F-Mean'] for e in done['validation'][1:]
    }
    best = torch.load(tmp_path / 'run/best_davis.pth', weights_only=True)
    assert best['meta']['iter'] == max(trained, key=lambda i: (trained[i], -i))
    assert best['validation'][0] == done['validation'][0]


def test_validation_leaves_the_training_alone(tmp_path, options):
    run(tmp_path, options)
    plain = config_with(tmp_path)
    text = plain.read_text().replace('validation = ', 'unused = ')
    plain.write_text(text)
    train(plain, tmp_path / 'plain', cfg_options=options, device='cpu', threads=1)
    states = [
        torch.load(tmp_path / name / 'iter_4.pth', weights_only=True)['state_dict']
        for name in ('run', 'plain')
    ]
    assert all(torch.equal(states[0][key], states[1][key]) for key in states[1])


def test_a_resumed_run_remembers_the_numbers(tmp_path, options):
    whole = run(tmp_path, options)
    (tmp_path / 'run/iter_4.pth').unlink()
    again = run(tmp_path, options, resume='auto')
    assert again['validation'] == whole['validation']


def test_the_numbers_reach_tensorboard(tmp_path, options):
    done = run(tmp_path, options)
    (events,) = (tmp_path / 'run').rglob('events.out.tfevents.*')
    found = EventAccumulator(str(events.parent)).Reload()
    scalars = found.Scalars('davis/J&F-Mean')
    assert [s.step for s in scalars] == [0, 2, 4]
    expected = [e['metrics']['davis/J&F-Mean'] for e in done['validation']]
    assert [s.value for s in scalars] == pytest.approx(expected)


def test_what_is_wrong_is_told_before_training(tmp_path, options):
    with pytest.raises(ValueError, match=r"best is 'davis/JF'\. Did you mean"):
        run(tmp_path, options, best='davis/JF')
    assert not list((tmp_path / 'run').glob('iter_*'))
    with pytest.raises(ValueError, match=r"best as '<task>/<metric>' of one of them"):
        run(tmp_path, options, 'b', best='vip/mIoU')
    missing = {**options, 'task_davis.test_dataset.root': str(tmp_path / 'none')}
    with pytest.raises(FileNotFoundError, match='none'):
        run(tmp_path, missing, 'c')


def test_the_better_of_two_trackers_names_the_snapshots(tmp_path, options):
    inputs = dict(mean=(0.1, 0.5, 0.9))
    shifted = dict(name='shifted', task='davis', tracker=dict(inputs=inputs))
    tasks = ['davis', shifted]
    best = ['davis/J&F-Mean', 'shifted/J&F-Mean']
    settings = dict(tasks=tasks, best=best, max_keep=1, interval=1)
    done = run(tmp_path, options, **settings)
    history = done['validation']
    assert [entry['iter'] for entry in history] == [0, 1, 2, 3, 4]
    expected, highest = [], 0.0
    for entry in history[1:]:
        name = max(best, key=lambda name: entry['metrics'][name])
        score, task = entry['metrics'][name], name.split('/')[0]
        if score > highest:
            highest = score
            expected.append(f'iter{entry["iter"]:03d}_score{score:.3f}_{task}.pth')
    assert [e['weights'] for e in history if 'weights' in e] == expected
    kept = [path.name for path in (tmp_path / 'run').glob('*_score*.pth')]
    assert kept == expected[-1:]
    content = torch.load(tmp_path / 'run' / kept[0], weights_only=True)
    assert content['validation'][-1]['weights'] == kept[0]
    (tmp_path / 'run/iter_4.pth').unlink()
    again = run(tmp_path, options, resume='auto', **settings)
    assert again['validation'] == history
    prepare_folder(tmp_path / 'run', None, overwrite=True)
    assert not list((tmp_path / 'run').glob('*.pth'))


def test_bad_entries_are_told(tmp_path, options):
    def fails(error, text, **settings):
        with pytest.raises(error, match=text):
            run(tmp_path, options, **settings)

    fails(ValueError, "two entries 'davis'", tasks=['davis', dict(task='davis')])
    fails(KeyError, r'give the name of a task, or a dict', tasks=[dict(name='a')])
    fails(ValueError, 'max_keep of validation is 0', max_keep=0)
    fails(ValueError, 'max_keep of validation is 2', max_keep=2, best=None)


def test_a_preview_takes_clip_and_tracker_of_a_task(tmp_path, options):
    config = config_with(tmp_path)
    hook = dict(type='PreviewHook', task='davis', interval=2, unit='iter')
    text = config.read_text() + f'custom_hooks = [{hook!r}]\n'
    config.write_text(text.replace('validation = ', 'unused = '))
    train(config, tmp_path / 'run', cfg_options=options, device='cpu', threads=1)
    names = {path.name for path in (tmp_path / 'run/previews').iterdir()}
    assert names == {'iter_0.jpg', 'iter_2.jpg', 'iter_4.jpg'}
