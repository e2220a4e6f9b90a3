"""Files of videos with joints, with frames that are only tracked, and for DUL."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.io import loadmat

from densecorr.engine.records import ResultFolder
from densecorr.engine.test_loop import VideoTestLoop
from densecorr.engine.writers import writers_of
from densecorr.registry import DATASETS
from densecorr.structures import JointResult

from .fakes import FakeTracker, FakeVideos, fake_runner, fake_video

JOINTS = np.array([[2.0, 3.0], [-1.5, 11.25]])


def joint_video(name, num_frames):
    """Two joints that move by a pixel a frame; the second starts outside."""

    def no_labels(index):
        raise KeyError(f'video {name} has joints.')

    return replace(
        fake_video(name, num_frames),
        read_labels=no_labels,
        read_joints=lambda index: JOINTS + index,
    )


@DATASETS.register_module(force=True)
class FakeJointVideos(FakeVideos):
    """Videos with joints."""

    def __getitem__(self, i):
        name, num_frames = list(self.videos.items())[i]
        return joint_video(name, num_frames)


@DATASETS.register_module(force=True)
class FakeSparseVideos(FakeVideos):
    """Of each video, only every second frame is wanted."""

    labelled = None

    def __getitem__(self, i):
        video = super().__getitem__(i)
        if self.labelled:
            video = replace(video, label_frames=self.labelled)
        return replace(video, written_frames=tuple(range(0, video.num_frames, 2)))


class FakeJointTracker(FakeTracker):
    """The first joints; the second one is lost from frame 2 on."""

    def track_joints(self, video):
        self.seen.append(video.name)
        for index in range(video.num_frames):
            joints = JOINTS.copy()
            joints[1, :] = np.nan if index >= 2 else joints[1]
            yield JointResult(index, joints)


class JointDistance:
    """Mean distance of the joints that are not lost."""

    dataset_meta: dict = {}

    def start(self, video):
        self.distances = []

    def update(self, index, pred, target):
        self.distances += np.hypot(*(pred - target).T).tolist()

    def finish(self):
        return dict(distances=[None if d != d else d for d in self.distances])

    def compute_metrics(self, results):
        found = [d for r in results for d in r['distances'] if d is not None]
        return dict(distance=float(np.mean(found)))

    def tables(self, results):
        return {}


def make_loop(out, dataset, model=None, metrics=(), **options):
    loop = VideoTestLoop(
        fake_runner(model),
        dict(dataset=dict(type=dataset, videos=dict(a=4, b=3))),
        [],
        str(out),
        fingerprint=dict(task='test'),
        **options,
    )
    loop.metrics = list(metrics)
    return loop


def names_of(folder):
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob('*.*'))


def test_joints_become_one_file_a_video_and_are_scored(tmp_path):
    model = FakeJointTracker()
    loop = make_loop(tmp_path, 'FakeJointVideos', model, [JointDistance()])
    metrics = loop.run()
    assert names_of(tmp_path / 'predictions') == [
        'a/joint_positions.mat',
        'b/joint_positions.mat',
    ]
    found = loadmat(tmp_path / 'predictions/a/joint_positions.mat')['pos_img']
    assert found.shape == (2, 2, 4)
    np.testing.assert_array_equal(found[:, 0], np.array([[3.0], [4.0]]).repeat(4, 1))
    np.testing.assert_array_equal(found[:, 1, :2], [[-0.5, -0.5], [12.25, 12.25]])
    assert np.isnan(found[:, 1, 2:]).all()
    # joints move by (1, 1) a frame, predictions stay: distance is frame * sqrt(2)
    frames = [0, 1, 2, 3, 0, 1, 0, 1, 2, 0, 1]
    assert metrics['distance'] == pytest.approx(np.mean(frames) * np.sqrt(2))


def test_finished_joints_are_skipped_and_missing_ones_computed(tmp_path):
    first = make_loop(tmp_path, 'FakeJointVideos', FakeJointTracker())
    first.run()
    again = FakeJointTracker()
    make_loop(tmp_path, 'FakeJointVideos', again).run()
    assert again.seen == []
    (tmp_path / 'predictions/b/joint_positions.mat').unlink()
    make_loop(tmp_path, 'FakeJointVideos', again).run()
    assert again.seen == ['b']


def test_frames_that_are_not_wanted_are_tracked_but_not_written(tmp_path):
    model = FakeTracker()
    make_loop(tmp_path, 'FakeSparseVideos', model).run()
    assert names_of(tmp_path / 'predictions') == [
        'a/00000.png',
        'a/00002.png',
        'b/00000.png',
        'b/00002.png',
    ]
    again = FakeTracker()
    make_loop(tmp_path, 'FakeSparseVideos', again).run()
    assert model.seen == ['a', 'b'] and again.seen == []


def test_a_video_is_done_again_when_labels_come(tmp_path):
    FakeSparseVideos.labelled = (0,)
    try:
        make_loop(tmp_path, 'FakeSparseVideos').run()
        again = FakeTracker()
        make_loop(tmp_path, 'FakeSparseVideos', again).run()
        assert again.seen == []
        FakeSparseVideos.labelled = (0, 2)
        make_loop(tmp_path, 'FakeSparseVideos', again).run()
        assert again.seen == ['a', 'b']
    finally:
        FakeSparseVideos.labelled = None


def test_dul_layout_beside_the_predictions(tmp_path):
    model = FakeTracker()
    model.backbone = torch.nn.Identity()
    model.backbone.outputs = ('res3', 'res4')
    make_loop(tmp_path, 'FakeSparseVideos', model, out_layout='dul').run()
    assert names_of(tmp_path / 'res4_vos') == names_of(tmp_path / 'predictions')
    frames = [('a', t) for t in range(4)] + [('b', t) for t in range(3)]
    pictures = [f'{name}/0000{t}.png' for name, t in frames]
    assert names_of(tmp_path / 'res4_vis') == pictures
    ours = np.asarray(Image.open(tmp_path / 'predictions/a/00002.png'))
    theirs = np.asarray(Image.open(tmp_path / 'res4_vos/a/00002.png'))
    np.testing.assert_array_equal(ours, theirs)
    shown = np.asarray(Image.open(tmp_path / 'res4_vis/a/00003.png'))
    assert shown[0, 0].tolist() == [0, 0, 0]  # floor(0.3 * 3): frame 3 is grey 3
    (tmp_path / 'res4_vis/a/00001.png').unlink()
    again = FakeTracker()
    again.backbone = model.backbone
    make_loop(tmp_path, 'FakeSparseVideos', again, out_layout='dul').run()
    assert again.seen == ['a']


def test_dul_layout_has_no_joints(tmp_path):
    folder = ResultFolder(tmp_path)
    with pytest.raises(ValueError, match=r"'dul' holds label maps, the video has join"):
        writers_of(joint_video('a', 2), folder, 'dul', 'res4')
    with pytest.raises(ValueError, match=r"out_layout is 'vos'; it should be one of"):
        writers_of(fake_video('a', 2), folder, 'vos', 'res4')
