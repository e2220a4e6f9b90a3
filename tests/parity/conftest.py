"""Golden cases on another device: exact products, and a count of flipped labels."""

import pytest
import torch

from .replay import DEVICE, flips

torch.backends.cuda.matmul.allow_tf32 = False
torch.backends.cudnn.allow_tf32 = False


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how many labels differ from those of the CPU."""
    if DEVICE == 'cpu':
        return
    terminalreporter.section(f'golden cases on {DEVICE}')
    for array, (differ, total) in sorted(flips.items()):
        if differ:
            terminalreporter.write_line(f'{array}: {differ} of {total} labels flipped')
    differ = sum(count for count, _ in flips.values())
    total = sum(count for _, count in flips.values())
    terminalreporter.write_line(f'{differ} of {total} labels flipped in all')
