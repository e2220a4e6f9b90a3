"""VFS (Xu & Wang, ICCV 2021), ResNet-50: its larger circle on DAVIS."""

_base_ = ['vfs.py']

protocol = dict(
    name='vfs_res50',
    source='xvjiarui/VFS 8e055cc, test_cfg of the ResNet-50 configs',
    # neighbor_range 36: distance < 18
    davis=dict(window=dict(radius=18)),
    ytvos=dict(window=dict(radius=18)),
)
