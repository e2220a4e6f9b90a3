# Pascal VOC 2012 val without training: all images are clustered together by their
# features, into as many clusters as there are classes and into more.
task_voc_cluster = dict(
    task='voc_cluster',  # the part of the protocol that is used
    default_protocol='full_size',
    test_model='FrameFeatures',
    test_loop='FeatureTestLoop',
    test_dataset=dict(
        type='VOCDataset', split='val', root=None, sequences=None, max_frames=None
    ),
    test_evaluator=[
        dict(
            type='ClusterMetric',
            units=['dataset'],
            num_clusters=['classes', 200, 300, 500],
            seeds=[1],
        )
    ],
)
