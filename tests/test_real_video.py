"""Real DAVIS frames through the whole evaluation, checked by the definition."""

import re

import numpy as np
import pytest

from densecorr.apis.evaluate import evaluate, options_of_dataset
from densecorr.utils.data_info import find_root, load_data_info
from densecorr.utils.images import read_label_map

FRAMES = 6


def real_root():
    try:
        return find_root(load_data_info('davis'))
    except FileNotFoundError:
        pytest.skip('real DAVIS is absent: set DENSECORR_DATA to the folder of davis/')


@pytest.mark.slow
@pytest.mark.parametrize(
    ('config', 'protocol'),
    [
        ('crw_res18', 'crw'),
        ('crw_res18', 'dul'),
        ('dino_vits16', 'dino'),
        ('dino_vits16', 'spa_then_temp'),
        ('vfs_res18', 'vfs'),
    ],
)
def test_real_frames_agree_with_the_definition(config, protocol, tmp_path):
    options = options_of_dataset(str(real_root()), ['car-shadow'], FRAMES)
    content = evaluate(
        f'configs/test/{config}.py',
        'davis',
        'random',
        tmp_path,
        protocol=protocol,
        cfg_options={**options, 'limits.check': 100},
    )
    assert 'not DAVIS-2017 val' in content['dataset']['note']
    assert content['metrics']['J-Mean'] > 0.5  # a slow car, even with random weights
    maps = sorted((tmp_path / 'predictions' / 'car-shadow').glob('*.png'))
    assert len(maps) == FRAMES
    labels, palette = read_label_map(maps[-1])
    assert labels.shape == (480, 854)
    assert set(np.unique(labels)) == {0, 1}
    assert palette is not None
    log = next((tmp_path / 'logs').rglob('*.log')).read_text()
    checked = re.search(r'spot checks so far: (\d+) queries', log)
    assert checked is not None
    assert int(checked.group(1)) == 100 * (FRAMES - 1)
