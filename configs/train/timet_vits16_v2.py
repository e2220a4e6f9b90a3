"""TimeT ViT-S/16 on YouTube-VOS 2018 as the authors' later version trains it.

Patches of all frames are balanced together, clips are consecutive frames. That version
moves its rate twice an iteration, so that it ends half-way; here it lasts.
"""

_base_ = 'timet_vits16.py'
model = dict(loss=dict(assign_frames='all', carry=dict(num_frames=6)))
train_dataloader = dict(dataset=dict(sampler=dict(mode='dense')))
train_cfg = dict(max_epochs=800)
