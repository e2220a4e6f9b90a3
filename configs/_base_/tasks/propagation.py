# Every task of label propagation.
_base_ = [
    'davis.py',
    'davis16.py',
    'davis_testdev.py',
    'jhmdb.py',
    'vip.py',
    'ytvos18.py',
    'ytvos19.py',
]
