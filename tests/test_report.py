import json
import re
import shutil
import socket
from dataclasses import replace

import numpy as np
import pytest

from densecorr import cli
from densecorr.apis.report import format_result, notes_of, rebuild_report, write_report
from densecorr.apis.report.numbers import curves, frame_means, score_bars
from densecorr.apis.report.pictures import chosen_frames
from densecorr.apis.report.results import Results, VideoFiles, read_results
from densecorr.apis.report.words import protocol_words
from densecorr.utils.images import write_label_map

from .report_tree import PROTOCOL, some_votes, write_results, write_yardsticks

NASTY = '<script>&"'
VIDEOS = {NASTY: 9, 'plain': 3}


@pytest.fixture(scope='module')
def made(tmp_path_factory):
    return write_results(tmp_path_factory.mktemp('made'), VIDEOS)


@pytest.fixture
def copy(made, tmp_path):
    """A results folder of the test's own, whose dataset is that of ``made``."""
    out = tmp_path / 'out'
    shutil.copytree(made[0], out)
    return out


def page_of(out, content, dataset, **options):
    return write_report(out, content, dataset, **options).read_text('utf-8')


def video(out, scores, names=('0', '1', '2'), sample=None):
    return VideoFiles(out, 'v', tuple(names), sample, scores)


def scored(*objects, frames=('0', '1', '2')):
    items = [dict(object=n, J=j, F=f) for n, (j, f) in enumerate(objects, 1)]
    return dict(frames=list(frames), objects=items)


def test_equal_results_give_equal_pages_without_paths(made, copy):
    out, content, dataset = made
    first = page_of(out, content, dataset)
    assert page_of(copy, content, dataset) == first
    assert rebuild_report(copy).read_text('utf-8') == first
    for private in (str(out), str(dataset.root), socket.gethostname()):
        assert not re.search(rf'\b{re.escape(private)}\b', first)
    assert '://' not in first


def test_names_are_escaped_everywhere(made):
    out, content, dataset = made
    page = page_of(out, {**content, 'config': NASTY}, dataset)
    assert page.count('<script') == 2 + 1  # data of two videos, and the program
    assert '&lt;script&gt;&amp;&#34;' in page
    assert page.count('</script>') == 3


def test_page_tells_numbers_protocol_and_fingerprint(made):
    out, content, dataset = made
    page = page_of(out, content, dataset)
    metrics = content['metrics']
    for name, value in metrics.items():
        row = f'>{name.replace("&", "&amp;")}</th><td>{100 * value:.1f}</td>'
        assert row + '<td>25.0</td><td>95.0</td><td>12.5</td>' in page
    assert content['dataset']['note']
    assert content['dataset']['note'] in page
    assert 'Circle: cells less than 12 cells away' in page
    assert re.search('sha256 <code>[0-9a-f]{64}</code>', page)
    assert '<th scope="row">protocol.davis.select.topk</th><td>10</td>' in page
    assert 'What is missing here' not in page
    assert page.count('<figure class="picture">') == 5 + 3


def test_bars_stand_in_order_and_the_sentence_says_where(tmp_path):
    metrics = {'J&F-Mean': 0.6, 'J-Decay': 0.1}
    write_yardsticks(tmp_path, metrics)
    bars = score_bars(read_results(tmp_path, dict(metrics=metrics)))
    assert [bar['value'] for bar in bars['bars']] == ['12.5', '25.0', '60.0', '95.0']
    assert [bar['ours'] for bar in bars['bars']] == [False, False, True, False]
    assert [bar['width'] for bar in bars['bars']] == [12.5, 25.0, 60.0, 95.0]
    assert bars['sentence'].startswith('60.0 is 50 % of the way from copying the first')
    low = score_bars(read_results(tmp_path, dict(metrics={'J&F-Mean': 0.2})))
    assert low['sentence'].startswith('20.0 is below what copying the first labels')


def test_bars_without_yardsticks_or_score(tmp_path):
    alone = score_bars(read_results(tmp_path, dict(metrics={'J-Decay': 0.1, 'J': 0.5})))
    assert (alone['measure'], len(alone['bars']), alone['sentence']) == ('J', 1, '')
    assert score_bars(read_results(tmp_path, {})) == {}
    assert score_bars(read_results(tmp_path, dict(metrics={'J': None}))) == {}


def test_worst_frames_come_first_and_unknown_values_stay_out(tmp_path):
    nan = float('nan')
    found = video(
        tmp_path, scored(([0.9, 0.2, nan], [0.7, 0.4, nan]), ([1, 0, nan],) * 2)
    )
    assert frame_means(found) == pytest.approx({0: 0.9, 1: 0.15})
    assert chosen_frames(found, 5) == [1, 0]
    assert curves(found)['objects'][0]['J'] == [0.9, 0.2, None]
    equal = video(tmp_path, scored(([0.5] * 3, [0.5] * 3)))
    assert chosen_frames(equal, 2) == [0, 1]


def test_sparse_labels_keep_their_frame_numbers(tmp_path):
    sparse = scored(([0.5, 0.1], [0.5, 0.1]), frames=('00', '20'))
    names = [f'{n:02d}' for n in range(25)]
    found = curves(video(tmp_path, sparse, names))
    assert (found['x'], found['last']) == ([0, 20], 24)
    assert chosen_frames(video(tmp_path, sparse, names), 5) == [20, 0]


def test_without_scores_evenly_spaced_frames_are_shown(tmp_path):
    for scores in ({}, dict(frames=['0'], objects=[])):
        found = video(tmp_path, scores, [f'{n}' for n in range(9)])
        assert curves(found) == {}
        assert chosen_frames(found, 5) == [0, 2, 4, 6, 8]
        assert chosen_frames(found, 1) == [8]
    assert chosen_frames(video(tmp_path, {}, ['0']), 5) == [0]
    short = video(tmp_path, scored(([0.5] * 3, [0.5] * 3)), ['0'])
    assert chosen_frames(short, 5) == [0]  # the record has frames that are gone
    assert chosen_frames(video(tmp_path, {}, []), 5) == []


def test_proposals_get_the_number_of_their_object(tmp_path):
    labels = np.array([[0, 1, 2, 3]], np.uint8)
    write_label_map(tmp_path / 'predictions/v/0.png', labels)
    objects = [
        dict(object=1, proposal=3, J=[1], F=[1]),
        dict(object=2, proposal=1, J=[1], F=[1]),
    ]
    found = video(tmp_path, dict(frames=['0'], objects=objects)).prediction(0)
    assert found.tolist() == [[0, 2, 0, 1]]


WORDS = {
    'Name': 'crw, revision 1. One cell of the feature grid is 8 pixels of the network '
    'input, as published.',
    'Frames': 'Read with OpenCV. Frames keep their size, sides that do not fit the '
    'network are rounded (nearest) (OpenCV, bilinear).',
    'Context': 'A frame looks into the first frame and the 20 frames before it. While '
    'fewer have passed, copies of the first frame fill their places.',
    'Window': 'Circle: cells less than 12 cells away, by Euclidean distance (radius '
    '12, exclusive, in cells of the feature grid). The first frame is also searched '
    'without the window.',
    'Affinity': 'Dot product of features of length 1. The 10 cells that match best, '
    'of all context frames together, vote; weights: softmax at temperature 0.05.',
}


def test_protocol_in_words(made):
    found = dict(protocol_words(made[1]))
    assert {name: found[name] for name in WORDS} == WORDS
    assert found['Labels in'].startswith('Every object becomes a map of 0 and 1')
    assert found['Labels out'].endswith('as they come back from the feature grid.')


@pytest.mark.parametrize(
    ('part', 'change', 'name', 'words'),
    [
        ('window', dict(shape='none'), 'Window', 'None: every cell of a context frame'),
        (
            'window',
            dict(shape='square', radius=5, inclusive=True),
            'Window',
            'Square: cells at most 5 rows and columns away (radius 5, inclusive',
        ),
        (
            'context',
            dict(num_frames=1, first='none'),
            'Context',
            'A frame looks into the frame before it.',
        ),
        (
            'context',
            dict(num_frames=0, first='global'),
            'Context',
            'A frame looks into the first frame only.',
        ),
        (
            'select',
            dict(topk=None, temperature=0.1),
            'Affinity',
            'All cells vote; weights: softmax at temperature 0.1.',
        ),
        (
            'select',
            dict(topk=5, ties='all', weighting='relu_squared'),
            'Affinity',
            'vote (with all that equal the last of them); weights: the square of',
        ),
        (
            'size',
            dict(short_side=480, long_multiple=64, rounding='nearest'),
            'Frames',
            'The short side is resized to 480 pixels, the long side to a multiple of',
        ),
        (
            'labels',
            dict(encode='nearest', decode_size='input', stretch='channel'),
            'Labels out',
            'The map of every object is stretched to 0..1 first. For the first frame '
            'the given labels are written as they are.',
        ),
    ],
)
def test_other_protocols_in_words(made, part, change, name, words):
    protocol = dict(davis={**PROTOCOL, part: change})
    content = {**made[1], 'fingerprint': dict(protocol=protocol)}
    assert words in dict(protocol_words(content))[name]


def test_a_protocol_of_other_keys_is_listed(made):
    content = {**made[1], 'fingerprint': dict(protocol=dict(davis=dict(magic=7)))}
    assert protocol_words(content)[1:] == [('magic', '7')]
    assert protocol_words({}) == []
    summary = dict(name='x', revision=None, stride=4, published_stride=8)
    assert dict(protocol_words(dict(protocol=summary)))['Name'] == (
        'x. One cell of the feature grid is 4 pixels of the network input; the '
        'protocol was published at 8.'
    )


def test_what_is_missing_is_said(made, copy):
    for name in ('records', 'votes', 'predictions'):
        shutil.rmtree(copy / name)
    (copy / 'yardsticks.json').unlink()
    page = page_of(copy, made[1], made[2])
    assert 'No yardsticks: the score has nothing to be compared with.' in page
    assert '2 videos have no record' in page
    assert page.count('No object of this video was scored, or its record') == 2
    assert page.count('No votes are stored for this video.') == 2
    assert page.count('data:image/jpeg') == 5 + 3  # evenly spaced; images alone
    page = page_of(copy, made[1], None)
    assert page.count('The predictions of this video are not in this folder.') == 2
    assert '2 videos have no images: the dataset was not found' in page


def test_damaged_files_are_left_out_and_named(made, copy):
    (copy / 'records/plain.json').write_text('{"results": [')
    (copy / 'yardsticks.json').write_text('[1]')
    votes = copy / 'votes/plain.npz'
    votes.write_bytes(votes.read_bytes()[:200])
    page = page_of(copy, made[1], made[2])
    assert 'records/plain.json is damaged and was left out.' in page
    assert 'yardsticks.json is damaged and was left out.' in page
    assert '1 video has no record, so no curves and no worst frames: plain.' in page
    assert 'The file of votes of this video is damaged.' in page


@pytest.mark.parametrize(
    'change', [dict(frame=99), dict(frames=np.array([77], np.int32)), dict(step=0)]
)
def test_votes_of_another_video_are_refused(made, copy, change):
    votes = replace(some_votes(2, (64, 96)), **change)
    votes.save(copy / 'votes/plain.npz')
    page = page_of(copy, made[1], made[2])
    assert page.count('The file of votes of this video is damaged.') == 1


def test_the_dataset_may_be_gone(made, copy, tmp_path):
    text = (copy / 'config.py').read_text()
    moved = tmp_path / 'moved'
    shutil.copytree(made[2].root, moved)
    (copy / 'config.py').write_text(text.replace(str(made[2].root), '/not/there'))
    page = rebuild_report(copy).read_text('utf-8')
    assert 'data:image/jpeg' not in page
    assert page.count('The dataset was not found when this page was made') == 2
    assert page.count('<figure class="picture">') == 5 + 3
    assert '/not/there' not in page
    again = rebuild_report(copy, str(moved)).read_text('utf-8')
    assert again == page_of(made[0], made[1], made[2])
    (copy / 'config.py').unlink()
    assert rebuild_report(copy).read_text('utf-8') == page


def test_an_unfinished_run_has_a_page_and_no_run_has_none(copy, tmp_path):
    (copy / 'metrics.json').unlink()
    page = rebuild_report(copy).read_text('utf-8')
    assert 'There is no metrics.json: the run was not finished' in page
    assert 'There is no score in this folder.' in page
    assert page.count('<figure class="picture">') == 5 + 3
    with pytest.raises(FileNotFoundError, match='holds neither metrics'):
        rebuild_report(tmp_path / 'nothing')


def test_one_frame_and_sparse_labels_have_a_page(tmp_path):
    out, content, dataset = write_results(
        tmp_path, {'one': 1, 'sparse': 7}, annotated=[0, 4]
    )
    page = page_of(out, content, dataset)
    data = re.findall('<script type="application/json">(.*?)</script>', page)
    one, sparse = map(json.loads, data)
    assert [p['index'] for p in one['pictures']] == [0]
    assert one['curves']['x'] == [0]
    assert one['votes'] is None
    shown = {p['index']: p['truth'] is not None for p in sparse['pictures']}
    assert shown == {4: True, 0: True, 6: False}  # 6 is there for its votes
    assert sparse['curves']['x'] == [0, 4]


def test_notes_and_table_for_the_screen():
    content = dict(
        metrics=dict(J=0.5),
        task='davis',
        dataset=dict(note='8 of 30'),
        protocol=dict(name='crw', note='other stride'),
        out='there',
    )
    assert notes_of(content) == ['8 of 30', 'other stride']
    assert notes_of({}) == []
    lines = format_result(content).splitlines()
    assert lines[2].split() == ['davis', 'crw', '50.0']
    assert lines[3:] == ['8 of 30', 'other stride', 'results: there']


def test_results_without_a_folder_are_empty(tmp_path):
    found = read_results(tmp_path / 'nothing')
    assert found == Results(tmp_path / 'nothing', {}, {}, ([], []), {}, [])


def test_tool_writes_page_and_overlays_and_names_errors(copy, capsys):
    assert cli.main(['report', str(copy), '--overlays', 'png', 'mp4']) == 0
    text = capsys.readouterr().out
    assert f'report: {copy / "report.html"} (' in text
    assert (copy / 'overlays/plain/00002.png').is_file()
    assert (copy / 'overlays/plain/overlay.mp4').is_file()
    assert cli.main(['report', str(copy), '--data', str(copy / 'votes')]) == 1
    assert str(copy / 'votes') in capsys.readouterr().err
    assert cli.main(['report', str(copy / 'votes')]) == 1
    assert 'FileNotFoundError' in capsys.readouterr().err
