"""What a score is compared with, measured by the same protocol on the same videos."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from mmengine.config import Config
from mmengine.logging import print_log

from densecorr.apis.config import protocol_part, tracker_config
from densecorr.convert import load_backbone
from densecorr.engine.launch import Processes, gather
from densecorr.engine.records import ResultFolder
from densecorr.engine.test_loop import VideoTestLoop
from densecorr.registry import MODELS
from densecorr.utils.files import write_atomic
from densecorr.utils.tables import format_table

SCHEMA = 1
FILE = 'yardsticks.json'
LABELS = dict(
    ceiling='encode-decode ceiling of the true labels',
    copy='first labels copied',
    colors='raw colours as features',
    random='random initialisation',
)
CHOICES = dict(all=tuple(LABELS), cheap=('ceiling', 'copy'), none=())
_COLOR_INPUTS = dict(color='rgb', mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))


def yardstick_models(cfg: Config, backbone: Any) -> dict[str, dict[str, Any]]:
    """Tracker configs of all yardsticks for the model of a config.

    Args:
        cfg: resolved config.
        backbone: the built backbone of its model, for ``stride`` and ``any_size``.
    """
    tracker, protocol = tracker_config(cfg), protocol_part(cfg)
    shape = dict(stride=backbone.stride, any_size=backbone.any_size)
    colors = dict(backbone=dict(type='RawColors', **shape), inputs=_COLOR_INPUTS)
    return dict(
        ceiling=dict(type='LabelCeiling', protocol=protocol, **shape),
        copy=dict(type='FirstLabelsCopied'),
        colors={**tracker, **colors},
        random=tracker,
    )


def measure_yardsticks(
    cfg: Config,
    chosen: str,
    loop: VideoTestLoop,
    checkpoint: str,
    processes: Processes,
    fingerprint: Mapping[str, Any],
) -> dict[str, Any]:
    """Evaluate the yardsticks of a finished run; every process calls this.

    Each has a results folder of its own, ``<out>/yardsticks/<name>``, and is resumed
    there like any evaluation. Random initialisation is not computed again where the
    checkpoint is ``random`` itself. A run that could not be scored has none.

    Args:
        cfg: resolved config of the run.
        chosen: a key of ``CHOICES``.
        loop: of the run.
        checkpoint: of the run.
        processes: of the run.
        fingerprint: of the run without weights and videos.

    Returns:
        the content of ``yardsticks.json``: per name its ``label`` and ``metrics``.

    Raises:
        ValueError: results of another run lie in a folder.
    """
    if not loop.content['metrics'] and chosen != 'none':
        print_log('nothing could be scored: no yardsticks either', 'current')
        chosen = 'none'
    found: dict[str, Any] = {}
    models = yardstick_models(cfg, loop.runner.model.backbone)
    for name in CHOICES[chosen]:
        if name == 'random' and checkpoint == 'random':
            metrics = loop.content['metrics']
        else:
            print_log(f'yardstick: {LABELS[name]}', logger='current')
            folder = Path(loop.out_dir) / 'yardsticks' / name
            if processes.local_rank == 0:
                ResultFolder(folder).remove_torn_files()
            gather(None)
            facts = {**fingerprint, 'model': models[name], 'yardstick': name}
            model = _build(models[name], name, processes)
            metrics = _evaluate(cfg, model, folder, facts)
        found[name] = dict(label=LABELS[name], metrics=metrics)
    result = dict(schema=SCHEMA, yardsticks=found)
    if processes.is_first and found:
        text = json.dumps(result, indent=2)
        write_atomic(Path(loop.out_dir) / FILE, text + '\n')
    return result


def check_choice(chosen: str) -> None:
    """Refuse a choice that is not known, before anything is computed."""
    if chosen not in CHOICES:
        raise ValueError(f'yardsticks is {chosen!r}; choose from {list(CHOICES)}.')


def format_yardsticks(content: Mapping[str, Any]) -> str:
    """The score among its yardsticks as a table for the screen.

    Args:
        content: what :func:`densecorr.apis.evaluate.evaluate` returned.
    """
    rows: list[dict[str, Any]] = [{'features': 'this run', **content['metrics']}]
    for entry in content['yardsticks'].values():
        rows.append({'features': entry['label'], **entry['metrics']})
    return format_table(rows, list(rows[0]))


def _build(model: Mapping[str, Any], name: str, processes: Processes) -> Any:
    built: Any = MODELS.build(dict(model)).to(processes.device).eval()
    if name == 'random':
        load_backbone(built.backbone, 'random')
    return built


def _evaluate(
    cfg: Config, model: torch.nn.Module, folder: Path, facts: Mapping[str, Any]
) -> dict[str, float]:
    """Metrics of a tracker on the dataset of a config."""
    runner = SimpleNamespace(model=model, call_hook=_no_hook)
    loop = VideoTestLoop(
        runner,
        dict(dataset=cfg.test_dataset),
        cfg.test_evaluator,
        str(folder),
        fingerprint=facts,
        title=folder.name,
    )
    return loop.run()


def _no_hook(*args: Any, **kwargs: Any) -> None:
    """Hooks of a run are for its own model."""
