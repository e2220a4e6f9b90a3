import pytest
import torch
from mmengine.optim import build_optim_wrapper
from torch import nn

from densecorr.engine.optim import ParamGroupsConstructor
from densecorr.registry import MODELS


class Method(nn.Module):
    """A ViT of two blocks with a head."""

    def __init__(self):
        super().__init__()
        self.backbone = MODELS.build(
            dict(
                type='TimmFeatures',
                arch='vit_tiny_patch16_224',
                depth=2,
                embed_dim=12,
                num_heads=3,
                img_size=32,
                pos_embed_rule='size',
            )
        )
        self.head = nn.Linear(12, 5)
        self.frozen = nn.Parameter(torch.zeros(2, 2), requires_grad=False)


OPTIMIZER = dict(type='AdamW', lr=0.1, weight_decay=0.05)


def groups_of(model, optimizer=OPTIMIZER, **options):
    build = ParamGroupsConstructor(dict(optimizer=optimizer), options)
    return build.groups_of(model)


def names_of(model, group):
    return [
        n for n, p in model.named_parameters() if any(p is q for q in group['params'])
    ]


def test_without_rules_there_is_one_group():
    model = Method()
    (group,) = groups_of(model)
    assert (group['name'], group['lr'], group['weight_decay']) == ('default', 0.1, 0.05)
    trained = [n for n, p in model.named_parameters() if p.requires_grad]
    assert names_of(model, group) == trained
    assert 'frozen' not in trained


def test_biases_and_flat_parameters_are_not_decayed():
    model = Method()
    groups = groups_of(model, no_decay_1d=True)
    by_decay = {group['weight_decay']: names_of(model, group) for group in groups}
    assert set(by_decay) == {0.05, 0.0}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            flat = parameter.ndim == 1 or name.endswith('.bias')
            assert name in by_decay[0.0 if flat else 0.05]
    assert 'backbone.model.cls_token' in by_decay[0.05]
    assert 'backbone.model.norm.weight' in by_decay[0.0]


def test_the_first_rule_that_matches_decides():
    model = Method()
    groups = groups_of(
        model,
        no_decay_1d=True,
        groups=dict(
            last=dict(patterns=['backbone.model.blocks.1.*'], lr_mult=0.5),
            rest=dict(patterns=['backbone.*'], lr_mult=0.1, decay_mult=2.0),
        ),
    )
    kinds = [(g['name'], g['lr'], g['weight_decay']) for g in groups]
    assert sorted(kinds) == [
        ('default', 0.1, 0.0),
        ('default', 0.1, 0.05),
        ('last', 0.05, 0.0),
        ('last', 0.05, 0.05),
        ('rest', pytest.approx(0.01), 0.0),
        ('rest', pytest.approx(0.01), 0.1),
    ]
    for group in groups:
        for name in names_of(model, group):
            where = 'last' if '.blocks.1.' in name else 'rest'
            expected = where if name.startswith('backbone') else 'default'
            assert group['name'] == expected
    found = [name for group in groups for name in names_of(model, group)]
    assert len(found) == len(set(found)) == len(list(model.parameters())) - 1


def test_rates_fall_from_layer_to_layer():
    model = Method()
    rates = {}
    for group in groups_of(model, layer_decay=dict(rate=0.5)):
        rates |= dict.fromkeys(names_of(model, group), group['lr'])
    assert rates['head.weight'] == rates['backbone.model.norm.bias'] == 0.1
    assert rates['backbone.model.blocks.1.mlp.fc1.weight'] == pytest.approx(0.05)
    assert rates['backbone.model.blocks.0.attn.qkv.bias'] == pytest.approx(0.025)
    for name in ('cls_token', 'pos_embed', 'patch_embed.proj.weight'):
        assert rates[f'backbone.model.{name}'] == pytest.approx(0.0125)


def test_wrapper_is_built_from_a_config():
    wrapper = build_optim_wrapper(
        Method(),
        dict(
            type='densecorr.AutocastOptimWrapper',
            constructor='densecorr.ParamGroupsConstructor',
            optimizer=OPTIMIZER,
            accumulative_counts=2,
            paramwise_cfg=dict(groups=dict(head=dict(patterns=['head.*'], lr_mult=2))),
        ),
    )
    groups = wrapper.optimizer.param_groups
    assert [(g['name'], g['lr']) for g in groups] == [('default', 0.1), ('head', 0.2)]
    assert isinstance(wrapper.optimizer, torch.optim.AdamW)
    assert wrapper.get_lr()['lr'] == [0.1, 0.2]


def test_a_wrapped_model_has_the_names_of_the_model():
    class Wrapper(nn.Module):
        def __init__(self, module):
            super().__init__()
            self.module = module

    build = ParamGroupsConstructor(
        dict(optimizer=OPTIMIZER),
        dict(groups=dict(head=dict(patterns=['head.*'], lr_mult=2.0))),
    )
    assert len(build(Wrapper(Method())).optimizer.param_groups) == 2


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (
            dict(groups=dict(a=dict(patterns=['backbon.*']))),
            r"group 'a' has 'backbon\.\*', which matches no parameter of Method\. Did",
        ),
        (
            dict(groups=dict(a=dict(patterns='head.*'))),
            r"patterns='head\.\*'; give a l",
        ),
        (dict(groups=dict(a={})), r'patterns=\(\); give a list'),
        (
            dict(groups=dict(default=dict(patterns=['*']))),
            r"another name than 'default'",
        ),
        (
            dict(groups=dict(a=dict(patterns=['*'], lr_mult=-1))),
            r"group 'a' has \{'lr_mult': -1\.0\}; none should be negative",
        ),
        (dict(layer_decay=dict(rate=0)), r'rate of layer_decay is 0; it should be in'),
        (
            dict(layer_decay=dict(rate=0.5, backbone='head')),
            r"layer_decay is for ViTs: 'head' has no parameters called blocks\.0",
        ),
    ],
)
def test_bad_values_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        groups_of(Method(), **options)


def test_bad_keys_are_named():
    with pytest.raises(KeyError, match=r"paramwise_cfg has 'group'\. Did you mean 'gr"):
        groups_of(Method(), group={})
    with pytest.raises(KeyError, match=r"group 'a' has 'pattern'\. Did you mean 'pat"):
        groups_of(Method(), groups=dict(a=dict(pattern=['*'])))


def test_multiples_need_something_to_multiply():
    with pytest.raises(ValueError, match=r"'a' multiplies lr by 0\.5.*optimizer\.lr"):
        groups_of(
            Method(),
            optimizer=dict(type='AdamW'),
            groups=dict(a=dict(patterns=['head.*'], lr_mult=0.5)),
        )


def test_a_frozen_model_cannot_be_trained():
    model = Method().requires_grad_(False)
    with pytest.raises(ValueError, match='Method has no parameter that requires a gra'):
        groups_of(model)
