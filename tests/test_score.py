import csv
import importlib.util
import json
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from densecorr.apis.score import format_score, score
from densecorr.datasets import DAVISDataset
from densecorr.registry import METRICS
from densecorr.utils.images import read_label_map

from .trees import write_davis_tree, write_image, write_palette_png

VIDEOS = dict(blackswan=6, camel=4)
TABLES = ['metrics.json', 'per_object.csv', 'per_video.csv']


@pytest.fixture
def root(tmp_path):
    return write_davis_tree(tmp_path / 'data set é', VIDEOS)


@pytest.fixture
def results(root, tmp_path):
    """Annotations of the frame before, as a tool's predictions."""
    folder = tmp_path / 'results'
    for name, num_frames in VIDEOS.items():
        for t in range(num_frames):
            source = root / f'Annotations/480p/{name}/{max(t - 1, 0):05d}.png'
            label_map, _ = read_label_map(source)
            write_palette_png(folder / name / f'{t:05d}.png', label_map)
    return folder


def set_of(folder):
    return [path.name for path in sorted(folder.iterdir()) if path.is_file()]


def test_is_what_the_test_loop_would_say(root, results):
    content = score(results, 'davis', dict(root=root))
    metric = METRICS.build(dict(type='VOSMetric'))
    dataset, found = DAVISDataset(root=root), []
    for video in dataset:
        metric.start(video)
        for t, name in enumerate(video.frame_names):
            pred, _ = read_label_map(results / video.name / f'{name}.png')
            metric.update(t, pred, video.read_labels(t).indices)
        found.append(metric.finish())
    assert content['metrics'] == metric.compute_metrics(found)
    metric.dataset_meta = dataset.metainfo
    for name, text in metric.tables(found).items():
        assert (results / name).read_text() == text
    assert len(content['objects']) == 4


def test_files_name_the_incomplete_set(root, results):
    content = score(results, 'semi-supervised', dict(root=root))
    names = [f'{n}-val-2of30.csv' for n in ('global_results', 'per-sequence_results')]
    assert set_of(results) == sorted([*names, *TABLES])
    stored = json.loads((results / 'metrics.json').read_text())
    assert stored['set'] == 'val-2of30'
    assert stored['dataset']['note'].startswith('2 of 30 sequences')
    assert stored['options']['skip_ends'] is True
    assert str(results) not in (results / 'metrics.json').read_text()
    assert '2 of 30 sequences' in format_score(content)


def test_the_screen_shows_percent(root, results):
    content = score(results, 'davis', dict(root=root))
    text = format_score(content)
    assert f'{100 * content["metrics"]["J-Mean"]:.1f}' in text
    assert 'blackswan_2' in text and 'official' not in text
    content['metrics']['official-difference'] = 1e-17
    assert 'largest difference to the official package: 1e-17' in format_score(content)


def test_processes_do_not_change_a_byte(root, results, tmp_path):
    score(results, 'davis', dict(root=root), workers=1, out=tmp_path / 'one')
    score(results, 'davis', dict(root=root), workers=2, out=tmp_path / 'two')
    assert set_of(tmp_path / 'one') == set_of(tmp_path / 'two')
    for name in set_of(tmp_path / 'one'):
        assert (tmp_path / 'one' / name).read_bytes() == (
            tmp_path / 'two' / name
        ).read_bytes()


def test_stale_tables_are_replaced(root, results):
    content = score(results, 'davis', dict(root=root))
    table = results / 'global_results-val-2of30.csv'
    fresh = table.read_text()
    table.write_text('J&F-Mean\n1.000\n')
    assert score(results, 'davis', dict(root=root)) == content
    assert table.read_text() == fresh


def test_a_run_of_the_test_loop_is_scored_in_its_predictions(root, results, tmp_path):
    run = tmp_path / 'work_dirs' / 'davis'
    (run / 'records').mkdir(parents=True)
    (run / 'metrics.json').write_text('{}')
    expected = score(results, 'davis', dict(root=root))['metrics']
    results.rename(run / 'predictions')
    content = score(run, 'davis', dict(root=root))
    assert content['metrics'] == expected
    assert content['out'] == str(run / 'predictions')
    assert (run / 'metrics.json').read_text() == '{}'


def test_grey_and_upper_case_predictions(root, results):
    expected = score(results, 'davis', dict(root=root))['metrics']
    for path in results.glob('*/*.png'):
        label_map, _ = read_label_map(path)
        path.unlink()
        Image.fromarray(label_map).save(path.with_suffix('.PNG'), format='PNG')
    assert score(results, 'davis', dict(root=root))['metrics'] == expected


def test_year_2016_has_one_object(tmp_path):
    root = write_davis_tree(tmp_path / 'davis', VIDEOS, year=2016)
    for path in sorted((root / 'Annotations').rglob('*.png')):
        target = np.array(Image.open(path))
        write_image(tmp_path / 'out' / path.parent.name / path.name, target)
    content = score(tmp_path / 'out', 'davis', dict(root=root, year=2016))
    assert content['metrics']['J&F-Mean'] == 1
    assert [row['Object'] for row in content['objects']] == [1, 1]
    assert content['options']['binary'] is True


def test_unsupervised(tmp_path):
    root = write_davis_tree(
        tmp_path / 'davis', VIDEOS, annotations='Annotations_unsupervised'
    )
    swap = np.array([0, 2, 1], np.uint8)
    for path in sorted((root / 'Annotations_unsupervised').rglob('*.png')):
        label_map, _ = read_label_map(path)
        target = tmp_path / 'out' / path.parent.name / path.name
        write_palette_png(target, swap[label_map])
    content = score(tmp_path / 'out', 'unsupervised', dict(root=root))
    assert content['metrics']['J&F-Mean'] == 1
    rows = list(csv.DictReader((tmp_path / 'out/per_object.csv').open()))
    assert [(r['Row'], r['Proposal'], r['Object']) for r in rows[:2]] == [
        ('1', '1', '2'), ('2', '2', '1'),
    ]  # fmt: skip


def test_missing_sequences_and_frames_are_named(root, results):
    (results / 'camel' / '00002.png').unlink()
    with pytest.raises(
        FileNotFoundError, match=r"camel lacks .*1 of its 2.*'00002\.png"
    ):
        score(results, 'davis', dict(root=root))
    (results / 'camel').rename(results / 'cow')
    with pytest.raises(
        FileNotFoundError,
        match=r"no folder for 1 of the 2 sequences.*\['camel'\].*'cow'.*RESULTS/<seq",
    ):
        score(results, 'davis', dict(root=root))
    with pytest.raises(FileNotFoundError, match=r'nowhere has no folder for 2'):
        score(results.parent / 'nowhere', 'davis', dict(root=root))
    content = score(results, 'davis', dict(root=root, sequences=['blackswan']))
    assert content['num_videos'] == 1


@pytest.mark.parametrize('workers', [1, 2])
def test_errors_in_label_maps_name_sequence_and_frame(root, results, workers):
    path = results / 'camel' / '00001.png'
    label_map, _ = read_label_map(path)
    label_map[0, 0] = 9
    write_palette_png(path, label_map)
    with pytest.raises(ValueError, match=r"sequence 'camel', frame '00001'.*\[9\]"):
        score(results, 'davis', dict(root=root), workers=workers)
    content = score(results, 'davis', dict(root=root), dict(extra_labels='ignore'))
    assert content['metrics']['J-Mean'] < 1
    Image.fromarray(label_map).convert('RGB').save(path)
    with pytest.raises(ValueError, match=r'camel/00001\.png has pixels of mode RGB'):
        score(results, 'davis', dict(root=root), workers=1)


def test_unknown_tasks_and_workers(root, results):
    with pytest.raises(ValueError, match=r"task 'davs' is not scored.*davis"):
        score(results, 'davs', dict(root=root))
    with pytest.raises(ValueError, match=r'workers should be at least 1, not 0'):
        score(results, 'davis', dict(root=root), workers=0)


def load_tool():
    path = Path(__file__).parents[1] / 'tools' / 'score.py'
    spec = importlib.util.spec_from_file_location('score_tool', path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_tool(root, results, capsys, tmp_path):
    tool = load_tool()
    arguments = [
        str(results),
        'davis',
        '--data',
        str(root),
        '--out',
        str(tmp_path / 'o'),
    ]
    assert tool.main(arguments) == 0
    assert 'blackswan_1' in capsys.readouterr().out
    assert tool.main([*arguments, '--keep-ends', '--bound-th', '3']) == 0
    options = json.loads((tmp_path / 'o/metrics.json').read_text())['options']
    assert options['skip_ends'] is False and options['bound_th'] == 3
    assert tool.main([*arguments, '--bound-th', '-1']) == 1
    assert 'ValueError: bound_th' in capsys.readouterr().err


def test_the_tool_without_the_official_package(root, results, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, 'davis2017.metrics', None)
    arguments = [str(results), 'davis', '--data', str(root), '--official']
    assert load_tool().main(arguments) == 1
    assert 'Install it from' in capsys.readouterr().err


def test_a_full_disk_is_named(root, results, monkeypatch):
    def full(handle, data):
        raise OSError(28, 'no space')

    monkeypatch.setattr('densecorr.utils.files._write', full)
    with pytest.raises(OSError, match=r'No space left.*global_results-val-2of30\.csv'):
        score(results, 'davis', dict(root=root))
    assert set_of(results) == []
