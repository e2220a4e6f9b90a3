"""Runs evaluations in forked children and kills them; a script for other tests.

    python tests/evaluation_driver.py CONFIG DATA OUT KILL [KILL ...]

KILL is ``time:SECONDS`` after the start of the child, or ``write:NUMBER:SUFFIX``: half
of the NUMBERth file that ends in SUFFIX is written, then the process gets SIGKILL.
At the end one child runs through. Prints how each child ended.
"""

from __future__ import annotations

import os
import signal
import sys
import time

from densecorr.apis.evaluate import evaluate, options_of_dataset
from densecorr.utils import files


def run(config: str, data: str, out: str) -> None:
    options = options_of_dataset(data)
    evaluate(config, 'davis', 'random', out, cfg_options=options, threads=1)


def kill_while_writing(number: int, suffix: str) -> None:
    write, seen = files._write, [0]

    def torn(handle, data):
        name = handle.name.removesuffix('.tmp')
        seen[0] += name.endswith(suffix)
        if seen[0] == number and name.endswith(suffix):
            write(handle, data[: len(data) // 2])
            handle.flush()
            os.kill(os.getpid(), signal.SIGKILL)
        write(handle, data)

    files._write = torn


def attempt(arguments: list[str], kill: str | None) -> str:
    """One child; returns how it ended."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            sys.stdout = sys.stderr
            if kill and kill.startswith('write:'):
                _, number, suffix = kill.split(':')
                kill_while_writing(int(number), suffix)
            run(*arguments)
            status = 0
        finally:
            os._exit(status)
    if kill and kill.startswith('time:'):
        time.sleep(float(kill.split(':')[1]))
        os.kill(child, signal.SIGKILL)
    status = os.waitpid(child, 0)[1]
    if os.WIFSIGNALED(status):
        return f'signal {os.WTERMSIG(status)}'
    return f'exit {os.WEXITSTATUS(status)}'


if __name__ == '__main__':
    config, data, out, *kills = sys.argv[1:]
    for kill in [*kills, None]:
        sys.stdout.write(f'{kill} {attempt([config, data, out], kill)}\n')
        sys.stdout.flush()
