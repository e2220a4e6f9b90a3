import csv

import cv2
import numpy as np
import pytest

from densecorr.apis.benchmarks import data, data_training
from tests.training_toys import write_config

FRAMES = 12


@pytest.fixture
def root(tmp_path):
    rng = np.random.default_rng(0)
    for video in ('a', 'b'):
        (tmp_path / video).mkdir()
        for t in range(FRAMES):
            frame = rng.integers(0, 256, (24, 32, 3), dtype=np.uint8)
            cv2.imwrite(str(tmp_path / video / f'{t:05d}.jpg'), frame)
    return tmp_path


@pytest.fixture
def lines(monkeypatch):
    found = []
    monkeypatch.setattr(data, 'print_log', lambda text: found.append(text))
    return found


def run_each(runs, pairs, clock):
    """In place of times: both functions run, an item takes 1.2 decodes."""
    for run in runs.values():
        run()
    return dict(decode=0.010, item=0.012)


def slow(runs, pairs, clock):
    return dict(decode=0.010, item=0.016)


def main(root, *more):
    return data.main(
        ['--data', str(root), '--clips', '3', '--size', '16', '--batch', '2', *more]
    )


def test_table_and_csv(root, lines, monkeypatch, tmp_path):
    monkeypatch.setattr(data, 'alternate', run_each)
    out = tmp_path / 'out.csv'
    more = ['--resizers', 'opencv', 'pillow', '--min-short-side', '12']
    assert main(root, '--workers', '0', '--out', str(out), *more) == 0
    header = lines[0].splitlines()[1]
    assert 'ratio' in header
    assert 'clips/s, 0 workers' in header
    assert '1.2' in lines[0].splitlines()[3]
    assert 'at most 1.20 times its bare decode (target 1.5: reached)' in lines[1]
    with out.open() as handle:
        rows = list(csv.DictReader(handle))
    assert [(row['resizer'], row['min short side']) for row in rows] == [
        ('opencv', ''),
        ('opencv', '12'),
        ('pillow', ''),
        ('pillow', '12'),
    ]
    assert {row['decode ms'] for row in rows} == {'10.000000'}
    assert {row['item ms'] for row in rows} == {'12.000000'}
    assert all(float(row['clips/s, 0 workers']) > 0 for row in rows)


def test_a_missed_target_is_the_exit_status(root, lines, monkeypatch):
    monkeypatch.setattr(data, 'alternate', slow)
    assert main(root, '--workers') == 1
    assert '1.60 times its bare decode (target 1.5: MISSED)' in lines[1]


def test_bare_decode_reads_the_frames_of_the_item(root, monkeypatch):
    read = []
    real = data.open_clip_source

    class Source:
        def __init__(self, place):
            self.source = real(place)

        def __enter__(self):
            return self

        def __exit__(self, *_):
            self.source.close()

        def read(self, indices):
            read.append(list(indices))
            return self.source.read(indices)

    dataset = data.build_clips(root)
    decode = data.bare_decode(dataset, 1)
    monkeypatch.setattr(data, 'open_clip_source', Source)
    decode()
    assert read == [list(dataset[1]['frame_indices'])]
    assert len(read[0]) == 4


def test_items_are_tensors_of_the_wanted_size(root):
    dataset = data.build_clips(root, data.pipeline(16, 'opencv'), 3)
    assert dataset[0]['inputs']['frames'].shape == (3, 3, 16, 16)


def test_missing_folder():
    text = "There is no folder of videos 'nowhere'. Leave --data out"
    with pytest.raises(FileNotFoundError, match=text):
        data.main(['--data', 'nowhere'])


def test_real_data_is_found_or_generated(tmp_path, monkeypatch):
    monkeypatch.setattr(data, 'data_folders', lambda: [tmp_path / 'data'])
    (tmp_path / 'data/videos').mkdir(parents=True)
    with data.ExitStack() as stack:
        assert data.find_sources([], stack) == {'videos': tmp_path / 'data/videos'}
        monkeypatch.setattr(data, 'data_folders', list)
        write = data.write_generated
        monkeypatch.setattr(data, 'write_generated', lambda at: write(at, (48, 64)))
        found = data.find_sources([], stack)
        frames, files = found['generated frames'], found['generated files']
        assert len(list(frames.glob('*/*.jpg'))) == 60
        assert len(list(files.glob('*.mp4'))) == 2
    assert not frames.exists()


# --- against training ---------------------------------------------------------------


def test_steps_of_a_training(tmp_path):
    found = data_training.measure_training(write_config(tmp_path), None, 2, threads=1)
    assert (found['clips'], found['workers']) == (4, 0)
    assert found['step'] > 0
    assert found['wait'] > 0
    assert not list(tmp_path.glob('**/*.pth'))


def test_verdict():
    found = dict(clips=4, workers=2, step=0.5, wait=0.02)
    text = 'crw: 4 clips an iteration, step 0.500 s (8.0 clips/s), waits 0.020 s for 2'
    told = data_training.describe('configs/train/crw.py', found)
    assert told == f'{text} workers: loading keeps up'
    assert data_training.describe('x.py', {**found, 'wait': 0.1}).endswith('for clips')


def test_no_iterations(tmp_path):
    with pytest.raises(ValueError, match='iters is 0; give at least 1'):
        data_training.measure_training(write_config(tmp_path), None, 0)
