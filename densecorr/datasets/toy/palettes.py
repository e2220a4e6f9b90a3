"""Colours of the generated world: what objects and backgrounds are painted with."""

from __future__ import annotations

from .fixed import Draws
from .texture import Color, Dye

# Ground, clouds, pattern.
_GROUNDS: dict[str, tuple[Color, Color, Color]] = dict(
    meadow=((92, 128, 60), (150, 160, 84), (66, 96, 58)),
    sand=((196, 168, 120), (170, 132, 92), (218, 200, 160)),
    water=((58, 104, 138), (96, 150, 160), (42, 74, 112)),
    heath=((128, 100, 110), (150, 132, 96), (96, 82, 104)),
    stone=((132, 132, 128), (106, 104, 110), (164, 156, 142)),
    dusk=((98, 84, 120), (150, 104, 110), (70, 72, 104)),
)
_PAINTS: tuple[Color, ...] = (
    (206, 62, 50), (232, 142, 48), (238, 204, 78), (104, 158, 66), (52, 128, 116),
    (60, 118, 184), (112, 82, 164), (204, 96, 144), (238, 232, 214), (74, 62, 66),
    (160, 108, 70), (146, 186, 206),
)  # fmt: skip
_SKINS: tuple[Color, ...] = ((232, 188, 154), (196, 146, 108), (142, 98, 70))
_PATTERNS = ('stripes', 'dots', 'plain')


def backdrop_dye(draws: Draws) -> Dye:
    """Colours of a background."""
    name = draws.choice(tuple(_GROUNDS))
    return Dye(_GROUNDS[name], draws.choice(_PATTERNS), 60)


def sprite_dye(draws: Draws) -> Dye:
    """Colours of an object: two paints, and one of a background's, in any pattern."""
    first, second = draws.sample(_PAINTS, 2)
    shared = draws.choice(_GROUNDS[draws.choice(tuple(_GROUNDS))])
    return Dye((first, shared, second), draws.choice(_PATTERNS), 46)


def body_dyes(draws: Draws) -> dict[str, Dye]:
    """Colours of the parts of a body, by their names."""
    shirt, pattern, trousers, shoes = draws.sample(_PAINTS, 4)
    skin = draws.choice(_SKINS)
    ground = _GROUNDS[draws.choice(tuple(_GROUNDS))]
    pale = (min(255, skin[0] + 16), min(255, skin[1] + 16), min(255, skin[2] + 12))
    return dict(
        head=Dye((skin, pale, (skin[0] * 3 // 4, skin[1] * 2 // 3, skin[2] * 2 // 3))),
        torso=Dye((shirt, ground[0], pattern), draws.choice(_PATTERNS)),
        arms=Dye((shirt, skin, pattern), draws.choice(_PATTERNS)),
        legs=Dye((trousers, ground[2], trousers), draws.choice(_PATTERNS)),
        feet=Dye((shoes, ground[1], shoes)),
    )
