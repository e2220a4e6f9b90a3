"""Which frames a query frame looks into, and how often each stands there."""

from __future__ import annotations

from dataclasses import dataclass

FIRST = ('none', 'windowed', 'global')


@dataclass(frozen=True)
class Context:
    """The context of a published protocol, as multiplicities of distinct frames.

    Published code repeats the first frame: before the video, or beside its own place
    among the recent frames. Copies take slots of the top-k of their own, so they are
    kept as numbers here.

    Args:
        num_frames: recent frames before the query.
        first: an entry of the reference frame besides the recent ones: ``'none'``,
            ``'windowed'`` like any other, or ``'global'`` without a window.
        repeat_first: recent places before the reference are filled with copies of it
            (CRW, DUL, SMTC); otherwise there are fewer recent frames at the start.
        recent_first: the reference may also be one of the recent frames.
        long_memory: CRW's ``long_mem`` entries above 0, without a window: entry m names
            frame ``m + 1`` once ``num_frames + m + 1`` frames have passed and the
            reference before that (an off-by-one of the released code).

    Raises:
        ValueError: unknown ``first``, or a context that can be empty.

    Reference:
        ajabri/videowalk (047f3f4) ``code/data/vos.py`` context indices; DINO
        ``eval_video_segmentation.py``; DUL and Spa-then-Temp as their method pages say.
    """

    num_frames: int
    first: str = 'global'
    repeat_first: bool = False
    recent_first: bool = True
    long_memory: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if self.first not in FIRST:
            raise ValueError(f'first is {self.first!r}; it should be one of {FIRST}.')
        if self.num_frames < 0 or any(m < 1 for m in self.long_memory):
            raise ValueError(
                f'num_frames={self.num_frames} should be >= 0 and long_memory='
                f'{self.long_memory} hold numbers >= 1.'
            )
        if self.first == 'none' and (self.num_frames == 0 or not self.recent_first):
            raise ValueError(
                "first='none' needs num_frames >= 1 and recent_first=True: frame 1 "
                'would have no context.'
            )

    def entries(self, t: int, start: int = 0) -> dict[int, tuple[int, int]]:
        """Context of frame ``t``: frame to (copies in the window, copies outside).

        Args:
            t: the query frame, at least ``start``.
            start: the reference frame.
        """
        found: dict[int, tuple[int, int]] = {}

        def add(frame: int, near: int, far: int) -> None:
            old = found.get(frame, (0, 0))
            found[frame] = (old[0] + near, old[1] + far)

        if self.first != 'none':
            add(start, 1, int(self.first == 'global'))
        for m in self.long_memory:
            reached = t - start >= self.num_frames + m + 1
            add(start + m + 1 if reached else start, 1, 1)
        for frame in range(t - self.num_frames, t):
            if frame > start or (frame == start and self.recent_first):
                add(frame, 1, 0)
            elif frame < start and self.repeat_first:
                add(start, 1, 0)
        return found

    def kept(self, t: int, start: int = 0) -> set[int]:
        """Frames that frame ``t`` or a later one can still look into."""
        recent = set(range(max(start, t - self.num_frames), t))
        ahead = {start + m + 1 for m in self.long_memory if start + m + 1 < t}
        return recent | ahead | {start}
