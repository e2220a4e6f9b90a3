"""Videos in memory, for metrics."""

import numpy as np

from densecorr.structures import LabelMap, VideoSample


def video(name, label_maps, label_frames=None):
    """A video whose annotation of frame t is ``label_maps[t]``."""
    frames = range(len(label_maps))
    return VideoSample(
        name=name,
        frame_names=tuple(f'{t:05d}' for t in frames),
        read_frame=lambda t: np.zeros((*label_maps[0].shape, 3), np.uint8),
        label_frames=tuple(frames if label_frames is None else label_frames),
        read_labels=lambda t: LabelMap(label_maps[t]),
        first_label_frames=(),
        size=label_maps[0].shape,
        hash_inputs=lambda: name,
    )


def run(metric, name, preds, targets, label_frames=None):
    """Feed a whole clip to a metric as the test loop does."""
    sample = video(name, targets, label_frames)
    metric.start(sample)
    for t, pred in enumerate(preds):
        annotated = t in sample.label_frames
        metric.update(t, pred, targets[t] if annotated else None)
    return metric.finish()
