"""CRW ResNet-18 by CRW's protocol."""

_base_ = [
    '../_base_/models/crw_res18.py',
    '../_base_/protocols/crw.py',
    '../_base_/tasks/davis.py',
    '../_base_/tasks/davis16.py',
    '../_base_/tasks/jhmdb.py',
    '../_base_/tasks/davis_testdev.py',
    '../_base_/tasks/vip.py',
    '../_base_/tasks/ytvos18.py',
    '../_base_/tasks/ytvos19.py',
    '../_base_/default_runtime.py',
]
