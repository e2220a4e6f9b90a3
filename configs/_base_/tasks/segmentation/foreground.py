# Pascal VOC 2012: clusters that lie where the class token looks are foreground. Labels of
# trainaug choose the cut, val is scored. The backbone has to be a ViT.
task_foreground = dict(
    task='foreground',  # the part of the protocol that is used
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
    test_evaluator=[dict(type='ForegroundMetric', seeds=[1])],
)
