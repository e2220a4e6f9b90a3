"""Folders and ``meta.json`` of YouTube-VOS."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from densecorr.utils.data_info import DataInfo, find_root

_FORM = '{"videos": {"<video>": {"objects": {"1": {"category": "..."}}}}}'
_YEAR_ENDS = {2018: ('2018', '18'), 2019: ('2019', '19')}


@dataclass(frozen=True)
class VideoMeta:
    """What ``meta.json`` says about a video.

    Attributes:
        categories: object number to the name of its category; '' where not given.
    """

    categories: dict[int, str]


def read_meta(path: Path) -> dict[str, VideoMeta] | None:
    """Video name to its entry in a ``meta.json``; None where there is no such file.

    Raises:
        ValueError: it is no JSON, or has another form; names file and video.
    """
    if not path.is_file():
        return None
    try:
        content = json.loads(path.read_text(encoding='utf-8-sig'))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f'{path} is no JSON: {error}. Extract it again.') from error
    videos = content.get('videos') if isinstance(content, dict) else None
    if not isinstance(videos, dict):
        raise ValueError(f'{path} should hold {_FORM}, it has no "videos".')
    return {name: _video_meta(path, name, entry) for name, entry in videos.items()}


def _video_meta(path: Path, name: str, entry: Any) -> VideoMeta:
    try:
        objects = entry['objects'].items()
        return VideoMeta({int(n): str(o.get('category', '')) for n, o in objects})
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ValueError(
            f'{path}: the entry of video {name!r} should be as in {_FORM}.'
        ) from error


def find_ytvos_root(
    info: DataInfo, root: str | Path | None, year: int, split: str
) -> Path:
    """The folder that holds the folder of a split.

    Below a given root, a folder named by the year comes first. Default roots that
    name the other year are passed over.

    Raises:
        FileNotFoundError: there is none; has the expected tree.
    """
    info = dataclasses.replace(info, marker=split)
    if root is not None:
        base = Path(root).expanduser()
        places = (base / str(year), base)
        return find_root(info, next((p for p in places if (p / split).is_dir()), base))
    others = tuple(end for y, ends in _YEAR_ENDS.items() if y != year for end in ends)
    roots = [place for place in info.roots if not place.endswith(others)]
    roots.sort(key=lambda place: not place.endswith(_YEAR_ENDS[year]))
    return find_root(dataclasses.replace(info, roots=tuple(roots)))
