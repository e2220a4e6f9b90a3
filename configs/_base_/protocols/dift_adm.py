"""DIFT (Tang et al., NeurIPS 2023), ADM: fewer keys and another temperature."""

_base_ = ['dift_sd.py']

protocol = dict(
    name='dift_adm',
    source='Tsingularity/dift 47e7807, eval_davis.py with the settings for ADM',
    davis=dict(select=dict(topk=10, temperature=0.1)),
    ytvos=dict(select=dict(topk=10, temperature=0.1)),
)
