# YouTube-VOS 2019 valid: objects that may appear late. The archive is for the evaluation
# server; J and F are measured where the root has labels to score with (truth).
task_ytvos19 = dict(
    task='ytvos',  # the part of the protocol that is used
    test_dataset=dict(
        type='YouTubeVOSDataset',
        year=2019,
        split='valid',
        root=None,
        sequences=None,
        max_frames=None,
        all_frames=False,  # True tracks through valid_all_frames
        truth=None,
    ),
    test_evaluator=[dict(type='YouTubeVOSMetric')],
    submission=dict(file='Annotations.zip', folder='Annotations'),
)
