"""A transform, a loss and a method outside densecorr, and clips of squares for them."""

import numpy as np
import torch
from squares import Squares
from torch import nn
from torch.nn import functional as F

from densecorr.datasets.transforms.base import ClipTransform
from densecorr.models.methods.base import BaseMethod
from densecorr.registry import DATASETS, MODELS, TRANSFORMS
from densecorr.utils.randomness import draw_seed, item_rng


@TRANSFORMS.register_module()
class ClipDim(ClipTransform):  # every frame gets a brightness of its own
    def __init__(self, darkest=0.5):
        self.darkest = darkest

    def draw(self, rng, sample):
        return dict(factors=rng.uniform(self.darkest, 1, len(sample['frames'])))

    def apply(self, sample, factors):
        frames = (sample['frames'] * factors[:, None, None, None]).astype(np.uint8)
        return {**sample, 'frames': frames}


def place_contrast(first, second, temperature=0.1):  # features (b, c, n) twice
    """Cross entropy of finding, for each place, the same place among all others."""
    affinity = F.normalize(first, dim=1).mT @ F.normalize(second, dim=1)  # (b, n, n)
    places = torch.arange(affinity.shape[-1], device=affinity.device)
    return F.cross_entropy(affinity / temperature, places.expand(affinity.shape[:2]))


@MODELS.register_module()
class PlaceContrastLoss(nn.Module):
    def __init__(self, temperature=0.1):
        super().__init__()
        self.temperature = temperature

    def forward(self, first, second):
        return place_contrast(first, second, self.temperature)


@MODELS.register_module()
class SamePlace(BaseMethod):  # a patch is known again in another light
    def __init__(self, loss, **kwargs):
        super().__init__(**kwargs)
        self.contrast = MODELS.build(loss)

    def loss(self, inputs, data_samples):
        images = self.normalize(inputs['frames'])  # (b, 2, 3, H, W)
        first, second = (self.backbone(x)[-1].flatten(2) for x in images.unbind(1))
        return dict(loss_place=self.contrast(first, second))


@DATASETS.register_module()
class SquareClips:  # a frame of a video, twice; VideoClips reads clips of real videos
    def __init__(self, pipeline, num_videos=8, seed=0):
        self.videos, self.seed = Squares(num_videos), seed
        self.steps = [TRANSFORMS.build(step) for step in pipeline]
        self.metainfo = dict(name='SquareClips')

    def __len__(self):
        return len(self.videos)

    def __getitem__(self, key):  # a ClipKey (epoch, item): equal keys, equal clips
        rng, video = item_rng(self.seed, *key), self.videos[key.item]
        seed, index = draw_seed(rng), int(rng.integers(video.num_frames))
        frames = np.stack([video.read_frame(index)] * 2)
        sample = dict(frames=frames, video=video.name, frame_indices=np.full(2, index))
        sample.update(epoch=key.epoch, index=key.item, seed=seed, rng=rng)
        for step in self.steps:
            sample = step(sample)
        return sample
