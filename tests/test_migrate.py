"""Every densecorr command and option of docs/migrate.md, in a folder of toy data."""

import re
import shlex
import shutil
from pathlib import Path

import pytest
import torch
from mmengine.config import DictAction

from densecorr import cli
from densecorr.apis.config import load_config, protocol_part, resolve
from densecorr.apis.train import train_config
from densecorr.apis.zoo import read_zoo
from densecorr.datasets.toy.layouts.write import write_layout
from densecorr.propagation.propagator import Limits
from densecorr.propagation.protocol import Protocol
from densecorr.registry import MODELS, TASK_UTILS
from densecorr.testing import shrink

from .test_datasets.hand_clip import HandClip
from .trees import write_image

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / 'docs/migrate.md').read_text('utf-8')
ORIGINALS = ['Spa-then-Temp', 'VFS', 'CRW', 'DUL', 'CatMAE', 'SMTC', 'TimeT', 'DINO']
VIDEOS = ('bike-packing', 'blackswan', 'bmx-trees', 'camel', 'soapbox')
PROGRAMS = {
    *('setup_env.sh', 'check_data.py', 'prepare_data.py', 'score.py', 'test.py'),
    *('convert_checkpoint.py', 'dist_test.sh', 'slurm_test.sh'),
    *('dist_train.sh', 'train.py', 'export.py'),
}
MODEL_TYPES = {
    *('imagenet18', 'imagenet50', 'simsiam', 'mocov2', 'dino_r50', 'vfs', 'crw'),
    *('vitb16', 'dino_vits16', 'dino_vits8', 'vits16', 'vits8'),
}
CHANGE = re.compile(r'(new:)?(protocol|model|limits)\.[\w.]+=\S+')
TRAINED = re.compile(
    r'(new:)?(train_\w+|optim_wrapper|init|teacher|'
    r'model\.(\w+_dropout|loss|head|losses|selection|radii|mask_ratios|weights|'
    r'queue_length|mask))\.?[\w.]*=\S+'
)
# config and frames of a clip, by heading; CRW's for the others
TRAINED_FOR = {
    'CRW': ('crw_res18_k400', 4),
    'CatMAE': ('catmae_vits16', 3),
    'DUL': ('dul_res18_ytvos', 5),
    'Spa-then-Temp': ('spa_then_temp_res50', 2),
    'SMTC': ('smtc_vits16', 4),
    'TimeT': ('timet_vits16', 4),
}
# sub-commands of prepare_data.py that need a network, or data that no toy has
NEED_MORE = {'davis', 'jhmdb-frames', 'mose', 'visor'}


def rows():
    """Heading, original and what stands beside it, for each row of the tables."""
    heading = ''
    for line in PAGE.splitlines():
        heading = line[3:] if line.startswith('## ') else heading
        if line.startswith('| ') and not line.startswith('| There'):
            _, there, *here = line.split('|')
            yield heading, there, '|'.join(here)


def codes(text):
    return re.findall(r'`([^`]+)`', text)


ROWS = list(rows())
COMMANDS = list(
    dict.fromkeys(
        code
        for _, _, here in ROWS
        for code in codes(here)
        if re.match(r'(python|bash) tools/', code)
    )
)


def of_program(*names):
    return [c for c in COMMANDS if c.split()[1].removeprefix('tools/') in names]


TESTS = of_program('test.py', 'dist_test.sh', 'slurm_test.sh')


def arguments_of(command):
    """What tools/test.py gets of a command, a dry run being asked for elsewhere."""
    _, program, *words = shlex.split(command)
    if program == 'tools/slurm_test.sh':
        words = words[2:]  # partition and job
    if program.endswith('.sh'):
        assert words.pop(1).isdigit()  # processes
    return [word for word in words if not word.startswith('--dry-run')]


@pytest.fixture(scope='module')
def place(tmp_path_factory):
    """A working folder with the data of every task, and results to score."""
    root = tmp_path_factory.mktemp('migrate')
    clips = [HandClip(name, num_frames=3) for name in VIDEOS]
    for name in ('davis', 'jhmdb', 'vip'):
        write_layout(name, clips, root / 'data' / name)
    write_layout('davis_unsupervised', clips, root / 'data/davis')
    train = HandClip('dog', num_frames=11)
    write_layout('ytvos', [*clips, train], root / 'data/ytv', train=1)
    write_layout('voc', [*clips, train], root / 'data/voc', train=1)
    shutil.copytree(root / 'data/davis/Annotations/480p', root / 'results')
    return root


@pytest.fixture
def run(place, monkeypatch, capsys):
    """A program in this process: exit code and what it printed."""
    monkeypatch.chdir(place)
    monkeypatch.delenv('DENSECORR_DATA', raising=False)

    def run(*words):
        code = cli.main([*words])
        return code, capsys.readouterr()

    return run


def test_page_has_a_table_for_every_original():
    assert re.findall(r'^## (.+)$', PAGE, re.M) == ORIGINALS
    assert {heading for heading, _, _ in ROWS} == {'', *ORIGINALS}
    for name in ORIGINALS:
        assert f'[{name}](#{name.lower()})' in PAGE
        columns = {here.count('|') for heading, _, here in ROWS if heading == name}
        assert columns == {2}
    for path in re.findall(r'\]\((\w+\.md)\)', PAGE):
        assert (ROOT / 'docs' / path).is_file(), path


def test_every_program_exists():
    assert len(COMMANDS) > 60
    for command in COMMANDS:
        program = Path(command.split()[1])
        assert program.name in PROGRAMS
        assert (ROOT / program).is_file()


def test_every_published_row_is_on_the_page():
    named = {Path(arguments_of(command)[0]).stem for command in TESTS}
    named |= {code for _, _, here in ROWS for code in codes(here)}
    lacking = {Path(e.config).stem for e in read_zoo().entries} - named
    assert not lacking
    assert {'zoo:dul_oxuva', 'zoo:dul_trackingnet', 'zoo:dul_kinetics'} <= (
        named | {arguments_of(command)[2] for command in TESTS}
    )
    there = ' '.join(code for _, there, _ in ROWS for code in codes(there))
    assert set(re.findall(r'--model-type (\w+)', there)) >= MODEL_TYPES


@pytest.mark.parametrize('command', TESTS)
def test_evaluation(command, run):
    cheap = ['--dry-run=fast', '--device', 'cpu', '--threads', '1']
    code, printed = run('test', *arguments_of(command), *cheap)
    assert code == 0, printed.err
    assert re.search(r'videos +5\n|images +[1-9]', printed.out)


@pytest.mark.parametrize('command', of_program('score.py'))
def test_scoring(command, run):
    code, printed = run('score', *shlex.split(command)[2:], '--workers', '1')
    assert code == 0, printed.err
    assert re.search(r'\b100\.0\b', printed.out)  # the results are the annotations


@pytest.mark.parametrize('command', of_program('check_data.py'))
def test_check(command, run):
    _, printed = run('data', *shlex.split(command)[2:])
    assert not printed.err  # that the data are a part of the split is no error
    assert '5 of ' in printed.out


@pytest.mark.parametrize('command', of_program('prepare_data.py'))
def test_preparing(command, run):
    words = shlex.split(command)[2:]
    if words[0] in NEED_MORE:
        program = cli._load(cli.commands()['prepare_data'])
        assert program.parse_args(words).command == words[0]
        return
    code, printed = run('prepare_data', *words)
    assert code == 0, printed.err
    out = words[words.index('--out') + 1] if '--out' in words else words[2]
    assert Path(out).exists()


TRAININGS = of_program('train.py', 'dist_train.sh')


@pytest.fixture(scope='module')
def trainable(place):
    """The folder with toy configs under the names of the page, and Kinetics-400."""
    configs = (ROOT / 'configs/train').glob
    for path in (
        *configs('*_k400*.py'),
        *configs('catmae_vits*.py'),
        *configs('dul_res18_ytvos.py'),
        *configs('moco_v2_res*.py'),
        *configs('spa_then_temp_res*.py'),
        *configs('timet_vits16.py'),
        *configs('smtc_vits16*.py'),
    ):
        toy = place / 'configs/train' / path.name
        toy.parent.mkdir(parents=True, exist_ok=True)
        cfg = shrink(load_config(path))
        if 'clips_per_video' in cfg.train_dataloader.dataset:
            cfg.train_dataloader.dataset.clips_per_video = 2
        cfg.dump(toy)
    if not (place / 'data/kinetics400').exists():
        clips = [HandClip(name, (80, 96)) for name in ('dog', 'camel')]
        write_layout('video', clips, place / 'data/kinetics400/train')
        for path in (place / 'data/kinetics400').rglob('*.png'):
            path.unlink()  # first labels
    for name in ('a', 'b'):
        image = HandClip(size=(80, 96)).frame(0)
        write_image(place / f'data/imagenet/train/n01/{name}.JPEG', image)
    return place


@pytest.mark.parametrize('command', TRAININGS)
def test_training(command, trainable, run):
    # batches of the page would be many patches for a test
    words = [re.sub(r'(batch_size)=\d+', r'\1=2', w) for w in arguments_of(command)]
    code, printed = run('train', *words, '--device', 'cpu', '--threads', '1')
    assert code == 0, printed.err
    last = re.search(r'2 iterations, last: (work_dirs/\S+/iter_2\.pth)\n', printed.out)
    Path(last.group(1)).unlink()  # large


def trainings():
    """Heading and words for each code that changes fields of a training config."""
    found = []
    for heading, _, here in ROWS:
        for code in codes(here):
            words = code.removeprefix('--cfg-options ').split()
            if all(TRAINED.fullmatch(word) for word in words):
                found.append((heading, tuple(words)))
    return found


@pytest.mark.parametrize(('heading', 'words'), trainings())
def test_change_of_a_training(heading, words):
    pairs = (word.split('=', 1) for word in words)
    options = {key: DictAction._parse_iterable(value) for key, value in pairs}
    name, frames = TRAINED_FOR.get(heading, TRAINED_FOR['CRW'])
    cfg = train_config(f'configs/train/{name}.py', options)
    for key, value in options.items():
        node = cfg.to_dict()
        for part in key.removeprefix('new:').split('.'):
            node = node[part]
        assert node == value
    with torch.device('meta'):
        MODELS.build(cfg.model)
    sampler = TASK_UTILS.build(cfg.train_dataloader.dataset.sampler)
    assert sampler.num_frames == frames


def vfs_name(key):
    """Name of a ResNet's tensor in a training checkpoint of VFS."""
    key = re.sub(r'(^|\.)conv(\d)\.', r'\1conv\2.conv.', key)
    key = re.sub(r'(^|\.)bn(\d)\.', r'\1conv\2.bn.', key)
    key = key.replace('downsample.0', 'downsample.conv')
    return 'backbone.' + key.replace('downsample.1', 'downsample.bn')


@pytest.mark.parametrize('command', of_program('convert_checkpoint.py'))
def test_conversion(command, run):
    given, out, *options = shlex.split(command)[2:]
    config = 'vfs_res18' if '--source vfs' in command else 'timet_vits16'
    backbone = resolve(f'configs/test/{config}.py').model.backbone
    with torch.device('meta'):
        keys = MODELS.build(backbone).state_dict()
    prefix = 'feature_extractor.backbone.'
    names = {k: vfs_name(k) if 'vfs' in config else f'{prefix}{k}' for k in keys}
    state = {name: torch.zeros(1) for name in names.values()}
    torch.save(dict(state_dict=state) if 'vfs' in config else state, given)
    code, printed = run('convert', given, out, *options)
    assert code == 0, printed.err
    assert set(torch.load(out, weights_only=True)) == set(keys)


def changes():
    """Heading and words for each code that changes fields of a config."""
    found = []
    for heading, _, here in ROWS:
        for code in codes(here):
            words = code.removeprefix('--cfg-options ').split()
            if not any(TRAINED.fullmatch(word) for word in words) and all(
                CHANGE.fullmatch(word) for word in words
            ):
                found.append((heading, tuple(words)))
    return list(dict.fromkeys(found))


def config_of(heading):
    """The first config of a section; CatMAE's options are for ResNets, too."""
    section = PAGE.partition(f'\n## {heading}\n')[2]
    found = re.findall(r'`\w+ tools/\S+ (configs/test/\w+\.py)', section)
    return 'configs/test/imagenet_res18.py' if heading == 'CatMAE' else found[0]


@pytest.mark.parametrize(('heading', 'words'), changes())
def test_change_of_the_config(heading, words):
    pairs = (word.split('=', 1) for word in words)
    options = {key: DictAction._parse_iterable(value) for key, value in pairs}
    task = 'vip' if 'protocol.vip.' in str(words) else 'davis'
    cfg = resolve(config_of(heading), task, options=options)
    for key, value in options.items():
        node = cfg.to_dict()
        for part in key.removeprefix('new:').split('.'):
            node = node[part]
        assert node == value
    assert Protocol.from_config(protocol_part(cfg)).normalize is not None
    Limits(**cfg.limits.to_dict())
    with torch.device('meta'):
        MODELS.build(cfg.model.backbone)
    assert set(cfg.model) <= {'type', 'backbone', 'inputs', 'chunk'}


def test_options_were_found():
    assert len(changes()) > 30
    assert len(trainings()) >= 7
    assert len(TRAININGS) >= 5
