"""Results folder of clustered clips and images, for tests of the report."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from densecorr.evaluation.functional.cluster_matching import contingency
from densecorr.evaluation.metrics.seg_tables import (
    ImageScore,
    confusion_csv,
    per_image_csv,
    write_shown,
)
from densecorr.structures import LabelledImage, LabelMap

SIZE = (24, 36)
CLASSES = ['background', 'cat <b>', 'dog']
CLIPS = dict(a=3, b=2)
VIEWS = ('clip/K-classes', 'clip/K-10')


class Images:
    """Images in memory, as a dataset gives them."""

    def __init__(self, images: list[LabelledImage]) -> None:
        self.images = images
        self.metainfo = dict(name='Made up', split='val', classes=CLASSES, note='')

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> LabelledImage:
        return self.images[index]


def _image(clip: str, t: int) -> LabelledImage:
    labels = np.zeros(SIZE, np.uint8)
    labels[4:12, 4 + t : 16 + t] = 1
    labels[14:20, 20:30] = 2
    labels[0] = 255
    image = np.full((*SIZE, 3), 60 + 40 * t, np.uint8)
    name = f'{clip}/{t:05d}'
    return LabelledImage(
        name=name,
        group=clip,
        read_image=lambda: image,
        read_labels=lambda: LabelMap(labels),
        hash_inputs=lambda: name,
    )


def write_segments(out: Path, maps: bool = True) -> tuple[dict[str, Any], Images]:
    """Write the files of a run: its ``metrics.json`` and its dataset.

    Maps of ``clip/K-classes`` are the labels moved by one pixel; in ``clip/K-10`` the
    dog is a cluster without a class.
    """
    images = [_image(clip, t) for clip, number in CLIPS.items() for t in range(number)]
    scores, tables = [], []
    for view in VIEWS:
        for place, image in enumerate(images):
            labels = image.read_labels().indices
            pred = np.roll(labels, 1, axis=1)
            pred[pred == 255] = 0
            if view == 'clip/K-10':
                pred[pred == 2] = 130
            if maps:
                write_shown(out, view, image.name, pred)
            scores.append(ImageScore(view, image.name, image.group, 0.5 + place / 10))
            pred[pred == 130] = 0
            tables.append((view, contingency(pred, labels, 255)))
    texts = {
        'per_image.csv': per_image_csv(scores),
        'confusion.csv': confusion_csv(tables),
        'per_class.csv': 'K,Class,Name,Annotated,IoU\nclasses,1,cat <b>,96,0.875\n',
    }
    out.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        (out / name).write_text(text)
    dataset = Images(images)
    metric = dict(sizes=dict(points=112, labels=None), void=255)
    part = dict(reader='pillow', size=dict(fixed=[224, 224]), metric=metric)
    content = dict(
        schema=1,
        task='video_cluster',
        config='toy',
        metrics={'clip-classes': 0.7, 'clip-10': 0.6},
        dataset=dataset.metainfo,
        num_images=len(images),
        protocol=dict(name='full_size', revision=1, stride=8, note=''),
        fingerprint=dict(
            task='video_cluster',
            protocol=dict(name='full_size', video_cluster=part),
        ),
    )
    (out / 'metrics.json').write_text(json.dumps(content))
    return content, dataset
