"""Spa-then-Temp (Li & Liu, CVPR 2023), stride 4: larger squares."""

_base_ = ['spa_then_temp.py']

protocol = dict(
    name='spa_then_temp_d4',
    published_stride=4,
    # neighbor_range 70, 24 and 70
    davis=dict(window=dict(radius=35)),
    jhmdb=dict(window=dict(radius=12)),
    vip=dict(window=dict(radius=35)),
    ytvos=dict(window=dict(radius=35)),
)
