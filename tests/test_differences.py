"""Tables of differences to official code: their files, their pages, their checks."""

import shutil
from pathlib import Path

import pytest
import yaml

from densecorr.apis.differences import (
    differences_table,
    is_marked,
    read_differences,
    update_page,
    update_pages,
)

ROOT = Path(__file__).resolve().parents[1]
METHODS = ROOT / 'docs/methods'
NAMES = sorted({p.stem for end in ('yml', 'md') for p in METHODS.glob(f'*.{end}')})
CONFIG = 'configs/train/crw_res18_k400.py'
OTHER = 'configs/train/crw_res18_spriteworld.py'


@pytest.fixture
def checkout(tmp_path):
    """Links to configs and golden cases, and an empty folder of pages."""
    (tmp_path / 'configs').symlink_to(ROOT / 'configs')
    (tmp_path / 'tests').symlink_to(ROOT / 'tests')
    (tmp_path / 'docs/methods').mkdir(parents=True)
    return tmp_path / 'docs/methods'


def row(**changes):
    return {**dict(behaviour='edges', official='in order', default='random'), **changes}


def written(folder, *rows):
    path = folder / 'toy.yml'
    path.write_text(yaml.safe_dump(dict(differences=list(rows))))
    return path


@pytest.mark.parametrize('name', NAMES)
def test_page_shows_its_differences(name, checkout):
    page, facts = METHODS / f'{name}.md', METHODS / f'{name}.yml'
    assert page.is_file(), f'{facts} has no page'
    assert is_marked(page) == facts.is_file(), f'{page} and {facts} do not go together'
    if not facts.is_file():
        return
    for path in (page, facts):
        shutil.copy(path, checkout)
    assert update_page(checkout / page.name) == page.read_text('utf-8'), (
        f'{page} is not what {facts} gives; CONTRIBUTING.md has the command'
    )


def test_every_page_of_a_method_has_differences():
    assert NAMES
    assert all((METHODS / f'{name}.yml').is_file() for name in NAMES)


def test_table_names_options_as_they_are_given(checkout):
    path = written(
        checkout,
        row(option='model.loss.flip=True', config=CONFIG, case='crw/walk_flip'),
        row(option='model.backbone.zero_batches', config=CONFIG),
        row(behaviour='a | b', option='sync_bn', config=OTHER),
        row(),
    )
    assert differences_table(read_differences(path)).splitlines() == [
        '| Behaviour | Official code | Here | Option | Golden case |',
        '| --- | --- | --- | --- | --- |',
        '| edges | in order | random | `model.loss.flip=True` | `crw/walk_flip` |',
        '| edges | in order | random | `new:model.backbone.zero_batches` | |',
        rf'| a \| b | in order | random | `sync_bn` of `{OTHER}` | |',
        '| edges | in order | random | | |',
        '',
        f'Options are those of `{CONFIG}` unless another config is named, for '
        '`--cfg-options`.',
    ]


def test_table_without_options(checkout):
    table = differences_table(read_differences(written(checkout, row())))
    assert table.splitlines()[2:] == ['| edges | in order | random | | |']


@pytest.mark.parametrize(
    'option',
    [
        'train_dataloader.dataset.pipeline.1.flip_prob=0.5',  # in a list
        'train_dataloader.dataset.sampler.default_fps',  # an argument of a sampler
        'new:model.head.in_channels=64',  # of a head
        'optim_wrapper.optimizer.weight_decay=1e-4',  # of torch
        'optim_wrapper.optimizer.type=SGD',
        'task_davis.test_dataset.split',
    ],
)
def test_options_that_exist(checkout, option):
    (found,) = read_differences(written(checkout, row(option=option, config=CONFIG)))
    assert found.option.removeprefix('new:') == option.removeprefix('new:')


@pytest.mark.parametrize(
    ('changes', 'kind', 'text'),
    [
        (
            dict(option='model.loss.flop=True', config=CONFIG),
            KeyError,
            r"toy\.yml, row 2: option 'model\.loss\.flop=True': model\.loss of "
            r"crw_res18_k400\.py has no key 'flop'\. Did you mean 'flip'.* Name a key "
            'of the config, or a constructor argument',
        ),
        (
            dict(option='train_dataloader.dataset.pipeline.7.size', config=CONFIG),
            KeyError,
            "train_dataloader.dataset.pipeline of .* has no key '7'",
        ),
        (
            dict(option='model.train_inputs.mean.red', config=CONFIG),
            KeyError,
            "model.train_inputs.mean of .* has no key 'red'",
        ),
        (
            dict(option='model.backbone.zero_batches.count', config=CONFIG),
            KeyError,
            "model.backbone of .* has no key 'zero_batches'",
        ),
        (
            dict(option='model.loss.type=RandomWalk', config=CONFIG),
            KeyError,
            r"row 2: .* no class is registered as 'RandomWalk'\. Did you mean",
        ),
        (
            dict(option='model.loss.flip'),
            ValueError,
            r"row 2: option 'model\.loss\.flip' needs the config that has it, as in",
        ),
        (
            dict(config='configs/train/crw_res18_k40.py'),
            FileNotFoundError,
            r"row 2: there is no config 'configs/train/crw_res18_k40\.py'\. Did you "
            r"mean 'configs/train/crw_res18_k400",
        ),
        (
            dict(case='crw/walk_flop'),
            FileNotFoundError,
            r"row 2: there is no golden case 'crw/walk_flop' in tests/parity\. Did you "
            "mean 'crw/walk_flip'",
        ),
        (
            dict(choice='model.loss.flip'),
            ValueError,
            r"row 2: unknown fields \['choice'\], missing fields \[\]; it has "
            r"\['behaviour', 'official', 'default', 'option', 'config', 'case'\]",
        ),
        (
            dict(default=False),
            ValueError,
            r'row 2: default is False, not a text\. Put it into quotes',
        ),
        (dict(official=None), ValueError, 'row 2: official is None, not a text'),
    ],
)
def test_wrong_rows_are_refused(checkout, changes, kind, text):
    with pytest.raises(kind, match=text):
        read_differences(written(checkout, row(), row(**changes)))


@pytest.mark.parametrize('content', ['differences: []', 'rows: [1]', '[]'])
def test_other_files_are_refused(checkout, content):
    (checkout / 'toy.yml').write_text(content)
    with pytest.raises(ValueError, match=r"toy\.yml should have the key 'differences'"):
        read_differences(checkout / 'toy.yml')
    (checkout / 'toy.yml').write_text('differences: [{official: text}, 3]')
    with pytest.raises(ValueError, match=r"missing fields \['behaviour', 'default'\]"):
        read_differences(checkout / 'toy.yml')


def test_pages_are_written_between_the_marks(checkout):
    written(checkout, row())
    page = checkout / 'toy.md'
    page.write_text('# Toy\n\n<!-- differences: made from toy.yml -->\noutdated\n')
    with pytest.raises(ValueError, match=r'toy\.md has no lines .*toy\.yml.*end -->'):
        update_page(page)
    page.write_text(page.read_text() + '<!-- end -->\nafter\n')
    assert is_marked(page)
    assert update_pages(checkout) == [page]
    text = page.read_text()
    assert text.startswith('# Toy\n\n<!-- differences')
    assert '| edges | in order | random | | |\n\n<!-- end -->\nafter\n' in text
    assert 'outdated' not in text
    assert update_page(page) == text
