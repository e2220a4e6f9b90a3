"""TimeT: evaluation input of Pascal VOC, and categories of YouTube-VOS."""

from __future__ import annotations

import tempfile
from pathlib import Path

from densecorr.datasets.categories import number_categories, objects_to_categories
from densecorr.datasets.ytvos_files import read_meta
from densecorr.propagation.frames import FrameInput
from densecorr.utils.images import resize_nearest

from .replay import Case, replay


@replay(
    'timet',
    'voc_eval_transform',
    inputs=['image', 'mask', 'image_size', 'mask_size', 'mean', 'std'],
)
def test_voc_eval_transform(case: Case) -> None:
    inputs = FrameInput(
        mean=case['mean'],
        std=case['std'],
        size=dict(fixed=(case.image_size, case.image_size)),
        resizer='pillow',
    )
    case.close('tensor', inputs(case.image), atol=1e-6)
    case.exact('label', resize_nearest(case['mask'], (case.mask_size, case.mask_size)))


@replay('timet', 'category_mapping', inputs=['meta_json', 'video_names', '*_instances'])
def test_category_mapping(case: Case) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, 'meta.json')
        path.write_text(str(case.meta_json))
        meta = read_meta(path) or {}
    numbers = number_categories(video.categories for video in meta.values())
    case.exact('category_names', list(numbers))
    case.exact('category_ids', list(numbers.values()))
    for name in map(str, case.video_names):
        found = {n: numbers[kind] for n, kind in meta[name].categories.items()}
        objects = case[f'{name}_instances']
        for suffix, in_place in (('', False), ('_official', True)):
            mapped = objects_to_categories(objects, found, in_place)
            case.exact(f'{name}_categories{suffix}', mapped)
