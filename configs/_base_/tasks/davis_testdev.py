# DAVIS 2017 test-dev: its labels are not published, so nothing is measured; the archive
# is for the evaluation server.
task_davis_testdev = dict(
    task='davis',  # the part of the protocol that is used
    test_dataset=dict(
        type='DAVISDataset',
        year=2017,
        split='test-dev',
        root=None,
        sequences=None,
        max_frames=None,
    ),
    test_evaluator=[],
    submission=dict(file='DAVIS-2017-test-dev.zip', folder=''),
)
