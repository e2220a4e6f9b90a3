"""What a checkpoint format is: where its tensors lie, and what becomes of each.

Patterns are regular expressions, searched in the keys of the state dict after a leading
``module.`` was removed from them. Facts come from the official repositories.
"""

from __future__ import annotations

from dataclasses import dataclass

from densecorr.convert.tensor_rules import StateRule, TensorRule

Renames = tuple[tuple[str, str], ...]

# Our own forms: the names of torchvision's ResNets and of timm's (and DINO's) ViTs.
RESNET = (r'^(conv1|bn1)\.', r'^layer[1-4]\.\d+\.')
RESNET_KEYS = (r'^conv1\.weight$', r'^layer1\.0\.conv1\.weight$')
VIT = (
    r'^(cls_token|dist_token|reg_token|pos_embed)$',
    r'^(patch_embed|norm_pre|norm|fc_norm)\.',
    r'^blocks\.\d+\.',
)
VIT_KEYS = (r'^patch_embed\.proj\.weight$', r'^blocks\.0\.attn\.qkv\.weight$')


@dataclass(frozen=True)
class Layout:
    """How a file of a format looks.

    Attributes:
        containers: where the state dict lies, first match wins; ``''`` is the file.
        require: each must be found in some key, else it is another format.
        forbid: none may be found in any key.
        marks: what only this program writes, in the state dict or beside it: a file
            that has one is not taken for another program's.
        needs_mark: a file without a mark is read where the format is named, and not
            recognised.
    """

    containers: tuple[str, ...]
    require: tuple[str, ...]
    forbid: tuple[str, ...] = ()
    marks: tuple[str, ...] = ()
    needs_mark: bool = False


@dataclass(frozen=True)
class Rules:
    """What becomes of the keys of a state dict.

    Attributes:
        drop: keys that a backbone does not need, dropped by rule.
        rename: (pattern, replacement) pairs, applied one after the other.
        tensors: changes of tensors that renaming cannot express, after it.
        keep: forms of our names; others are unknown. Empty: all.
        inner: prefix of the plain backbone where the network is more than one.
        spare: our names that a network may lack where all values are zero.
    """

    drop: tuple[str, ...] = ()
    rename: Renames = ()
    tensors: tuple[TensorRule, ...] = ()
    keep: tuple[str, ...] = ()
    inner: str = ''
    spare: tuple[str, ...] = ()


@dataclass(frozen=True)
class Export:
    """How our tensors go back into the program's layout.

    Attributes:
        container: key of the file for the state dict; ``''`` is the file.
        rename: (pattern, replacement) pairs on our names, one after the other.
        tensors: inverse of the rules' tensor changes, before renaming.
        lacks: what an official file has besides and cannot be made again.
    """

    container: str = ''
    rename: Renames = ()
    tensors: tuple[StateRule, ...] = ()
    lacks: str = ''


@dataclass(frozen=True)
class Source:
    """How one program writes its checkpoints.

    Attributes:
        title: name of the program or method, for people.
        layout: how its files look.
        rules: what becomes of their keys.
        export: how to write them; None where the rules cannot be inverted.
        evidence: what the names were checked against; ``''`` is unverified.
        note: what every output has to say of the converted weights.
        reference: where the facts come from.
    """

    title: str
    layout: Layout
    rules: Rules
    export: Export | None = None
    evidence: str = ''
    note: str = ''
    reference: str = ''

    @property
    def status(self) -> str:
        """``'verified'`` or ``'unverified'``."""
        return 'verified' if self.evidence else 'unverified'
