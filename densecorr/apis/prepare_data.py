"""Preparing data: generated clips in the layouts of published data sets."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmengine.logging import print_log

from densecorr.apis.prepared_tree import Manifest, PreparedTree
from densecorr.datasets.toy import PRESETS, make_clip
from densecorr.datasets.toy.layouts.base import Files, KeptClip, Layout, Scene
from densecorr.datasets.toy.layouts.write import LAYOUTS, find_layout, scenes_of
from densecorr.engine.progress import FrameProgress
from densecorr.utils.suggest import suggest

MANIFEST = 'spriteworld.json'
# Two for training come after them: the first two once more, with other seeds.
DEFAULT_PRESETS = (
    'occlusion',
    'articulated',
    'single',
    'late',
    'vanishing',
    'fast',
    'light',
    'odd',
)


@dataclass(frozen=True)
class _Job:
    """A data set to write: a layout, and its files by path below the output folder."""

    layout: Layout
    clips: dict[int, Files]  # number of a scene to its files
    lists: Files

    @property
    def paths(self) -> set[str]:
        """All files."""
        return {path for files in (*self.clips.values(), self.lists) for path in files}


def prepare_spriteworld(
    out: str | Path,
    layouts: Sequence[str] | None = None,
    presets: Sequence[str] | None = None,
    clips: int | None = None,
    frames: int = 20,
    size: tuple[int, int] = (240, 432),
    seed: int = 0,
    *,
    train_clips: int = 2,
    overwrite: bool = False,
) -> dict[str, Any]:
    """Write SpriteWorld clips in the layouts of published data sets.

    A folder written with equal settings is completed, or left alone if nothing lacks;
    layouts may be added to it. Nothing outside ``out`` is written.

    Args:
        out: folder for the data sets, each in one of its own.
        layouts: names of ``densecorr.datasets.toy.layouts.LAYOUTS``; None takes all
            that the clips can be written in.
        presets: kinds of clips, taken in turn; None is ``DEFAULT_PRESETS``.
        clips: number of clips for evaluation; None is one for each preset.
        frames: frames of each clip.
        size: ``(H, W)`` in pixels; the preset ``odd`` has its own.
        seed: of the first clip; each further clip has the next.
        train_clips: number of further clips for the training splits.
        overwrite: replace what was written with other settings; only files that this
            function wrote are removed.

    Returns:
        ``out``, ``status`` (``'written'``, ``'completed'`` or ``'nothing to do'``),
        ``written`` (number of files), and ``layouts``: name to ``folder``, ``clips``
        and ``files``.

    Raises:
        ValueError: a name is unknown, a number too small, no clip suits a layout that
            was asked for, or the folder has other settings or foreign content.
        OSError: the folder cannot be written.
    """
    presets = list(DEFAULT_PRESETS if presets is None else presets)
    clips = len(presets) if clips is None else clips
    _check(presets, clips, train_clips)
    height, width = map(int, size)
    specs = list(_specs(presets, clips, train_clips, seed))
    made = [make_clip(preset, s, (height, width), frames) for preset, s in specs]
    scenes = scenes_of([KeptClip(clip) for clip in made], train_clips)
    settings: dict[str, Any] = dict(
        presets=presets,
        clips=clips,
        train_clips=train_clips,
        frames=frames,
        size=[height, width],
        seed=seed,
        first_labels=_hash_first_labels(scenes),
    )
    jobs = _jobs(layouts, scenes)
    tree = PreparedTree(out, MANIFEST)
    plan = {path for job in jobs for path in job.paths}
    found = tree.open(settings, plan, overwrite)
    manifest = found or Manifest(settings, clips=_facts(scenes, specs))
    manifest.files |= plan
    missing = tree.missing(plan)
    if missing:
        names = {*manifest.layouts, *(job.layout.name for job in jobs)}
        manifest.layouts = [name for name in LAYOUTS if name in names]
        manifest.complete = False
        tree.write(manifest)
        _write(jobs, scenes, tree, missing)
        manifest.complete = not tree.missing(manifest.files)
        tree.write(manifest)
    status = 'completed' if found else 'written'
    return dict(
        out=str(tree.out),
        status=status if missing else 'nothing to do',
        written=len(missing),
        layouts={
            job.layout.name: dict(
                folder=str(tree.out / job.layout.folder),
                clips=len(job.clips),
                files=len(job.paths),
            )
            for job in jobs
        },
    )


def _check(presets: Sequence[str], clips: int, train_clips: int) -> None:
    if not presets:
        raise ValueError(f'presets is empty. {suggest("", PRESETS)}')
    for preset in presets:
        if preset not in PRESETS:
            raise ValueError(
                f'preset {preset!r} is unknown. {suggest(preset, PRESETS)}'
            )
    if clips < 1 or train_clips < 0:
        raise ValueError(
            f'clips should be at least 1, not {clips}, and train_clips at least 0, not '
            f'{train_clips}.'
        )


def _specs(
    presets: Sequence[str], clips: int, train_clips: int, seed: int
) -> Iterator[tuple[str, int]]:
    """Preset and seed of every clip, those for training last."""
    for index in range(clips + train_clips):
        turn = index if index < clips else index - clips
        yield presets[turn % len(presets)], seed + index


def _jobs(names: Sequence[str] | None, scenes: Sequence[Scene]) -> list[_Job]:
    chosen = [find_layout(name) for name in (LAYOUTS if names is None else names)]
    jobs = []
    for layout in dict.fromkeys(chosen):
        accepted = [scene for scene in scenes if layout.accepts(scene.clip)]
        if accepted:
            clips = {s.number: _below(layout, layout.files(s)) for s in accepted}
            jobs.append(_Job(layout, clips, _below(layout, layout.lists(accepted))))
            continue
        message = f'layout {layout.name!r} needs {layout.needs}; no clip has that.'
        if names is not None:
            raise ValueError(f'{message} Add a preset, for example articulated.')
        print_log(f'Left out: {message}', logger='current')
    return jobs


def _below(layout: Layout, files: Files) -> Files:
    return {f'{layout.folder}/{path}': write for path, write in files.items()}


def _hash_first_labels(scenes: Sequence[Scene]) -> str:
    """Tells whether a folder comes from the generator as it is now."""
    digest = hashlib.sha256()
    for scene in scenes:
        digest.update(scene.clip.label_map(0).tobytes())
    return digest.hexdigest()


def _write(
    jobs: Sequence[_Job], scenes: Sequence[Scene], tree: PreparedTree, missing: set[str]
) -> None:
    """Write what is missing, clip by clip, so that each frame is rendered once."""
    frames = {scene.number: scene.clip.num_frames for scene in scenes}
    total = sum(frames[number] for job in jobs for number in job.clips)
    with FrameProgress(total, 'SpriteWorld') as progress:
        for scene in scenes:
            for job in jobs:
                if scene.number in job.clips:
                    _write_files(job.clips[scene.number], tree, missing)
                    progress.advance(frames[scene.number])
            if isinstance(scene.clip, KeptClip):
                scene.clip.forget()
        for job in jobs:
            _write_files(job.lists, tree, missing)


def _write_files(files: Files, tree: PreparedTree, missing: set[str]) -> None:
    for path, write in files.items():
        if path in missing:
            write(tree.out / path)


def _facts(
    scenes: Sequence[Scene], specs: Sequence[tuple[str, int]]
) -> list[dict[str, Any]]:
    """What the manifest tells about every clip."""
    return [
        dict(
            number=scene.number,
            name=scene.clip.name,
            split=scene.split,
            preset=preset,
            seed=seed,
            size=list(scene.clip.size),
            frames=scene.clip.num_frames,
            objects=[
                dict(
                    number=item.number,
                    category=item.category,
                    category_id=item.category_id,
                    articulated=item.articulated,
                    first_frame=item.first_frame,
                )
                for item in scene.clip.objects
            ],
        )
        for scene, (preset, seed) in zip(scenes, specs, strict=True)
    ]
