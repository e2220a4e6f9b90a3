"""TimeT ViT-S/16 on VISOR in the layout of DAVIS; DAVIS-2017 val chooses the best."""

_base_ = 'timet_vits16.py'
train_dataloader = dict(dataset=dict(data='visor', split='all', without_fold=None))
validation = dict(tasks=['video_cluster'], best='video_cluster/clip-classes')
