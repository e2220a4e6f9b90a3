"""A propagation protocol: a plain dict from a config, turned into its parts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from densecorr.ops.selection import Rule
from densecorr.ops.window import Window
from densecorr.utils.suggest import suggest

from .context import Context
from .joints import JointCodec
from .labels import LabelCodec

_PARTS = {'context': Context, 'window': Window, 'select': Rule}
_CODECS = {'labels': LabelCodec, 'joints': JointCodec}  # one of them
_PLAIN = {
    'reader': 'opencv',
    'size': {},
    'resizer': 'opencv',
    'normalize': True,
    'hard': False,
    'label_stride': None,
    'metric': {},
    'data': {},
}


@dataclass(frozen=True)
class Protocol:
    """One task of a named protocol, checked.

    Attributes:
        context: frames that are looked into.
        window: neighbourhood on the feature grid.
        select: top-k, temperature, ties and weights.
        size: arguments of :func:`densecorr.ops.size_policy.resolve_size`.
        reader: decoder of the frames, ``'opencv'`` or ``'pillow'``.
        resizer: see :class:`densecorr.propagation.frames.FrameInput`.
        normalize: features get length 1.
        hard: hard instead of soft labels are kept.
        label_stride: pixels of the input per cell of a grid of its own for labels, to
            which features are resized (bilinear, half-pixel centres) before they get
            length 1. Patches of the network that the input does not fill at the bottom
            and at the right are cut off then, as SMTC does it. None: the features'
            own grid.
        labels: from label maps to soft labels and back.
        joints: from joints to soft labels and back.
        metric: arguments of the first metric of the task, which numbers published by
            this protocol were measured with.
        data: options of the dataset of the task, which the published numbers depend
            on; :func:`densecorr.apis.config.resolve` lays them over it.
    """

    context: Context
    window: Window
    select: Rule
    size: Mapping[str, Any]
    reader: str = 'opencv'
    resizer: str = 'opencv'
    normalize: bool = True
    hard: bool = False
    label_stride: int | None = None
    labels: LabelCodec | None = None
    joints: JointCodec | None = None
    metric: Mapping[str, Any] = field(default_factory=dict)
    data: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        stride = self.label_stride
        if stride is not None and stride < 1:
            raise ValueError(
                f'label_stride of a protocol is {stride}; give at least 1, or None for '
                'the grid of the features.'
            )

    def label_codec(self) -> LabelCodec:
        """``labels``, or an error: the protocol is one for joints."""
        if self.labels is None:
            raise ValueError(
                'this part of the protocol follows joints, the video has label maps. '
                'Choose the part that belongs to the data, such as davis or vip.'
            )
        return self.labels

    def joint_codec(self) -> JointCodec:
        """``joints``, or an error: the protocol is one for label maps."""
        if self.joints is None:
            raise ValueError(
                'this part of the protocol follows label maps, the video has joints. '
                'Choose the part that belongs to the data: jhmdb.'
            )
        return self.joints

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Protocol:
        """Build from the dict of one task, for example ``protocol['davis']``.

        Raises:
            KeyError: a part is missing, or a key is unknown.
            ValueError: a value is not allowed.
        """
        _check_keys('a protocol', config, {*_PARTS, *_CODECS, *_PLAIN})
        missing = set(_PARTS) - set(config)
        if missing:
            raise KeyError(f'the protocol lacks {sorted(missing)}.')
        codecs = [name for name in _CODECS if name in config]
        if len(codecs) != 1:
            raise KeyError(f'the protocol has {codecs}; give one of {list(_CODECS)}.')
        parts: dict[str, Any] = {}
        kinds = {**_PARTS, codecs[0]: _CODECS[codecs[0]]}
        for name, kind in kinds.items():
            values = dict(config[name])
            _check_keys(f'{name} of a protocol', values, {f.name for f in fields(kind)})
            if 'long_memory' in values:
                values['long_memory'] = tuple(values['long_memory'])
            parts[name] = kind(**values)
        plain = {name: config.get(name, default) for name, default in _PLAIN.items()}
        return cls(**parts, **plain)


def _check_keys(what: str, config: Mapping[str, Any], allowed: set[str]) -> None:
    unknown = sorted(set(config) - allowed)
    if unknown:
        raise KeyError(
            f'{what} has no key {unknown[0]!r}. {suggest(unknown[0], allowed)}'
        )
