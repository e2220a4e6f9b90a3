"""DUL: result files."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

from densecorr.utils.images import read_label_map
from densecorr.visualization.dul_layout import DULLayout, dul_palette

from .replay import Case, replay


@replay(
    'dul', 'writer', inputs=['frames', 'ids', 'flags', 'frame_names', 'sequence', 'key']
)
def test_writer(case: Case) -> None:
    case.exact('palette', dul_palette())
    sequence, layer = str(case.sequence), str(case.key)
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        layout = DULLayout(out, layer)
        for t, name in enumerate(case.frame_names):
            layout.write(
                sequence, str(name), case.frames[t], case.ids[t], bool(case.flags[t])
            )
        files = sorted(p for p in out.rglob('*') if p.is_file())
        case.exact('files', [p.relative_to(out).as_posix() for p in files])
        modes = {'P': 'L'}  # a palette file holds the same indices as a grey one
        found = [Image.open(p).mode for p in files]
        case.exact('modes', [modes.get(mode, mode) for mode in found])
        labels = [p for p in files if p.parent.parent.name == f'{layer}_vos']
        case.exact('saved_ids', np.stack([read_label_map(p)[0] for p in labels]))
        pictures = [p for p in files if p.parent.parent.name == f'{layer}_vis']
        overlays = np.stack([np.asarray(Image.open(p)) for p in pictures])
        case.close('overlays', overlays.astype(int), atol=1)
