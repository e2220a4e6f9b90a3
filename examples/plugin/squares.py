"""A backbone, a dataset, a metric and a protocol outside densecorr."""

from hashlib import sha256

import numpy as np
from torch import nn

from densecorr.evaluation.metrics import VideoMetric
from densecorr.registry import DATASETS, METRICS, MODELS, PROTOCOLS
from densecorr.structures import LabelMap, VideoSample


@MODELS.register_module()
class Patches(nn.Module):  # images (b, 3, H, W) to a tuple of one map
    any_size, stride, channels = False, 8, [32]  # H and W: multiples of the stride

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 32, 8, 8)

    def forward(self, images):
        return (self.conv(images),)


@DATASETS.register_module()
class Squares(list):  # of videos: a bright square moves over a dark ground
    def __init__(self, num_videos=2, num_frames=5):
        super().__init__(self.video(i, num_frames) for i in range(num_videos))
        self.metainfo = dict(name='Squares')

    def video(self, seed, t):
        frames = np.random.default_rng(seed).integers(0, 60, (t, 64, 96, 3), np.uint8)
        labels, names = np.zeros((t, 64, 96), np.uint8), [f'{i:05d}' for i in range(t)]
        for i in range(t):
            labels[i, 16:40, 8 + 8 * i : 32 + 8 * i] = 1
        frames[labels > 0] = (250, 200, 90)
        read = (lambda i: frames[i]), range(t), (lambda i: LabelMap(labels[i]))
        digest = sha256(frames.tobytes()).hexdigest
        return VideoSample(f'{seed}', tuple(names), *read, (0,), (64, 96), digest)

    def weights(self):
        return [video.num_frames for video in self]


@METRICS.register_module()
class PixelAccuracy(
    VideoMetric
):  # share of the pixels with the right label, frame 0 left out
    def start(self, video):
        self.right = []

    def update(self, index, pred, target):
        self.right += [float((pred == target).mean())] if index else []

    def finish(self):
        return dict(accuracy=float(np.mean(self.right)))

    def compute_metrics(self, results):
        return dict(accuracy=float(np.mean([r['accuracy'] for r in results])))


@PROTOCOLS.register_module()
def nearest_patch():  # a patch takes the label of the most alike one in frame 0
    part = dict(
        context=dict(num_frames=0), window=dict(), labels=dict(encode='nearest')
    )
    part['select'] = dict(topk=1, temperature=0.1)
    return dict(name='nearest_patch', revision=1, squares=part)
