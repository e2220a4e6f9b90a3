"""Worker processes of a parent that has decoded video itself."""

import gc
import multiprocessing

import numpy as np
import pytest

from densecorr.engine.train_loader import build_loader
from densecorr.utils.clip_reader import open_clip_source
from densecorr.utils.video_file import VideoFile
from densecorr.utils.video_writer import VideoWriter

SECONDS = 60  # a child that hangs is ended then


@pytest.fixture
def video(tmp_path):
    """Large enough for converters with threads of their own."""
    path, rng = tmp_path / 'noise.mp4', np.random.default_rng(0)
    with VideoWriter(path, (480, 640), 24) as writer:
        for _ in range(6):
            writer.write(rng.integers(0, 256, (480, 640, 3), dtype=np.uint8))
    return path


@pytest.fixture
def no_collection():
    """What the test leaves to the collector is still there when it forks."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def collect(queue):
    gc.collect()
    queue.put('done')


def test_frames_hold_no_threads(video, no_collection):
    with open_clip_source(video) as source:
        source.read([0, 2, 4])
    context = multiprocessing.get_context('fork')
    queue = context.Queue()
    child = context.Process(target=collect, args=(queue,))
    child.start()
    child.join(SECONDS)
    alive = child.is_alive()
    child.kill()
    assert not alive
    assert child.exitcode == 0


class Collecting:
    def __len__(self):
        return 4

    def __getitem__(self, key):
        gc.collect()
        return dict(inputs={}, data_samples=dict(item=key.item))


def test_workers_leave_alone_what_the_parent_left(video, no_collection):
    VideoFile(video).read(3)  # a decoder with threads, in a cycle
    config = dict(dataset=Collecting(), batch_size=2, num_workers=1)
    loader, _ = build_loader(config, seed=0)
    loader.timeout = SECONDS
    batch = next(iter(loader))
    assert len(batch['data_samples']) == 2
