"""What a page lacks, in sentences that say how to get it."""

from __future__ import annotations

from collections.abc import Sequence

from densecorr.apis.report.results import Results, VideoFiles


def unscored_sentences(results: Results) -> list[str]:
    """Why there is no score although the run is finished; empty where there is one."""
    if not results.unscored:
        return []
    return [
        'Nothing could be scored: the true labels of these videos are not in the '
        'dataset. Benchmarks keep them for their servers.'
    ]


def missing_parts(results: Results, videos: Sequence[VideoFiles]) -> list[str]:
    """Sentences about what the page lacks, and how to get it."""
    again = 'Run the evaluation again with the same --out: finished videos are kept.'
    found = list(results.problems)
    if not results.content:
        found.append(
            'There is no metrics.json: the run was not finished, so there is no score. '
            f'{again}'
        )
    if not results.yardsticks and not results.unscored:
        found.append(
            'No yardsticks: the score has nothing to be compared with. Run the '
            'evaluation again with the same --out and --yardsticks all.'
        )
    lacking = [v.name for v in videos if v.name not in results.records]
    if lacking:
        found.append(
            f'{_count(lacking)} no record, so no curves and no worst frames: '
            f'{_names(lacking)}. {again}'
        )
    gone = [v.name for v in videos if v.sample is None]
    if gone:
        found.append(
            f'{_count(gone)} no images: the dataset was not found when this page was '
            'made. Make it again with: python tools/report.py RESULTS --data ROOT'
        )
    return found


def _count(names: Sequence[str]) -> str:
    return '1 video has' if len(names) == 1 else f'{len(names)} videos have'


def _names(names: Sequence[str], shown: int = 5) -> str:
    more = f' and {len(names) - shown} more' if len(names) > shown else ''
    return ', '.join(names[:shown]) + more
