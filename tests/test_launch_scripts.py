"""Arguments of the programs that start a training or an evaluation."""

import importlib.util
import os
import socket
import subprocess
from pathlib import Path

import pytest

from densecorr import cli

TOOLS = Path(__file__).resolve().parents[1] / 'tools'
CONFIG = str(TOOLS.parent / 'configs/test/crw_res18.py')


def run_script(name, *arguments, **environment):
    unset = ('PORT', 'PYTHON', 'NNODES', 'NODE_RANK', 'MASTER_ADDR')
    env = {k: v for k, v in os.environ.items() if k not in unset}
    env.update(environment)
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
        ('dist_train.sh', ['c.py'], 'usage: bash tools/dist_train.sh CONFIG GPUS'),
        ('dist_train.sh', ['c.py', '0'], "GPUS is '0'; give the number"),
        ('dist_train.sh', ['c.py', '--resume'], "GPUS is '--resume'; give the number"),
        ('slurm_train.sh', ['gpu', 'j'], 'usage: bash tools/slurm_train.sh PARTITION'),
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


def path_with(folder, **scripts):
    """PATH with stand-ins for programs."""
    for name, script in scripts.items():
        (folder / name).write_text(f'#!/bin/sh\n{script}\n')
        (folder / name).chmod(0o755)
    return f'{folder}{os.pathsep}{os.environ["PATH"]}'


@pytest.fixture
def programs(tmp_path):
    """A PATH whose ``python`` and ``srun`` print what they were given."""
    return path_with(tmp_path, python='echo "python $*"', srun='echo "srun $*"')


@pytest.mark.parametrize('name', ['dist_train.sh', 'dist_test.sh'])
def test_a_port_in_use_is_named(name):
    arguments = ['c.py', '2', *(['davis', 'random'] if 'test' in name else [])]
    with socket.socket() as server:
        server.bind(('', 0))
        server.listen()
        port = str(server.getsockname()[1])
        done = run_script(name, *arguments, PORT=port)
        other = run_script(name, *arguments, NNODES='2', PORT=port)
    for result in (done, other):
        assert result.returncode == 2
        assert f'PORT {port} is in use on this machine, or not allowed: set' in (
            result.stderr
        )


def test_a_port_that_is_none_is_refused():
    done = run_script('dist_train.sh', 'c.py', '2', PORT='123456')
    assert done.returncode == 2
    assert 'PORT 123456 is in use on this machine, or not allowed' in done.stderr


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


def test_training_takes_its_options(programs):
    arguments = ['c.py', '1', '--resume', '--cfg-options', 'a.b=1']
    done = run_script('dist_train.sh', *arguments, PATH=programs)
    assert done.returncode == 0
    program = str(TOOLS / 'train.py')
    assert done.stdout.split() == ['python', program, 'c.py', *arguments[2:]]
    arguments[1] = '4'
    done = run_script('dist_train.sh', *arguments, PATH=programs)
    assert f'--standalone --nproc-per-node 4 {program} c.py --resume' in done.stdout


def test_several_machines_meet_at_the_first(tmp_path):
    # the check of the port runs python -, which stands in with success
    path = path_with(tmp_path, python='[ "$1" = - ] || echo "python $*"')
    given = dict(NNODES='2', MASTER_ADDR='node7', PORT='29511', PATH=path)
    wanted = (
        '-m torch.distributed.run --nnodes 2 --node-rank {} --master-addr node7 '
        f'--master-port 29511 --nproc-per-node 1 {TOOLS / "train.py"} c.py'
    )
    for rank in '01':
        done = run_script('dist_train.sh', 'c.py', '1', **given, NODE_RANK=rank)
        assert wanted.format(rank) in done.stdout


def test_processes_of_slurm_get_their_places(tmp_path):
    srun = """while [ "$1" != bash ]; do shift; done
export SLURM_NTASKS=3 SLURM_NTASKS_PER_NODE=2 SLURM_NNODES=2 SLURM_STEP_NODELIST=n[4-5]
for task in 0 1 2; do
  SLURM_PROCID=$task SLURM_LOCALID=$((task % 2)) "$@"
done"""
    places = 'echo "$RANK/$WORLD_SIZE $LOCAL_RANK/$LOCAL_WORLD_SIZE of $NNODES'
    python = f'{places} $MASTER_ADDR:$MASTER_PORT $*"'
    scontrol = 'printf "n4\\nn5\\n"'
    path = path_with(tmp_path, srun=srun, python=python, scontrol=scontrol)
    arguments = ['gpu', 'name', 'c.py', '3', '--amp']
    done = run_script('slurm_train.sh', *arguments, PATH=path, PORT='29512')
    end = f'of 2 n4:29512 {TOOLS / "train.py"} c.py --amp'
    assert done.stdout.splitlines() == [
        f'{rank}/3 {rank % 2}/2 {end}' for rank in range(3)
    ]


def test_slurm_asks_for_processes(programs):
    arguments = ['gpu', 'name', 'c.py', '16', 'davis', 'w.pth', '--tf32']
    done = run_script('slurm_test.sh', *arguments, PATH=programs)
    assert '--ntasks 16 --ntasks-per-node 8 --gres gpu:8' in done.stdout
    assert done.stdout.rstrip().endswith('test.py c.py davis w.pth --tf32')
    done = run_script('slurm_train.sh', 'gpu', 'name', 'c.py', '4', PATH=programs)
    assert '--ntasks 4 --ntasks-per-node 4 --gres gpu:4' in done.stdout


def test_train_shows_its_options(capsys):
    with pytest.raises(SystemExit, match='0'):
        cli.main(['train', '--help'])
    text = capsys.readouterr().out
    for option in ('--resume', '--overwrite', '--amp', '--auto-scale-lr', '--tf32'):
        assert option in text


def test_train_refuses_what_it_cannot_train(capsys, tmp_path):
    run = ['train', CONFIG, '--work-dir', str(tmp_path), '--device', 'cpu']
    assert cli.main(run) == 1
    text = capsys.readouterr().err
    assert text.startswith('KeyError: ')
    assert "lacks ['train_dataloader', 'optim_wrapper', 'train_cfg']" in text
    run[1] = 'configs/train/crw_res18_k40.py'
    assert cli.main(run) == 1
    assert 'Did you mean configs/train/crw_res18_k400.py' in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


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
