"""A folder that a program fills: what it wrote, with which settings, and no more."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mmengine.logging import print_log

from densecorr.utils.files import write_atomic

SCHEMA = 1
_SHOWN = 5  # names in a message


@dataclass
class Manifest:
    """What is known about the content of a prepared folder.

    Attributes:
        settings: all that decides the content of the files, plain values of JSON.
        layouts: names of what was asked for, in any run with these settings.
        clips: facts about the clips, for readers.
        files: every file that was or will be written, below the folder, with ``/``.
        complete: whether all of them were written.
    """

    settings: dict[str, Any]
    layouts: list[str] = field(default_factory=list)
    clips: list[dict[str, Any]] = field(default_factory=list)
    files: set[str] = field(default_factory=set)
    complete: bool = False


class PreparedTree:
    """A folder with a manifest; nothing outside it is written or removed.

    Args:
        out: the folder.
        name: of the manifest in it, for example ``'spriteworld.json'``.
    """

    def __init__(self, out: str | Path, name: str) -> None:
        self.out, self.path = Path(out), Path(out) / name

    def read(self) -> Manifest | None:
        """The manifest; None where the folder is empty or not there.

        Raises:
            NotADirectoryError: it is a file.
            ValueError: the folder has content but no manifest, or one that cannot be
                used.
        """
        if self.out.exists() and not self.out.is_dir():
            raise NotADirectoryError(
                f'{self.out} is a file. Give the folder to write into.'
            )
        if not self.path.is_file():
            inside = self.out.iterdir() if self.out.exists() else ()
            held = sorted(path.name for path in inside if path.name[0] != '.')
            if held:
                raise ValueError(
                    f'{self.out} holds {held[:_SHOWN]} and no {self.path.name}, so it '
                    'was not written by this program. Give another or an empty folder.'
                )
            return None
        return self._parse(self.path.read_text('utf-8'))

    def write(self, manifest: Manifest) -> None:
        """Write the manifest; equal content gives equal bytes."""
        folders: dict[str, list[str]] = {}
        for path in sorted(manifest.files):
            folder, _, name = path.rpartition('/')
            folders.setdefault(folder, []).append(name)
        content = dict(
            schema=SCHEMA,
            settings=manifest.settings,
            complete=manifest.complete,
            layouts=manifest.layouts,
            clips=manifest.clips,
            files=folders,
        )
        write_atomic(self.path, json.dumps(content, indent=1) + '\n')

    def open(
        self, settings: Mapping[str, Any], files: set[str], overwrite: bool = False
    ) -> Manifest | None:
        """The manifest to go on with; None where the folder is empty, or was emptied.

        Args:
            settings: those of this run.
            files: what this run writes, below the folder.
            overwrite: remove what was written before.

        Raises:
            ValueError: the folder was written with other settings, or holds anything
                else.
        """
        found = self.read()
        if found is None:
            return None
        if not overwrite:
            self.check_settings(found.settings, settings)
        self.check_foreign(files | found.files)
        if overwrite:
            count = self.remove(found)
            print_log(f'Removed {count} files of {self.out}.', logger='current')
            return None
        return found

    def check_settings(
        self, found: Mapping[str, Any], wanted: Mapping[str, Any]
    ) -> None:
        """Refuse to go on with other settings.

        Raises:
            ValueError: names every setting that differs, with both values.
        """
        keys = [key for key in {**wanted, **found} if found.get(key) != wanted.get(key)]
        if keys:
            told = '; '.join(
                f'{key} is {found.get(key)!r} there and {wanted.get(key)!r} now'
                for key in keys
            )
            raise ValueError(
                f'{self.out} was written with other settings: {told}. Give another '
                'folder, or --overwrite (overwrite=True) to replace what was written.'
            )

    def missing(self, files: Iterable[str]) -> set[str]:
        """The files that are not there, or empty."""
        return {path for path in files if not _is_whole(self.out / path)}

    def check_foreign(self, files: set[str]) -> None:
        """Refuse folders of the tree that hold anything else; hidden files may be.

        A stray frame would change a data set, and through a linked folder files would
        be written elsewhere.

        Raises:
            ValueError: names the first such file or link.
        """
        tops = sorted({path.partition('/')[0] for path in files if '/' in path})
        for top in tops:
            for path in _walk(self.out / top):
                name = path.relative_to(self.out).as_posix()
                if path.is_symlink() or (path.is_file() and name not in files):
                    kind = 'a link' if path.is_symlink() else 'a file'
                    raise ValueError(
                        f'{path} is {kind} that this program did not write. Move it '
                        f'out of {self.out}, or give another folder.'
                    )

    def remove(self, manifest: Manifest) -> int:
        """Remove the files of a manifest, folders that get empty, and the manifest.

        Returns:
            How many files there were.

        Raises:
            ValueError: a linked folder leads out of the tree; nothing is removed.
        """
        paths = [self.out / name for name in sorted(manifest.files)]
        root = self.out.resolve()
        folders = {path.parent for path in paths}
        for folder in sorted(folders):
            if not folder.resolve().is_relative_to(root):
                raise ValueError(
                    f'{folder} leads out of {self.out}, so its files are not removed. '
                    'Remove the link.'
                )
        count = sum(path.is_file() for path in paths)
        for path in paths:
            path.unlink(missing_ok=True)
            path.with_name(f'.{path.name}.tmp').unlink(missing_ok=True)
        for folder in sorted(_with_parents(folders, self.out), reverse=True):
            if folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()
        self.path.unlink(missing_ok=True)
        return count

    def _parse(self, text: str) -> Manifest:
        try:
            content = json.loads(text)
            if content['schema'] != SCHEMA:
                raise ValueError(f'its schema is {content["schema"]}, not {SCHEMA}')
            manifest = Manifest(
                settings=dict(content['settings']),
                layouts=list(content['layouts']),
                clips=list(content['clips']),
                files={
                    f'{folder}/{name}' if folder else name
                    for folder, names in content['files'].items()
                    for name in names
                },
                complete=bool(content['complete']),
            )
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ValueError(
                f'{self.path} cannot be used ({error}). Give another folder, or remove '
                'this one yourself.'
            ) from error
        for name in manifest.files:
            if Path(name).is_absolute() or '..' in Path(name).parts:
                raise ValueError(
                    f'{self.path} names {name!r}, which is not below {self.out}. It '
                    'was edited; give another folder.'
                )
        return manifest


def _is_whole(path: Path) -> bool:
    return path.is_file() and path.stat().st_size > 0


def _walk(top: Path) -> Iterator[Path]:
    """Everything below and with ``top`` that is not hidden; links are not followed."""
    if top.exists() or top.is_symlink():
        yield top
    for place, folders, files in os.walk(top):
        yield from (Path(place, name) for name in folders + files if name[0] != '.')


def _with_parents(folders: Iterable[Path], root: Path) -> set[Path]:
    """Folders and their parents below ``root``, without it."""
    found = set()
    for folder in folders:
        while folder != root:
            found.add(folder)
            folder = folder.parent
    return found
