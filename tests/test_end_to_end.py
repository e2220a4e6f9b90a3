"""The way through from a config and a checkpoint to files, in one or more processes."""

import json
import os
import random
import re
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from densecorr.apis.evaluate import evaluate, options_of_dataset
from densecorr.evaluation.functional.davis import frame_scores

from .trees import voc_palette, write_davis_tree

REPO = Path(__file__).resolve().parents[1]
CONFIG = str(REPO / 'configs/test/crw_res18.py')
VIDEOS = {'blackswan': 30, 'camel': 3, 'dog': 3}  # one ten times as long
DIFFERS = ('run.json', 'logs')
KILLS = ['write:2:.png', 'write:7:.png', 'write:2:.json', 'write:1:metrics.json']


def run_evaluation(data, out, **options):
    dataset = options_of_dataset(str(data), options.pop('sequences', None))
    options = dict(cfg_options=dataset, threads=1, **options)
    return evaluate(CONFIG, 'davis', 'random', out, **options)


def results_of(out):
    """Bytes of every file that equal runs share."""
    return {
        str(path.relative_to(out)): path.read_bytes()
        for path in sorted(Path(out).rglob('*'))
        if path.is_file() and path.relative_to(out).parts[0] not in DIFFERS
    }


def start_script(gpus, data, out, *options, **environment):
    command = ['bash', str(REPO / 'tools/dist_test.sh'), CONFIG, str(gpus), 'davis']
    command += ['random', '--data', str(data), '--out', str(out), '--threads', '1']
    env = {**os.environ, 'PYTHON': sys.executable, **environment}
    return subprocess.Popen(
        [*command, *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=env,
        cwd=Path(data).parent,
    )


def finish(process):
    text = process.communicate(timeout=300)[0]
    assert process.returncode == 0, text
    return text


def free_port():
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        return probe.getsockname()[1]


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp('data')
    return write_davis_tree(folder / 'DAVIS', VIDEOS, size=(48, 64))


@pytest.fixture(scope='module')
def once(data, tmp_path_factory):
    """One evaluation in this process: its content and its folder."""
    out = tmp_path_factory.mktemp('once') / 'out'
    return run_evaluation(data, out), out


def test_every_file_is_written(once):
    content, out = once
    names = set(results_of(out))
    tables = {'global_results-val-3of30.csv', 'per-sequence_results-val-3of30.csv'}
    files = {'metrics.json', 'per_video.csv', 'per_object.csv', 'config.py'}
    records = {f'records/{name}.json' for name in VIDEOS}
    pngs = {f'predictions/{n}/{i:05d}.png' for n in VIDEOS for i in range(VIDEOS[n])}
    votes = {f'votes/{name}.npz' for name in VIDEOS}
    extra = {name for name in names if name.startswith('yardsticks/')}
    assert extra == {
        f'yardsticks/{name}/{file}'
        for name in ('ceiling', 'copy', 'colors')  # the run is the random one
        for file in {*tables, *files, *records, *pngs} - {'config.py'}
    }
    files |= {'report.html', 'yardsticks.json'}
    assert names - extra == {*tables, *files, *records, *pngs, *votes}
    written = json.loads((out / 'metrics.json').read_text())
    assert written['metrics'] == content['metrics']
    assert written['dataset']['note'].startswith('3 of 30 sequences')
    assert written['fingerprint']['protocol']['name'] == 'crw'
    assert (out / 'run.json').exists()
    assert list((out / 'logs').rglob('*.log'))


def test_nothing_in_the_results_names_this_machine(once, data):
    files = results_of(once[1])
    del files['config.py']  # says which data were used
    for name, content in files.items():
        if not name.endswith(('.png', '.npz')):
            text = re.sub('base64,[^"]*', '', content.decode())
            for private in (str(data), str(REPO), socket.gethostname()):
                assert not re.search(rf'\b{re.escape(private)}\b', text), name


def test_scores_are_those_of_the_files(once, data):
    content, out = once
    scores = []
    for name, num_frames in VIDEOS.items():
        frames = []
        for index in range(1, num_frames - 1):
            stem = f'{name}/{index:05d}.png'
            pred = np.asarray(Image.open(out / 'predictions' / stem))
            target = np.asarray(Image.open(data / 'Annotations/480p' / stem))
            frames.append(frame_scores(pred, target, [1, 2]))
        scores += list(np.mean(frames, axis=0).T)  # objects x (J, F)
    expected = np.mean(scores, axis=0)
    metrics = content['metrics']
    assert metrics['J-Mean'] == pytest.approx(expected[0], abs=1e-9)
    assert metrics['F-Mean'] == pytest.approx(expected[1], abs=1e-9)
    assert expected[0] > 0.5  # blobs are easy to follow, even for random weights


def test_pngs_have_the_palette_of_the_input(once):
    for path in (once[1] / 'predictions/camel').iterdir():
        with Image.open(path) as png:
            assert png.mode == 'P'
            palette = np.array(png.getpalette()).reshape(-1, 3)
            assert np.array_equal(palette[:3], voc_palette()[:3])


def test_report_shows_notes_numbers_and_pictures(once):
    content, out = once
    page = (out / 'report.html').read_text()
    assert '3 of 30 sequences' in page
    assert f'{100 * content["metrics"]["J&F-Mean"]:.1f}' in page
    worst = sum(min(5, num_frames - 2) for num_frames in VIDEOS.values())
    assert page.count('<figure class="picture">') == worst
    assert page.count('data:image/jpeg;base64,') > worst  # and context frames
    assert '://' not in page


def test_one_process_by_script_gives_the_same_bytes(once, data, tmp_path):
    text = finish(start_script(1, data, tmp_path / 'out'))
    assert results_of(tmp_path / 'out') == results_of(once[1])
    assert 'J&F-Mean' in text
    assert '3 of 30 sequences' in text
    assert 'world size 1: rank 0 has 3 of 3 videos' in text


def test_two_processes_give_the_same_bytes(once, data, tmp_path):
    text = finish(start_script(2, data, tmp_path / 'out'))
    assert results_of(tmp_path / 'out') == results_of(once[1])
    assert 'world size 2: rank 0 has 1 of 3 videos' in text
    log = next((tmp_path / 'out/logs').rglob('*.log')).read_text()
    assert 'world size 2' in log
    assert json.loads((tmp_path / 'out/run.json').read_text())['world_size'] == 2


def test_one_video_on_two_nodes_gives_the_same_bytes(data, tmp_path):
    run_evaluation(data, tmp_path / 'one', sequences=['camel'])
    common = dict(NNODES='2', MASTER_ADDR='127.0.0.1', PORT=str(free_port()))
    nodes = [
        start_script(
            1, data, tmp_path / 'two', '--sequences', 'camel', NODE_RANK=rank, **common
        )
        for rank in '01'
    ]
    texts = [finish(node) for node in nodes]
    assert 'world size 2: rank 0 has 1 of 1 videos' in texts[0]
    one, two = results_of(tmp_path / 'one'), results_of(tmp_path / 'two')
    assert one == two


def killed_run(data, out, kills):
    script = Path(__file__).with_name('evaluation_driver.py')
    command = [sys.executable, str(script), CONFIG, str(data), str(out), *kills]
    env = {**os.environ, 'PYTHONPATH': str(REPO)}
    done = subprocess.run(command, capture_output=True, text=True, env=env)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_killed_while_writing_and_run_again(once, data, tmp_path):
    ends = killed_run(data, tmp_path / 'out', KILLS)
    assert ends == [*(f'{kill} signal 9' for kill in KILLS), 'None exit 0']
    assert results_of(tmp_path / 'out') == results_of(once[1])


@pytest.mark.slow
def test_killed_at_twenty_moments_and_run_again(once, data, tmp_path):
    moments = random.Random(0)
    kills = [f'time:{moments.uniform(0.5, 3):.2f}' for _ in range(14)]
    kills += [*KILLS, 'write:20:.png', 'write:1:report.html']
    moments.shuffle(kills)
    ends = killed_run(data, tmp_path / 'out', kills)
    assert ends[-1] == 'None exit 0'
    assert sum(end.endswith('signal 9') for end in ends) >= 10
    assert results_of(tmp_path / 'out') == results_of(once[1])


def test_rerun_skips_and_other_settings_stop(once, data, tmp_path):
    out = tmp_path / 'out'
    first = run_evaluation(data, out, sequences=['camel'])
    again = run_evaluation(data, out, sequences=['camel'])
    assert again['metrics'] == first['metrics']
    with pytest.raises(
        ValueError, match=r'camel.json was made .* protocol.name was .crw.*--overwrite'
    ):
        run_evaluation(data, out, sequences=['camel'], protocol='dul')
    before = results_of(out)
    other = run_evaluation(
        data, out, sequences=['camel'], protocol='dul', overwrite=True
    )
    assert other['protocol']['name'] == 'dul'
    assert results_of(out)['metrics.json'] != before['metrics.json']


def test_images_that_change_are_noticed(data, tmp_path):
    tree = write_davis_tree(tmp_path / 'DAVIS', {'dog': 3}, size=(48, 64))
    run_evaluation(tree, tmp_path / 'out')
    frame = tree / 'JPEGImages/480p/dog/00001.jpg'
    frame.write_bytes(frame.read_bytes() + b'\0')
    with pytest.raises(ValueError, match=r'dog\.json was made by .*: inputs was'):
        run_evaluation(tree, tmp_path / 'out')


def test_script_names_a_bad_image_and_keeps_finished_videos(tmp_path):
    tree = write_davis_tree(tmp_path / 'DAVIS', {'camel': 4, 'dog': 3}, size=(48, 64))
    frame = tree / 'JPEGImages/480p/dog/00001.jpg'
    frame.write_bytes(frame.read_bytes()[:300])
    process = start_script(1, tree, tmp_path / 'out')
    text = process.communicate(timeout=120)[0]
    assert process.returncode == 1
    assert "VideoError: video 'dog', frame '00001':" in text
    assert 'Traceback' not in text
    assert (tmp_path / 'out/records/camel.json').exists()
    assert not (tmp_path / 'out/metrics.json').exists()


MEMORY = """
import resource, sys
from densecorr.apis.evaluate import evaluate, options_of_dataset
config, data, out = sys.argv[1:]
options = options_of_dataset(data)
evaluate(config, 'davis', 'random', out, cfg_options=options, threads=1)
sys.stderr.write(f'peak {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss}')
"""


@pytest.mark.slow
def test_memory_does_not_grow_with_the_video(tmp_path):
    peaks = []
    for num_frames in (40, 400):
        tree = write_davis_tree(
            tmp_path / str(num_frames), {'dog': num_frames}, size=(48, 64)
        )
        command = [sys.executable, '-c', MEMORY, CONFIG, str(tree)]
        command.append(str(tmp_path / f'out{num_frames}'))
        env = {**os.environ, 'PYTHONPATH': str(REPO)}
        done = subprocess.run(command, capture_output=True, text=True, env=env)
        assert done.returncode == 0, done.stderr
        peaks.append(int(done.stderr.rpartition('peak ')[2]) / 1024)
    assert peaks[1] - peaks[0] < 50, peaks  # MB
