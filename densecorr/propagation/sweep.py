"""Many settings of one protocol carried through a video side by side."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from densecorr.ops.keys import Keys
from densecorr.ops.neighbours import Neighbours, View, nearest, select
from densecorr.ops.selection import labels_of
from densecorr.ops.window import Window
from densecorr.structures import FrameResult, JointResult, VideoSample

from .context import Context
from .memory import FrameMemory, Places
from .propagator import Limits, blend, check_given, compared, one_hot
from .settings import Setting, check_settings, widest
from .tracker import VideoTracker

NEIGHBOURS = 64  # kept per query and context frame


@dataclass
class SweepStatistics:
    """What a sweep proved, summed over calls.

    Attributes:
        queries: of each setting.
        unproven: per setting, queries whose selection the lists did not prove; they
            were searched again.
    """

    queries: int
    unproven: list[int]

    def certified(self, setting: int) -> float:
        """Share of a setting's queries that were not searched again."""
        return 1 - self.unproven[setting] / max(1, self.queries)


@dataclass
class _Lane:
    """Settings with one context: their labels lie in the same places."""

    context: Context
    settings: list[int]
    places: Places
    labels: dict[int, Tensor] = field(default_factory=dict)

    def remember(self, time: int, kept: set[int], soft: Sequence[Tensor]) -> None:
        """Forget frames that are not ``kept``; keep the ``(n, o)`` labels of one."""
        self.places.keep(kept)
        place = self.places.add(time)
        for setting in self.settings:
            given = soft[setting]
            n, rows = len(given), self.places.capacity * len(given)
            bank = self.labels.get(setting)
            if bank is None or len(bank) < rows:
                grown = given.new_zeros(rows, given.shape[1])
                if bank is not None:
                    grown[: len(bank)] = bank
                bank = self.labels[setting] = grown
            bank[place * n : (place + 1) * n] = given


@dataclass(frozen=True)
class _Group:
    """Settings that select from the same keys: by k, the settings."""

    lane: _Lane
    window: Window
    members: dict[int, list[int]]


class SweepPropagator:
    """A :class:`~densecorr.propagation.propagator.LabelPropagator` per setting, in one.

    The neighbours of a frame are searched once, in the largest window; every setting
    selects from them and has labels of its own. Memory beyond the operator's bound:
    the features of the longest context, and for each setting the labels of its own.

    Args:
        settings: which have ``ties`` and ``weighting`` in common.
        normalize: features get length 1 (cosine affinity).
        hard: the most likely label is kept for later frames instead of soft ones.
        limits: ``max_memory`` is used; others must be at their defaults.
        neighbours: kept per query and context frame; fewer are faster to keep and
            prove less.

    Attributes:
        statistics: what was proven, summed over all videos.

    Raises:
        ValueError: no setting, settings that do not go together, or options that one
            search for all of them does not have.
    """

    def __init__(
        self,
        settings: Sequence[Setting],
        normalize: bool = True,
        hard: bool = False,
        limits: Limits | None = None,
        neighbours: int = NEIGHBOURS,
    ) -> None:
        check_settings(settings, limits or Limits(), neighbours)
        self.settings, self.normalize, self.hard = list(settings), normalize, hard
        self.neighbours = neighbours
        self.max_memory = (limits or Limits()).max_memory
        self.ties = settings[0].rule.ties
        self.window = widest([setting.window for setting in settings])
        self.statistics = SweepStatistics(0, [0] * len(settings))
        self.start()

    def start(self) -> None:
        """Forget everything: the next :meth:`step` is frame 0 of a new video."""
        lanes: dict[Context, _Lane] = {}
        groups: dict[tuple[Context, Window], _Group] = {}
        for number, setting in enumerate(self.settings):
            context, window = setting.context, setting.window
            capacity = context.num_frames + 1 + len(context.long_memory)
            lane = lanes.setdefault(context, _Lane(context, [], Places(capacity)))
            lane.settings.append(number)
            group = groups.setdefault((context, window), _Group(lane, window, {}))
            group.members.setdefault(setting.rule.topk or 1, []).append(number)
        self._lanes, self._groups = list(lanes.values()), list(groups.values())
        self._bank = FrameMemory(max(lane.places.capacity for lane in self._lanes))
        self._references: dict[int, Tensor] = {}
        self._time, self._count = 0, 0  # frames, labels

    @torch.no_grad()
    def step(
        self,
        feats: Tensor,
        labels: Tensor | None = None,
        present: Tensor | None = None,
    ) -> list[Tensor]:
        """Soft labels of the next frame, ``(o, h, w)`` float32 for each setting.

        Args:
            feats: ``(c, h, w)`` features.
            labels: as in ``LabelPropagator.step``.
            present: as there.

        Raises:
            ValueError: the first frame comes without labels, or ``labels`` are on
                another grid than ``feats``.
        """
        check_given(feats, labels, first=self._time == 0)
        unit = compared(feats, self.normalize)
        count = self._count if labels is None else len(labels)
        soft = self._propagated(unit, count)
        if labels is not None:
            self._count = count
            given = labels.flatten(1).t().to(unit)  # (n, o)
            present = labels.flatten(1).sum(1) > 0 if present is None else present
            if bool(present.any()):
                self._references[self._time] = present.to(unit)
            first = self._time == 0
            soft = [given if first else blend(old, given) for old in soft]
        self._remember(unit, soft)
        self._time += 1
        return [each.t().unflatten(1, feats.shape[1:]) for each in soft]

    def _remember(self, unit: Tensor, soft: Sequence[Tensor]) -> None:
        """Keep features for all settings, and the labels of each."""
        starts = list(self._references) or [self._time]
        needed: set[int] = set()
        labels = [one_hot(each) if self.hard else each for each in soft]
        for lane in self._lanes:
            kept = [lane.context.kept(self._time + 1, start) for start in starts]
            lane.remember(self._time, set().union(*kept), labels)
            needed.update(*kept)
        self._bank.keep(needed)
        nothing = unit.new_empty(
            unit.shape[0] * unit.shape[1], 0
        )  # labels lie in lanes
        self._bank.add(self._time, unit, nothing)

    def _propagated(self, unit: Tensor, count: int) -> list[Tensor]:
        """``(n, o)`` of each setting; zeros while no reference is known."""
        n = unit.shape[0] * unit.shape[1]
        total = [unit.new_zeros(n, count) for _ in self.settings]
        if not self._references:
            return total
        keys, views = self._views()
        search = nearest(unit, keys, self.window, self.neighbours, self.max_memory)
        for found in search:
            for reference, present in self._references.items():
                part = present if len(self._references) > 1 else None
                for group, view in zip(self._groups, views[reference], strict=True):
                    self._fill(total, found, keys, view, group, part)
        self.statistics.queries += n * len(self._references)
        return total

    def _views(self) -> tuple[Keys, dict[int, list[View]]]:
        """All keys that any setting sees, and what each group sees of them."""
        near, far = [0] * self._bank.capacity, [0] * self._bank.capacity
        views: dict[int, list[View]] = {reference: [] for reference in self._references}
        for reference, group in (
            (reference, group) for reference in views for group in self._groups
        ):
            entries = group.lane.context.entries(self._time, reference)
            for frame, copies in entries.items():
                slot = self._bank.places[frame]
                near[slot] = 1
                far[slot] |= int(copies[1] > 0)
            inside, outside = zip(*entries.values(), strict=True)
            views[reference].append(
                View(
                    frames=tuple(self._bank.places[frame] for frame in entries),
                    places=tuple(group.lane.places[frame] for frame in entries),
                    near=inside,
                    far=outside,
                    window=group.window,
                )
            )
        return Keys(self._bank.feats, tuple(near), tuple(far)), views

    def _fill(
        self,
        total: list[Tensor],
        found: Neighbours,
        keys: Keys,
        view: View,
        group: _Group,
        present: Tensor | None,
    ) -> None:
        """Add the labels that one group gives to the queries of a block.

        ``present`` ``(o,)``: the labels that this reference brought; None for all.
        """
        topks = sorted(group.members)
        for chosen in select(found, keys, view, topks, self.ties, self.max_memory):
            for number in group.members[chosen.topk]:
                rule, labels = self.settings[number].rule, group.lane.labels[number]
                self.statistics.unproven[number] += chosen.unproven
                part = total[number].new_empty(len(found.ids), labels.shape[1])
                for some, slots in chosen.pieces:
                    rows = slice(None) if some is None else some
                    part[rows] = labels_of(labels, slots, rule)
                if present is None:
                    total[number][found.ids] = part
                else:
                    total[number][found.ids] += part * present


class SweepTracker:
    """Follows a video with all settings of a sweep.

    Args:
        tracker: features, input and label codec.
        settings: see :class:`SweepPropagator`.
        neighbours: see :class:`SweepPropagator`.
    """

    def __init__(
        self,
        tracker: VideoTracker,
        settings: Sequence[Setting],
        neighbours: int = NEIGHBOURS,
    ) -> None:
        self.tracker, protocol = tracker, tracker.protocol
        self.propagator = SweepPropagator(
            settings,
            protocol.normalize,
            protocol.hard,
            tracker.propagator.limits,
            neighbours,
        )

    def results(
        self, video: VideoSample
    ) -> Iterator[Iterator[FrameResult | JointResult]]:
        """For every frame, in order, the results of all settings, in order."""
        joints = video.read_joints is not None
        steps = self.tracker.joint_steps if joints else self.tracker.label_steps
        self.propagator.start()
        for step in steps(video):
            soft = self.propagator.step(step.feats, step.labels, step.present)
            yield (step.result(each) for each in soft)
