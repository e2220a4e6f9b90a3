"""CatMAE: frames and label maps resized by Pillow's nearest neighbour."""

from __future__ import annotations

from densecorr.propagation.labels import nearest_labels

from .replay import Case, replay


@replay('catmae', 'nearest_resize', inputs=['n_cases', 'c*_image', 'c*_annotation'])
def test_nearest_resize(case: Case) -> None:
    for i in range(case.n_cases):
        for name in (f'c{i}_image', f'c{i}_annotation'):
            height, width = case[f'{name}_out'].shape[:2]
            case.exact(f'{name}_out', nearest_labels(case[name], (height, width)))
