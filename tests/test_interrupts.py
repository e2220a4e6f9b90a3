"""Ctrl-C waits until the block is over."""

import os
import signal
import threading

import pytest

from densecorr.utils.interrupts import interrupts_held


def _press() -> None:
    os.kill(os.getpid(), signal.SIGINT)


@pytest.fixture(autouse=True)
def _ctrl_c_is_heard():
    """A background job of a shell inherits that SIGINT is ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_the_block_is_finished_first():
    done = []
    with pytest.raises(KeyboardInterrupt):
        with interrupts_held():
            _press()
            done.append('rest of the block')
        done.append('after the block')
    assert done == ['rest of the block']
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_blocks_may_lie_in_one_another():
    done = []
    with pytest.raises(KeyboardInterrupt), interrupts_held():
        with interrupts_held():
            _press()
        done.append('outer block')
    assert done == ['outer block']


def test_an_error_goes_first():
    with pytest.raises(OSError, match='disk'), interrupts_held():
        _press()
        raise OSError('disk')
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_no_handler_is_touched_where_there_is_none():
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with interrupts_held():
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN


def test_other_threads_run_as_they_are():
    seen = []

    def work():
        with interrupts_held():
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [signal.default_int_handler]
