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
_INK: Color = (44, 30, 34)
_NUM_PAINTS = 4  # of a world


class Colors:
    """Colours of one world: few paints, and the background's own on every object.

    So colours alone do not tell an object from the background or from another one.

    Args:
        draws: of its random numbers.
    """

    def __init__(self, draws: Draws) -> None:
        self.draws = draws
        self.ground = _GROUNDS[draws.choice(tuple(_GROUNDS))]
        self.paints = draws.sample(_PAINTS, _NUM_PAINTS)

    def backdrop(self) -> Dye:
        """Of the background: its ground, and a paint that objects have too."""
        paint = self.draws.choice(self.paints)
        return Dye((*self.ground[:2], paint), self._pattern(), 60)

    def sprite(self) -> Dye:
        """Of an object: two paints over a colour of the background."""
        first, second = self.draws.sample(self.paints, 2)
        ground = self.draws.choice(self.ground)
        return Dye((ground, first, second), self._pattern(), 50)

    def body(self) -> dict[str, Dye]:
        """Of the parts of a body, by their names."""
        shirt, trim, trousers, shoes = self.draws.sample(self.paints, 4)
        skin, ground = self.draws.choice(_SKINS), self.ground
        pale = (min(255, skin[0] + 16), min(255, skin[1] + 16), min(255, skin[2] + 12))
        return dict(
            head=Dye((skin, pale, _INK), 'face'),
            torso=Dye((shirt, ground[0], trim), self._pattern()),
            arms=Dye((shirt, skin, trim), self._pattern()),
            legs=Dye((trousers, ground[2], trousers), self._pattern()),
            feet=Dye((shoes, ground[1], shoes)),
        )

    def _pattern(self) -> str:
        return self.draws.choice(('stripes', 'dots', 'plain'))
