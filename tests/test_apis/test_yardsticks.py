import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from densecorr.apis import yardsticks as module
from densecorr.apis.config import resolve
from densecorr.apis.evaluate import evaluate, options_of_dataset
from densecorr.apis.votes import frame_means, stored_frame
from densecorr.apis.yardsticks import LABELS, format_yardsticks, yardstick_models
from densecorr.models.backbones import RawColors
from densecorr.propagation.votes import Votes
from tests.parity.pipelines import memory_video
from tests.trees import write_davis_tree

ROOT = Path(__file__).resolve().parents[2]
CONFIG = ROOT / 'configs/test/crw_res18.py'


@pytest.fixture
def data(tmp_path):
    return write_davis_tree(tmp_path / 'DAVIS', {'dog': 5, 'camel': 3}, size=(48, 64))


def run(data, out, **options):
    dataset = options_of_dataset(str(data), options.pop('sequences', None))
    return evaluate(
        CONFIG, 'davis', 'random', out, cfg_options=dataset, threads=1, **options
    )


def test_score_stands_among_its_yardsticks(data, tmp_path):
    content = run(data, tmp_path / 'out')
    written = json.loads((tmp_path / 'out/yardsticks.json').read_text())
    assert written == {'schema': 1, 'yardsticks': content['yardsticks']}
    found = {
        name: e['metrics']['J&F-Mean'] for name, e in content['yardsticks'].items()
    }
    assert list(found) == list(LABELS)
    assert found['random'] == content['metrics']['J&F-Mean']  # the run is random
    assert found['ceiling'] > max(found['colors'], found['random'])
    lines = format_yardsticks(content).splitlines()
    assert lines[2].startswith('this run')
    assert lines[3].startswith('encode-decode ceiling of the true labels')
    assert len(lines) == 2 + 5


def test_cheap_and_none(data, tmp_path):
    content = run(data, tmp_path / 'cheap', yardsticks='cheap', votes=False)
    assert set(content['yardsticks']) == {'ceiling', 'copy'}
    assert not (tmp_path / 'cheap/votes').exists()
    content = run(data, tmp_path / 'none', yardsticks='none')
    assert content['yardsticks'] == {}
    assert not (tmp_path / 'none/yardsticks.json').exists()
    assert (tmp_path / 'none/votes/dog.npz').exists()


def test_yardsticks_of_fewer_videos_do_not_stay_beside_a_score(data, tmp_path):
    out = tmp_path / 'out'
    run(data, out, yardsticks='cheap', sequences=['dog'])
    fewer = (out / 'yardsticks.json').read_bytes()
    run(data, out, yardsticks='none')
    assert not (out / 'yardsticks.json').exists()
    assert 'first labels copied' not in (out / 'report.html').read_text('utf-8')
    run(data, out, yardsticks='cheap')
    run(data, tmp_path / 'fresh', yardsticks='cheap')
    whole = (out / 'yardsticks.json').read_bytes()
    assert whole == (tmp_path / 'fresh/yardsticks.json').read_bytes() != fewer


def test_unknown_choice_is_refused_before_the_work(data, tmp_path):
    with pytest.raises(ValueError, match=r"yardsticks is 'most'; choose from.*cheap"):
        run(data, tmp_path / 'out', yardsticks='most')
    assert not (tmp_path / 'out').exists()


def test_score_is_whole_when_a_yardstick_is_stopped(data, tmp_path, monkeypatch):
    evaluated = []

    def stop(cfg, model, folder, facts):
        evaluated.append(folder.name)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(module, '_evaluate', stop)
        with pytest.raises(KeyboardInterrupt):
            run(data, tmp_path / 'out')
    assert evaluated == ['ceiling']
    for name in ('metrics.json', 'run.json', 'report.html', 'config.py'):
        assert (tmp_path / 'out' / name).exists()
    assert not (tmp_path / 'out/yardsticks.json').exists()
    content = run(data, tmp_path / 'out')  # goes on
    assert set(content['yardsticks']) == set(LABELS)


def test_yardsticks_have_the_shape_and_protocol_of_the_model():
    cfg = resolve(CONFIG, 'davis')
    models = yardstick_models(cfg, RawColors(8, any_size=False))
    assert models['random']['backbone']['type'] == 'ResNet'
    assert models['colors']['backbone'] == dict(
        type='RawColors', stride=8, any_size=False
    )
    assert models['colors']['protocol'] == models['random']['protocol']
    assert models['ceiling']['stride'] == 8


RESULT = dict(
    frames=['00001', '00002', '00003'],
    objects=[
        dict(J=[1.0, 0.5, 0.2], F=[1.0, 0.5, 0.4]),
        dict(J=[1.0, 0.1, 0.6], F=[1.0, 0.1, 0.8]),
    ],
)


def test_the_worst_scored_frame_is_stored():
    scores = frame_means(RESULT)
    assert scores == pytest.approx({'00001': 1.0, '00002': 0.3, '00003': 0.5})
    frames = np.zeros((5, 8, 8, 3), np.uint8)
    video = memory_video(frames, np.ones((8, 8), np.uint8))
    assert stored_frame(video, [RESULT]) == 2
    assert frame_means(dict(frames=[], objects=[])) == {}
    assert stored_frame(video, []) == 4  # nothing scored: the last one
    one = replace(video, frame_names=('00000',))
    assert stored_frame(one, []) == -1


def test_votes_of_a_run_are_of_its_worst_frames(data, tmp_path):
    run(data, tmp_path / 'out', yardsticks='none')
    for name in ('dog', 'camel'):
        record = json.loads((tmp_path / f'out/records/{name}.json').read_text())
        scores = frame_means(record['results'][0])
        votes = Votes.load(tmp_path / f'out/votes/{name}.npz')
        assert f'{votes.frame:05d}' == min(scores, key=scores.get)
        assert votes.frames.max() < votes.frame
