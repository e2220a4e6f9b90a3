"""MMEngine's test loop for the discovery of objects in videos."""

from __future__ import annotations

import hashlib
from types import SimpleNamespace
from typing import Any

from densecorr.engine.feature_loop import FeatureTestLoop
from densecorr.registry import LOOPS
from densecorr.structures import FrameCandidates


@LOOPS.register_module()
class DiscoveryLoop(FeatureTestLoop):
    """Scores candidates of the frames of videos, a record for every video.

    As :class:`FeatureTestLoop`, but nothing is cached: a metric gets, in the place of
    maps, a function from the name of a video to the :class:`FrameCandidates` of all its
    frames by name, which a finished video does not call.

    The dataset is a :class:`VideoFrames`: its items are the labelled frames, which are
    scored; candidates come from all frames of their videos. The model has
    ``propose(video)`` and ``kind``.
    """

    def _hash_inputs(self, images: list) -> str:
        """Also of the frames without labels, which decide candidates."""
        text = super()._hash_inputs(images)
        videos = self._videos()
        hashes = [f'{name} {videos[name].hash_inputs()};' for name in sorted(videos)]
        return hashlib.sha256((text + ''.join(hashes)).encode()).hexdigest()

    def _extract(self, model: Any, images: list) -> Any:
        del images
        note = f'candidates: {model.kind}'
        self.summary['candidates'] = dict(kind=model.kind, note=note)
        videos = self._videos()

        def candidates(name: str) -> dict[str, FrameCandidates]:
            video = videos[name]
            names = [f'{name}/{frame}' for frame in video.frame_names]
            return dict(zip(names, model.propose(video), strict=True))

        return dict(features=SimpleNamespace(maps=candidates))

    def _videos(self) -> dict[str, Any]:
        source = self.dataset.dataset
        videos = [source[i] for i in range(len(source))]
        return {video.name: video for video in videos}
