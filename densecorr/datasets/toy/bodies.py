"""Articulated bodies: two figures of twelve pieces, five parts and fifteen joints."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .fixed import ONE, TURN
from .motion import Wave
from .shapes import Points, capsule, mirrored, polar, scaled
from .sprites import Hinge, Joint, Piece, Sprite
from .texture import Dye

HEAD, TORSO, ARMS, LEGS, FEET = range(1, 6)  # numbers of sprites.PARTS


@dataclass(frozen=True)
class Build:
    """Measures of a body in thousandths of its height.

    Attributes:
        head: width and height of the head.
        shoulder: half width of the shoulders.
        hip: half width between the hip joints.
        torso: from belly up to the neck.
        arm: lengths of upper arm and forearm.
        leg: lengths of thigh and shin.
        limb: radii of shoulder, elbow, wrist, hip, knee, ankle.
    """

    head: tuple[int, int] = (85, 105)
    shoulder: int = 112
    hip: int = 58
    torso: int = 255
    arm: tuple[int, int] = (155, 140)
    leg: tuple[int, int] = (205, 195)
    limb: tuple[int, int, int, int, int, int] = (42, 34, 28, 60, 46, 36)


@dataclass(frozen=True)
class Gait:
    """Swings of the limbs, all in step with one rate.

    Attributes:
        rate: of the swings, angle per frame in 1/65536 turn.
        phase: at frame 0.
        arms: rest angle away from the body, and swing, in 1/65536 turn.
        elbows: bend and swing.
        legs: rest angle away from the body, and swing.
        knees: bend and swing.
        opposed: right and left swing in turn (walking), else together (jumping).
    """

    rate: int
    phase: int = 0
    arms: tuple[int, int] = (3000, 6500)
    elbows: tuple[int, int] = (5000, 3000)
    legs: tuple[int, int] = (1200, 5000)
    knees: tuple[int, int] = (4000, 4000)
    opposed: bool = True


BUILDS = dict(
    walker=Build(),
    dancer=Build(
        head=(105, 105),
        shoulder=100,
        hip=62,
        torso=225,
        arm=(165, 165),
        leg=(200, 200),
        limb=(40, 34, 32, 72, 56, 38),
    ),
)
_FOOT = (75, 34)  # half length and half height
# Pieces from back to front; all hang on the torso in the end.
_NAMES = (
    'left arm', 'left forearm', 'left thigh', 'left shin', 'left foot',
    'right thigh', 'right shin', 'right foot', 'torso', 'head',
    'right arm', 'right forearm',
)  # fmt: skip
_AT = {name: k for k, name in enumerate(_NAMES)}
_PARTS = dict(
    head=HEAD, torso=TORSO, arm=ARMS, forearm=ARMS, thigh=LEGS, shin=LEGS, foot=FEET
)
_HANGS_ON = dict(forearm='arm', shin='thigh', foot='shin')  # of its side, else torso
_ORDER = ('torso', 'head', 'right arm', 'right forearm', 'left arm', 'left forearm',
          'right thigh', 'right shin', 'right foot', 'left thigh', 'left shin',
          'left foot')  # fmt: skip


def articulated(
    category: str, height: int, dyes: dict[str, Dye], gait: Gait, **facts: Any
) -> Sprite:
    """A body.

    Args:
        category: a key of ``BUILDS``.
        height: in 1/65536 px.
        dyes: of the parts, by the names of ``PARTS``.
        gait: how the limbs swing.
        facts: further fields of :class:`Sprite`.
    """
    build = BUILDS[category]
    names = ('head', 'torso', 'arms', 'legs', 'feet')
    pieces = []
    for name in _NAMES:
        kind = name.split()[-1]
        part = _PARTS[kind]
        outline = scaled(_outline(name, build), height)
        pieces.append(Piece(outline, part, dyes[names[part - 1]]))
    hinges = tuple(_hinge(name, build, height, gait) for name in _NAMES)
    return Sprite(
        category,
        tuple(pieces),
        hinges=hinges,
        joints=_joints(build, height),
        unit=max(4, height // (9 * ONE)),
        order=tuple(_AT[name] for name in _ORDER),
        **facts,
    )


def _outline(name: str, build: Build) -> Points:
    """Outline of a piece about its pivot, in thousandths of the height."""
    shoulder, elbow, wrist, hip, knee, ankle = build.limb
    side, _, kind = name.rpartition(' ')
    if kind == 'head':
        width, tall = build.head
        return [(x, y * tall // width - tall * 9 // 10) for x, y in polar(width)]
    if kind == 'torso':
        wide, low, up = build.shoulder, build.hip + 42, build.torso
        return mirrored([
            (30, -up - 12), (wide - 20, -up + 5), (wide, -up + 40),
            (wide * 3 // 4, -up // 3), (low - 12, 20), (low, 85), (low - 30, 115),
        ])  # fmt: skip
    if kind == 'foot':
        long, tall = _FOOT
        shift = -long // 2 if side == 'right' else long // 2
        oval = polar(long)
        return [(x + shift, y * tall // long + tall // 3) for x, y in oval]
    return {
        'arm': capsule(build.arm[0], shoulder, elbow),
        'forearm': capsule(build.arm[1], elbow, wrist),
        'thigh': capsule(build.leg[0], hip, knee),
        'shin': capsule(build.leg[1], knee, ankle),
    }[kind]


def _hinge(name: str, build: Build, height: int, gait: Gait) -> Hinge:
    """Where a piece hangs; its side is that of the body, which faces us."""
    side, _, kind = name.rpartition(' ')
    if kind == 'torso':
        return Hinge(angle=Wave(0, 700, gait.rate, gait.phase))
    parent = f'{side} {_HANGS_ON[kind]}' if kind in _HANGS_ON else 'torso'
    sign = -1 if side == 'right' else 1
    x, y = {
        'head': (0, -build.torso),
        'arm': (sign * (build.shoulder - 22), -build.torso + 30),
        'forearm': (0, build.arm[0]),
        'thigh': (sign * build.hip, 70),
        'shin': (0, build.leg[0]),
        'foot': (0, build.leg[1]),
    }[kind]
    swing = _swing(kind, sign, gait)
    return Hinge(_AT[parent], x * height // 1000, y * height // 1000, swing)


def _swing(kind: str, sign: int, gait: Gait) -> Wave:
    """Angle of a piece against what it hangs on.

    A limb hangs along y, so that a negative angle moves its end to the right.

    Args:
        kind: name without the side.
        sign: 1 for a piece on the right of the picture, -1 on the left.
        gait: of the body.
    """
    if kind == 'head':
        return Wave(0, 1200, gait.rate, gait.phase + TURN // 4)
    phase = gait.phase + (TURN // 2 if gait.opposed and sign < 0 else 0)
    if kind == 'foot':
        return Wave(0, 600, gait.rate, phase)
    rest, swing = {
        'arm': gait.arms,
        'forearm': gait.elbows,
        'thigh': gait.legs,
        'shin': gait.knees,
    }[kind]
    if not gait.opposed:  # limbs open to their side, knees bend back
        outwards = sign if kind == 'shin' else -sign
        return Wave(outwards * rest, outwards * swing, gait.rate, phase)
    along = -1 if kind in ('arm', 'forearm') else 1  # arms swing against the legs
    bend = along if kind in ('forearm', 'shin') else -sign
    return Wave(bend * rest, along * swing, gait.rate, phase)


def _joints(build: Build, height: int) -> tuple[Joint, ...]:
    """Joints in JHMDB's order."""
    tall = build.head[1]
    joints = [
        ('torso', 0, -build.torso, ('torso', 'head')),
        ('torso', 0, 0, ('torso',)),
        ('head', 0, -tall * 9 // 10, ('head',)),
    ]
    ends = (
        ('arm', (0, 0), ('arm', 'torso')),
        ('thigh', (0, 0), ('thigh', 'torso')),
        ('forearm', (0, 0), ('forearm', 'arm')),
        ('shin', (0, 0), ('shin', 'thigh')),
        ('forearm', (0, build.arm[1]), ('forearm',)),
        ('shin', (0, build.leg[1]), ('shin', 'foot')),
    )
    for kind, (x, y), touching in ends:
        for side in ('right', 'left'):
            near = tuple(k if k == 'torso' else f'{side} {k}' for k in touching)
            joints.append((f'{side} {kind}', x, y, near))
    return tuple(
        Joint(
            _AT[name],
            x * height // 1000,
            y * height // 1000,
            tuple(_AT[k] for k in near),
        )
        for name, x, y, near in joints
    )
