import json
from pathlib import Path

import pytest

from densecorr.utils import paths
from densecorr.utils.data_info import (
    SequenceInfo,
    SplitCounts,
    counts_shortfall,
    data_info_names,
    find_root,
    load_data_info,
    shortfall,
)
from tests.trees import write_davis_tree


@pytest.fixture
def info():
    return load_data_info('davis')


@pytest.fixture
def nowhere(monkeypatch, tmp_path):
    """No dataset below the working directory, the checkout or the environment."""
    monkeypatch.setenv('DENSECORR_DATA', str(tmp_path / 'no_data'))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    'split, sequences, frames, objects',
    [
        ('2017/val', 30, 1999, 61),
        ('2016/val', 20, 1376, 20),
        ('2016/train', 30, 2079, 30),
        ('2017/train', 60, 4209, None),
        ('2017/test-dev', 30, 2086, None),
    ],
)
def test_published_totals(info, split, sequences, frames, objects):
    facts = info.sequences(split).values()
    assert len(facts) == sequences
    assert sum(fact.frames for fact in facts) == frames
    if objects is not None:
        assert sum(fact.objects for fact in facts) == objects


def test_facts_of_one_sequence_and_nesting_of_the_years(info):
    assert info.sequences('2017/val')['gold-fish'] == SequenceInfo(78, 5)
    for split in ('train', 'val'):
        assert set(info.sequences(f'2016/{split}')) < set(
            info.sequences(f'2017/{split}')
        )
    assert not set(info.sequences('2017/val')) & set(info.sequences('2017/train'))


def test_unknown_names_are_told_with_the_nearest(info):
    assert 'davis' in data_info_names()
    with pytest.raises(
        KeyError,
        match=r"'dvis'.* Did you mean 'davis' or 'visor'\? Known names: .*d",
    ):
        load_data_info('dvis')
    with pytest.raises(KeyError, match=r"no split '2017/vall'. Known: .*2017/val"):
        info.sequences('2017/vall')


def test_first_default_root_that_exists_is_used(info, nowhere):
    second = write_davis_tree(nowhere / 'data/DAVIS2017', {'a': 1})
    assert find_root(info).resolve() == second
    (nowhere / 'data/davis').mkdir()  # empty: passed over
    assert find_root(info).resolve() == second
    first = write_davis_tree(nowhere / 'data/DAVIS', {'a': 1})
    assert find_root(info).resolve() == first


def test_environment_comes_before_the_working_directory(info, nowhere, monkeypatch):
    write_davis_tree(nowhere / 'data/davis', {'a': 1})
    other = write_davis_tree(nowhere / 'elsewhere/davis', {'a': 1})
    monkeypatch.setenv('DENSECORR_DATA', str(nowhere / 'elsewhere'))
    assert find_root(info) == other


def test_missing_default_root_says_tree_address_and_command(info, nowhere):
    with pytest.raises(FileNotFoundError) as error:
        find_root(info)
    text = str(error.value)
    assert text.startswith('DAVIS was not found. Looked for a folder JPEGImages in: ')
    assert str(nowhere / 'no_data' / 'davis') in text
    for part in (
        'ROOT/JPEGImages/480p/<sequence>/00000.jpg',
        'ROOT/Annotations/480p/<sequence>/00000.png',
        'ROOT/ImageSets/<year>/<split>.txt',
        'https://davischallenge.org/davis2017/code.html',
        'python tools/check_data.py davis --data ROOT',
        'DENSECORR_DATA=FOLDER_OF_DATA',
        'CC BY-NC 4.0',
    ):
        assert part in text


def test_named_root_is_checked(info, tmp_path):
    tree = write_davis_tree(tmp_path / 'up' / 'DAVIS', {'a': 1})
    assert find_root(info, tree) == tree
    missing = tmp_path / 'missing'
    with pytest.raises(FileNotFoundError, match=rf"root '{missing}' is not a folder"):
        find_root(info, missing)
    with pytest.raises(FileNotFoundError, match=rf"no folder .* Did you mean '{tree}'"):
        find_root(info, tmp_path / 'up')
    with pytest.raises(FileNotFoundError, match=r'(?s)Expected tree:.*Check it with'):
        find_root(info, missing)


def test_facts_are_found_in_an_installation(monkeypatch, tmp_path):
    package = tmp_path / 'site-packages' / 'densecorr'
    package.mkdir(parents=True)
    monkeypatch.setattr(paths, '_PACKAGE', package)
    with pytest.raises(FileNotFoundError, match=r'(?s)data_info.*Install densecorr ag'):
        paths.data_info_root()
    (package / 'data_info').mkdir()
    assert paths.data_info_root() == package / 'data_info'


def test_every_file_of_facts_parses_and_names_no_machine():
    assert data_info_names()
    for name in data_info_names():
        path = paths.data_info_root() / f'{name}.json'
        info = load_data_info(name)
        assert info.name == name
        assert all(not Path(root).is_absolute() for root in info.roots)
        assert json.loads(path.read_text())['licence']


@pytest.mark.parametrize(
    'frames, options, parts',
    [
        (dict(a=5, b=7), {}, []),
        (dict(a=5), {}, ['1 of 2 sequences']),
        (dict(a=5, x=3), {}, ['1 of 2 sequences and 1 others']),
        (dict(x=3, y=2), {}, ['2 sequences of other data']),
        (dict(a=5, b=6), {}, ['11 of 12 frames']),
        (dict(a=5, b=5), dict(max_frames=5), ['first 5 frames']),
        (dict(a=5, b=7), dict(max_frames=7), []),
        (dict(a=5, b=7), dict(labels=dict(a=5, b=1)), ['6 of 12 annotations']),
    ],
)
def test_shortfall_in_words(frames, options, parts):
    facts = dict(a=SequenceInfo(5, 1), b=SequenceInfo(7, 1))
    assert shortfall(facts, frames, **options) == parts


def test_shortfall_where_counts_are_unknown():
    facts = dict(a=SequenceInfo(None, None))
    assert shortfall(facts, dict(a=9)) == []
    assert shortfall(facts, dict(a=9), max_frames=9) == ['first 9 frames']


@pytest.mark.parametrize(
    'counts, frames, options, parts',
    [
        ((2, 12), dict(a=5, b=7), {}, []),
        ((474, None), dict(a=5), {}, ['1 of 474 sequences']),
        ((2, 99), dict(a=5), {}, ['1 of 2 sequences']),
        ((2, 12), dict(a=5, b=6), {}, ['11 of 12 frames']),
        ((2, None), dict(a=5, b=6), {}, []),
        ((None, None), dict(a=5), {}, []),
        ((2, 12), dict(a=5, b=5), dict(max_frames=5), ['first 5 frames']),
        ((2, 12), dict(a=5, b=7), dict(max_frames=7), []),
        ((2, None), dict(a=5, b=7), dict(max_frames=9), []),
        ((3, 9), dict(a=4), dict(max_frames=4), ['1 of 3 sequences', 'first 4 frames']),
    ],
)
def test_shortfall_of_totals(counts, frames, options, parts):
    assert counts_shortfall(SplitCounts(*counts), frames, **options) == parts


def write_facts(folder, **changes):
    facts = json.loads((paths.data_info_root() / 'davis.json').read_text())
    facts.update(splits={}, **changes)
    (folder / f'{facts["name"]}.json').write_text(json.dumps(facts))


def test_totals_are_read_and_lists_beside_the_facts_are_passed_over(
    tmp_path, monkeypatch
):
    monkeypatch.setattr('densecorr.utils.data_info.data_info_root', lambda: tmp_path)
    write_facts(tmp_path, name='clips', counts=dict(valid=dict(sequences=3)))
    (tmp_path / 'clips_list.json').write_text('{"a": ["00000.jpg"]}')
    (tmp_path / 'names.json').write_text('["a"]')
    assert data_info_names() == ['clips']
    assert load_data_info('clips').counts == {'valid': SplitCounts(3, None)}
    with pytest.raises(KeyError, match="no facts of dataset 'clips_list'"):
        load_data_info('clips_list')


def test_expected_totals(info):
    assert info.counts == {}
    assert info.expected('2017/val') == SplitCounts(30, 1999)
    with pytest.raises(KeyError, match=r"no split 'val'. Known: .*2017/val"):
        info.expected('val')
