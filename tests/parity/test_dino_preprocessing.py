from pathlib import Path

from mmengine.config import Config

from densecorr.propagation.frames import FrameInput
from densecorr.propagation.labels import LabelCodec

from .replay import replay

BASE = Path(__file__).parents[2] / 'configs' / '_base_'
INPUTS = Config.fromfile(BASE / 'models' / 'dino_vits16.py').model.inputs
PROTOCOL = Config.fromfile(BASE / 'protocols' / 'dino.py').protocol.davis


def frame_input(short_side, multiple=1):
    size = {**PROTOCOL.size, 'short_side': short_side}
    resizer = PROTOCOL.resizer
    return FrameInput(**INPUTS, size=size, resizer=resizer, multiple=multiple)


@replay('dino', 'preprocessing', inputs=['p*_image_rgb', 'p*_mask', 'p*_short_side'])
def test_preprocessing(case):
    expected = case.size_table.copy()
    square = expected[:, 0] == expected[:, 1]
    expected[square, 4:] = expected[square, :3:-1]  # the official grid is swapped
    for height, width, *sizes in expected.tolist():
        plan = frame_input(480, multiple=16).plan(height, width)
        grid = [side // 16 for side in plan.input_size]
        assert [*plan.input_size, *grid] == sizes, (height, width)
    case.compared('size_table')
    images = [key.removesuffix('_input') for key in case.arrays if '_input' in key]
    assert images
    codec = LabelCodec(**PROTOCOL.labels)
    for name in images:
        inputs = frame_input(case[f'{name}_short_side'])
        case.close(f'{name}_input', inputs(case[f'{name}_image_rgb']), atol=1e-6)
        label_map = case[f'{name}_mask']
        plan = inputs.plan(*label_map.shape)
        for patch in (8, 16):
            expected = case[f'{name}_seg_patch{patch}']
            grid = (plan.input_size[0] // patch, plan.input_size[1] // patch)
            ids = list(range(label_map.max() + 1))
            soft = codec.to_soft(label_map, ids, plan, grid)
            case.exact(f'{name}_seg_patch{patch}', soft[: len(expected)])
            assert not soft[len(expected) :].any()  # labels that vanished
