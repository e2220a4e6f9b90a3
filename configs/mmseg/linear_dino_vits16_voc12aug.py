"""A backbone of densecorr, frozen, under MMSegmentation's EncoderDecoder on Pascal VOC.

The head is one 1x1 convolution on the tokens, as in the task `voc_linear`; with it come
MMSegmentation's augmentation, schedules and other decode heads. It needs the full mmcv
(requirements/mmcv-full.txt) and is run by MMEngine's Runner, see docs/segmentation.md.
"""

default_scope = 'mmseg'
custom_imports = dict(imports=['densecorr.registry'], allow_failed_imports=False)

_size = (448, 448)
data_preprocessor = dict(
    type='SegDataPreProcessor',
    mean=[123.675, 116.28, 103.53],
    std=[58.395, 57.12, 57.375],
    bgr_to_rgb=True,
    pad_val=0,
    seg_pad_val=255,
    size=_size,
    test_cfg=dict(size=_size),
)
model = dict(
    type='EncoderDecoder',
    data_preprocessor=data_preprocessor,
    backbone=dict(
        type='densecorr.TimmFeatures',
        arch='vit_small_patch16_224',
        pos_embed_rule='scale_factor',
    ),
    decode_head=dict(
        type='FCNHead',
        in_channels=384,
        in_index=0,
        channels=384,
        num_convs=0,
        concat_input=False,
        dropout_ratio=0,
        num_classes=21,
        align_corners=False,
        loss_decode=dict(type='CrossEntropyLoss', avg_non_ignore=True),
    ),
    train_cfg=dict(),
    test_cfg=dict(mode='whole'),
)
# Weights: a checkpoint whose keys begin with `backbone.`, as those of dist_train.sh.
load_from = None
custom_hooks = [dict(type='densecorr.FreezeHook', patterns=['backbone.*'])]

_data = dict(type='PascalVOCDataset', data_root='data/voc')
_images = dict(img_path='JPEGImages', seg_map_path='SegmentationClass')
_lists = 'ImageSets/Segmentation'
_resize = dict(type='Resize', scale=_size, keep_ratio=False)
train_dataloader = dict(
    batch_size=16,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='InfiniteSampler', shuffle=True),
    dataset=dict(
        **_data,
        data_prefix=dict(_images, seg_map_path='SegmentationClassAug'),
        ann_file=f'{_lists}/trainaug.txt',
        pipeline=[
            dict(type='LoadImageFromFile'),
            dict(type='LoadAnnotations'),
            _resize,
            dict(type='RandomFlip', prob=0.5),
            dict(type='PackSegInputs'),
        ],
    ),
)
val_dataloader = dict(
    batch_size=1,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        **_data,
        data_prefix=_images,
        ann_file=f'{_lists}/val.txt',
        pipeline=[
            dict(type='LoadImageFromFile'),
            _resize,
            dict(type='LoadAnnotations'),  # labels keep their size
            dict(type='PackSegInputs'),
        ],
    ),
)
test_dataloader = val_dataloader
val_evaluator = dict(type='IoUMetric', iou_metrics=['mIoU'])
test_evaluator = val_evaluator

optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='SGD', lr=0.01, momentum=0.9, weight_decay=1e-4),
)
param_scheduler = [dict(type='PolyLR', eta_min=0, power=0.9, end=20000, by_epoch=False)]
train_cfg = dict(type='IterBasedTrainLoop', max_iters=20000, val_interval=2000)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
default_hooks = dict(
    logger=dict(type='LoggerHook', interval=50, log_metric_by_epoch=False),
    checkpoint=dict(type='CheckpointHook', by_epoch=False, interval=2000),
)
