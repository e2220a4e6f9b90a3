"""Spa-then-Temp ResNet-50 at test: stride 4 with a mean stem pool, layer3. LAB."""

model = dict(
    type='VideoTracker',
    backbone=dict(
        type='ResNet', depth=50, strides=(1, 1, 1, 1), out_indices=(2,), pool='mean'
    ),
    inputs=dict(color='lab', mean=(50.0, 0.0, 0.0), std=(50.0, 127.0, 127.0)),
)
checkpoint_source = 'spa_then_temp'
