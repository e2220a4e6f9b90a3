"""TimeT ViT-S/16 on a folder of videos of your own, files or folders of frames:
--cfg-options train_dataloader.dataset.root=my/videos
"""

_base_ = 'timet_vits16.py'
train_dataloader = dict(
    batch_size=16,
    num_workers=2,
    dataset=dict(
        data=None,
        split=None,
        root='data/videos',
        without_fold=None,
        clips_per_video=32,
        decode=dict(reader='opencv'),
    ),
)
train_cfg = dict(max_iters=600)
default_hooks = dict(checkpoint=dict(interval=100, unit='iter'))
validation = None
