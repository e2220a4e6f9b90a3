import json
import re
from pathlib import Path

from densecorr.apis.config import resolve
from densecorr.apis.dry_run import feature_flops
from densecorr.apis.evaluate import evaluate
from densecorr.apis.explain import data_size, explain
from densecorr.apis.report.words import protocol_words
from tests.trees import write_davis_tree

ROOT = Path(__file__).resolve().parents[2]
CRW = ROOT / 'configs/test/crw_res18.py'
DINO = ROOT / 'configs/test/dino_vits16.py'


def value(text, name):
    """What stands behind a heading."""
    found = re.search(rf'^  {re.escape(name)} +(.*)$', text, re.MULTILINE)
    assert found, name
    return found[1]


def test_crw_in_numbers():
    text = explain(CRW, 'davis')
    assert value(text, 'grid') == '60 x 107 = 6420 cells of 8 x 8 pixels of the input'
    assert value(text, 'allowed') == (
        'sqrt(dy^2 + dx^2) < 12 cells; every m of the first frame'
    )
    assert value(text, 'S(q)').startswith('the 10 allowed m of the largest a, over all')
    assert value(text, 'w(q, m)') == 'exp(a(q, m) / 0.05) / sum over S(q) of the same'
    assert value(text, 'frames') == '21 that a frame looks into, from frame 21 on'
    # offsets with dy^2 + dx^2 < 144
    disc = sum(
        dy * dy + dx * dx < 144 for dy in range(-12, 13) for dx in range(-12, 13)
    )
    assert value(text, 'window').startswith(f'{disc} cells, ')
    mean = float(value(text, 'window').split()[2])
    assert value(text, 'keys') == (
        f'{20 * mean + 6420:.0f} per query on average, 6420 of them in the first frame'
    )
    assert value(text, 'copies') == 'in frame 1 the first frame stands there 21 times'
    flops = 2 * 256 * 6420 * (20 * mean + 6420) / 1e9
    assert value(text, 'propagation').startswith(f'{flops:.2f}'[:-1])
    assert value(text, 'state').startswith('verified: ')
    assert '  differs' not in text


def test_another_stride_and_a_grid_of_labels_are_explained():
    text = explain(CRW, 'davis', 'smtc_s8')
    assert value(text, 'stride') == '8 of the network, published at 16'
    assert 'published at stride 16, this run has stride 8' in value(text, 'differs')
    text = explain(DINO, 'davis', 'smtc_s8', frame_size=(480, 910))
    assert value(text, 'input') == '480 x 904'
    assert value(text, 'network') == '480 x 896 of it, the rest is cut off'
    assert value(text, 'grid') == (
        '60 x 113 = 6780 cells of 8 x 8 pixels of the input; features of stride 16 are '
        'resized to it'
    )
    whole = explain(
        DINO,
        'davis',
        'smtc_s8',
        {'protocol.davis.size.multiple': 16},
        frame_size=(480, 910),
    )
    assert value(whole, 'input') == '480 x 896'
    assert '  network' not in whole


def test_unverified_and_resized_are_said():
    text = explain(DINO, 'davis', 'cropmae')
    assert value(text, 'state') == 'UNVERIFIED: no recorded output proves it'
    assert value(text, 'data') == '480 x 880: frames and labels are resized'
    assert value(text, 'grid').startswith('30 x 55 = 1650 cells of 16 x 16')
    assert value(text, 'Name').startswith('cropmae, revision 1, unverified.')
    assert value(text, 'Frames').startswith(
        'Frames and labels are resized to 480 x 880 by nearest neighbour before all'
    )
    assert data_size(resolve(DINO, 'davis', 'cropmae'), (1, 2)) == (480, 880)
    assert data_size(resolve(DINO, 'davis'), (1, 2)) == (1, 2)


def test_joints_have_a_frame_of_their_own():
    text = explain(CRW, 'jhmdb')
    assert value(text, 'frame') == '240 x 320'
    assert value(text, 'input') == '320 x 320'
    assert 'Joints out' in text


def test_ties_squared_weights_and_no_window():
    options = {
        'protocol.davis.window': dict(shape='none'),
        'new:protocol.davis.select.weighting': 'relu_squared',
    }
    text = explain(DINO, 'davis', None, options)
    assert value(text, 'allowed') == 'every m'
    assert value(text, 'w(q, m)') == 'max(a(q, m) / 0.1, 0) ** 2'
    assert value(text, 'S(q)').endswith('together, and all ties')
    assert value(text, 'window') == '1560 cells, 1560.0 on average'
    assert value(text, 'keys') == f'{8 * 1560} per query on average'


def test_features_are_counted_on_what_the_network_sees():
    from densecorr.apis.config import tracker_config
    from densecorr.registry import MODELS

    cfg = resolve(DINO, 'davis', 'smtc_s8')
    tracker = MODELS.build(tracker_config(cfg))
    flops, shape = feature_flops(tracker, (480, 910))
    assert shape == (384, 60, 113)
    assert (flops, (384, 60, 112)) == feature_flops(tracker, (480, 896))


def test_resized_data_and_protocol_are_in_every_output(tmp_path):
    root = write_davis_tree(tmp_path / 'DAVIS', {'dog': 3}, size=(48, 64))
    options = {'test_dataset.root': str(root), 'test_dataset.resize': (40, 72)}
    out = tmp_path / 'out'
    found = evaluate(
        CRW,
        'davis',
        'random',
        out,
        protocol='cropmae',
        cfg_options=options,
        yardsticks='none',
        votes=False,
        device='cpu',
        threads=1,
    )
    content = json.loads((out / 'metrics.json').read_text())
    remark = 'scored at 40x72, against resized labels: not DAVIS-2017 val'
    assert content['dataset']['note'].endswith(remark)
    assert content['dataset']['resized'] == [40, 72]
    assert content['protocol']['verified'] is False
    assert content['fingerprint']['dataset']['resize'] == [40, 72]
    names = {path.name for path in out.iterdir()}
    assert 'global_results-val-40x72-1of30.csv' in names
    page = (out / 'report.html').read_text()
    other = 'cropmae is scored on data of 480x880, this run on data of 40x72'
    for text in (remark, 'protocol cropmae is unverified', other):
        assert text in page
        assert text in found['protocol']['note'] + found['dataset']['note']
    words = dict(protocol_words(content))
    assert words['Name'].startswith('cropmae, revision 1, unverified.')
    assert 'resized to 40 x 72' in words['Frames']


def test_images_have_sizes_and_settings():
    text = explain(DINO, 'voc_linear', 'timet')
    assert value(text, 'input') == '448 x 448'
    assert value(text, 'grid') == '28 x 28 = 784 cells of 384 channels'
    assert 'SETTINGS' in text and 'epochs: 50, batch_size: 60' in text
    assert 'void_is_foreground  true' in explain(DINO, 'foreground')
    assert value(explain(DINO, 'discovery_fbms'), 'input') == '480 x 800'
