"""Renaming of official keys, for cases that only fill a network with weights."""

from torch import Tensor


def torchvision_names(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Backbone of an OpenMMLab checkpoint under torchvision's names."""
    renamed = {}
    for key, value in state.items():
        if not key.startswith('backbone.'):
            continue
        name = key.removeprefix('backbone.')
        head, _, leaf = name.rpartition('.')
        if head.endswith(('downsample.conv', 'downsample.bn')):
            head = head.replace('.conv', '.0').replace('.bn', '.1')
        elif head.endswith('.bn'):
            head = head.removesuffix('.bn')
            head = head[: -len('convN')] + f'bn{head[-1]}'
        else:
            head = head.removesuffix('.conv')
        renamed[f'{head}.{leaf}'] = value
    return renamed
