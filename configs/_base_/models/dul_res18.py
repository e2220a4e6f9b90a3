"""DUL ResNet-18: stride 8, unit features of layer4 ('res4'). RGB, ImageNet statistics."""

model = dict(
    type='VideoTracker',
    backbone=dict(type='DULNet', depth=18, strides=(1, 2, 1, 1), outputs=('res4',)),
    inputs=dict(color='rgb', mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225)),
)
checkpoint_source = 'dul'
