"""TimeT: what its transforms make of a clip."""

from __future__ import annotations

import numpy as np
from mmengine.config import Config

from densecorr.apis.config import load_config
from densecorr.registry import MODELS, TRANSFORMS

from .adapters_timet import CONFIG
from .replay import Case, replay


@replay(
    'timet',
    'clip_augment',
    inputs=[
        'size', 's?_frames', 's?_annotations', 's?_jitter_*', 's?_grayscale',
        's?_blur_radii', 's?_crop_top*', 's?_flip', 'mean', 'std',
    ],
)  # fmt: skip
def test_clip_augment(case: Case) -> None:
    cfg = load_config(CONFIG)
    steps = [step.to_dict() for step in cfg.train_dataloader.dataset.pipeline]
    steps[3]['short_side'] = steps[4]['size'] = case.size
    jitter, gray, blur, resize, crop, flip, pack = map(TRANSFORMS.build, steps)
    nearest = [
        TRANSFORMS.build({**step, 'interpolation': 'nearest'}) for step in steps[3:5]
    ]
    names = ['brightness', 'contrast', 'saturation', 'hue']
    cfg.model.update(inputs=dict(mean=case.mean.tolist(), std=case.std.tolist()))
    normalize = MODELS.build(_tiny(cfg.model)).normalize
    for clip in ('s0', 's1'):
        sample = dict(frames=case[f'{clip}_frames'])
        t = len(sample['frames'])

        def compare(stage: str, found: dict, clip: str = clip) -> dict:
            case.exact(f'{clip}_after_{stage}', np.stack(found['frames']))
            return found

        order = [names.index(name) for name in case[f'{clip}_jitter_order']]
        drawn = dict(
            applied=[bool(case[f'{clip}_jitter_applied'])] * t,
            orders=np.array([order] * t),
            factors=np.array([case[f'{clip}_jitter_factors']] * t),
        )
        sample = compare('jitter', jitter.apply(sample, **drawn))
        grays = [bool(case[f'{clip}_grayscale'])] * t
        sample = compare('grayscale', gray.apply(sample, applied=grays))
        radii = case[f'{clip}_blur_radii']
        sigmas = radii if len(radii) else np.zeros(t)
        sample = compare('blur', blur.apply(sample, sigmas=sigmas))
        size = resize.draw(np.random.default_rng(0), sample)
        sample = compare('resize', resize.apply(sample, **size))
        boxes = np.array([case[f'{clip}_crop_top_left_height_width']] * t)
        sample = compare('crop', crop.apply(sample, boxes=boxes))
        flips = [bool(case[f'{clip}_flip'])] * t
        sample = compare('flip', flip.apply(sample, flips=flips))
        images = pack(sample)['inputs']['frames']
        case.close(f'{clip}_tensor', normalize(images), atol=1e-6)
        labels = dict(frames=np.stack([case[f'{clip}_annotations']] * 3, -1))
        labels = nearest[0].apply(labels, **size)
        labels = flip.apply(nearest[1].apply(labels, boxes=boxes), flips=flips)
        case.exact(f'{clip}_annotations_out', np.stack(labels['frames'])[..., 0])


def _tiny(model: Config) -> Config:
    """The shipped model with a network that is quick to build."""
    model = Config(dict(model=model.to_dict())).model
    model.backbone.update(depth=1, embed_dim=48, num_heads=1)
    model.unfrozen = None
    return model
