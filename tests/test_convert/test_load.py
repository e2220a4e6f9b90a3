import pytest
import timm
import torch
import torchvision

from densecorr.convert import addresses, load_backbone, randomise, recognise
from densecorr.convert.convert import convert
from densecorr.registry import MODELS
from densecorr.utils.checkpoints import hash_tensors

from .keys import tensors


@pytest.fixture(scope='module')
def resnet_state():
    torch.manual_seed(0)
    return torchvision.models.resnet18().state_dict()


def resnet(depth: int = 18):
    return MODELS.build(dict(type='ResNet', depth=depth))


def test_load_reports_every_key(tmp_path, resnet_state):
    torch.save(resnet_state, tmp_path / 'a.pth')
    model = resnet()
    report = load_backbone(model, str(tmp_path / 'a.pth'), 'torchvision')
    assert set(report.loaded) == set(model.state_dict())
    assert report.dropped == ['fc.bias', 'fc.weight']
    assert (report.unknown, report.missing) == ([], [])
    text = str(report)
    assert 'a.pth (torchvision, verified)' in text
    assert f'loaded            {len(report.loaded)}' in text
    assert 'dropped by rule     2  fc.bias, fc.weight' in text
    for key, tensor in model.state_dict().items():
        assert torch.equal(tensor, resnet_state[key])


def test_file_of_several_programs_needs_a_name(tmp_path, resnet_state):
    torch.save(resnet_state, tmp_path / 'a.pth')
    without_change(
        resnet(),
        tmp_path / 'a.pth',
        r'a\.pth: .*may be of torchvision or dino or vfs or spa_then_temp.*--source',
        source=None,
    )
    path = tmp_path / 'a.pth'
    report = load_backbone(resnet(), path, expected='dino')
    assert report.source == 'dino'
    # a file that can be of one program alone is of that program
    report = load_backbone(resnet(), path, 'torchvision', expected='dino')
    assert report.source == 'torchvision'
    with pytest.raises(KeyError, match=r"'dyno' is not a checkpoint source"):
        load_backbone(resnet(), path, expected='dyno')


def test_named_source_is_used(tmp_path, resnet_state):
    torch.save(dict(state_dict=resnet_state), tmp_path / 'a.pth')
    report = load_backbone(resnet(), tmp_path / 'a.pth', 'vfs')
    assert report.source == 'vfs'
    with pytest.raises(ValueError, match=r"a\.pth: .*no keys of source 'dul'"):
        load_backbone(resnet(), tmp_path / 'a.pth', 'dul')


def test_old_files_without_batch_counters_load(tmp_path, resnet_state):
    old = {k: v for k, v in resnet_state.items() if 'num_batches' not in k}
    torch.save(old, tmp_path / 'a.pth')
    report = load_backbone(resnet(), tmp_path / 'a.pth', 'torchvision')
    assert len(report.missing) == 20
    assert 'missing            20  bn1.num_batches_tracked' in str(report)


def without_change(model, path, match, source='torchvision'):
    before = hash_tensors(model.state_dict())
    with pytest.raises(ValueError, match=match):
        load_backbone(model, path, source)
    assert hash_tensors(model.state_dict()) == before


def test_missing_key_is_an_error(tmp_path, resnet_state):
    part = {k: v for k, v in resnet_state.items() if k != 'layer3.0.conv1.weight'}
    torch.save(part, tmp_path / 'a.pth')
    match = r'does not fit ResNet.*Missing in the file \(1\): layer3\.0\.conv1\.weight'
    without_change(resnet(), tmp_path / 'a.pth', match)


def test_unknown_key_is_an_error(tmp_path, resnet_state):
    torch.save({**resnet_state, 'neck.w': torch.ones(1)}, tmp_path / 'a.pth')
    match = r'unknown to the model \(1\): neck\.w\. .*--source.*convert/sources'
    without_change(resnet(), tmp_path / 'a.pth', match)


def test_renamed_key_is_named_on_both_sides(tmp_path, resnet_state):
    state = dict(resnet_state)
    state['layer3.0.convA.weight'] = state.pop('layer3.0.conv1.weight')
    torch.save(state, tmp_path / 'a.pth')
    match = (
        r'a\.pth .*Missing in the file \(1\): layer3\.0\.conv1\.weight; unknown to the '
        r'model \(1\): layer3\.0\.convA\.weight\. .*--source'
    )
    without_change(resnet(), tmp_path / 'a.pth', match)


def test_half_of_a_network_is_refused(tmp_path, resnet_state):
    half = {k: v for k, v in resnet_state.items() if not k.startswith('layer4.')}
    torch.save(half, tmp_path / 'a.pth')
    match = r'does not fit ResNet\. Missing in the file \(2[45]\): layer4\.0\.bn1\.bias'
    without_change(resnet(), tmp_path / 'a.pth', match)


def test_wrong_depth_lists_keys(tmp_path, resnet_state):
    torch.save(resnet_state, tmp_path / 'a.pth')
    match = r'does not fit ResNet.*Missing.*layer1\.2\.bn1\.bias.*Use the config of its'
    without_change(resnet(34), tmp_path / 'a.pth', match)


def test_wrong_shapes_are_listed(tmp_path, resnet_state):
    wide = {**resnet_state, 'conv1.weight': torch.ones(64, 3, 3, 3)}
    torch.save(wide, tmp_path / 'a.pth')
    match = r'1 tensors.*conv1\.weight: file \(64, 3, 3, 3\), model \(64, 3, 7, 7\)'
    without_change(resnet(), tmp_path / 'a.pth', match)


def test_another_architecture_fits_no_key(tmp_path, resnet_state):
    vit = timm.create_model('vit_tiny_patch16_224', depth=1, num_classes=0)
    torch.save(vit.state_dict(), tmp_path / 'a.pth')
    match = r'a\.pth .*does not fit ResNet: no key fits\. File: blocks\.0.*model: bn1'
    without_change(resnet(), tmp_path / 'a.pth', match, 'timm')


def test_names_of_the_model_need_no_format(tmp_path):
    model = MODELS.build(dict(type='TimmFeatures', arch='convnext_atto'))
    state = {k: torch.randn(v.shape) for k, v in model.state_dict().items()}
    torch.save(dict(state_dict={**state, 'head.fc': torch.ones(1)}), tmp_path / 'a.pth')
    report = load_backbone(model, tmp_path / 'a.pth')
    assert report.source == 'names of the model'
    assert report.dropped == ['head.fc']
    assert hash_tensors(model.state_dict()) == hash_tensors(state)


def test_checkpoint_of_ours_loads(tmp_path, resnet_state):
    ours = {f'backbone.{k}': v for k, v in resnet_state.items() if k[:3] != 'fc.'}
    ours['head.weight'] = torch.ones(2)
    torch.save(dict(meta={}, state_dict=ours), tmp_path / 'a.pth')
    model = resnet()
    report = load_backbone(model, tmp_path / 'a.pth')
    assert (report.source, report.dropped) == ('densecorr', ['head.weight'])
    assert torch.equal(model.conv1.weight, resnet_state['conv1.weight'])


def test_malicious_checkpoint_is_not_run(tmp_path):
    class Attack:
        def __reduce__(self):
            return exec, (f'open({str(tmp_path / "marker")!r}, "w")',)

    torch.save(dict(state_dict=Attack()), tmp_path / 'a.pth')
    with pytest.raises(ValueError, match=r'holds exec, .*allow_unsafe'):
        load_backbone(resnet(), tmp_path / 'a.pth')
    assert not (tmp_path / 'marker').exists()


def test_random_is_drawn_from_a_seed_and_not_from_the_build():
    torch.manual_seed(1)
    one = resnet()
    torch.manual_seed(2)
    two = resnet()
    assert hash_tensors(one.state_dict()) != hash_tensors(two.state_dict())
    before = torch.get_rng_state()
    report = load_backbone(one, 'random')
    load_backbone(two, 'random')
    assert torch.equal(before, torch.get_rng_state())
    assert hash_tensors(one.state_dict()) == hash_tensors(two.state_dict())
    assert 'random (drawn with seed 0)' in str(report)
    assert set(report.loaded) == set(one.state_dict())
    randomise(two, seed=1)
    assert hash_tensors(one.state_dict()) != hash_tensors(two.state_dict())


def test_random_weights_keep_the_scale():
    model = resnet()
    load_backbone(model, 'random')
    weight = model.layer2[0].conv2.weight  # fan-in 128 * 9
    assert float(weight.detach().std()) == pytest.approx((2 / 1152) ** 0.5, rel=0.01)
    assert torch.equal(model.bn1.weight, torch.ones(64))
    assert torch.equal(model.bn1.running_var, torch.ones(64))
    assert torch.equal(model.bn1.bias, torch.zeros(64))
    assert torch.equal(model.bn1.running_mean, torch.zeros(64))
    vit = timm.create_model('vit_tiny_patch16_224', depth=1, num_classes=0)
    randomise(vit)
    assert float(vit.pos_embed.detach().std()) == pytest.approx(0.02, rel=0.05)


def test_random_weights_leave_computed_tables():
    model = torch.nn.Linear(4, 3)
    model.register_buffer('table', torch.arange(4.0))
    model.register_buffer('index', torch.arange(4))
    randomise(model)
    assert torch.equal(model.table, torch.arange(4.0))
    assert torch.equal(model.index, torch.arange(4))
    assert torch.equal(model.bias, torch.zeros(3))


def test_random_forgets_earlier_statistics():
    model = resnet()
    before = randomise(model) and hash_tensors(model.state_dict())
    model.train()(torch.ones(2, 3, 32, 32))
    assert hash_tensors(model.state_dict()) != before
    randomise(model)
    assert hash_tensors(model.state_dict()) == before


def test_converted_dul_file_is_recognised():
    keys = (
        'backbone.conv1.weight',
        'backbone.layer1.0.conv1.weight',
        'emb_q.conv1.bias',
    )
    assert recognise(tensors(*keys)) == ['dul']
    assert list(convert(tensors(*keys), 'dul').state) == list(keys)


def test_timm_address(monkeypatch):
    arch = dict(type='TimmFeatures', arch='vit_tiny_patch16_224', depth=1)
    trained = timm.create_model('vit_tiny_patch16_224', depth=1, num_classes=0)
    asked = []

    def create_model(name, **kwargs):
        asked.append((name, kwargs))
        return trained

    model = MODELS.build(arch)
    monkeypatch.setattr(timm, 'create_model', create_model)
    report = load_backbone(model, 'timm:vit_tiny_patch16_224')
    assert asked == [('vit_tiny_patch16_224', dict(pretrained=True, num_classes=0))]
    assert hash_tensors(model.state_dict()) == hash_tensors(trained.state_dict())
    assert report.checkpoint == 'timm:vit_tiny_patch16_224'


def test_timm_without_network_says_what_to_do(monkeypatch):
    def create_model(name, **kwargs):
        raise OSError('no route to host')

    monkeypatch.setattr(timm, 'create_model', create_model)
    with pytest.raises(FileNotFoundError, match=r'timm:resnet18.*no route.*path of'):
        load_backbone(torch.nn.Linear(1, 1), 'timm:resnet18')
    with pytest.raises(ValueError, match=r"no model 'resnet1800'\..*'resnet18.*Known"):
        load_backbone(torch.nn.Linear(1, 1), 'timm:resnet1800')


def test_torchvision_address(tmp_path, monkeypatch, resnet_state):
    torch.save(resnet_state, tmp_path / 'a.pth')
    asked = []
    monkeypatch.setattr(
        addresses, 'download', lambda url: asked.append(url) or tmp_path / 'a.pth'
    )
    report = load_backbone(resnet(), 'torchvision:resnet18')
    assert report.source == 'torchvision'
    weights = torchvision.models.ResNet50_Weights
    addresses.open_checkpoint('torchvision:resnet50', None, False)
    addresses.open_checkpoint('torchvision:resnet50/IMAGENET1K_V2', None, False)
    assert asked[1:] == [weights.IMAGENET1K_V1.url, weights.IMAGENET1K_V2.url]
    with pytest.raises(ValueError, match=r"no weights 'V3' of 'resnet50'.*IMAGENET1K"):
        addresses.open_checkpoint('torchvision:resnet50/V3', None, False)
    with pytest.raises(ValueError, match=r"no model 'resnet19'\..*'resnet18'"):
        addresses.open_checkpoint('torchvision:resnet19', None, False)
