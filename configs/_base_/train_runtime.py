# What every training config has besides default_runtime.py: see docs/train.md.
default_hooks = dict(
    log=dict(type='TrainLogHook', interval=20),  # iterations between console lines
    checkpoint=dict(type='TrainCheckpointHook', interval=1, unit='epoch', max_keep=3),
)
# Scalars of every iteration: scalars.json and TensorBoard. Any backend of MMEngine's
# visualizer may stand here, such as dict(type='WandbVisBackend').
visualizer = dict(
    type='Visualizer',
    vis_backends=[dict(type='LocalVisBackend'), dict(type='TensorboardVisBackend')],
)
# Memory, speed and several processes: see docs/precision.md.
sync_bn = False
activation_checkpointing = []  # names of modules, such as 'backbone.layer1'
compile = False
