"""From objects to categories: the label maps of YouTube-VOS as semantic ones."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

_LABELS = 256  # of a uint8 label map


def number_categories(videos: Iterable[Mapping[int, str]]) -> dict[str, int]:
    """Category name to number: the names of all videos, sorted, from 1 on.

    Two splits with a ``meta.json`` each can number the same category differently.

    Args:
        videos: object number to category name, for every video; '' is no category.

    Raises:
        ValueError: more categories than a label map has numbers.
    """
    names = sorted({name for video in videos for name in video.values() if name})
    if len(names) >= _LABELS:
        raise ValueError(
            f'there are {len(names)} categories; label maps have numbers for '
            f'{_LABELS - 1}. Merge some.'
        )
    return {name: number for number, name in enumerate(names, start=1)}


def objects_to_categories(
    label_map: np.ndarray, categories: Mapping[int, int], in_place: bool = False
) -> np.ndarray:
    """Replace every object number by that of its category.

    Args:
        label_map: ``(..., H, W)`` uint8 object numbers.
        categories: object number to category number. Other numbers stay as they are
            (background; void).
        in_place: as the official loader does: object after object in ascending order,
            in the map that is already changed. An object whose category number is
            that of a later object is then replaced twice. Only for published numbers.

    Returns:
        a new map of the same type.

    Reference: SMSD75/Timetuning (94550b5), its loader of YouTube-VOS.
    """
    table = np.arange(_LABELS)
    for number in sorted(categories):
        if in_place:
            table[table == number] = categories[number]
        else:
            table[number] = categories[number]
    return table.astype(label_map.dtype)[label_map]
