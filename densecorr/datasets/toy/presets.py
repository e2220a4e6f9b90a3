"""Named little worlds, each drawn from a seed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from densecorr.utils.suggest import suggest

from .bodies import Gait, articulated
from .clip import Clip
from .fixed import ONE, TURN, Draws, fraction, hash_keys
from .motion import Passage, Path, Wave
from .palettes import Colors
from .render import Backdrop, Light, Scene
from .sprites import Sprite, rigid
from .world import World, turn_in

MIN_SIDE = 32
_ODD_SIZE = (237, 421)
# Without thin ends, for clips that measure the propagation and not the shapes.
_SOLID = ('ball', 'egg', 'gem', 'flower', 'cloud', 'heart', 'shield', 'house', 'gear',
          'bean', 'tile')  # fmt: skip
_ANY = (*_SOLID, 'star', 'fish', 'leaf', 'drop', 'kite', 'cross', 'bell')


def make_clip(
    preset: str, seed: int, size: tuple[int, int] = (240, 432), num_frames: int = 20
) -> Clip:
    """A clip of a preset; equal arguments give equal clips on every machine.

    Args:
        preset: one of ``PRESETS``.
        seed: any integer from 0.
        size: ``(H, W)`` in pixels, each at least 32; ``'odd'`` has its own.
        num_frames: at least 1, at least 4 for presets in which an object comes or goes.

    Raises:
        ValueError: unknown preset, or a number out of its range.
    """
    if preset not in _BUILDERS:
        raise ValueError(
            f'preset {preset!r} of SpriteWorld is unknown. '
            f'{suggest(str(preset), PRESETS)}'
        )
    least = _LEAST_FRAMES.get(preset, 1)
    if num_frames < least:
        raise ValueError(
            f'num_frames is {num_frames}; preset {preset!r} needs at least {least}.'
        )
    if seed < 0:
        raise ValueError(f'seed is {seed}; give an integer from 0.')
    if len(size) != 2:
        raise ValueError(f'size is {tuple(size)}; give two numbers, (H, W).')
    height, width = _ODD_SIZE if preset == 'odd' else (int(size[0]), int(size[1]))
    if min(height, width) < MIN_SIDE:
        raise ValueError(
            f'size is {height}x{width} (H x W); sprites need at least {MIN_SIDE} '
            'pixels a side.'
        )
    key = hash_keys('spriteworld', preset, seed)
    world = World(
        height, width, num_frames, Draws(key, 'motion'), Colors(Draws(key, 'colors'))
    )
    scene = _BUILDERS[preset](world)
    sprites = tuple(
        replace(sprite, last=num_frames - 1) if sprite.last < 0 else sprite
        for sprite in scene.sprites
    )
    scene = replace(scene, key=key, sprites=sprites)
    return Clip(f'{preset}_{seed:02d}', scene, num_frames)


def make_clips(
    preset: str | Sequence[str],
    num_clips: int,
    size: tuple[int, int],
    num_frames: int,
    seed: int,
) -> list[Clip]:
    """Clips of a preset, or of several in turn, each with the next seed.

    Raises:
        ValueError: there is no preset or no clip, or as :func:`make_clip`.
    """
    presets = [preset] if isinstance(preset, str) else list(preset)
    if num_clips < 1:
        raise ValueError(f'num_clips is {num_clips}; give at least 1.')
    if not presets:
        raise ValueError(f'preset is {preset!r}; name at least one of {PRESETS}.')
    return [
        make_clip(presets[i % len(presets)], seed + i, size, num_frames)
        for i in range(num_clips)
    ]


def _backdrop(world: World, pan: int = 30, period: int = 700) -> Backdrop:
    """Background that pans by ``pan`` thousandths of the frame and zooms a little."""
    draws = world.draws
    phases = [draws.integer(0, TURN - 1) for _ in range(2)]
    path = Path(
        world.wide(500, pan, turn_in(period), phases[0]),
        world.tall(500, pan, turn_in(period * 13 // 10), phases[1]),
        scale=world.scale(30, 900),
    )
    sides = []
    for side in (world.height, world.width):
        reach = side // 2 + side * pan // 1000 + 1
        sides.append(2 * (reach * 1000 // 965 + 4))
    return Backdrop(
        path, sides[0], sides[1], world.colors.backdrop(), max(8, world.unit // 3)
    )


def _scene(world: World, sprites: list[Sprite], **facts: Any) -> Scene:
    backdrop = facts.pop('backdrop', None) or _backdrop(world)
    size = (world.height, world.width)
    return Scene(size, 0, backdrop, tuple(sprites), **facts)


def _wanderer(
    world: World, shapes: tuple[str, ...], x: int, y: int, radius: int, **facts: Any
) -> Sprite:
    """A rigid sprite that wanders about a home, given in thousandths of the frame."""
    draws = world.draws
    sign = draws.sign()
    start = -TURN // 4 + draws.integer(0, TURN // 16)
    path = Path(
        world.wide(x, sign * world.about(120), turn_in(draws.integer(480, 560)), start),
        world.tall(y, draws.sign() * world.about(70), turn_in(420), start),
        world.sway(40, 500),
        world.scale(100, 600),
    )
    facts.setdefault('path', path)
    shape, dye = draws.choice(shapes), world.colors.sprite()
    facts.setdefault('last', -1)
    return rigid(shape, world.radius(radius), dye, **facts)


def _single(world: World) -> Scene:
    """One solid object that wanders."""
    draws = world.draws
    start = -TURN // 4 + draws.integer(0, TURN // 16)
    path = Path(
        world.wide(500, draws.sign() * world.about(95), turn_in(500), start),
        world.tall(500, draws.sign() * world.about(60), turn_in(430), start),
        world.spin(draws.integer(1, 3)),
        world.scale(120, 500),
    )
    return _scene(world, [_wanderer(world, _SOLID, 0, 0, 200, path=path)])


def _carousel(
    world: World, count: int, reach: int, rise: int, period: int, start: tuple[int, int]
) -> list[tuple[Wave, Wave, Wave, Wave]]:
    """x, y, scale and depth of objects on a ring that is seen from the side.

    The nearer half of the ring is lower and larger, so objects pass in front of
    others on one side and behind them on the other.

    Args:
        world: of the preset.
        count: of objects, evenly spaced.
        reach: half axis along x, see :meth:`World.wide`.
        rise: half axis along y, see :meth:`World.tall`.
        period: of a turn in tenths of a frame.
        start: range of the first angle in degrees, forward on the way.
    """
    draws, way = world.draws, world.draws.sign()
    offset = way * draws.integer(*(TURN * degrees // 360 for degrees in start))
    rate, waves = way * turn_in(period), []
    for k in range(count):
        phase = offset + k * TURN // count
        near = phase + TURN // 4
        waves.append(
            (
                world.wide(500, reach, rate, phase),
                world.tall(500, rise, rate, near),
                Wave(ONE, ONE // 10, rate, near),
                Wave(0, ONE, rate, near),
            )
        )
    return waves


def _occlusion(world: World) -> Scene:
    """Three solid objects that pass over each other, in an order that changes."""
    shapes = world.draws.sample(_SOLID, 3)
    sprites = []
    for shape, (x, y, scale, depth) in zip(
        shapes, _carousel(world, 3, 195, 85, 700, (-4, 4)), strict=True
    ):
        path = Path(x, y, world.sway(35, 500), scale)
        radius = world.about(165, 60)
        sprites.append(_wanderer(world, (shape,), 0, 0, radius, path=path, depth=depth))
    return _scene(world, sprites)


def _figures(world: World, height: int, reach: int, period: int) -> list[Sprite]:
    """A walker and a dancer that change places, on a ring of two.

    They start at its ends (a quarter turn ahead), just before one gets ahead of the
    other, so that the order of painting changes in every clip.
    """
    draws, figures = world.draws, []
    gaits = dict(
        walker=Gait(turn_in(160), draws.integer(0, TURN - 1)),
        dancer=Gait(turn_in(200), draws.integer(0, TURN - 1), (15000, 7000),
                    (4000, 4500), (3300, 2400), (2400, 2000), opposed=False),
    )  # fmt: skip
    ring = _carousel(world, 2, reach, 25, period, (-25, -5))
    quarter = TURN // 4
    for (name, gait), (x, y, scale, depth) in zip(gaits.items(), ring, strict=True):
        x, y, depth = (replace(w, phase=w.phase + quarter) for w in (x, y, depth))
        path = Path(x, y, scale=replace(scale, phase=scale.phase + quarter))
        tall = world.radius(height)
        figures.append(
            articulated(
                name, tall, world.colors.body(), gait, path=path, depth=depth, last=-1
            )
        )
    return figures


def _articulated(world: World) -> Scene:
    """A walker and a dancer that pass each other."""
    return _scene(world, _figures(world, 760, 200, 420))


def _comer(world: World, late: bool, frame: int, y: int) -> Sprite:
    """A sprite that comes into the frame at ``frame``, or leaves it after.

    It passes in front of all others. Its swings are at rest at ``frame``, so that its
    middle is just inside the border then.
    """
    draws = world.draws
    side, radius = draws.sign(), world.about(130)
    home = 500 + side * 200
    edge = 500 + side * 480
    passage = Passage(fraction(world.width, edge - home), frame, leaves=not late)
    swing = turn_in(500)
    path = Path(
        world.wide(home, 40, swing, -frame * swing),
        world.tall(y, 50, swing, -frame * swing),
        world.spin(2),
        passage=passage,
    )
    span = dict(first=frame) if late else dict(last=frame)
    return _wanderer(world, _ANY, 0, 0, radius, path=path, depth=Wave(2 * ONE), **span)


def _late(world: World) -> Scene:
    """Two objects, and a third that comes into the frame."""
    return _scene(world, [
        _wanderer(world, _ANY, 330, 300, 150),
        _wanderer(world, _ANY, 520, 700, 140),
        _comer(world, True, world.num_frames * 2 // 5, 480),
    ])  # fmt: skip


def _vanishing(world: World) -> Scene:
    """Three objects, one of which leaves the frame."""
    return _scene(world, [
        _wanderer(world, _ANY, 350, 300, 150),
        _comer(world, False, world.num_frames * 3 // 5, 480),
        _wanderer(world, _ANY, 470, 720, 140),
    ])  # fmt: skip


def _racer(world: World, y: int, period: int, radius: int) -> Sprite:
    """A sprite that crosses the frame within few frames."""
    phase = world.draws.integer(0, TURN - 1)
    path = Path(
        world.wide(500, 340, turn_in(period), phase),
        world.tall(y, 60, turn_in(period * 3 // 2), phase),
        world.spin(8),
        world.scale(120, 300),
    )
    return _wanderer(world, _ANY, 0, 0, radius, path=path)


def _fast(world: World) -> Scene:
    """Objects that leave the usual window: far in one frame, or in a few."""
    return _scene(
        world,
        [_racer(world, 300, 66, 160), _racer(world, 700, 170, 160)],
        backdrop=_backdrop(world, 80, 250),
    )


def _light(world: World) -> Scene:
    """Two objects under a light that changes in strength, colour and direction."""
    return _scene(
        world,
        [_wanderer(world, _ANY, 320, 400, 170), _wanderer(world, _ANY, 680, 600, 160)],
        light=_changing_light(world),
    )


def _changing_light(world: World) -> Light:
    phase = world.draws.integer(0, TURN - 1)
    return Light(
        Wave(225, 85, turn_in(260), phase),
        Wave(0, 110, turn_in(370), phase + TURN // 3),
        Wave(0, 28, turn_in(310), phase),
    )


def _odd(world: World) -> Scene:
    """The preset ``occlusion`` at a size that no stride divides."""
    return _occlusion(world)


def _mixed(world: World) -> Scene:
    """All at once: two figures, a racer, one that leaves, one that comes, light."""
    sprites = _figures(world, 620, 210, 480)
    sprites.append(_racer(world, 240, 80, 135))
    sprites.append(_comer(world, False, world.num_frames * 3 // 5, 760))
    sprites.append(_comer(world, True, world.num_frames * 2 // 5, 420))
    return _scene(
        world, sprites, backdrop=_backdrop(world, 40), light=_changing_light(world)
    )


_BUILDERS: dict[str, Callable[[World], Scene]] = dict(
    single=_single,
    occlusion=_occlusion,
    articulated=_articulated,
    late=_late,
    vanishing=_vanishing,
    fast=_fast,
    light=_light,
    odd=_odd,
    mixed=_mixed,
)
PRESETS = tuple(_BUILDERS)
_LEAST_FRAMES = dict(late=4, vanishing=4, mixed=4)
