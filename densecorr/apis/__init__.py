"""What tools, notebooks and other programs call: one module per task."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from densecorr.apis.tracking import TrackResult, track

__all__ = ['TrackResult', 'track']


def __getattr__(name: str) -> Any:
    """Import what is asked for: torch takes seconds, and help texts need none of it."""
    if name in __all__:
        from densecorr.apis import tracking

        return getattr(tracking, name)
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
