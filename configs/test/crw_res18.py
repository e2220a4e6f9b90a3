"""CRW ResNet-18 by CRW's protocol."""

_base_ = [
    '../_base_/models/crw_res18.py',
    '../_base_/protocols/crw.py',
    '../_base_/tasks/propagation.py',
    '../_base_/default_runtime.py',
]
