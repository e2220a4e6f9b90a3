import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from densecorr.engine.launch import (
    available_cores,
    gather,
    start_processes,
    stop_processes,
)

REPO = Path(__file__).resolve().parents[2]
VARIABLES = ('RANK', 'WORLD_SIZE', 'LOCAL_RANK', 'LOCAL_WORLD_SIZE')


@pytest.fixture(autouse=True)
def restored(monkeypatch):
    for name in (*VARIABLES, 'MASTER_ADDR', 'MASTER_PORT'):
        monkeypatch.delenv(name, raising=False)
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


def test_one_process_has_no_group():
    processes = start_processes(device='cpu', threads=1, seed=3)
    assert (processes.rank, processes.world_size) == (0, 1)
    assert processes.is_first
    assert not torch.distributed.is_initialized()
    assert gather(dict(a=1)) == [dict(a=1)]
    stop_processes()


def test_threads_divide_the_cores(monkeypatch):
    assert start_processes(device='cpu').threads == available_cores()
    assert torch.get_num_threads() == available_cores()
    monkeypatch.setenv('WORLD_SIZE', '1')
    monkeypatch.setenv('LOCAL_WORLD_SIZE', str(2 * available_cores()))
    assert start_processes(device='cpu').threads == 1


def test_seed_is_set_and_tf32_is_off():
    start_processes(device='cpu', threads=1, seed=5)
    first = torch.rand(3)
    start_processes(device='cpu', threads=1, seed=5)
    assert torch.equal(torch.rand(3), first)
    assert not torch.backends.cuda.matmul.allow_tf32
    assert not torch.backends.cudnn.allow_tf32
    start_processes(device='cpu', threads=1, tf32=True)
    assert torch.backends.cudnn.allow_tf32
    start_processes(device='cpu', threads=1)
    assert not torch.backends.cudnn.allow_tf32


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (dict(threads=0), r'threads is 0; give at least 1'),
        (dict(device='tpu'), r"device is 'tpu'; choose 'cpu' or 'cuda'"),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(ValueError, match=message):
        start_processes(**options)


@pytest.mark.skipif(torch.cuda.is_available(), reason='needs a machine without CUDA')
def test_cuda_that_is_absent_is_named():
    with pytest.raises(ValueError, match=r"torch sees no CUDA device.*'cpu'"):
        start_processes(device='cuda')


def test_half_an_environment_is_named(monkeypatch):
    monkeypatch.setenv('WORLD_SIZE', '2')
    with pytest.raises(ValueError, match=r"WORLD_SIZE is 2 but \['RANK'.*dist_test"):
        start_processes(device='cpu')


def test_two_processes_gather_in_the_order_of_ranks(tmp_path):
    script = tmp_path / 'two.py'
    script.write_text(
        'from densecorr.engine.launch import *\n'
        'p = start_processes(device="cpu", threads=1)\n'
        'found = gather(dict(rank=p.rank))\n'
        'assert found == [dict(rank=0), dict(rank=1)], found\n'
        'import mmengine.dist\n'
        'assert mmengine.dist.get_world_size() == p.world_size == 2\n'
        'stop_processes()\n'
        f'open(r"{tmp_path}/" + str(p.rank), "w").write("ok")\n'
    )
    command = [sys.executable, '-m', 'torch.distributed.run', '--standalone']
    command += ['--nproc-per-node', '2', str(script)]
    env = {**os.environ, 'PYTHONPATH': str(REPO)}
    done = subprocess.run(command, capture_output=True, text=True, env=env, timeout=120)
    assert done.returncode == 0, done.stderr
    assert [(tmp_path / rank).read_text() for rank in '01'] == ['ok', 'ok']


def test_process_that_is_left_alone_says_so(tmp_path):
    script = tmp_path / 'alone.py'
    script.write_text(
        'import sys, time\n'
        'from densecorr.engine.launch import *\n'
        'p = start_processes(device="cpu", threads=1)\n'
        'gather(None)\n'
        'if p.rank == 1: sys.exit(3)\n'
        'try:\n'
        '    gather(None)\n'
        'except PeerError as error:\n'
        f'    open(r"{tmp_path}/error", "w").write(str(error))\n'
    )
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        port = str(probe.getsockname()[1])
    common = dict(WORLD_SIZE='2', MASTER_ADDR='127.0.0.1', MASTER_PORT=port)
    processes = [
        subprocess.Popen(
            [sys.executable, str(script)],
            env={
                **os.environ,
                **common,
                'PYTHONPATH': str(REPO),
                'RANK': rank,
                'LOCAL_RANK': rank,
            },
        )
        for rank in '01'
    ]
    assert [process.wait(120) for process in processes][1] == 3
    text = (tmp_path / 'error').read_text()
    assert text.startswith('process 0 of 2 lost the others; the message of the process')
