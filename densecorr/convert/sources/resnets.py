"""Programs that train ResNets; our names are torchvision's."""

from __future__ import annotations

from densecorr.convert.sources.source import (
    RESNET,
    RESNET_KEYS,
    Export,
    Layout,
    Rules,
    Source,
)

# OpenMMLab's conv modules: conv1.conv, conv1.bn, downsample.conv, downsample.bn
_MM_RENAME = (
    (r'^backbone\.', ''),
    (r'(^|\.)conv(\d)\.conv\.', r'\1conv\2.'),
    (r'(^|\.)conv(\d)\.bn\.', r'\1bn\2.'),
    (r'\.downsample\.conv\.', '.downsample.0.'),
    (r'\.downsample\.bn\.', '.downsample.1.'),
)
_MM_BACK = (
    (r'(^|\.)conv(\d)\.weight$', r'\1conv\2.conv.weight'),
    (r'(^|\.)bn(\d)\.', r'\1conv\2.bn.'),
    (r'\.downsample\.0\.', '.downsample.conv.'),
    (r'\.downsample\.1\.', '.downsample.bn.'),
    (r'^', 'backbone.'),
)
_MM_KEYS = (  # as trained, or as their converters write them
    r'^(backbone\.conv1\.conv|conv1)\.weight$',
    r'^(backbone\.layer1\.0\.conv1\.conv|layer1\.0\.conv1)\.weight$',
)

RESNET_SOURCES: dict[str, Source] = {
    'torchvision': Source(
        title='torchvision',
        layout=Layout(
            containers=('', 'state_dict', 'model'),
            require=RESNET_KEYS,
            forbid=(r'^emb_q\.',),
        ),
        rules=Rules(drop=(r'^fc\.',), keep=RESNET),
        export=Export(lacks='the classifier fc'),
        evidence='golden key lists of ResNet-18 and 50, and the installed torchvision',
        reference='torchvision.models.resnet',
    ),
    'crw': Source(
        title='CRW, both layouts',
        layout=Layout(
            containers=('model', ''),
            require=(
                r'^encoder\.model\.conv1\.(1\.)?weight$',
                r'^encoder\.model\.layer1\.0\.conv1\.(1\.)?weight$',
            ),
        ),
        rules=Rules(
            drop=(r'^selfsim_', r'^encoder\.model\.fc\.'),
            rename=(
                (r'^encoder\.model\.', ''),
                (r'(^|\.)conv(\d)\.1\.weight$', r'\1conv\2.weight'),  # padded convs
            ),
            keep=RESNET,
        ),
        export=Export('model', ((r'^', 'encoder.model.'),), (), 'the head selfsim_fc'),
        evidence='golden key lists of both layouts',
        reference='ajabri/videowalk code/utils/__init__.py, code/model.py (047f3f4)',
    ),
    'dul': Source(
        title='DUL snapshots',
        layout=Layout(
            containers=('model', ''),
            require=(
                r'^(fast_net\.)?backbone\.conv1\.weight$',
                r'^(fast_net\.)?emb_q\.',
            ),
        ),
        rules=Rules(
            rename=((r'^fast_net\.', ''),),
            keep=(
                r'^backbone\.(conv1|bn1|layer[1-4])\.',
                r'^emb_q\.(conv1|bn1|conv2)\.',
            ),
            inner='backbone.',
        ),
        export=Export('model', ((r'^', 'fast_net.'),), (), 'nothing'),
        evidence='golden key list of the whole network',
        reference='visinf/dense-ulearn-vos models/framework.py (88e5e35)',
    ),
    'vfs': Source(
        title='VFS, trained or converted',
        layout=Layout(
            containers=('state_dict', ''),
            require=_MM_KEYS,
            forbid=(r'^backbone_t\.', r'^emb_q\.'),
            marks=(r'^img_head\.',),
        ),
        rules=Rules(
            drop=(r'^img_head\.', r'^iteration$', r'^(backbone\.)?fc\.'),
            rename=_MM_RENAME,
            keep=RESNET,
        ),
        export=Export('state_dict', _MM_BACK, (), 'img_head and iteration'),
        evidence='golden key lists of the training layout and of its conversion',
        reference='xvjiarui/VFS tools/convert_weights (8e055cc)',
    ),
    'spa_then_temp': Source(
        title='Spa-then-Temp',
        layout=Layout(
            containers=('state_dict', ''),
            require=_MM_KEYS,
            forbid=(r'^img_head\.', r'^emb_q\.'),
            marks=(r'^backbone_t\.',),
        ),
        rules=Rules(
            drop=(r'^backbone_t\.', r'^iteration$', r'^(backbone\.)?fc\.'),
            rename=_MM_RENAME,
            keep=RESNET,
        ),
        export=Export('state_dict', _MM_BACK, (), 'the teacher backbone_t'),
        evidence='golden key map of ResNet-18 and 50; released files were not seen',
        reference='qianduoduolr/Spa-then-Temp vcl/models/backbones/resnet.py (4c94362)',
    ),
    'moco_v2': Source(
        title='MoCo v2',
        layout=Layout(
            containers=('state_dict', ''),
            require=(r'^encoder_q\.conv1\.weight$', r'^encoder_q\.layer1\.0\.conv1\.'),
        ),
        rules=Rules(
            drop=(r'^encoder_k\.', r'^queue(_ptr)?$', r'^encoder_q\.fc\.'),
            rename=((r'^encoder_q\.', ''),),
            keep=RESNET,
        ),
        export=Export(
            'state_dict',
            ((r'^', 'module.encoder_q.'),),
            (),
            'the head encoder_q.fc, encoder_k and the queue',
        ),
        evidence='golden key list',
        reference='facebookresearch/moco main_lincls.py',
    ),
    'simsiam': Source(
        title='SimSiam',
        layout=Layout(
            containers=('state_dict', ''),
            require=(r'^encoder\.conv1\.weight$', r'^encoder\.layer1\.0\.conv1\.'),
        ),
        rules=Rules(
            drop=(r'^encoder\.fc\.', r'^predictor\.'),
            rename=((r'^encoder\.', ''),),
            keep=RESNET,
        ),
        export=Export(
            'state_dict',
            ((r'^', 'module.encoder.'),),
            (),
            'the head encoder.fc and the predictor',
        ),
        evidence='golden key list',
        reference='facebookresearch/simsiam main_lincls.py',
    ),
}
