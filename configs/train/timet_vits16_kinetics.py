"""TimeT ViT-S/16 on Kinetics-400; the clusters of DAVIS-2017 val choose the best."""

_base_ = 'timet_vits16.py'
train_dataloader = dict(
    dataset=dict(data='kinetics400', split='train', without_fold=None)
)
train_cfg = dict(max_epochs=2)  # some hundred thousand clips an epoch
default_hooks = dict(checkpoint=dict(interval=500, unit='iter'))
validation = dict(
    tasks=['video_cluster'],
    interval=500,
    unit='iter',
    best='video_cluster/clip-classes',
)
