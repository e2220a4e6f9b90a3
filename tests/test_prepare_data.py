"""``tools/prepare_data.py spriteworld``: resuming, refusing, adding, removing."""

import json
from pathlib import Path

import numpy as np
import pytest
from scipy.io import loadmat

from densecorr import cli
from densecorr.apis import prepare_data
from densecorr.apis.prepare_data import DEFAULT_PRESETS, prepare_spriteworld
from densecorr.apis.prepared_tree import PreparedTree
from densecorr.datasets import DAVISDataset
from densecorr.datasets.toy import PRESETS, make_clip
from densecorr.datasets.toy.layouts.write import LAYOUTS
from tests.test_datasets.hand_clip import HandClip, files_of, indices

SMALL = dict(presets=['single', 'late'], layouts=['ytvos', 'jhmdb'], train_clips=1)
SWAPPED = np.array([0, 2, 1, 3], np.uint8)


@pytest.fixture
def made(monkeypatch):
    """Clips made by hand instead of generated ones; the list of those rendered."""
    clips = []

    def make(preset, seed, size=(40, 56), num_frames=20):
        clips.append(
            HandClip(f'{preset}-{seed}', size, num_frames, late=preset == 'late')
        )
        return clips[-1]

    monkeypatch.setattr(prepare_data, 'make_clip', make)
    return clips


@pytest.fixture
def prepare(made, tmp_path):
    """``prepare_spriteworld`` of small clips below ``tmp_path / 'out'``."""

    def run(**options):
        sizes = dict(frames=7, size=(40, 56))
        return prepare_spriteworld(tmp_path / 'out', **{**sizes, **SMALL, **options})

    return run


def content(root):
    return {name: (root / name).read_bytes() for name in files_of(root)}


def test_tree_manifest_and_summary(prepare, tmp_path):
    summary = prepare()
    out = tmp_path / 'out'
    manifest = json.loads((out / 'spriteworld.json').read_text())
    assert summary['status'] == 'written' and manifest['complete'] is True
    names = {
        f'{folder}/{name}'
        for folder, files in manifest['files'].items()
        for name in files
    }
    assert names == set(files_of(out)) - {'spriteworld.json'}
    assert summary['written'] == len(names)
    assert summary['layouts']['jhmdb'] == dict(
        folder=str(out / 'jhmdb'), clips=3, files=3 * (7 + 2) + 2
    )
    assert {name.partition('/')[0] for name in names} == {'ytvos', 'jhmdb'}
    clips = [(c['name'], c['preset'], c['split']) for c in manifest['clips']]
    assert clips == [
        ('single-0', 'single', 'val'),
        ('late-1', 'late', 'val'),
        ('single-2', 'single', 'train'),
    ]
    assert manifest['settings']['size'] == [40, 56]


def test_equal_settings_give_equal_bytes(prepare, tmp_path):
    prepare()
    first = content(tmp_path / 'out')
    (tmp_path / 'out').rename(tmp_path / 'before')
    prepare()
    assert content(tmp_path / 'out') == first


def test_finished_tree_is_left_alone(prepare, made, tmp_path):
    prepare()
    times = {p: p.stat().st_mtime_ns for p in (tmp_path / 'out').rglob('*')}
    made.clear()
    summary = prepare()
    assert (summary['status'], summary['written']) == ('nothing to do', 0)
    assert {p: p.stat().st_mtime_ns for p in (tmp_path / 'out').rglob('*')} == times
    assert not any(clip.rendered for clip in made)


def stop():
    raise KeyboardInterrupt


def test_unfinished_tree_is_completed(prepare, made, tmp_path, monkeypatch):
    prepare()
    whole = content(tmp_path / 'out')
    (tmp_path / 'out').rename(tmp_path / 'whole')
    render = HandClip.frame
    monkeypatch.setattr(
        HandClip,
        'frame',
        lambda clip, t: stop() if (clip.name, t) == ('late-1', 3) else render(clip, t),
    )
    with pytest.raises(KeyboardInterrupt):
        prepare()
    monkeypatch.setattr(HandClip, 'frame', render)
    manifest = json.loads((tmp_path / 'out/spriteworld.json').read_text())
    assert manifest['complete'] is False
    made.clear()
    (tmp_path / 'out/ytvos/valid/meta.json').write_text('')  # a file without content
    assert prepare()['status'] == 'completed'
    assert content(tmp_path / 'out') == whole
    assert [bool(clip.rendered) for clip in made] == [False, True, True]


def test_layouts_are_added(prepare, tmp_path):
    both = dict(layouts=['jhmdb', 'davis'])
    prepare(layouts=['jhmdb'])
    assert prepare(**both)['status'] == 'completed'
    added = content(tmp_path / 'out')
    assert json.loads(added['spriteworld.json'])['layouts'] == ['davis', 'jhmdb']
    assert prepare(layouts=['davis'])['status'] == 'nothing to do'
    (tmp_path / 'out').rename(tmp_path / 'added')
    prepare(**both)
    assert content(tmp_path / 'out') == added


@pytest.mark.parametrize(
    ('option', 'text'),
    [
        (dict(seed=3), 'seed is 0 there and 3 now'),
        (dict(frames=8), 'frames is 7 there and 8 now'),
        (dict(size=(44, 56)), r'size is \[40, 56\] there and \[44, 56\] now'),
        (dict(presets=['late']), r"presets is \['single', 'late'\] there and"),
        (dict(clips=3), 'clips is 2 there and 3 now; first_labels is'),
        (dict(train_clips=0), 'train_clips is 1 there and 0 now'),
    ],
)
def test_other_settings_are_refused(prepare, tmp_path, option, text):
    prepare()
    before = content(tmp_path / 'out')
    with pytest.raises(ValueError, match=f'written with other settings: {text}'):
        prepare(**option)
    assert content(tmp_path / 'out') == before


def test_a_changed_generator_is_noticed(prepare, monkeypatch):
    prepare()
    labels = HandClip.label_map
    monkeypatch.setattr(HandClip, 'label_map', lambda clip, t: SWAPPED[labels(clip, t)])
    with pytest.raises(ValueError, match=r'first_labels is .*or --overwrite'):
        prepare()


def test_overwrite_removes_only_what_was_written(prepare, tmp_path):
    prepare(seed=5)
    out = tmp_path / 'out'
    before = content(out)
    mine, stray = out / 'notes/mine.txt', out / 'jhmdb/stray.txt'
    mine.parent.mkdir()
    mine.write_text('keep')
    stray.write_text('keep')
    with pytest.raises(ValueError, match=r'stray\.txt is a file that this program did'):
        prepare(overwrite=True)
    assert before.items() < content(out).items()  # nothing is removed
    stray.unlink()
    prepare(overwrite=True)
    assert mine.read_text() == 'keep'
    assert not any('-5' in name for name in files_of(out))


def test_foreign_content_is_refused(prepare, tmp_path):
    out = tmp_path / 'out'
    (out / 'davis').mkdir(parents=True)
    (out / '.hidden').write_text('of the file manager')
    for options in ({}, dict(overwrite=True)):
        with pytest.raises(ValueError, match=r"holds \['davis'\] and no spritewor"):
            prepare(**options)
    (out / 'davis').rmdir()
    assert prepare()['status'] == 'written'
    stray = out / 'jhmdb/Rename_Images/paper_man/single-0/00099.png'
    stray.write_bytes(b'x')
    with pytest.raises(ValueError, match=r'00099\.png is a file that this program'):
        prepare()


def test_links_lead_nothing_outside(prepare, tmp_path):
    prepare(layouts=['jhmdb'])
    out, elsewhere = tmp_path / 'out', tmp_path / 'elsewhere'
    elsewhere.mkdir()
    (out / 'ytvos').symlink_to(elsewhere)
    with pytest.raises(ValueError, match=r'ytvos is a link that this program did not'):
        prepare()
    assert list(elsewhere.iterdir()) == []
    (out / 'ytvos').unlink()
    (out / 'jhmdb').rename(elsewhere / 'jhmdb')
    (out / 'jhmdb').symlink_to(elsewhere / 'jhmdb')
    with pytest.raises(ValueError, match=r'jhmdb is a link that this program did not'):
        prepare(layouts=['jhmdb'], overwrite=True)
    tree = PreparedTree(out, 'spriteworld.json')
    with pytest.raises(ValueError, match=r'leads out of .*Remove the link'):
        tree.remove(tree.read())
    assert len(files_of(elsewhere)) == 3 * (7 + 2) + 2


@pytest.mark.parametrize(
    ('change', 'text'),
    [
        (lambda m: dict(m, schema=2), r'cannot be used \(its schema is 2, not 1\)'),
        (
            lambda m: dict(m, files={'../x': ['y']}),
            r"names '\.\./x/y', which is",
        ),
        (lambda m: dict(m, files={'/x': ['y']}), r"names '/x/y', which is"),
        (lambda m: [], r'spriteworld\.json cannot be used'),
    ],
)
def test_manifest_that_cannot_be_used(prepare, tmp_path, change, text):
    prepare()
    path = tmp_path / 'out/spriteworld.json'
    path.write_text(json.dumps(change(json.loads(path.read_text()))))
    for options in ({}, dict(overwrite=True)):
        with pytest.raises(ValueError, match=text):
            prepare(**options)


@pytest.mark.parametrize(
    ('options', 'text'),
    [
        (dict(presets=['singel']), r"preset 'singel' is unknown\. Did you mean 'singl"),
        (dict(presets=[]), 'presets is empty. Known names: '),
        (dict(layouts=['coco']), r"layout 'coco' is unknown\. "),
        (dict(clips=0), 'clips should be at least 1, not 0'),
        (dict(train_clips=-1), 'train_clips at least 0, not -1'),
    ],
)
def test_bad_options(prepare, tmp_path, options, text):
    with pytest.raises(ValueError, match=text):
        prepare(**options)
    assert not (tmp_path / 'out').exists()


def test_a_layout_that_no_clip_suits(prepare, monkeypatch):
    monkeypatch.setattr(HandClip, 'puppet', False)
    monkeypatch.setattr(HandClip, '__init__', _without_puppet(HandClip.__init__))
    with pytest.raises(ValueError, match="layout 'jhmdb' needs an articulated"):
        prepare()
    summary = prepare(layouts=None)  # takes what suits
    assert set(LAYOUTS) - set(summary['layouts']) == {'jhmdb', 'vip'}


def _without_puppet(init):
    return lambda self, *args, **kwargs: init(self, *args, **kwargs, puppet=False)


def test_out_is_a_file(prepare, tmp_path):
    (tmp_path / 'out').write_text('')
    with pytest.raises(NotADirectoryError, match=r'out is a file\. Give the folder'):
        prepare()


# --------------------------------------------------------------------- the real clips
def test_command_writes_every_layout_and_runs_twice(tmp_path, capsys):
    out = str(tmp_path / 'a b' / 'ä')
    options = [
        '--presets',
        'articulated',
        'late',
        '--frames',
        '6',
        '--size',
        '48',
        '80',
    ]
    command = ['prepare_data', 'spriteworld', out, *options]
    assert cli.main(command) == 0
    text = capsys.readouterr().out
    for name in LAYOUTS:
        assert f'\n{name} ' in f'\n{text}'
    assert 'written' in text.splitlines()[-1]
    assert cli.main(command) == 0
    assert capsys.readouterr().out.splitlines()[-1].endswith(': nothing to do')
    assert cli.main([*command, '--seed', '1']) == 1
    assert 'seed is 0 there and 1 now' in capsys.readouterr().err


def test_written_labels_joints_and_parts_are_those_of_the_clips(tmp_path):
    options = dict(frames=5, size=(48, 80), train_clips=0)
    prepare_spriteworld(tmp_path, presets=['articulated'], **options)
    clip = make_clip('articulated', 0, (48, 80), 5)
    (sample,) = DAVISDataset(tmp_path / 'davis')
    assert sample.name == clip.name and len(clip.objects) == 2
    for t in range(5):
        assert np.array_equal(sample.read_labels(t).indices, clip.label_map(t))
        part = f'vip/VIP_Fine/Annotations/Category_ids/videos1/{t + 1:012d}.png'
        assert np.array_equal(indices(tmp_path / part), clip.parts(t))
        for number, name in ((1, 'walker'), (2, 'dancer')):
            place = f'joint_positions/{name}/{clip.name}_{number}/joint_positions.mat'
            image = loadmat(tmp_path / 'jhmdb' / place)['pos_img'][..., t]  # (2, 15)
            x, y, _ = clip.joints(t)[number].T
            assert np.array_equal((image - 1) * 256, [x, y])


def test_ctrl_c_says_how_to_go_on(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(prepare_data, 'make_clip', lambda *arguments: stop())
    assert cli.main(['prepare_data', 'spriteworld', str(tmp_path)]) == 130
    assert capsys.readouterr().err.startswith('Stopped. The same command goes on')


def test_help_names_the_layouts(capsys):
    with pytest.raises(SystemExit):
        cli.main(['prepare_data', 'spriteworld', '--help'])
    text = ' '.join(capsys.readouterr().out.split())
    assert ' '.join(LAYOUTS) in text


def test_default_presets_are_known():
    assert set(DEFAULT_PRESETS) <= set(PRESETS)


def test_the_page_names_every_preset_and_layout():
    page = (Path(__file__).resolve().parents[1] / 'docs/spriteworld.md').read_text()
    assert f'`{" ".join(LAYOUTS)}`' in page
    for preset in PRESETS:
        assert f'| `{preset}` |' in page
