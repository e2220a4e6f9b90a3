"""Every command, field and message of docs/train.md; the commands on toys."""

import ast
import importlib.util
import json
import re
import shlex
import shutil
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from densecorr import cli
from densecorr.apis import train as train_module
from densecorr.apis.config import load_config
from densecorr.datasets.toy.layouts.write import write_layout
from densecorr.engine.validation_hook import ValidationHook
from densecorr.registry import TASK_UTILS, TRANSFORMS, VISBACKENDS
from densecorr.testing import shrink

from .test_datasets.hand_clip import HandClip

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / 'docs/train.md').read_text('utf-8')
CONFIGS = ('crw_res18_k400', 'crw_res18_spriteworld')
CHEAP = ('--device', 'cpu', '--threads', '1')


def blocks(language):
    return re.findall(rf'^```{language}\n(.*?)^```', PAGE, re.M | re.S)


def commands():
    """Words of every command of the page, in order; variables come first."""
    lines = '\n'.join(blocks('bash')).replace('\\\n', ' ').splitlines()
    return [shlex.split(line) for line in lines if line]


def program_and_arguments(words):
    """Name of the program, processes or None, and the program's arguments."""
    words = [word for word in words if not re.match(r'[A-Z_]+=', word)]
    _, path, *rest = words
    name = Path(path).stem
    if name.startswith('slurm_'):
        rest = rest[2:]  # partition and job
    if path.endswith('.sh'):
        return name.split('_')[1], int(rest.pop(1)), rest
    return name, None, rest


def toy_config(name):
    cfg = load_config(ROOT / f'configs/train/{name}.py')
    validation = cfg.get('validation')
    cfg = shrink(cfg)
    if validation:
        cfg.validation = validation
    rate = cfg.optim_wrapper.optimizer.lr  # of Adam, whose checkpoints are large
    cfg.optim_wrapper.optimizer = dict(type='SGD', lr=rate)
    for step in cfg.train_dataloader.dataset.pipeline:  # smaller still: many runs
        sizes = dict(size=32, patch_size=16, stride=16)
        step.update({key: sizes[key] for key in set(sizes) & set(step)})
    return cfg


@pytest.fixture(scope='module')
def place(tmp_path_factory):
    """A working folder: toy configs under the names of the page, and toy data."""
    root = tmp_path_factory.mktemp('page')
    (root / 'configs/train').mkdir(parents=True)
    for name in CONFIGS:
        toy_config(name).dump(root / f'configs/train/{name}.py')
    clips = [HandClip(f'clip{i}', (96, 128)) for i in range(2)]
    for folder in ('my/videos', 'data/kinetics400/train'):
        write_layout('video', clips, root / folder)
        for path in (root / folder).glob('*.png'):
            path.unlink()  # first labels
    write_layout('davis', [HandClip('dog', num_frames=3)], root / 'data/davis')
    return root


def run_all(run):
    """Run the page; processes beyond one are left to the tests of launching."""
    for words in commands():
        if words[0] == 'tensorboard':
            continue
        name, processes, rest = program_and_arguments(words)
        if processes not in (None, 1) or 'NNODES=2' in words:
            continue
        rest = [re.sub(r'iter_\d+\.pth', 'iter_2.pth', word) for word in rest]
        more = {'train': CHEAP, 'test': (*CHEAP, '--yardsticks', 'none', '--no-votes')}
        rest += more.get(name, ())
        run('convert' if name == 'convert_checkpoint' else name, *rest)


@pytest.fixture(scope='module')
def followed(place):
    """The folder after every command of the page."""

    def run(*words):
        assert cli.main([*words]) == 0, words

    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        patch.delenv('DENSECORR_DATA', raising=False)
        run_all(run)
    yield place
    shutil.rmtree(place / 'work_dirs')


def test_commands_of_the_page_train_and_evaluate(followed):
    work = followed / 'work_dirs'
    names = ('small', 'mine', 'scaled', 'watched')
    for folder in ('crw_res18_spriteworld', *(f'crw_{name}' for name in names)):
        assert (work / folder / 'last_checkpoint').read_text() == 'iter_2.pth'
    history = json.loads((work / 'crw_watched/validation.json').read_text())
    assert [entry['iter'] for entry in history] == [0, 2]
    assert all(0 <= entry['metrics']['davis/J&F-Mean'] < 1 for entry in history)
    for folder in ('crw_res18_spriteworld/davis', 'trained'):
        content = json.loads((work / folder / 'metrics.json').read_text())
        assert (content['protocol']['name'], content['num_frames']) == ('crw', 3)
    assert 'conv1.weight' in torch.load(work / 'backbone.pth', weights_only=True)


def test_options_of_the_page_do_what_it_says(followed):
    work = followed / 'work_dirs'
    small = Config.fromfile(str(work / 'crw_small/config.py'))
    assert small.train_dataloader.batch_size == 4
    scaled = Config.fromfile(str(work / 'crw_scaled/config.py'))
    assert scaled.optim_wrapper.optimizer.lr == pytest.approx(1e-4 * 8 / 20)
    folder = work / 'crw_res18_spriteworld'
    log = ''.join(path.read_text() for path in folder.rglob('*.log'))
    assert 'AutocastOptimWrapper' in log  # --amp
    assert '2 iterations are done' in log  # --resume


def test_work_dir_is_as_the_page_shows_it(followed):
    folder = followed / 'work_dirs/crw_res18_spriteworld'
    section = PAGE.partition('## The work dir')[2].partition('\n## ')[0]
    names = re.findall(r'^  (\S+)', section, re.M)
    assert len(names) == 10
    patterns = {re.sub(r'<\w+>', '*', name.replace('<time>', '20*')) for name in names}
    for pattern in patterns - {'previews/', 'non_finite_iter_*_*.pth'}:
        assert list(folder.glob(pattern)), pattern
    found = {path for pattern in patterns for path in folder.glob(pattern)}
    shown = {path.relative_to(folder).parts[0] for path in found}
    assert {path.name for path in folder.iterdir()} - shown == {'davis'}  # evaluated


def test_trackers_have_the_scalars_that_the_page_promises(followed):
    (run,) = (followed / 'work_dirs/crw_watched').glob('*/vis_data')
    events = EventAccumulator(str(run)).Reload()
    wanted = {'loss', 'loss_walk', 'lr', 'data_time', 'step_time', 'davis/J&F-Mean'}
    assert wanted <= set(events.Tags()['scalars'])
    assert [event.step for event in events.Scalars('loss')] == [1, 2]
    lines = [json.loads(line) for line in (run / 'scalars.json').open()]
    assert sum('loss' in line for line in lines) == 2


def test_programs_take_every_command():
    for words in commands():
        if words[0] == 'tensorboard':
            continue
        name, _, rest = program_and_arguments(words)
        program = ROOT / 'tools' / f'{name}.py'
        assert program.is_file()
        if name == 'train':
            spec = importlib.util.spec_from_file_location('page_train', program)
            module = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
            assert (ROOT / module.parse_args(rest).config).is_file()


def test_page_has_every_field():
    section = PAGE.partition('## The config')[2].partition('### Clips')[0]
    rows = [line.split('|')[1] for line in section.splitlines() if line[:3] == '| `']
    fields = [name for row in rows for name in re.findall(r'`(\w+)`', row)]
    assert sorted(fields) == sorted(train_module._KNOWN)


def test_python_of_the_page_makes_sense():
    values = {}
    for block in blocks('python'):
        if not block.startswith('from'):
            exec(block, values)
    dataset = values['train_dataloader']['dataset']
    assert [TRANSFORMS.build(step) for step in dataset['pipeline']]
    assert TASK_UTILS.build(dataset['sampler']).num_frames == 4
    settings = {k: v for k, v in values['validation'].items() if k != 'options'}
    assert ValidationHook(lambda task, folder: {}, **settings).best == [
        'davis/J&F-Mean'
    ]
    names = re.findall(r'`(\w+VisBackend)`', PAGE)
    assert len(names) == 6
    assert all(VISBACKENDS.get(name) for name in names)
    code = next(block for block in blocks('python') if block.startswith('from'))
    call = ast.parse(code).body[1].value
    parameters = set(train_module.train.__annotations__)
    assert {keyword.arg for keyword in call.keywords} <= parameters


def source_texts():
    """Strings of the package and the tools; what is filled in is one NUL."""
    texts = [path.read_text() for path in (ROOT / 'tools').glob('*.sh')]
    for path in (ROOT / 'densecorr').rglob('*.py'):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.JoinedStr):
                parts = [getattr(part, 'value', None) for part in node.values]
                texts.append(''.join(p if isinstance(p, str) else '\0' for p in parts))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                texts.append(node.value)
    return texts


def test_messages_of_the_page_exist():
    section = PAGE.partition('## What errors mean')[2]
    rows = [line.split('|')[1] for line in section.splitlines() if line[:3] == '| `']
    found = [code for row in rows for code in re.findall(r'`([^`]+)`', row)]
    pieces = [piece for code in found for piece in code.split(' ... ')]
    assert len(pieces) > 10
    texts = source_texts()
    for piece in pieces:
        pattern = re.sub(r'\d+', lambda found: r'[\d\0$A-Z]+', re.escape(piece))
        assert any(re.search(pattern, text) for text in texts), piece
