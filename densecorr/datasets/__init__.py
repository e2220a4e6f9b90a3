"""Datasets: each yields videos whose frames are read when asked for."""

from densecorr.datasets.augmented_images import AugmentedImages
from densecorr.datasets.clip_samplers import (
    CatMAESampler,
    DULSampler,
    FixedRateSampler,
    GapSampler,
    SMTCSampler,
    SpaThenTempSampler,
    TimeTSampler,
    VFSSampler,
)
from densecorr.datasets.collate import collate_clips
from densecorr.datasets.davis import DAVISDataset
from densecorr.datasets.image_clips import ImageClips
from densecorr.datasets.jhmdb import JHMDBDataset
from densecorr.datasets.resized_davis import ResizedDAVISDataset
from densecorr.datasets.single_object import FBMSDataset, SegTrackDataset
from densecorr.datasets.toy import SpriteWorld, SpriteWorldClips
from densecorr.datasets.train_and_test import TrainAndTest
from densecorr.datasets.video_clips import VideoClips
from densecorr.datasets.video_frames import VideoFrames
from densecorr.datasets.vip import VIPDataset
from densecorr.datasets.voc import VOCDataset
from densecorr.datasets.ytvos import YouTubeVOSDataset

__all__ = [
    'AugmentedImages',
    'CatMAESampler',
    'DAVISDataset',
    'DULSampler',
    'FBMSDataset',
    'FixedRateSampler',
    'GapSampler',
    'ImageClips',
    'JHMDBDataset',
    'ResizedDAVISDataset',
    'SMTCSampler',
    'SegTrackDataset',
    'SpaThenTempSampler',
    'SpriteWorld',
    'SpriteWorldClips',
    'TimeTSampler',
    'TrainAndTest',
    'VFSSampler',
    'VIPDataset',
    'VOCDataset',
    'VideoClips',
    'VideoFrames',
    'YouTubeVOSDataset',
    'collate_clips',
]
