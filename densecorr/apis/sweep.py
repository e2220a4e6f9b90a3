"""Many settings of a protocol evaluated in one pass over the videos."""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from mmengine.config import Config

from densecorr.apis.config import protocol_part, resolve, tracker_config
from densecorr.apis.evaluate import (
    check_checkpoint,
    default_out,
    describe_protocol,
    fingerprint_of,
    load_weights,
    prepare_folder,
    run_facts,
    seed_of,
)
from densecorr.apis.sweep_noise import Ranking, rank
from densecorr.apis.sweep_settings import (
    OPTIONS,
    Swept,
    Values,
    describe,
    options_of,
    swept_settings,
)
from densecorr.apis.zoo import fetch_from_zoo
from densecorr.engine.launch import (
    Processes,
    gather,
    start_processes,
    stop_processes,
)
from densecorr.engine.records import ResultFolder
from densecorr.engine.sweep_loop import SweepLoop
from densecorr.propagation.propagator import Limits
from densecorr.propagation.protocol import Protocol
from densecorr.propagation.settings import check_settings
from densecorr.propagation.sweep import NEIGHBOURS
from densecorr.propagation.tracker import VideoTracker
from densecorr.registry import MODELS
from densecorr.utils.files import write_atomic
from densecorr.utils.tables import format_csv, format_table

SCHEMA = 1
_DECIMALS = 6
_SHOWN = 10  # settings on the screen


def sweep(
    config: str | Path,
    task: str,
    checkpoint: str | None,
    values: Values,
    out: str | Path | None = None,
    *,
    neighbours: int = NEIGHBOURS,
    protocol: str | None = None,
    cfg_options: Mapping[str, Any] | None = None,
    source: str | None = None,
    allow_unsafe: bool = False,
    overwrite: bool = False,
    device: str | None = None,
    threads: int | None = None,
    tf32: bool = False,
) -> dict[str, Any]:
    """Evaluate all combinations of some options of a protocol; torchrun may call this.

    Each setting's numbers are those of :func:`densecorr.apis.evaluate.evaluate` with
    the same options. Features are computed once, the neighbours of every frame are
    searched once, and the settings propagate side by side. Finished videos are kept in
    ``<out>/records`` and skipped on a rerun with the same fingerprint.

    Args:
        config: config file.
        task: a task of the config, for example ``'davis'``.
        checkpoint: as in ``evaluate``.
        values: ``context``, ``radius``, ``topk``, ``temperature``: lists of numbers, or
            texts such as ``'5,10'``; what is missing is the protocol's own. Radius
            ``'none'`` is no window.
        out: folder of the results; default ``work_dirs/<config>/<task>-sweep``.
        neighbours: kept per query and context frame.
        protocol: name or file of a protocol that replaces the config's.
        cfg_options: changes of the config by dotted key.
        source: format of the checkpoint; recognised where None.
        allow_unsafe: unpickle whatever the checkpoint holds, which may run code.
        overwrite: remove the results that lie in ``out`` and start anew.
        device: ``'cpu'`` or ``'cuda'``; CUDA where there is one.
        threads: compute threads per process; default cores / processes.
        tf32: allow TF32 on a GPU.

    Returns:
        the content of ``sweep.json``, the folder ``out``, and whether this process
        ``is_first`` among those of the run.

    Raises:
        ValueError: no checkpoint, a bad value, an option of the protocol or the config
            that cannot be swept, or results of another run in ``out``.
        KeyError: unknown task, protocol or option.
        FileNotFoundError: no config, dataset or checkpoint.
        VideoError: a video cannot be evaluated; finished ones are kept.
    """
    cfg = resolve(config, task, protocol, cfg_options)
    swept = swept_settings(Protocol.from_config(protocol_part(cfg)), values)
    limits = Limits(**cfg.get('limits', {}))
    check_settings(swept.settings, limits, neighbours)
    folder = ResultFolder(out or f'{default_out(config, task, protocol, cfg)}-sweep')
    weights, source = fetch_from_zoo(check_checkpoint(checkpoint), config, source)
    started = time.time()
    processes = start_processes(device, threads, tf32, seed_of(cfg))
    try:
        if processes.local_rank == 0:
            prepare_folder(folder, overwrite)
        gather(None)
        tracker = build_tracker(cfg, weights, source, allow_unsafe, processes)
        loop = SweepLoop(
            SimpleNamespace(model=tracker, call_hook=_no_hook),
            dict(dataset=cfg.test_dataset),
            cfg.test_evaluator,
            str(folder.path),
            swept.settings,
            fingerprint_of(cfg, processes.tf32),
            neighbours,
        )
        loop.run()
        content = _content(cfg, task, swept, loop, tracker)
        if processes.is_first:
            write_atomic(folder.path / 'config.py', cfg.pretty_text)
            write_sweep(folder.path, swept, loop.content['settings'], content)
            facts = run_facts(processes, started, config, str(checkpoint))
            folder.write_json('run.json', facts)
        gather(None)
    finally:
        stop_processes()
    return {**content, 'out': str(folder.path), 'is_first': processes.is_first}


def build_tracker(
    cfg: Config,
    weights: str,
    source: str | None,
    allow_unsafe: bool,
    processes: Processes,
) -> VideoTracker:
    """The tracker of a config with its weights.

    Raises:
        ValueError: the config's model tracks in another way than by propagation.
    """
    model: Any = MODELS.build(tracker_config(cfg))
    if not isinstance(model, VideoTracker):
        raise ValueError(
            f'model.type is {type(model).__name__}, which has no protocol to sweep; '
            'it should be a VideoTracker.'
        )
    expected = cfg.get('checkpoint_source')
    load_weights(model, weights, source, allow_unsafe, processes, expected)
    return model.to(processes.device).eval()


def _content(
    cfg: Config, task: str, swept: Swept, loop: SweepLoop, tracker: VideoTracker
) -> dict[str, Any]:
    """What ``sweep.json`` says."""
    found = loop.content['settings']
    ranking = rank(found)
    settings = [
        dict(
            setting=number,
            **row,
            published=number == swept.published,
            queries=item['queries'],
            certified=certified_share([item]),
            metrics=item['metrics'],
            behind=_behind(ranking, number),
            options=options_of(row, cfg.task),
        )
        for number, (row, item) in enumerate(zip(swept.rows, found, strict=True))
    ]
    shared = ('dataset', 'num_videos', 'num_frames', 'videos', 'fingerprint')
    return dict(
        schema=SCHEMA,
        task=task,
        config=Path(str(cfg.filename)).stem,
        protocol=describe_protocol(cfg, tracker.backbone.stride),
        measure=ranking.measure,
        best=ranking.best if ranking.measure else None,
        order=ranking.order,
        similar=ranking.similar(),
        noise=ranking.note or f'95 % intervals over videos, of {ranking.units}',
        certified=certified_share(found),
        searched_again=sum(item['unproven'] for item in found),
        settings=settings,
        **{name: loop.content[name] for name in shared},
    )


def certified_share(found: Sequence[Mapping[str, Any]]) -> float:
    """Share of the selections of settings that the lists of neighbours proved.

    Args:
        found: of each setting ``queries`` and ``unproven``.
    """
    queries = sum(item['queries'] for item in found)
    return 1 - sum(item['unproven'] for item in found) / max(1, queries)


def _behind(ranking: Ranking, number: int) -> dict[str, float] | None:
    found = ranking.behind[number]
    if found is None:
        return None
    return dict(
        difference=found.difference,
        low=found.low,
        high=found.high,
        p_value=found.p_value,
    )


def write_sweep(
    folder: Path,
    swept: Swept,
    found: Sequence[Mapping[str, Any]],
    content: Mapping[str, Any],
) -> None:
    """Write ``sweep.csv``, ``sweep.json``, the heat map and the tables of settings.

    Args:
        folder: of the results.
        swept: the settings.
        found: of each, ``tables``.
        content: of ``sweep.json``.
    """
    from densecorr.apis.sweep_picture import heat_map  # slow: matplotlib

    settings = content['settings']
    ResultFolder(folder).write_json('sweep.json', content)
    names = list(dict.fromkeys(k for item in settings for k in item['metrics']))
    gap = ['Behind', 'Behind-Low', 'Behind-High', 'P-Value']
    columns = ['Setting', *(name.capitalize() for name in OPTIONS), 'Published']
    rows = [
        [
            item['setting'],
            *(str(item[name]) for name in OPTIONS),
            int(item['published']),
            item['certified'],
            *(item['metrics'].get(name) for name in names),
            *(item['behind'] or dict.fromkeys(gap)).values(),
        ]
        for item in settings
    ]
    text = format_csv(rows, [*columns, 'Certified', *names, *gap], _DECIMALS)
    write_atomic(folder / 'sweep.csv', text)
    for name in ('per_object.csv', 'per_video.csv'):
        tables = [item['tables'].get(name, '') for item in found]
        if any(tables):
            write_atomic(folder / f'sweep_{name}', _together(tables))
    measure = content['measure']
    if measure is None:
        return
    scores = [item['metrics'].get(measure) for item in settings]
    title = f'{content["config"]}, {content["task"]}, protocol '
    title += f'{content["protocol"]["name"]}: {measure} in percent'
    picture = heat_map(swept, scores, title, content['best'], content['similar'])
    write_atomic(folder / 'sweep.png', picture)


def _together(tables: Sequence[str]) -> str:
    """Tables of all settings as one, with the number of the setting before each row."""
    lines: list[list[Any]] = []
    for number, text in enumerate(tables):
        rows = list(csv.reader(io.StringIO(text)))
        lines += [['Setting', *row] for row in rows[:1] if not lines]
        lines += [[number, *row] for row in rows[1:]]
    return format_csv(lines[1:], lines[0], _DECIMALS)


def format_sweep(content: Mapping[str, Any]) -> str:
    """The best settings, the margin over the noise and the certified share.

    Args:
        content: what :func:`sweep` returned.
    """
    settings, measure = content['settings'], content['measure']
    lines = []
    if measure is None:
        lines.append(f'no ranking: {content["noise"]}')
    else:
        shown = content['order'][:_SHOWN]
        rows = [
            {
                **{name: str(settings[i][name]) for name in OPTIONS},
                measure: settings[i]['metrics'].get(measure),
                'behind': (settings[i]['behind'] or {}).get('difference'),
                'certified': settings[i]['certified'],
                'protocol': 'yes' if settings[i]['published'] else '',
            }
            for i in shown
        ]
        lines.append(format_table(rows, list(rows[0])))
        if len(settings) > len(shown):
            rest = len(settings) - len(shown)
            lines.append(f'... and {rest} more settings, see sweep.csv')
        lines += _words(content)
    total = sum(item['queries'] for item in settings)
    lines.append(
        f'certified: all but {content["searched_again"]} of {total} selections '
        f'({content["certified"]:.3%}); those were searched again, so all are exact'
    )
    if content['protocol']['note']:
        lines.append(f'note: {content["protocol"]["note"]}')
    if content['dataset'].get('note'):
        lines.append(f'note: {content["dataset"]["note"]}')
    return '\n'.join([*lines, f'results: {content["out"]}'])


def _words(content: Mapping[str, Any]) -> list[str]:
    """What the margin of the best setting is."""
    settings, order = content['settings'], content['order']
    best = settings[content['best']]
    lines = [f'best: {describe(best)}']
    lines.append(f'  alone: --cfg-options {" ".join(best["options"])}')
    others = {order[1]: 'the next'} if len(order) > 1 else {}
    own = next((item['setting'] for item in settings if item['published']), None)
    if own is not None and own != content['best']:
        others[own] = "the protocol's own setting"
    for number, name in others.items():
        gap = settings[number]['behind']
        if gap is None:
            lines.append(f'  margin over {name}: unknown: {content["noise"]}')
            continue
        points = [f'{100 * gap[key]:.2f}' for key in ('difference', 'low', 'high')]
        verdict = 'above the noise' if gap['low'] > 0 else 'within the noise'
        lines.append(
            f'  margin over {name}: {points[0]} points, 95 % interval [{points[1]}, '
            f'{points[2]}], p = {gap["p_value"]:.3f}: {verdict}'
        )
    count = len(content['similar'])
    if count:
        lines.append(f'  noise cannot tell {count} other settings from it')
    return lines


def _no_hook(*args: Any, **kwargs: Any) -> None:
    """Hooks are for evaluations of one setting."""
