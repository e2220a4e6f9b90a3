"""The report of joints, parts, late objects, and of what cannot be scored."""

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from densecorr.apis import report
from densecorr.apis.report import write_overlays, write_report
from densecorr.apis.report.joint_files import read_tracked_joints
from densecorr.apis.report.results import VideoFiles, read_results, video_files
from densecorr.apis.report.shelf import JointShelf, shelf_of
from densecorr.apis.report.words import protocol_words
from densecorr.apis.votes import frame_means, stored_frame
from densecorr.datasets.jhmdb import JOINT_NAMES
from densecorr.utils.mat_files import encode_mat
from densecorr.visualization.joints import JHMDB_BONES, PREDICTION, draw_joints

from .report_tasks import FAR, LOST, SIZE, joint_run, late_run, part_run
from .report_tree import PROTOCOL
from .test_report_pictures import BLINDNESS, lab_of


def page_of(out, content, dataset):
    return write_report(out, content, dataset).read_text('utf-8')


def data_of(page):
    found = re.findall('<script type="application/json">(.*?)</script>', page)
    return [json.loads(text) for text in found]


@pytest.fixture(scope='module')
def joints(tmp_path_factory):
    out = tmp_path_factory.mktemp('joints')
    return out, *joint_run(out, ['walk/a', 'walk/b'])


def test_joints_of_a_frame_are_on_the_page(joints):
    out, _, dataset = joints
    page = page_of(*joints)
    data = data_of(page)[0]
    record = json.loads((out / 'records/walk/a.json').read_text())['results'][0]
    assert data['thing'] == 'joint'
    assert data['bones'] == [list(pair) for pair in JHMDB_BONES]
    assert data['labels']['11'] == 'right wrist'
    assert data['curves']['measures'] == ['PCK@0.1']
    (series,) = data['curves']['objects']
    assert series['PCK@0.1'] == pytest.approx(record['frame_scores'], abs=1e-6)
    assert series['name'] == 'all joints'
    shown = {p['index']: p for p in data['pictures']}
    assert data['pictures'][0]['index'] == FAR[0]  # the worst
    truth = dataset[0].read_joints(FAR[0])
    expected = (truth + 0.5) / (SIZE[1], SIZE[0])
    assert np.allclose(shown[FAR[0]]['truth'], expected, atol=1e-4)
    moved = np.array(shown[FAR[0]]['pred']) - shown[FAR[0]]['truth']
    assert moved[FAR[1], 0] == pytest.approx(40.5 / SIZE[1], abs=2e-4)
    assert shown[LOST[0]]['pred'][LOST[1]] is None
    assert all(p['compared'] for p in shown.values())
    assert page.count('lost: right wrist') == 2  # one frame of each clip
    assert 'farthest, in pixels: face 40, ' in page
    assert 'PCK@0.1, percent' in page
    row = '<tr><th scope="row">right wrist</th><td>10</td><td>2</td><td>100.0</td>'
    assert row in page
    assert all(f'<th scope="row">{name}</th>' in page for name in JOINT_NAMES)
    assert 'J&amp;F' not in page


def test_votes_of_joints_begin_where_the_worst_one_was_put(joints):
    data = data_of(page_of(*joints))[0]
    votes = data['votes']
    assert votes['index'] == 5
    assert all(len(frame['pred']) == 15 for frame in votes['context'])
    files = video_files(read_results(joints[0], joints[1]), joints[2])[0]
    places = JointShelf(files, 480).wrong_places(FAR[0])
    y, x = np.argwhere(places).mean(0)
    wrong = files.joints(FAR[0])[FAR[1]]
    assert (x, y) == pytest.approx(tuple(wrong.round()), abs=0.01)


def test_joints_without_their_dataset_are_drawn_on_grey(joints):
    out, content, _ = joints
    page = page_of(out, content, None)
    data = data_of(page)[0]
    assert 'data:image/jpeg' not in page
    assert {p['truth'] for p in data['pictures']} == {None}
    places = [p for p in data['pictures'][0]['pred'] if p]
    assert 0 < np.min(places) <= np.max(places) <= 1
    assert data['curves']['x'] == list(range(6))


@pytest.mark.parametrize(
    'damage',
    [
        b'MATLAB 5.0 but no more',
        encode_mat(dict(other=np.zeros(3))),
        encode_mat(dict(pos_img=np.zeros((3, 15, 6)))),
    ],
)
def test_damaged_joints_are_left_out(joints, tmp_path, damage):
    path = tmp_path / 'predictions/v/joint_positions.mat'
    path.parent.mkdir(parents=True)
    path.write_bytes(damage)
    assert read_tracked_joints(path) is None
    files = VideoFiles(tmp_path, 'v', ('1',), joints[2][0])
    assert files.joints(0) is None
    assert files.predicted_frames() == []
    assert shelf_of(files, 100).picture(0, 100, 50)['pred'] is None


def test_joints_of_another_number_of_frames_are_left_out(joints):
    short = VideoFiles(joints[0], 'walk/a', ('1', '2'))
    assert short.tracked is None
    single = encode_mat(dict(pos_img=np.full((2, 15), 3.0)))  # MATLAB drops an axis
    path = joints[0] / 'single.mat'
    path.write_bytes(single)
    assert (read_tracked_joints(path) == 2).all()


def test_skeleton_is_drawn_where_joints_are_known(tmp_path):
    image = np.full((60, 80, 3), 90, np.uint8)
    joints = np.full((15, 2), np.nan)
    assert np.array_equal(draw_joints(image, joints), image)
    joints[0], joints[1] = (20, 20), (20, 40)  # neck and belly
    drawn = draw_joints(image, joints)
    for x, y in ((20, 20), (20, 40), (20, 30)):
        assert tuple(drawn[y, x]) == PREDICTION
    assert np.array_equal(drawn[:, 30:], image[:, 30:])
    apart = draw_joints(image, joints[:14])  # no skeleton of 14 joints is known
    assert tuple(apart[30, 20]) == (90, 90, 90)
    assert np.array_equal(image, np.full_like(image, 90))
    with pytest.raises(ValueError, match=r'joints should be \(j, 2\).*\(2, 15\)'):
        draw_joints(image, joints.T)


def test_overlays_of_joints_show_predictions(joints, tmp_path, monkeypatch):
    out, _, dataset = joints
    monkeypatch.setattr('densecorr.apis.report.page.find_dataset', lambda *_: dataset)
    write_overlays(out, ['png'])
    drawn = np.asarray(Image.open(out / 'overlays/walk/a/00004.png')).astype(int)
    x, y = (dataset[0].read_joints(3)[0] + (0.5, 0)).round().astype(int)
    assert np.abs(drawn[y, x] - PREDICTION).max() <= 2
    far = (dataset[0].read_joints(3)[FAR[1]] + (40, 0)).round().astype(int)
    assert np.abs(drawn[far[1], far[0]] - PREDICTION).max() <= 2


@pytest.mark.parametrize('blindness', BLINDNESS)
def test_truth_and_prediction_differ_for_colour_blind_readers(blindness):
    script = (Path(report.__file__).parent / 'joints.js').read_text()
    style = (Path(report.__file__).parent / 'style.css').read_text()
    colors = [
        re.search(rf"const {name} = '(#\w+)'", script)[1]
        for name in ('PREDICTED', 'TRUE', 'DARK')
    ]
    assert colors[0] == f'#{bytes(PREDICTION).hex()}'
    assert all(color in style for color in colors)  # of the legend
    seen = [lab_of(color, BLINDNESS[blindness]) for color in [*colors, '#808080']]
    for one, other in ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3)):
        assert np.linalg.norm(seen[one] - seen[other]) > 20


def test_parts_have_names_and_a_table(tmp_path):
    content, dataset = part_run(tmp_path)
    page = page_of(tmp_path, content, dataset)
    (data,) = data_of(page)
    assert data['thing'] == 'part'
    assert data['labels']['15'] == 'left-arm'
    assert '0' not in data['labels']
    assert data['curves']['measures'] == ['mIoU']
    assert data['curves']['objects'][0]['mIoU'][0] == 1
    assert [p['index'] for p in data['pictures']] == [5, 4, 3, 2, 1]
    assert 'wrong part: the label of another part' in page
    assert re.search(r'missed [\d.]+ %</span>, <span class="small">false', page)
    assert '>left-arm</td><td>8' in page  # its IoU in percent
    assert '>coat</td><td>-</td><td>-</td><td>0</td><td>0</td>' in page
    assert 'mIoU, percent' in page


def test_late_objects_have_curves_from_their_start(tmp_path):
    content, dataset = late_run(tmp_path, scored=True)
    page = page_of(tmp_path, content, dataset)
    (data,) = data_of(page)
    early, late = data['curves']['objects']
    assert (early['name'], late['name']) == ('object 1 (cat)', 'object 2 (skateboard)')
    assert data['curves']['x'] == list(range(1, 9))
    assert late['J'][:3] == [None] * 3
    assert None not in late['J'][3:] + early['J']
    assert data['labels'] == {'1': 'object 1 (cat)', '2': 'object 2 (skateboard)'}
    mean = np.mean(
        [
            np.mean([v for v in o[m] if v is not None])
            for o in (early, late)
            for m in 'JF'
        ]
    )
    assert f'<span class="badge">J&amp;F {100 * mean:.1f}</span>' in page
    (tmp_path / 'per_video.csv').unlink()
    assert 'class="badge">J&amp;F ' in page_of(tmp_path, content, dataset)
    assert [p['index'] for p in data['pictures']] == [8, 7, 6, 5, 4]
    assert all(p['compared'] for p in data['pictures'])


def test_what_cannot_be_scored_says_where_the_archive_is(tmp_path):
    content, dataset = late_run(tmp_path, scored=False)
    assert content['metrics'] == {}
    (tmp_path / 'submission').mkdir()
    (tmp_path / 'submission/Annotations.zip').write_bytes(b'')
    (tmp_path / 'submission/.Annotations.zip.tmp').write_bytes(b'')
    page = page_of(tmp_path, content, dataset)
    (data,) = data_of(page)
    assert 'Nothing could be scored: the true labels of these videos are not' in page
    assert 'To hand in: <code>submission/Annotations.zip</code> in the folder' in page
    for absent in ('no score in this folder', 'No yardsticks', 'was scored, or its'):
        assert absent not in page
    assert [p['index'] for p in data['pictures']] == [0, 2, 4, 6, 8]
    assert not any(p['compared'] for p in data['pictures'])
    assert 'Evenly spaced in time.' in page
    assert 'missed' not in re.sub(
        '<ul class="legend differences.*?</ul>',
        '',
        page[page.index('id="video-1"') : page.index('application/json')],
        flags=re.DOTALL,
    )
    head = '<th scope="col">Sequence</th><th scope="col">Frames</th></tr>'
    assert head in page  # without the columns that are empty
    assert 'given labels</button>' in page
    unfinished = {**content}
    del unfinished['metrics']
    assert 'Nothing could be scored' not in page_of(tmp_path, unfinished, dataset)


def test_only_written_frames_are_shown_and_drawn(tmp_path, monkeypatch):
    content, dataset = late_run(tmp_path, scored=False, written=(0, 3, 6))
    (data,) = data_of(page_of(tmp_path, content, dataset))
    assert [p['index'] for p in data['pictures']] == [0, 3, 6, 8]  # 8 has the votes
    assert [p['pred'] is None for p in data['pictures']] == [False] * 3 + [True]
    monkeypatch.setattr('densecorr.apis.report.page.find_dataset', lambda *_: dataset)
    write_overlays(tmp_path, ['png'])
    drawn = sorted(p.stem for p in (tmp_path / 'overlays/pets').glob('*.png'))
    assert drawn == ['00001', '00004', '00007']


def test_labels_of_a_late_start_alone_are_not_compared(tmp_path):
    content, dataset = late_run(tmp_path, scored=False)
    files = video_files(read_results(tmp_path, content), dataset)[0]
    shelf = shelf_of(files, 480)
    assert shelf.facts(3) == []
    assert not shelf.picture(3, 480, 80)['compared']
    assert np.array_equal(shelf.wrong_places(3), files.prediction(3) > 0)


def test_scores_per_frame_decide_whose_votes_are_kept():
    result = dict(frames=['00002', '00003', '00004'], frame_scores=[0.5, None, 0.2])
    assert frame_means(result) == {'00002': 0.5, '00004': 0.2}
    assert frame_means(dict(frames=['a'], objects=[])) == {}


def test_the_last_written_frame_has_votes_where_nothing_is_scored(tmp_path):
    _, dataset = late_run(tmp_path, scored=False, written=(0, 3, 6))
    assert stored_frame(dataset[0], [dict(frames=[], objects=[])]) == 6
    assert stored_frame(replace(dataset[0], written_frames=(0,)), []) == -1


def test_words_take_the_part_of_the_task(tmp_path):
    part = {**PROTOCOL, 'size': dict(fixed=(560, 320), rounding='nearest')}
    fingerprint = dict(task='vip', protocol=dict(vip=part))
    content = dict(task='other_name', fingerprint=fingerprint)
    frames = dict(protocol_words(content))['Frames']
    assert 'Resized to 560 x 320 pixels (height x width), sides that' in frames
