"""The zoo: published weights, and the numbers that were published with them.

``configs/metafile.yml`` holds the facts, docs/zoo.md shows them.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Any, TypeVar

from mmengine.fileio import load
from mmengine.logging import print_log

from densecorr.utils.download import download
from densecorr.utils.paths import config_root
from densecorr.utils.suggest import suggest

METAFILE = 'metafile.yml'
ZOO = 'zoo'
_PREFIX = f'{ZOO}:'
_PARTS = ('datasets', 'entries', 'trainings')
_ORIGIN = 'from'  # of a fact in the file, a word that Python keeps for itself
_CHECKSUM = re.compile(
    r'(?P<kind>md5|sha1|sha256):(?P<start>[0-9a-f]+)(\.\.\.(?P<end>[0-9a-f]*))?'
)
_BLOCK = 1 << 20
_T = TypeVar('_T')


@dataclass(frozen=True)
class Result:
    """A number of an entry.

    Attributes:
        task: of the config, such as ``'davis'``.
        protocol: by which it was published.
        measure: as in ``metrics.json``.
        paper: published, a fraction; None where no text that was read has it.
        origin: the text that has it.
        measured: here on the whole split, a fraction; None before.
        options: changes of the config that the row needs, by dotted key.
        released: further changes, which bring back what the released script does.
    """

    task: str
    protocol: str
    measure: str
    paper: float | None
    measured: float | None
    origin: str = ''
    options: Mapping[str, Any] = field(default_factory=dict)
    released: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Weights:
    """Where the weights of an entry are.

    Attributes:
        address: https address, ``timm:NAME`` or ``torchvision:NAME``; None where no
            program can fetch them.
        page: where people find them, if there is no address.
        origin: the text that gives the address.
        source: their format, a key of ``densecorr.convert.SOURCES``.
        checksum: as published: ``'md5:<first digits>...<last digits>'``.
        licence: of the weights.
    """

    address: str | None
    origin: str
    source: str
    licence: str
    page: str | None = None
    checksum: str | None = None


@dataclass(frozen=True)
class Entry:
    """Weights, the config that they are evaluated with, and their numbers.

    Attributes:
        name: for ``zoo:NAME``.
        config: as users write it, ``configs/test/...``.
        backbone: in words.
        weights: where they are.
        data: names of the data that they were trained on.
        results: published and measured numbers.
        note: what else is to be known.
    """

    name: str
    config: str
    backbone: str
    weights: Weights
    data: tuple[str, ...]
    results: tuple[Result, ...]
    note: str = ''


@dataclass(frozen=True)
class Training:
    """A config to train with, and what came of it.

    Attributes:
        config: as users write it, ``configs/train/...``.
        method: name of its class.
        paper: authors, venue and year.
        address: of the paper.
        backbone: in words.
        data: names of the data that it trains on.
        clips: of an iteration over all processes.
        length: ``'25 epochs'`` or ``'600 iterations'``.
        results: of the trained weights.
        note: what else is to be known.
    """

    config: str
    method: str
    paper: str
    address: str
    backbone: str
    data: tuple[str, ...]
    clips: int
    length: str
    results: tuple[Result, ...]
    note: str = ''


@dataclass(frozen=True)
class Zoo:
    """The metafile.

    Attributes:
        datasets: name of training data to its ``title`` and ``licence``.
        entries: in the order of the file; the first of a config is its ``zoo``.
        trainings: in the order of the file.
    """

    datasets: dict[str, dict[str, str]]
    entries: tuple[Entry, ...]
    trainings: tuple[Training, ...]

    def named(self, name: str) -> Entry:
        """The entry of a name.

        Raises:
            KeyError: there is none; names the nearest.
        """
        for entry in self.entries:
            if entry.name == name:
                return entry
        names = [entry.name for entry in self.entries]
        raise KeyError(f'the zoo has no {name!r}. {suggest(name, names)}')

    def of_config(self, config: str | Path) -> tuple[Entry, ...]:
        """The entries of a config file, which may be none."""
        wanted = _shipped(Path(config))
        return tuple(e for e in self.entries if _shipped(Path(e.config)) == wanted)


def read_zoo(path: str | Path | None = None) -> Zoo:
    """Read and check a metafile; by default the one that densecorr ships.

    Raises:
        ValueError: a field is unknown, missing or of another form; a name comes
            twice; a number has no source.
    """
    path = Path(path) if path else config_root() / METAFILE
    raw = load(str(path))
    if not isinstance(raw, dict) or set(raw) != {*_PARTS}:
        raise ValueError(f'{path} should have the keys {", ".join(_PARTS)}.')
    entries: list[Entry] = []
    for number, item in enumerate(raw['entries']):
        where = f'{path.name}, entry {item.get("name", number)!r}'
        entry = _read_entry(item, where)
        if entry.name in [other.name for other in entries]:
            raise ValueError(f'{where} comes twice. Give one of them another name.')
        _check_data(entry.data, raw['datasets'], where)
        entries.append(entry)
    trainings = []
    for number, item in enumerate(raw['trainings']):
        where = f'{path.name}, training {item.get("config", number)!r}'
        given = {**item, 'results': _read_results(item, where)}
        given['data'] = tuple(item.get('data', ()))
        _check_data(given['data'], raw['datasets'], where)
        trainings.append(_build(Training, given, where))
    return Zoo(raw['datasets'], tuple(entries), tuple(trainings))


def is_zoo(checkpoint: str | Path | None) -> bool:
    """Whether a checkpoint is said by the zoo: ``'zoo'`` or ``'zoo:NAME'``."""
    return str(checkpoint) == ZOO or str(checkpoint).startswith(_PREFIX)


def find_entry(checkpoint: str, config: str | Path, zoo: Zoo | None = None) -> Entry:
    """The entry that ``'zoo'`` or ``'zoo:NAME'`` means for a config.

    Raises:
        KeyError: no entry has the name, or the config has no entry.
    """
    zoo = zoo or read_zoo()
    if checkpoint != ZOO:
        return zoo.named(checkpoint.removeprefix(_PREFIX))
    found = zoo.of_config(config)
    if not found:
        names = [entry.name for entry in zoo.entries]
        raise KeyError(
            f'the zoo has no weights for {config}. Name an entry, as in zoo:NAME. '
            f'{suggest(Path(config).stem, names)}'
        )
    if len(found) > 1:
        others = ', '.join(f'{_PREFIX}{entry.name}' for entry in found[1:])
        print_log(f'zoo is {_PREFIX}{found[0].name}; there are also {others}')
    return found[0]


def fetch_from_zoo(
    checkpoint: str,
    config: str | Path,
    source: str | None = None,
    fetch: bool = True,
    zoo: Zoo | None = None,
) -> tuple[str, str | None]:
    """Checkpoint and format for :func:`densecorr.convert.load_backbone`.

    Args:
        checkpoint: ``'zoo'``, ``'zoo:NAME'``, or anything else, which is returned.
        config: file of the config that the weights are for.
        source: format that the caller names; the entry's where None.
        fetch: download what has an http(s) address, and compare it with the published
            checksum; otherwise the address is returned.
        zoo: a metafile that was read; by default the one that densecorr ships.

    Raises:
        KeyError: there is no such entry.
        FileNotFoundError: the weights have no address, or it cannot be reached.
        ValueError: the file has another checksum than the published one.
    """
    if not is_zoo(checkpoint):
        return checkpoint, source
    entry = find_entry(checkpoint, config, zoo)
    weights = entry.weights
    if weights.address is None:
        raise FileNotFoundError(_no_address(entry))
    source = source or weights.source
    print_log(
        f'{_PREFIX}{entry.name} is {weights.address} ({weights.origin}), licence '
        f'{weights.licence}',
        logger='current',
    )
    if not fetch or not weights.address.startswith('http'):
        return weights.address, source
    path = download(weights.address)
    if weights.checksum:
        check_partly(path, weights.checksum, weights.address)
    return str(path), source


def check_partly(path: Path, checksum: str, address: str) -> None:
    """Compare a file with the digits of its checksum that were published.

    Raises:
        ValueError: they differ; names both.
    """
    parts = _parse(checksum)
    digest = hashlib.new(parts['kind'])
    with path.open('rb') as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    digits = digest.hexdigest()
    if digits.startswith(parts['start']) and digits.endswith(parts['end'] or ''):
        return
    raise ValueError(
        f'{address} has {parts["kind"]} {digits}, published is '
        f'{checksum.partition(":")[2]}. Delete {path} and run again; if it comes '
        'again, the file at the address is another one: to use it all the same, give '
        'its path as checkpoint.'
    )


def _no_address(entry: Entry) -> str:
    if entry.weights.page is None:
        return (
            f'no weights of {_PREFIX}{entry.name} are published '
            f'({entry.weights.origin}). If you have a file, give its path as '
            'checkpoint.'
        )
    return (
        f'the weights of {_PREFIX}{entry.name} are on a page for people: download them '
        f'from {entry.weights.page} and give the path of the file as checkpoint.'
    )


def _shipped(config: Path) -> Path:
    """A config's own file; ``configs/...`` may mean one that densecorr carries."""
    if not config.is_file() and config.parts[:1] == ('configs',):
        config = config_root().joinpath(*config.parts[1:])
    return config.resolve()


def _parse(checksum: str) -> Mapping[str, str]:
    found = _CHECKSUM.fullmatch(checksum)
    if found is None:
        raise ValueError(
            f'checksum {checksum!r} has not the form md5:<first digits>...<last '
            'digits>, where sha1 and sha256 can stand for md5.'
        )
    return found.groupdict()


def _check_data(data: tuple[str, ...], datasets: Mapping[str, Any], where: str) -> None:
    """Raise where data are not among the datasets of the file."""
    unknown = sorted(set(data) - set(datasets))
    if unknown:
        raise ValueError(
            f'{where}: data {unknown} are not among the datasets of the file, '
            f'which are {sorted(datasets)}.'
        )


def _read_results(raw: Mapping[str, Any], where: str) -> tuple[Result, ...]:
    results = []
    for item in raw.get('results', ()):
        result = _build(Result, item, f'{where}, a result')
        if result.paper is not None and not result.origin:
            raise ValueError(
                f'{where}: {result.task} {result.measure} {result.paper} has no '
                f'source. Say under {_ORIGIN!r} which text has the number, or write '
                'paper: null.'
            )
        for score in (result.paper, result.measured):
            if score is not None and not 0 <= score <= 1:
                raise ValueError(f'{where}: {score} should be a fraction in [0, 1].')
        results.append(result)
    return tuple(results)


def _read_entry(raw: Mapping[str, Any], where: str) -> Entry:
    results = _read_results(raw, where)
    weights = _build(Weights, raw.get('weights', {}), f'{where}, its weights')
    if weights.checksum is not None:
        _parse(weights.checksum)
    given = {**raw, 'weights': weights, 'results': results}
    return _build(Entry, {**given, 'data': tuple(raw.get('data', ()))}, where)


def _build(cls: type[_T], raw: Mapping[str, Any], where: str) -> _T:
    """An instance of a dataclass from the fields of the file."""
    given = {'origin' if key == _ORIGIN else key: value for key, value in raw.items()}
    known = {f.name: f for f in fields(cls)}  # type: ignore[arg-type]  # a dataclass
    needed = [
        name
        for name, f in known.items()
        if f.default is MISSING and f.default_factory is MISSING
    ]
    unknown = sorted(set(given) - set(known))
    missing = [name for name in needed if name not in given]
    if unknown or missing:
        raise ValueError(
            f'{where}: unknown fields {unknown}, missing fields {missing}; it has '
            f'{list(known)}, where the file says {_ORIGIN!r} for origin.'
        )
    return cls(**given)
