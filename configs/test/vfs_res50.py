"""VFS ResNet-50 by VFS' protocol."""

_base_ = [
    '../_base_/models/vfs_res50.py',
    '../_base_/protocols/vfs_res50.py',
    '../_base_/tasks/propagation.py',
    '../_base_/default_runtime.py',
]
