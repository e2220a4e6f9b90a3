"""A long clip, and a real Ctrl-C."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import av
import pytest

from tests.installed import CHECKOUT
from tests.track_clips import square_frames, write_clip, write_config, write_png

_MEASURE = """
import json, os, sys
import numpy as np
from densecorr.apis import track, tracking

used = {}
def watch(name):
    original = getattr(tracking.TrackWriter, name)
    def add(self, result, frame):
        original(self, result, frame)
        if result.index in (199, 999, 1999):
            with open('/proc/self/statm') as handle:
                pages = int(handle.read().split()[1])
            used[result.index + 1] = pages * os.sysconf('SC_PAGE_SIZE') / 2**20
    setattr(tracking.TrackWriter, name, add)

watch('add_label_map')
watch('add_points')
clip, out, config, kind, given = sys.argv[1:]
value = given if kind == 'labels' else np.array([[0, 1, 9, 9], [40, 2, 50, 50]])
track(clip, out, model=config, checkpoint='random', device='cpu', threads=1,
      **{kind: value})
print(json.dumps(used))
"""


def run(*command: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, *command],
        capture_output=True,
        text=True,
        check=False,
        cwd=CHECKOUT,
    )


@pytest.mark.slow
@pytest.mark.skipif(not Path('/proc/self/statm').exists(), reason='needs /proc')
@pytest.mark.parametrize('kind', ['labels', 'points'])
def test_memory_does_not_grow_with_the_clip(tmp_path, kind):
    frames, labels = square_frames(96, (96, 128))
    clip = write_clip(tmp_path / 'long.mp4', [frames[t % 96] for t in range(2000)])
    png = write_png(tmp_path / 'first.png', labels[0])
    config = str(write_config(tmp_path))
    out = str(tmp_path / 'out')
    done = run('-c', _MEASURE, str(clip), out, config, kind, str(png))
    assert done.returncode == 0, done.stderr
    used = json.loads(done.stdout.splitlines()[-1])
    sys.stdout.write(f'{kind}: RSS in MB after so many frames: {used}\n')  # with -s
    assert set(used) == {'200', '1000', '2000'}
    assert used['2000'] - used['200'] < 20


def test_ctrl_c_of_the_program(tmp_path):
    """A signal to the process: status 130, the frame is told, the video plays."""
    frames, labels = square_frames(80, (96, 128))
    clip = write_clip(tmp_path / 'a.mp4', [frames[t % 80] for t in range(800)])
    png = write_png(tmp_path / 'first.png', labels[0])
    out, config = tmp_path / 'out', write_config(tmp_path)
    command = [sys.executable, 'tools/track.py', str(clip), '--mask', str(png)]
    command += ['--out', str(out), '--model', str(config), '--checkpoint', 'random']
    command += ['--device', 'cpu', '--threads', '1']
    process = subprocess.Popen(
        command,
        cwd=CHECKOUT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        # a background job of a shell inherits that SIGINT is ignored
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    deadline = time.monotonic() + 60
    while not (out / 'predictions' / '00010.png').exists():
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    text, _ = process.communicate(timeout=60)
    assert process.returncode == 130, text
    record = json.loads((out / 'record.json').read_text())
    done = record['frames_done']
    assert 10 <= done < 800 and not record['complete']
    assert f'stopped after {done} of 800 frames' in text and 'Traceback' not in text
    with av.open(str(out / 'overlay.mp4')) as file:
        assert sum(1 for _ in file.decode(video=0)) == done
    lines = (out / 'objects.csv').read_text().splitlines()
    assert len(lines) - 1 == done
    assert len(list((out / 'predictions').glob('*.png'))) == done
