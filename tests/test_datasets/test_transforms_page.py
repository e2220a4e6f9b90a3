"""docs/transforms.md says what the transforms are."""

import inspect
import re
from pathlib import Path

import numpy as np

from densecorr.datasets import transforms
from densecorr.registry import TRANSFORMS

PAGE = (Path(__file__).parents[2] / 'docs' / 'transforms.md').read_text('utf-8')


def test_table_has_every_transform_with_its_options():
    rows = dict(re.findall(r'^\| `(\w+)` \| (.*?) \|', PAGE.split('## ')[0], re.M))
    del rows['type']  # the header
    assert set(rows) == set(transforms.__all__) - {'ClipTransform'}
    for name, cell in rows.items():
        told = re.findall(r'`(\w+)(?:=([^`]*))?`', cell)
        parameters = dict(inspect.signature(TRANSFORMS.get(name)).parameters)
        assert [option for option, _ in told] == list(parameters), name
        for option, default in told:
            required = parameters[option].default is inspect.Parameter.empty
            assert bool(default) is not required, (name, option)
            if default:
                assert eval(default) == parameters[option].default, (name, option)


def test_examples_run():
    first, second = re.findall(r'```python\n(.*?)```', PAGE, re.S)
    names = dict(TRANSFORMS=TRANSFORMS, ClipTransform=transforms.ClipTransform)
    exec(first, names)
    try:
        exec(second, names)
    finally:
        TRANSFORMS.module_dict.pop('ClipInvert', None)
    frames = np.full((2, 40, 60, 3), 10, np.uint8)
    invert = names['ClipInvert']()
    assert invert.apply(dict(frames=frames), invert=True)['frames'][0].max() == 245
    sample = dict(frames=frames, rng=np.random.default_rng(0))
    for step in names['pipeline']:
        sample = TRANSFORMS.build(step)(sample)
    assert sample['inputs']['frames'].shape == (2, 3, 256, 256)
