"""How much of a difference each factor has, in two orders."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

State = frozenset[str]  # names of the factors that are taken from the second result


class Share(NamedTuple):
    """What changing one factor adds to the score, fractions.

    Attributes:
        factor: its name.
        forward: with the factors before it changed already.
        reverse: with the factors after it changed already.
    """

    factor: str
    forward: float
    reverse: float

    def interacts(self, tolerance: float) -> bool:
        """Whether the share depends on the order: the factors do not just add up."""
        return abs(self.forward - self.reverse) > tolerance


def states_of(factors: Sequence[str]) -> list[State]:
    """All states that both orders pass, each once: the two results first.

    Args:
        factors: in the order in which they change.
    """
    ends = [frozenset[str](), frozenset(factors)]
    forward = [frozenset(factors[:n]) for n in range(1, len(factors))]
    reverse = [frozenset(factors[-n:]) for n in range(1, len(factors))]
    return list(dict.fromkeys([*ends, *forward, *reverse]))


def shares_of(
    factors: Sequence[str], score: Callable[[State], float]
) -> tuple[Share, ...]:
    """The share of every factor; in either order they add up to the difference.

    Args:
        factors: in the order in which they change.
        score: of a state, a fraction.
    """
    found = []
    for place, factor in enumerate(factors):
        before, after = frozenset(factors[:place]), frozenset(factors[place + 1 :])
        forward = score(before | {factor}) - score(before)
        reverse = score(after | {factor}) - score(after)
        found.append(Share(factor, forward, reverse))
    return tuple(found)
