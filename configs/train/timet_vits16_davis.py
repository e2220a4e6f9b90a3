"""TimeT ViT-S/16 on DAVIS-2017 train; the clusters of its val split choose the best."""

_base_ = 'timet_vits16.py'
train_dataloader = dict(
    dataset=dict(data='davis', split='2017/train', without_fold=None, clips_per_video=8)
)
validation = dict(tasks=['video_cluster'], best='video_cluster/clip-classes')
