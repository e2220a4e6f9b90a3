"""The page about one evaluation: one file, with pictures, that needs no network."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from markupsafe import Markup
from mmengine.config import Config
from mmengine.logging import print_log

from densecorr.apis.report.missing import missing_parts, unscored_sentences
from densecorr.apis.report.numbers import (
    curves,
    flat_fingerprint,
    label_names,
    measure_table,
    notes_of,
    part_table,
    percent,
    score_bars,
    video_score,
    video_table,
)
from densecorr.apis.report.pictures import pictures_of
from densecorr.apis.report.results import (
    Results,
    VideoFiles,
    read_results,
    video_files,
)
from densecorr.apis.report.segment_files import is_of_images, read_segments
from densecorr.apis.report.segments import segment_parts
from densecorr.apis.report.templates import FOLDER, page_template
from densecorr.apis.report.words import protocol_words
from densecorr.engine.fingerprint import digest
from densecorr.registry import DATASETS
from densecorr.utils.files import write_atomic
from densecorr.visualization.joints import bones_of

MAX_BYTES = 24_000_000  # of a page: mail programs and viewers take 25 MB
_TABLES = 2_000_000  # bytes of confusions and tables of clips, at most
_OPEN = 8  # with more videos, each is folded
_MANY = 60  # more cannot be open at once
_SCRIPTS = (
    'decode.js',
    'curves.js',
    'joints.js',
    'pictures.js',
    'voters.js',
    'report.js',
)
_NOT_FOR_SCRIPTS = ('image', 'score', 'facts')  # of a picture: they are in the markup
_THINGS = dict(  # words about what is tracked
    object=dict(a='an object', other='another object'),
    part=dict(a='a part', other='another part'),
    joint=dict(a='a joint', other='another joint'),
)


def write_report(
    out_dir: str | Path,
    content: Mapping[str, Any],
    dataset: Any,
    max_bytes: int = MAX_BYTES,
) -> Path:
    """Write ``report.html`` from the files of a finished evaluation.

    Equal results give equal bytes: no time, host or path is on the page. What is
    missing in the folder is missing on the page, which says how to get it.

    Args:
        out_dir: the results folder.
        content: what ``metrics.json`` says.
        dataset: of :class:`densecorr.structures.VideoSample` or ``LabelledImage``,
            for images and annotations; None where it is not there any more.
        max_bytes: of the page; pictures become fewer and smaller to keep it.

    Returns:
        the path of the page.
    """
    return _write(read_results(out_dir, content), dataset, max_bytes)


def rebuild_report(
    out_dir: str | Path, data: str | None = None, max_bytes: int = MAX_BYTES
) -> Path:
    """Write ``report.html`` again from a results folder alone.

    Args:
        out_dir: the results folder.
        data: root of the dataset; None takes the one that ``config.py`` names.
        max_bytes: of the page.

    Raises:
        FileNotFoundError: the folder holds no results, or ``data`` no dataset.
    """
    return _write(_results(out_dir), find_dataset(out_dir, data), max_bytes)


def find_videos(out_dir: str | Path, data: str | None = None) -> list[VideoFiles]:
    """The videos of a results folder, with their images where the dataset is there.

    Raises:
        FileNotFoundError: the folder holds no results.
    """
    return video_files(_results(out_dir), find_dataset(out_dir, data))


def find_dataset(out_dir: str | Path, data: str | None = None) -> Any:
    """The dataset of an evaluation, built from the config that lies in its folder.

    Args:
        out_dir: the results folder.
        data: root of the dataset; None takes the one that ``config.py`` names.

    Returns:
        the dataset; None where the one of ``config.py`` cannot be built, which the log
        explains.

    Raises:
        FileNotFoundError, ValueError: ``data`` was named and is no such dataset.
    """
    path = Path(out_dir) / 'config.py'
    try:
        cfg = Config.fromfile(str(path))
        settings = cfg.test_dataset.to_dict()
        if data is not None:
            settings['root'] = str(data)
        return DATASETS.build(settings)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        if data is not None:
            raise
        text = error.args[0] if isinstance(error, KeyError) and error.args else error
        print_log(f'the report has no images: {text}', logger='current', level=30)
        return None


def _results(out_dir: str | Path) -> Results:
    results = read_results(out_dir)
    if not results.content and not results.records:
        raise FileNotFoundError(
            f'{out_dir} holds neither metrics.json nor records/*.json, so it is no '
            'results folder. Name the --out of tools/test.py, by default '
            'work_dirs/<config>/<task>.'
        )
    return results


def _write(results: Results, dataset: Any, max_bytes: int) -> Path:
    if is_of_images(results):
        return _write_segments(results, dataset, max_bytes)
    videos = video_files(results, dataset)
    sections = [_section(video, results) for video in videos]
    text = _render(results, videos, sections)
    left = max_bytes - len(text.encode())
    for section, kept in zip(sections, pictures_of(videos, left), strict=True):
        section.update(kept)
    text = _render(results, videos, sections)
    write_atomic(results.path / 'report.html', text)
    return results.path / 'report.html'


def _write_segments(results: Results, dataset: Any, max_bytes: int) -> Path:
    """The page of an evaluation of single images."""
    found = read_segments(results, dataset)
    room = max_bytes - len(_render(results, [], []).encode()) - _TABLES
    text = _render(results, [], [], segment_parts(found, room))
    write_atomic(results.path / 'report.html', text)
    return results.path / 'report.html'


def _section(video: VideoFiles, results: Results) -> dict[str, Any]:
    """What the page shows of a video, without pictures."""
    score = video_score(video, results)
    return dict(
        name=video.name,
        frames=len(video.frame_names),
        score='' if score is None else percent(score),
        order='' if score is None else round(score, 4),
        measure='J&F' if video.objects else video.measure,
        curves=curves(video),
        pictures=[],
        votes=None,
        reduced=False,
        why_no_votes='',
        has_images=video.sample is not None,
        thing=video.thing,
        words=_THINGS[video.thing],
        unscored=results.unscored,
        labels=label_names(video),
        bones=bones_of(video.num_joints),
    )


def _render(
    results: Results,
    videos: list[VideoFiles],
    sections: list[dict[str, Any]],
    segments: Mapping[str, Any] | None = None,
) -> str:
    """The text of the page; ``segments`` are those of :func:`segment_parts`."""
    read = {
        name: (FOLDER / name).read_text('utf-8') for name in (*_SCRIPTS, 'style.css')
    }
    content = results.content
    fingerprint = content.get('fingerprint') or {}
    return page_template('page.html').render(
        title=_title(results),
        style=Markup(read['style.css']),
        script='' if segments else Markup('\n'.join(read[n] for n in _SCRIPTS)),
        notes=notes_of(content),
        facts=_facts(content),
        bars=score_bars(results),
        measures=measure_table(results),
        parts=part_table(results),
        unscored=unscored_sentences(results),
        archives=results.archives,
        protocol=protocol_words(content),
        table=video_table(results),
        anchors={section['name']: n for n, section in enumerate(sections, 1)},
        sections=[dict(section, data=_data(section)) for section in sections],
        unfolded=len(sections) <= _OPEN,
        can_order=any(section['score'] for section in sections),
        decays=any('Decay' in name for name in content.get('metrics') or {}),
        can_open_all=len(sections) <= _MANY,
        missing=segments['missing'] if segments else missing_parts(results, videos),
        segments=segments,
        fingerprint=flat_fingerprint(fingerprint) if fingerprint else [],
        digest=digest(fingerprint) if fingerprint else '',
    )


def _data(section: Mapping[str, Any]) -> Markup:
    """What the scripts need of a video, safe inside a ``<script>`` element."""
    pictures = [
        {key: value for key, value in p.items() if key not in _NOT_FOR_SCRIPTS}
        for p in section['pictures']
    ]
    votes = section['votes']
    if votes is not None:
        context = [
            {key: value for key, value in c.items() if key != 'image'}
            for c in votes['context']
        ]
        votes = {**votes, 'context': context}
    kept = {key: section[key] for key in ('curves', 'thing', 'labels', 'bones')}
    data = dict(kept, pictures=pictures, votes=votes)
    text = json.dumps(data, sort_keys=True, separators=(',', ':'), allow_nan=False)
    for letter in '<>&':
        text = text.replace(letter, f'\\u{ord(letter):04x}')
    return Markup(text)


def _title(results: Results) -> str:
    content = results.content
    dataset = content.get('dataset') or {}
    words = [str(content.get('config') or 'Results')]
    if dataset.get('name'):
        words.append(f'on {dataset["name"]} {dataset.get("split", "")}'.rstrip())
    return ' '.join(words)


def _facts(content: Mapping[str, Any]) -> list[str]:
    """The line below the title."""
    protocol = content.get('protocol') or {}
    facts = []
    if content.get('task'):
        facts.append(f'task {content["task"]}')
    if protocol.get('name'):
        facts.append(
            f'protocol {protocol["name"]} revision {protocol.get("revision")}, '
            f'stride {protocol.get("stride")}'
        )
    if content.get('num_videos'):
        number = content['num_videos']
        facts.append(f'{number} video{"s" if number != 1 else ""}')
        facts.append(f'{content.get("num_frames")} frames')
    if content.get('num_images'):
        facts.append(f'{content["num_images"]} images')
    return facts
