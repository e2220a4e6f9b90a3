"""Which videos of a split a dataset holds, and how that differs from the release."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from densecorr.utils.data_info import DataInfo, SplitCounts, counts_shortfall
from densecorr.utils.suggest import suggest

_SHOWN = 8  # names in a message


def choose_videos(
    listed: Sequence[str],
    frames: Path,
    sequences: Sequence[str] | str | None,
    title: str,
    info: DataInfo,
) -> list[str]:
    """Names of the videos to evaluate, in the order of the list.

    Args:
        listed: names of the split.
        frames: folder that holds a folder of frames per video; those that it lacks
            are left out.
        sequences: take only these; None takes all.
        title: of the dataset and the split, for messages.
        info: facts of the dataset.

    Raises:
        ValueError: one of ``sequences`` is not in the list.
        FileNotFoundError: the folder holds none of the videos.
    """
    if sequences is not None:
        names = [sequences] if isinstance(sequences, str) else list(sequences)
        for name in names:
            if name not in listed:
                raise ValueError(
                    f'sequence {name!r} is not in {title} of {frames}. '
                    f'{suggest(name, listed)}'
                )
        listed = [name for name in listed if name in names]
    present = [name for name in listed if (frames / name).is_dir()]
    if not present:
        raise FileNotFoundError(
            f'{frames} holds none of the {len(listed)} videos of {title}: '
            f'{list(listed[:_SHOWN])}.\n{info.instructions()}'
        )
    return present


def release_facts(
    title: str,
    split: str,
    counts: SplitCounts,
    frames: Mapping[str, int],
    max_frames: int | None,
    others: Sequence[str] = (),
) -> dict[str, Any]:
    """The part of ``metainfo`` that compares what is there with the release.

    Args:
        title: of the dataset.
        split: of the dataset.
        counts: expected totals.
        frames: video name to the number of its frames that are evaluated.
        max_frames: the cut that was asked for.
        others: further differences in words.
    """
    parts = [*counts_shortfall(counts, frames, max_frames), *others]
    expected = len(frames) if counts.sequences is None else counts.sequences
    return dict(
        name=title,
        split=split,
        expected_sequences=expected,
        found=len(frames),
        complete=not parts,
        note=f'{", ".join(parts)}: not {title} {split}' if parts else '',
    )


def check_choice(dataset: str, what: str, value: object, allowed: Sequence) -> None:
    """Refuse a value that is not allowed.

    Raises:
        ValueError: names the argument, the value and the allowed ones.
    """
    if value not in allowed:
        raise ValueError(
            f'{what} of {dataset} should be one of {list(allowed)}, not {value!r}.'
        )


def check_max_frames(max_frames: int | None) -> None:
    """Refuse a cut that leaves no frame.

    Raises:
        ValueError: it is below 1.
    """
    if max_frames is not None and max_frames < 1:
        raise ValueError(f'max_frames should be at least 1, not {max_frames}.')
