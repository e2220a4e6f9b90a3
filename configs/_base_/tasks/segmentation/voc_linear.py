# Pascal VOC 2012: a 1x1 convolution learns the classes from frozen features of trainaug
# and is scored on val.
task_voc_linear = dict(
    task='voc_linear',  # the part of the protocol that is used
    default_protocol='full_size',
    test_model='FrameFeatures',
    test_loop='FeatureTestLoop',
    test_dataset=dict(
        type='TrainAndTest',
        train=dict(type='VOCDataset', split='trainaug'),
        test=dict(type='VOCDataset', split='val'),
        root=None,
        sequences=None,
        max_frames=None,
    ),
    test_evaluator=[dict(type='LinearProbeMetric', seeds=[0])],
)
