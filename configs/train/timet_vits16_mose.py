"""TimeT ViT-S/16 on MOSE; the clusters of DAVIS-2017 val choose the best weights."""

_base_ = 'timet_vits16.py'
train_dataloader = dict(dataset=dict(data='mose', split='train', without_fold=None))
validation = dict(tasks=['video_cluster'], best='video_cluster/clip-classes')
