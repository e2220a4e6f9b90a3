"""Regions of the frames of a video that may be objects, by slots or by k-means."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch

from densecorr.ops.kmeans import KMeansRule, kmeans, nearest_centers
from densecorr.ops.noise import item_noise
from densecorr.ops.slots import candidate_masks, chunks_of, owners_of
from densecorr.propagation.frame_features import FrameFeatures
from densecorr.registry import MODELS
from densecorr.structures import FrameCandidates, VideoSample

from .slot_candidates import slots_that_count

SLOTS, KMEANS = 'slots', 'kmeans'
_BATCH = 8  # frames whose features are computed together, without slots
_STATISTICS = ('mean', 'std')
_NOISES = ('frame', 'video')


@MODELS.register_module()
class ObjectCandidates(FrameFeatures):
    """Candidates of every frame: from slots, or from k-means where there are none.

    Args:
        backbone: config of a backbone; with slots, as in the training of the head.
        inputs: ``color``, ``mean`` and ``std``.
        protocol: ``size`` and ``resizer`` as of :class:`FrameFeatures`, and

            - ``slots``: ``chunk`` frames seen together, ``refinements``, least
              ``similarity`` of an instance slot and its semantic slot, ``threshold``
              of masks, ``seed`` of the ``noise``, which is ``'frame'`` (new for every
              frame, as official) or ``'video'`` (the same for all frames), and
              ``mean`` and ``std`` of the frames (None: those of ``inputs``);
            - ``kmeans``: ``num_clusters`` of a clip, ``seed``, and ``rule``, fields of
              :class:`densecorr.ops.kmeans.KMeansRule`.
        head: config of a :class:`SlotHead`; None: k-means.
        limits: not used; trackers have them.

    Raises:
        ValueError: ``noise`` is neither.

    Reference: official shvdiwnkozbw/SMTC ``eval_multi.py``, whose noise has no seed.
    """

    extra_parts = ('head',)  # of a training method, besides backbone and inputs
    cached = False  # no features on disk

    def __init__(
        self,
        backbone: dict,
        inputs: dict,
        protocol: Mapping[str, Any],
        head: dict | None = None,
        limits: Mapping[str, Any] | None = None,
    ) -> None:
        self.kind = KMEANS if head is None else SLOTS
        options = dict(protocol.get(self.kind, {}))
        if head is not None:
            given = {k: options.get(k) for k in _STATISTICS if options.get(k)}
            inputs = {**inputs, **given}
        super().__init__(backbone, inputs, protocol, limits)
        self.options = options
        self.head: Any = None
        if head is not None:
            channels = self.backbone.channels[-1]
            slots = {**head.get('slots', {}), 'iterations': options['refinements']}
            config = {'type': 'SlotHead', 'channels': channels, **head, 'slots': slots}
            self.head = MODELS.build(config)
            if options['noise'] not in _NOISES:
                raise ValueError(
                    f'slots.noise is {options["noise"]!r}; choose from {_NOISES}.'
                )

    @torch.inference_mode()
    def propose(self, video: VideoSample) -> list[FrameCandidates]:
        """Candidates of every frame of a video, in order.

        Raises:
            ValueError: the video is shorter than a chunk.
        """
        if self.head is None:
            return list(self._from_clusters(video))
        return list(self._from_slots(video))

    def _from_slots(self, video: VideoSample) -> Iterator[FrameCandidates]:
        """By chunks, so the first frame of a chunk looks at its last."""
        chunk = self.options['chunk']
        if video.num_frames < chunk:
            raise ValueError(
                f'video {video.name!r} has {video.num_frames} frames, slots see '
                f'{chunk} together. Leave the video out with sequences=[...], or lower '
                'slots.chunk of the protocol.'
            )
        for number, (chosen, own) in enumerate(chunks_of(video.num_frames, chunk)):
            images = [self.inputs(video.read_frame(t)) for t in chosen]
            maps = self.backbone(torch.stack(images).to(self.device))[-1]
            slots = self.head(maps[None], self._noise(number, maps.device))
            grid = (maps.shape[-2], maps.shape[-1])
            least = self.options['similarity']
            for shares, instances in slots_that_count(slots, own, least):
                masks = candidate_masks(shares, grid, grid, self.options['threshold'])
                areas = shares.view(-1, *grid)
                yield FrameCandidates(
                    SLOTS,
                    masks.cpu().numpy(),
                    areas.float().cpu().numpy(),
                    owners_of(areas, masks).cpu().numpy(),
                    instances.float().cpu().numpy(),
                )

    def _noise(self, number: int, device: torch.device) -> torch.Tensor:
        """Of the slots of chunk ``number``, ``(1, chunk, s, p, c)``."""
        options = self.options
        if options['noise'] == _NOISES[0]:
            frames, stream = options['chunk'], number
        else:
            frames, stream = 1, 0
        shape = (frames, *self.head.noise_shape)
        noise = item_noise([options['seed']], stream, shape, device, normal=True)
        return noise.expand(-1, options['chunk'], -1, -1, -1)

    def _from_clusters(self, video: VideoSample) -> Iterator[FrameCandidates]:
        """A cluster of the places of all frames is a track."""
        parts = []
        for start in range(0, video.num_frames, _BATCH):
            stop = min(start + _BATCH, video.num_frames)
            images = [video.read_frame(t) for t in range(start, stop)]
            parts.append(self.features(images).float().cpu())
        maps = torch.cat(parts)  # (t, h, w, c)
        points = maps.flatten(0, 2)
        rule = KMeansRule(**self.options.get('rule', {}))
        generator = torch.Generator().manual_seed(self.options['seed'])
        number = self.options['num_clusters']
        centers = kmeans(points, number, generator, rule).centers
        nearest = nearest_centers(points, centers, rule.spherical, rule.max_memory)
        for own in nearest.view(maps.shape[:3]).cpu().numpy():
            present, owners = np.unique(own, return_inverse=True)
            masks = own == present[:, None, None]
            yield FrameCandidates(
                KMEANS,
                masks,
                masks.astype(np.float32),
                owners.reshape(own.shape),
                centers[torch.from_numpy(present)].cpu().numpy(),
                present + 1,
            )
