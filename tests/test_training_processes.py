"""Training in several processes, on two machines, and killed at any moment."""

import json
import multiprocessing
import os
import random
import re
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest
import torch

from densecorr.apis.train import train
from densecorr.engine.train_checkpoint import LAST, read_training
from densecorr.utils import files
from tests.training_toys import write_config

REPO = Path(__file__).resolve().parents[1]
KILLS = 20
ITERATIONS = 400


def environment(**variables):
    env = {**os.environ, 'OMP_NUM_THREADS': '1', **variables}
    env['PYTHONPATH'] = f'{REPO}{os.pathsep}{env.get("PYTHONPATH", "")}'
    return env


def start(config, out, gpus, **variables):
    command = ['bash', str(REPO / 'tools/dist_train.sh'), str(config), str(gpus)]
    command += ['--work-dir', str(out), '--device', 'cpu', '--threads', '1']
    return subprocess.Popen(
        command,
        env=environment(**variables),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def finish(process):
    text, _ = process.communicate(timeout=300)
    assert process.returncode == 0, text
    return text


def free_port():
    with socket.socket() as server:
        server.bind(('127.0.0.1', 0))
        return str(server.getsockname()[1])


def fields(batch_size):
    """SGD, since Adam blows up differences of tiny gradients."""
    return dict(
        sync_bn=True,
        train_dataloader=dict(
            batch_size=batch_size, num_workers=0, dataset=dict(type='NoiseClips')
        ),
        optim_wrapper=dict(type='OptimWrapper', optimizer=dict(type='SGD', lr=0.1)),
    )


def weights(folder):
    return torch.load(folder / 'iter_6.pth', weights_only=True)['state_dict']


def test_two_processes_equal_one_of_twice_the_batch(tmp_path):
    log = dict(type='OutputsHook', path=str(tmp_path / 'one.log'))
    config = write_config(tmp_path, **fields(4), custom_hooks=[log])
    train(config, tmp_path / 'one', device='cpu', threads=1)
    log = {**log, 'path': str(tmp_path / 'two.log')}
    config = write_config(tmp_path, **fields(2), custom_hooks=[log])
    text = finish(start(config, tmp_path / 'two', 2))
    assert 'world size 2: rank 0' in text
    one, two = weights(tmp_path / 'one'), weights(tmp_path / 'two')
    assert one.keys() == two.keys()
    for name, value in one.items():
        torch.testing.assert_close(value, two[name], rtol=0, atol=1e-6, msg=name)
    logs = [(tmp_path / f'{n}.log').read_text().splitlines() for n in ('one', 'two')]
    for first, second in zip(*(map(json.loads, log) for log in logs), strict=True):
        assert first['loss'] == pytest.approx(second['loss'], abs=1e-5)


def test_two_machines_train_together(tmp_path):
    config, port = write_config(tmp_path, **fields(2)), free_port()
    common = dict(NNODES='2', MASTER_ADDR='127.0.0.1', PORT=port)
    machines = [
        start(config, tmp_path / 'run', 1, NODE_RANK=str(rank), **common)
        for rank in range(2)
    ]
    texts = [finish(machine) for machine in machines]
    assert 'world size 2: rank 0' in texts[0]
    assert '6 iterations, last: ' in texts[0]
    assert '6 iterations, last: ' not in texts[1]  # rank 1 is silent
    assert read_training(tmp_path / 'run/iter_6.pth')['meta']['iter'] == 6


def _train_slowly(config, out):
    """In a process of its own: checkpoints take a while, so that kills meet them."""
    write = files._write

    def in_parts(handle, data):
        for first in range(0, len(data), 4096):
            write(handle, data[first : first + 4096])
            handle.flush()
            time.sleep(0.0005)

    files._write = in_parts
    with Path(os.devnull).open('w') as silence:
        os.dup2(silence.fileno(), 1)
        os.dup2(silence.fileno(), 2)
        train(config, out, resume='auto', device='cpu', threads=1)
    os._exit(0)  # nothing of the tests runs at the end of the copy


def test_a_run_that_is_killed_at_any_moment_goes_on(tmp_path):
    hook = dict(type='TrainCheckpointHook', interval=1, unit='iter', max_keep=2)
    config = write_config(
        tmp_path,
        train_cfg=dict(max_iters=ITERATIONS),
        default_hooks=dict(checkpoint=hook),
    )
    out, context = tmp_path / 'killed', multiprocessing.get_context('fork')
    moments, torn, reached = random.Random(0), 0, [0]
    for _ in range(KILLS):
        process = context.Process(target=_train_slowly, args=(config, out))
        process.start()
        _wait_for_progress(out, reached[-1], process)
        time.sleep(moments.uniform(0, 0.1))
        os.kill(process.pid, signal.SIGKILL)
        process.join()
        torn += bool(list(out.glob('.*.tmp')))
        last = (out / LAST).read_text()
        reached.append(read_training(out / last)['meta']['iter'])
        assert reached[-1] == int(re.findall(r'\d+', last)[0])
    assert reached == sorted(reached)
    assert reached[-1] < ITERATIONS  # every kill met a run
    assert torn  # some met the writing of a checkpoint
    train(config, out, resume='auto', device='cpu', threads=1)
    train(config, tmp_path / 'whole', device='cpu', threads=1)
    name = f'iter_{ITERATIONS}.pth'
    killed, whole = (read_training(f / name) for f in (out, tmp_path / 'whole'))
    for key, value in whole['state_dict'].items():
        assert torch.equal(value, killed['state_dict'][key]), key
    assert not list(out.glob('.*.tmp'))


def _wait_for_progress(out, before, process):
    """Until the run has written a checkpoint of its own."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.is_alive():
        text = (out / LAST).read_text() if (out / LAST).is_file() else 'iter_0.pth'
        if int(re.findall(r'\d+', text)[0]) > before:
            return
        time.sleep(0.002)
    pytest.fail('the run made no progress')
