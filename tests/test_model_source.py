import pytest
import torch

from densecorr.apis.config import load_config, tracker_config
from densecorr.apis.model_source import DEFAULT_MODEL, resolve_model
from densecorr.registry import MODELS


def backbone(stem):
    return MODELS.build(load_config(f'configs/test/{stem}.py').model.backbone)


def save(network, path, container=None, prefix=''):
    state = {prefix + key: value for key, value in network.state_dict().items()}
    torch.save({container: state} if container else state, path)
    return path


def test_a_config_needs_weights_and_keeps_its_protocol():
    with pytest.raises(ValueError, match=r'res18_d8\.py is a config, .* say .random.'):
        resolve_model('configs/test/res18_d8.py')
    found = resolve_model('configs/test/res18_d8.py', 'random')
    assert (found.checkpoint, found.cfg.protocol.name) == ('random', 'spa_then_temp')
    other = resolve_model('configs/test/res18_d8.py', 'random', 'vfs')
    assert other.cfg.protocol.name == 'vfs'
    with pytest.raises(FileNotFoundError, match=r'no config .*Did you mean .*vits'):
        resolve_model('configs/test/dino_vits17.py', 'random')


def test_default_is_dino_with_its_published_weights():
    found = resolve_model()
    assert found.checkpoint == f'timm:{DEFAULT_MODEL}'
    config = load_config('configs/test/dino_vits16.py')
    assert found.cfg.model == config.model
    assert found.cfg.protocol == config.protocol


@pytest.mark.parametrize(
    ('name', 'stride', 'size', 'options'),
    [
        ('timm:vit_base_patch8_224.dino', 8, (480, 640), {}),
        ('vit_small_patch14_dinov2', 14, (476, 644), dict(pos_embed_rule='size')),
        ('vit_tiny_patch16_224', 16, (480, 640), dict(pos_embed_rule='size')),
        ('resnet18', 16, (480, 640), dict(out_indices=(3,))),
        ('swin_tiny_patch4_window7_224', 16, (480, 640), dict(out_indices=(2,))),
    ],
)
def test_a_timm_name_gets_its_stride_colours_and_weights(name, stride, size, options):
    found = resolve_model(name)
    assert found.checkpoint == f'timm:{name.removeprefix("timm:")}'
    assert found.cfg.protocol.name == 'dino'
    given = found.cfg.model.backbone
    assert {key: given[key] for key in options} == options
    with torch.device('meta'):
        tracker = MODELS.build(tracker_config(found.cfg))
    assert tracker.backbone.stride == stride
    assert tracker.inputs.plan(240, 320).input_size == size
    if name == 'vit_tiny_patch16_224':
        assert found.cfg.model.inputs.mean == (0.5, 0.5, 0.5)
    assert resolve_model(name, 'random').checkpoint == 'random'


@pytest.mark.parametrize(
    ('stem', 'container', 'prefix'),
    [
        ('dino_vits16', 'teacher', 'backbone.'),
        ('dino_vits8', None, ''),
        ('crw_res18', 'model', 'encoder.model.'),
        ('moco_v2_res50', 'state_dict', 'module.encoder_q.'),
        ('smtc_vits16', 'model_state_dict', 'encoder.'),
        ('timet_vits16', None, 'feature_extractor.backbone.'),
    ],
)
def test_a_checkpoint_file_finds_its_config(tmp_path, stem, container, prefix):
    path = save(backbone(stem), tmp_path / 'a.pth', container, prefix)
    found = resolve_model(path)
    config = load_config(f'configs/test/{stem}.py')
    assert (found.cfg.model, found.checkpoint) == (config.model, str(path))
    assert found.cfg.protocol == config.protocol


def test_a_file_that_fits_several_configs_is_not_guessed(tmp_path):
    path = save(backbone('vfs_res18'), tmp_path / 'r18.pth')
    with pytest.raises(
        ValueError,
        match=r'r18\.pth: its format is torchvision or .*not certain.*--model CONFIG '
        r'--checkpoint .*r18\.pth.*vfs_res18\.py or configs/test/res18_d8\.py',
    ):
        resolve_model(path)
    # one network that torchvision trains as well: the name of the program decides
    path = save(backbone('res50_d8'), tmp_path / 'r50.pth')
    with pytest.raises(ValueError, match='not certain'):
        resolve_model(path)
    found = resolve_model(path, source='spa_then_temp')
    assert found.cfg.model == load_config('configs/test/res50_d8.py').model


def test_files_without_a_config_are_named(tmp_path):
    torch.save({'a': torch.zeros(2)}, tmp_path / 'odd.pth')
    with pytest.raises(
        ValueError, match=r'odd\.pth: its format is unknown, and no config fits it'
    ):
        resolve_model(tmp_path / 'odd.pth')
    with pytest.raises(FileNotFoundError, match=r'Checkpoint none\.pth does not exist'):
        resolve_model('none.pth')
    with pytest.raises(ValueError, match=r'is a checkpoint file, and checkpoint '):
        resolve_model(tmp_path / 'odd.pth', 'random')
    with pytest.raises(ValueError, match=r"'vit_smal_patch16' is no config \(\.py\)"):
        resolve_model('vit_smal_patch16')
