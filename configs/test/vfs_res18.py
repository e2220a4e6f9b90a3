"""VFS ResNet-18 by VFS' protocol."""

_base_ = [
    '../_base_/models/vfs_res18.py',
    '../_base_/protocols/vfs.py',
    '../_base_/tasks/propagation.py',
    '../_base_/default_runtime.py',
]
