"""Differences of a method to its official code: facts, checks and the table.

``docs/methods/<name>.yml`` holds the facts, ``docs/methods/<name>.md`` shows them.
"""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, fields, replace
from functools import cache
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.fileio import load

from densecorr.apis.config import load_config
from densecorr.apis.marked_page import replace_marked
from densecorr.registry import NODES
from densecorr.utils.files import write_atomic
from densecorr.utils.suggest import suggest
from densecorr.utils.tables import format_markdown

_KEY = 'differences'
_NEW = 'new:'
_MARK = '<!-- differences: made from {name}.yml -->'
_CASES = Path('tests') / 'parity'
_STARRED = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
_COLUMNS = ('Behaviour', 'Official code', 'Here', 'Option', 'Golden case')


@dataclass(frozen=True)
class Difference:
    """What a method does otherwise than its official code, or could.

    Attributes:
        behaviour: what it is about.
        official: what the official code does.
        default: what densecorr does unless told otherwise.
        option: dotted key of the config, or ``key=value``, that changes it, with
            ``new:`` where the config itself has no such key; None where there is no
            choice.
        config: path of the config that has the option.
        case: golden case that shows it, ``'crw/walk_plain'``; None where there is none.
    """

    behaviour: str
    official: str
    default: str
    option: str | None = None
    config: str | None = None
    case: str | None = None


def read_differences(path: str | Path) -> list[Difference]:
    """Read and check a file of differences.

    Args:
        path: a ``.yml`` of ``docs/methods``; configs and cases are those of its
            checkout.

    Raises:
        ValueError: a field is unknown, missing or no text; an option without a config.
        KeyError: the config has no such option.
        FileNotFoundError: no such config or golden case.
    """
    path = Path(path)
    raw = load(str(path))
    if not isinstance(raw, dict) or set(raw) != {_KEY} or not raw[_KEY]:
        raise ValueError(f'{path.name} should have the key {_KEY!r} with a list.')
    found = []
    for number, item in enumerate(raw[_KEY], 1):
        where = f'{path.name}, row {number}'
        found.append(_checked(_build(item, where), path.resolve().parents[2], where))
    return found


def differences_table(differences: Sequence[Difference]) -> str:
    """The table of a page, and under it the config that most options are of."""
    configs = Counter(str(d.config) for d in differences if d.option)
    most = max(configs, key=configs.__getitem__, default='')
    rows = []
    for found in differences:
        option = f'`{found.option}`' if found.option else ''
        if option and found.config != most:
            option = f'{option} of `{found.config}`'
        case = f'`{found.case}`' if found.case else ''
        texts = (found.behaviour, found.official, found.default, option, case)
        rows.append([' '.join(text.split()) for text in texts])
    table = format_markdown(rows, _COLUMNS)
    if not configs:
        return table
    others = ' unless another config is named' if len(configs) > 1 else ''
    return f'{table}\n\nOptions are those of `{most}`{others}, for `--cfg-options`.'


def update_page(page: str | Path) -> str:
    """Put the table into a page of a method; returns the new text.

    Args:
        page: a ``.md`` of ``docs/methods``, beside the ``.yml`` of its name.

    Raises:
        ValueError: the page lacks the marks; or see :func:`read_differences`.
    """
    page = Path(page)
    table = differences_table(read_differences(page.with_suffix('.yml')))
    mark = _MARK.format(name=page.stem)
    text = replace_marked(page.read_text('utf-8'), mark, table, page)
    write_atomic(page, text)
    return text


def update_pages(folder: str | Path) -> list[Path]:
    """Put its table into every page that has a ``.yml``; returns these pages."""
    pages = [path.with_suffix('.md') for path in sorted(Path(folder).glob('*.yml'))]
    for page in pages:
        update_page(page)
    return pages


def is_marked(page: str | Path) -> bool:
    """Whether a page has the mark of a table of differences."""
    page = Path(page)
    return _MARK.format(name=page.stem) in page.read_text('utf-8')


def _build(raw: Any, where: str) -> Difference:
    given = raw if isinstance(raw, Mapping) else {}
    known = [f.name for f in fields(Difference)]
    needed = [f.name for f in fields(Difference) if f.default is MISSING]
    unknown = sorted(set(given) - set(known))
    missing = [name for name in needed if name not in given]
    if unknown or missing:
        raise ValueError(
            f'{where}: unknown fields {unknown}, missing fields {missing}; it has '
            f'{known}.'
        )
    for name, value in given.items():
        if not isinstance(value, str) and (value is not None or name in needed):
            raise ValueError(
                f'{where}: {name} is {value!r}, not a text. Put it into quotes.'
            )
    return Difference(**given)


def _checked(difference: Difference, root: Path, where: str) -> Difference:
    """The difference with its option as it is given on the command line.

    Raises:
        FileNotFoundError: there is no such config or golden case.
        ValueError: an option without a config.
        KeyError: the config has no such option.
    """
    config, option, case = difference.config, difference.option, difference.case
    if config is not None and not (root / config).is_file():
        near = [p.relative_to(root).as_posix() for p in root.glob('configs/t*/*.py')]
        raise FileNotFoundError(
            f'{where}: there is no config {config!r}. {suggest(config, near)}'
        )
    if case is not None and not (root / _CASES / f'{case}.npz').is_file():
        near = [
            path.relative_to(root / _CASES).with_suffix('').as_posix()
            for path in (root / _CASES).glob('*/*.npz')
        ]
        raise FileNotFoundError(
            f'{where}: there is no golden case {case!r} in {_CASES.as_posix()}. '
            f'{suggest(case, near)}'
        )
    if option is None:
        return difference
    if config is None:
        raise ValueError(
            f'{where}: option {option!r} needs the config that has it, as in '
            'config: configs/train/NAME.py.'
        )
    option = _checked_option(load_config(root / config), option, where)
    return replace(difference, option=option)


def _checked_option(cfg: Config, option: str, where: str) -> str:
    """The option as it is given, ``new:`` before a key that the config has not.

    Raises:
        KeyError: neither the config nor a class that it names there has it.
    """
    key, equals, value = option.removeprefix(_NEW).partition('=')
    node, parts, prefix = cfg.to_dict(), key.split('.'), ''
    for depth, part in enumerate(parts):
        given, arguments = _children(node), _arguments(node)
        if part in given:
            node = given[part]
        elif part in arguments and depth == len(parts) - 1:
            prefix = _NEW
        else:
            place = '.'.join(parts[:depth]) or 'the config'
            raise KeyError(
                f'{where}: option {option!r}: {place} of {Path(cfg.filename).name} has '
                f'no key {part!r}. {suggest(part, {*given, *arguments})} Name a key of '
                'the config, or a constructor argument of a class that it names.'
            )
    if equals and parts[-1] == 'type' and _component(value) is None:
        names = {name for registry in NODES for name in registry.names()}
        raise KeyError(
            f'{where}: option {option!r}: no class is registered as {value!r}. '
            f'{suggest(value, names)}'
        )
    return f'{prefix}{key}{equals}{value}'


def _children(node: Any) -> dict[str, Any]:
    """Values below a place of a config by the next part of their dotted key."""
    if isinstance(node, Mapping):
        return dict(node)
    if isinstance(node, (list, tuple)):
        return {str(i): value for i, value in enumerate(node)}
    return {}


def _arguments(node: Any) -> set[str]:
    """What the constructor of the class that a place of a config names can take."""
    kind = node.get('type') if isinstance(node, Mapping) else None
    component = _component(kind) if isinstance(kind, str) else kind
    names: set[str] = set()
    for cls in inspect.getmro(component) if inspect.isclass(component) else ():
        parameters = inspect.signature(cls).parameters.values()
        kinds = {p.kind for p in parameters}
        names |= {p.name for p in parameters if p.kind not in _STARRED}
        if inspect.Parameter.VAR_KEYWORD not in kinds:
            break
    return names


@cache
def _component(name: str) -> Any:
    """What is registered under a name in any registry; None where nothing is."""
    bare = name.rsplit('.', 1)[-1]
    for registry in NODES:
        if bare in registry.names():
            return registry.get(bare)
    return None
