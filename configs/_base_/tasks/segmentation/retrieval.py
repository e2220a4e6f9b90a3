# Pascal VOC 2012 without training: patches of val get their labels from the most
# similar patches of trainaug, each of whose images is remembered twice.
task_retrieval = dict(
    task='retrieval',  # the part of the protocol that is used
    default_protocol='hummingbird',
    test_model='FrameFeatures',
    test_loop='FeatureTestLoop',
    test_dataset=dict(
        type='TrainAndTest',
        train=dict(
            type='AugmentedImages',
            dataset=dict(type='VOCDataset', split='trainaug'),
            epochs=2,  # of augmentation, as in the published table
            seed=0,
        ),
        test=dict(type='VOCDataset', split='val'),
        root=None,
        sequences=None,
        max_frames=None,
    ),
    test_evaluator=[dict(type='RetrievalMetric', seeds=[0])],
)
