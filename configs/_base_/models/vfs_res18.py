"""VFS ResNet-18 at test: stride 8, max pool, layer3. RGB, ImageNet statistics."""

model = dict(
    type='VideoTracker',
    backbone=dict(
        type='ResNet', depth=18, strides=(1, 2, 1, 1), out_indices=(2,), pool='max'
    ),
    inputs=dict(color='rgb', mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225)),
)
checkpoint_source = 'vfs'
