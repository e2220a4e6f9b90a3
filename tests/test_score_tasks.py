"""Results of every task, and their archives, are scored as they were in the run."""

import io
import zipfile
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.io import loadmat

from densecorr.apis.config import resolve
from densecorr.apis.prepare_data import prepare_spriteworld
from densecorr.apis.score import score
from densecorr.apis.submission import write_submission
from densecorr.engine.records import ResultFolder
from densecorr.engine.test_loop import VideoTestLoop
from densecorr.propagation.yardsticks import FirstLabelsCopied
from densecorr.utils.mat_files import encode_mat

TASKS = dict(jhmdb='jhmdb', vip='vip', ytvos18='ytvos')


@pytest.fixture(scope='module')
def trees(tmp_path_factory):
    out = tmp_path_factory.mktemp('sprite world')
    presets, layouts = ('articulated', 'late'), ('jhmdb', 'vip', 'ytvos')
    prepare_spriteworld(out, layouts, presets, frames=11, size=(96, 128))
    return out


@pytest.fixture(scope='module')
def runs(trees, tmp_path_factory):
    """Copied first labels: results folder and metrics of each task."""
    found = {}
    for task, layout in TASKS.items():
        root = str(trees / layout)
        cfg = resolve(
            'configs/test/crw_res18.py', task, None, {'test_dataset.root': root}
        )
        out = tmp_path_factory.mktemp(task)
        model = FirstLabelsCopied()
        runner = SimpleNamespace(model=model, call_hook=lambda *a, **k: None)
        loop = VideoTestLoop(
            runner,
            dict(dataset=cfg.test_dataset),
            cfg.test_evaluator,
            str(out),
            fingerprint=dict(task=task),
        )
        metrics = loop.run()
        write_submission(cfg.get('submission'), ResultFolder(out), loop.dataset)
        found[task] = out, metrics
    return found


@pytest.mark.parametrize('task', TASKS)
def test_a_run_is_scored_as_it_was(task, trees, runs, tmp_path):
    out, metrics = runs[task]
    options = dict(skip_first=True, zero_is_lost=False) if task == 'jhmdb' else None
    data = dict(root=trees / TASKS[task])
    content = score(out, TASKS[task], data, options, out=tmp_path)
    assert content['metrics'] == metrics
    main = dict(jhmdb='PCK@0.1', vip='mIoU', ytvos18='J&F-Mean')[task]
    assert 0.05 < metrics[main] < 0.95
    for table in out.glob('*.csv'):
        assert (tmp_path / table.name).read_bytes() == table.read_bytes()
    assert content['objects']


def test_the_archive_for_the_server_is_read_again(trees, runs, tmp_path):
    out, metrics = runs['ytvos18']
    archive = out / 'submission/Annotations.zip'
    data = dict(root=trees / 'ytvos')
    content = score(archive, 'ytvos', data, out=tmp_path / 'tables')
    assert content['metrics'] == metrics
    flat = tmp_path / 'flat.zip'  # as other tools pack: the videos at the top
    with zipfile.ZipFile(archive) as old, zipfile.ZipFile(flat, 'w') as new:
        for name in old.namelist():
            new.writestr(name.removeprefix('Annotations/'), old.read(name))
    assert score(flat, 'ytvos', data)['metrics'] == metrics
    assert (tmp_path / 'flat/metrics.json').is_file()


def test_an_archive_that_leaves_its_folder_is_refused(trees, tmp_path):
    path = tmp_path / 'bad.zip'
    with zipfile.ZipFile(path, 'w') as archive:
        archive.writestr('../outside.png', b'')
    with pytest.raises(ValueError, match=r'\.\./outside\.png'):
        score(path, 'ytvos', dict(root=trees / 'ytvos'))
    assert not (tmp_path.parent / 'outside.png').exists()


def test_joints_of_too_few_frames_are_refused(trees, runs, tmp_path):
    out, _ = runs['jhmdb']
    for path in out.glob('predictions/*/*/joint_positions.mat'):
        joints = loadmat(io.BytesIO(path.read_bytes()))['pos_img']
        assert joints.shape == (2, 15, 11)
        short = tmp_path / path.relative_to(out / 'predictions')
        short.parent.mkdir(parents=True)
        short.write_bytes(encode_mat(dict(pos_img=joints[..., :7])))
    data = dict(root=trees / 'jhmdb')
    with pytest.raises(ValueError, match=r'has joints of 7 frames, the clip has 11'):
        score(tmp_path, 'jhmdb', data)
    for path in tmp_path.glob('*/*/joint_positions.mat'):
        path.unlink()
    with pytest.raises(FileNotFoundError, match=r'lacks the predictions, joint_posit'):
        score(tmp_path, 'jhmdb', data)


def test_lost_joints_may_be_missing(trees, runs, tmp_path):
    out, _ = runs['jhmdb']
    for path in out.glob('predictions/*/*/joint_positions.mat'):
        joints = loadmat(io.BytesIO(path.read_bytes()))['pos_img']
        joints[:, 3] = np.nan
        place = tmp_path / path.relative_to(out / 'predictions')
        place.parent.mkdir(parents=True)
        place.write_bytes(encode_mat(dict(pos_img=joints)))
    content = score(tmp_path, 'jhmdb', dict(root=trees / 'jhmdb'))
    rows = {row['Joint']: row for row in content['objects']}
    assert rows['right shoulder']['Counted'] == '0'
    assert int(rows['neck']['Counted']) > 0


def test_without_labels_nothing_is_scored(trees, runs, tmp_path):
    (tmp_path / 'valid').symlink_to(trees / 'ytvos/valid')  # as the release has it
    out, _ = runs['ytvos18']
    with pytest.raises(ValueError, match=r'has no labels to score .* not published'):
        score(out, 'ytvos', dict(root=tmp_path))
