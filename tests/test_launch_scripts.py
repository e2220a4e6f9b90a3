"""Arguments of the programs that start an evaluation."""

import importlib.util
import os
import subprocess
from pathlib import Path

import pytest

TOOLS = Path(__file__).resolve().parents[1] / 'tools'
CONFIG = str(TOOLS.parent / 'configs/test/crw_res18.py')


def run_script(name, *arguments, **environment):
    env = {**os.environ, **environment}
    for unset in ('PORT', 'PYTHON'):
        env.pop(unset, None)
    command = ['bash', str(TOOLS / name), *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=env)


def load_tool(name):
    spec = importlib.util.spec_from_file_location(f'tool_{name}', TOOLS / f'{name}.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ('name', 'arguments', 'message'),
    [
        ('dist_test.sh', ['c.py', '1'], 'usage: bash tools/dist_test.sh CONFIG GPUS'),
        ('dist_test.sh', ['c.py', '0', 'davis', 'x'], "GPUS is '0'; give the number"),
        ('dist_test.sh', ['c.py', 'x', 'davis', 'y'], "GPUS is 'x'; give the number"),
        ('slurm_test.sh', ['gpu', 'job'], 'usage: bash tools/slurm_test.sh PARTITION'),
    ],
)
def test_wrong_arguments_are_named(name, arguments, message):
    done = run_script(name, *arguments)
    assert done.returncode == 2
    assert message in done.stderr


def test_several_machines_need_a_port():
    done = run_script('dist_test.sh', 'c.py', '1', 'davis', 'random', NNODES='2')
    assert done.returncode == 2
    assert 'NNODES is 2: set PORT to one number' in done.stderr


@pytest.fixture
def programs(tmp_path):
    """A folder of stand-ins: ``python`` and ``srun`` print what they were given."""
    (tmp_path / 'python').write_text('#!/bin/sh\necho "python $*"\n')
    (tmp_path / 'srun').write_text('#!/bin/sh\necho "srun $*"\n')
    for path in tmp_path.iterdir():
        path.chmod(0o755)
    return f'{tmp_path}{os.pathsep}{os.environ["PATH"]}'


def test_one_process_needs_no_launcher(programs):
    done = run_script(
        'dist_test.sh', 'c.py', '1', 'davis', 'w.pth', '--tf32', PATH=programs
    )
    assert done.stdout.split() == [
        'python',
        str(TOOLS / 'test.py'),
        *('c.py', 'davis', 'w.pth', '--tf32'),
    ]


def test_several_processes_take_a_free_port(programs):
    done = run_script('dist_test.sh', 'c.py', '4', 'davis', 'w.pth', PATH=programs)
    assert '-m torch.distributed.run --standalone --nproc-per-node 4' in done.stdout


def test_slurm_asks_for_processes(programs):
    arguments = ['gpu', 'name', 'c.py', '16', 'davis', 'w.pth', '--tf32']
    done = run_script('slurm_test.sh', *arguments, PATH=programs)
    assert '--ntasks 16 --ntasks-per-node 8 --gres gpu:8' in done.stdout
    assert done.stdout.rstrip().endswith('test.py c.py davis w.pth --tf32')


def test_print_config_shows_the_task_and_refuses_unknown_keys(capsys):
    tool = load_tool('print_config')
    assert tool.main([CONFIG, 'davis', '--protocol', 'dul']) == 0
    text = capsys.readouterr().out
    assert "name='dul'" in text
    assert "reader='pillow'" in text
    options = ['--cfg-options', 'protocol.davis.select.topq=3']
    assert tool.main([CONFIG, 'davis', *options]) == 1
    assert "Did you mean 'topk'?" in capsys.readouterr().err


def test_print_config_explains_a_task(capsys):
    tool = load_tool('print_config')
    assert tool.main([CONFIG, 'davis', '--explain', '--frame-size', '64', '96']) == 0
    text = capsys.readouterr().out
    assert '8 x 12 = 96 cells of 8 x 8 pixels of the input' in text
    assert tool.main([CONFIG, '--explain']) == 1
    assert '--explain needs a task, for example davis.' in capsys.readouterr().err
    assert tool.main([CONFIG, 'davis', '--explain', '--protocol', 'dulll']) == 1
    assert "Did you mean 'dul'?" in capsys.readouterr().err


def test_unknown_task_and_protocol_are_one_line(capsys):
    tool = load_tool('test')
    assert tool.main([CONFIG, 'davos', 'random']) == 1
    text = capsys.readouterr().err
    assert text.startswith('KeyError: ')
    assert "no task 'davos'. Did you mean 'davis'" in text
    assert tool.main([CONFIG, 'davis', 'random', '--protocol', 'dulll']) == 1
    assert "Did you mean 'dul'?" in capsys.readouterr().err
