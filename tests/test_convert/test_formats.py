import pytest

from densecorr.convert import SOURCES, agreed, choose, convert, recognise

from .keys import CROSS, DECODER, FORMATS, RESNET, VIT, prefixed, tensors

TENSOR_RULES = {'dinov2', 'dinov3', 'videomae', 'mae_st'}  # see test_tensor_rules.py
ALONE = set(FORMATS) - {'torchvision', 'timm', 'cropmae', 'siammae', 'timet_teacher'}


def content_of(source):
    container, keys, _, dropped = FORMATS[source]
    state = tensors(*keys, *dropped)
    return state, {container: state, 'epoch': 3} if container else state


@pytest.mark.parametrize('source', FORMATS)
def test_formats(source):
    _, keys, names, dropped = FORMATS[source]
    state, content = content_of(source)
    result = convert(content, source)
    assert list(result.state) == list(names)
    assert result.dropped_by_rule == list(dropped)
    assert result.unknown == []
    for name, key in zip(names, keys, strict=True):
        assert result.state[name] is state[key]
        assert result.origin[name] == key


def test_every_source_is_tested():
    assert set(FORMATS) | TENSOR_RULES == set(SOURCES)


@pytest.mark.parametrize('source', sorted(ALONE - {'dino', 'ibot'}))
def test_whole_files_are_of_one_program(source):
    _, content = content_of(source)
    assert recognise(content) == [source]
    assert choose(content) == source
    assert choose(content, expected='torchvision') == source


@pytest.mark.parametrize(
    ('source', 'beside'), [('dino', 'dino_loss'), ('ibot', 'ibot_loss')]
)
def test_a_loss_beside_the_networks_tells_its_program(source, beside):
    state = tensors(*prefixed('module.backbone.', VIT))
    content = dict(student=state, teacher=state)
    assert recognise(content) == ['dino', 'ibot']
    assert recognise({**content, beside: tensors('center')}) == [source]


def test_the_teacher_is_taken_from_a_full_checkpoint():
    teacher = tensors(*prefixed('backbone.', VIT))
    student = tensors(*prefixed('module.backbone.', VIT))
    for source in ('dino', 'ibot'):
        result = convert(dict(student=student, teacher=teacher), source)
        assert result.state['norm.bias'] is teacher['backbone.norm.bias']
        result = convert(dict(student=student), source)
        assert result.state['norm.bias'] is student['module.backbone.norm.bias']


@pytest.mark.parametrize(
    ('content', 'names'),
    [
        (tensors(*RESNET), ['torchvision', 'dino', 'vfs', 'spa_then_temp']),
        (
            dict(state_dict=tensors(*RESNET)),
            ['torchvision', 'vfs', 'spa_then_temp'],
        ),
        (tensors(*VIT), ['timm', 'dino', 'ibot']),
        (dict(state_dict=tensors(*VIT)), ['timm', 'ibot']),
        (dict(model=tensors(*VIT)), ['timm', 'mae']),
        (dict(model=tensors(*VIT, *DECODER, *CROSS)), ['cropmae', 'siammae']),
        (tensors(*VIT, 'reg_token', 'blocks.0.ls1.gamma'), ['timm']),
        (tensors(*VIT, 'blocks.0.gamma_1'), ['timm']),
        (
            dict(state_dict=tensors('backbone.conv1.conv.weight')),
            [],
        ),
        (
            dict(
                state_dict=tensors(
                    'backbone.conv1.conv.weight', 'backbone.layer1.0.conv1.conv.weight'
                )
            ),
            ['vfs', 'spa_then_temp'],
        ),
    ],
)
def test_files_of_several_programs_ask_or_take_the_expected_one(content, names):
    assert recognise(content) == names
    if len(names) < 2:
        return
    with pytest.raises(ValueError, match=rf'of {" or ".join(names)}: .*--source.*conf'):
        choose(content)
    for name in names:
        assert choose(content, expected=name) == name
    with pytest.raises(ValueError, match=r'may be of .*--source'):
        choose(content, expected='crw')
    with pytest.raises(KeyError, match=r"'dyno' is not a checkpoint source.*'dino'"):
        choose(content, expected='dyno')


def test_encoder_of_catmae_is_read_where_it_is_expected():
    content = dict(model=tensors(*VIT))
    assert choose(content, expected='catmae') == 'catmae'
    assert choose(content, expected='mae') == 'mae'
    assert list(convert(content, 'catmae').state) == list(VIT)


@pytest.mark.parametrize('prefix', ['', 'module.', 'model.', 'model.module.'])
@pytest.mark.parametrize('network', ['feature_extractor', 'teacher'])
def test_timet_of_several_gpus(prefix, network):
    keys = [
        *prefixed('feature_extractor.backbone.', VIT),
        *prefixed('teacher.backbone.', VIT),
        *('prototypes', 'teacher_prototypes', f'{network}.head.0.weight'),
    ]
    state = tensors(*prefixed(prefix, tuple(keys)))
    content = dict(epoch=1, model=state)
    assert recognise(content) == ['timet']
    source = 'timet' if network == 'feature_extractor' else 'timet_teacher'
    result = convert(content, source)
    assert (list(result.state), result.unknown) == (list(VIT), [])
    for name in VIT:
        assert result.origin[name] == f'{prefix}{network}.backbone.{name}'
    assert len(result.dropped_by_rule) == len(state) - len(VIT)


def test_timet_without_teacher_says_so():
    content = tensors(*prefixed('feature_extractor.backbone.', VIT))
    with pytest.raises(ValueError, match=r"source 'timet_teacher'.*looks like timet\."):
        convert(content, 'timet_teacher')


def test_unknown_keys_are_listed():
    result = convert(tensors(*RESNET, 'neck.weight'), 'torchvision')
    assert result.unknown == ['neck.weight']
    assert list(result.state) == list(RESNET)


def test_unknown_source_names_the_nearest():
    with pytest.raises(KeyError, match=r"'dyno' is not a checkpoint source.*'dino'"):
        convert(tensors(*RESNET), 'dyno')


def test_wrong_source_says_what_it_looks_like():
    with pytest.raises(ValueError, match=r"source 'crw'.*like torchvision or"):
        convert(tensors(*RESNET), 'crw')
    with pytest.raises(ValueError, match=r"source 'crw'.*First keys.*'a'"):
        convert(tensors('a'), 'crw')


def test_two_keys_of_one_name_are_refused():
    state = tensors(*RESNET, 'module.conv1.weight')
    with pytest.raises(ValueError, match=r"'conv1\.weight' and 'module\.conv1"):
        convert(state, 'torchvision')


def test_formats_that_differ_are_not_agreed_on():
    state = tensors(*VIT)
    assert agreed(state, ['timm', 'dino']).origin == {key: key for key in VIT}
    content = dict(teacher=tensors(*VIT), model=state)
    assert recognise(content) == ['timm', 'dino', 'ibot', 'mae']
    with pytest.raises(ValueError, match=r'timm or dino, which give diff.*--source'):
        agreed(content, ['timm', 'dino'])
    assert convert(content, 'timm').state['norm.bias'] is state['norm.bias']


def test_unrecognised_format_lists_sources_and_keys():
    with pytest.raises(ValueError, match=r"--source, one of.*'crw'.*weights: a"):
        choose(dict(weights=tensors('a')))
    with pytest.raises(ValueError, match='not recognised'):
        choose([1, 2])


def test_verified_sources_say_by_what():
    unverified = {name for name, s in SOURCES.items() if s.status == 'unverified'}
    assert unverified == {
        *('ibot', 'mae', 'cropmae', 'siammae', 'videomae', 'mae_st'),
        *('dinov2', 'dinov3'),
    }
    for name, source in SOURCES.items():
        assert source.status in ('verified', 'unverified'), name
        assert source.title and source.reference, name
