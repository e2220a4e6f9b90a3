"""From a config, a task and a checkpoint to numbers, result files and a report."""

from __future__ import annotations

import itertools
import logging
import os
import platform
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.logging import print_log
from mmengine.runner import Runner

from densecorr.apis.config import (
    protocol_part,
    resolve,
    tracker_config,
)
from densecorr.apis.report import format_result, write_report
from densecorr.apis.submission import write_submission
from densecorr.apis.votes import write_votes
from densecorr.apis.yardsticks import FILE as YARDSTICKS_FILE
from densecorr.apis.yardsticks import check_choice, measure_yardsticks
from densecorr.apis.zoo import fetch_from_zoo
from densecorr.compat import return_freed_memory
from densecorr.convert import LoadReport, load_backbone, load_head
from densecorr.engine.fingerprint import code_version
from densecorr.engine.launch import (
    Processes,
    available_cores,
    gather,
    start_processes,
    stop_processes,
)
from densecorr.engine.records import ResultFolder
from densecorr.engine.test_loop import VideoTestLoop
from densecorr.engine.writers import check_out_layout
from densecorr.registry import MODELS
from densecorr.utils.files import full_disk_named, make_folder, write_atomic

_HOOKS = ('runtime_info', 'timer', 'sampler_seed', 'logger', 'param_scheduler')
# Where the data lie; which videos, seen in the records; the protocol has the reader.
_NOT_SETTINGS = ('root', 'sequences', 'reader')
_LIMITS = ('max_bank', 'precision')  # those that can change a number
_runs = itertools.count()  # names of loggers: several runs in one process


def evaluate(
    config: str | Path,
    task: str,
    checkpoint: str | None,
    out: str | Path | None = None,
    *,
    protocol: str | None = None,
    cfg_options: Mapping[str, Any] | None = None,
    source: str | None = None,
    allow_unsafe: bool = False,
    overwrite: bool = False,
    device: str | None = None,
    threads: int | None = None,
    tf32: bool = False,
    yardsticks: str = 'all',
    votes: bool = True,
    out_layout: str | None = None,
) -> dict[str, Any]:
    """Evaluate a checkpoint; under torchrun every process calls this.

    Args:
        config: config file.
        task: a task of the config, for example ``'davis'``.
        checkpoint: path, https address, ``timm:NAME``, ``torchvision:NAME``, ``zoo``
            or ``zoo:NAME`` (published weights for the config), or ``random``, which
            must be said.
        out: folder of the results; default ``work_dirs/<config>/<task>``, with
            ``-<protocol>`` where another protocol than the config's is asked for.
        protocol: name or file of a protocol that replaces the config's.
        cfg_options: changes of the config by dotted key.
        source: format of the checkpoint; recognised where None.
        allow_unsafe: unpickle whatever the checkpoint holds, which may run code.
        overwrite: remove the results that lie in ``out`` and start anew.
        device: ``'cpu'`` or ``'cuda'``; CUDA where there is one.
        threads: compute threads per process; default cores / processes.
        tf32: allow TF32 on a GPU.
        yardsticks: what the score is compared with, ``'all'``, ``'cheap'`` (those
            without features) or ``'none'``; measured after the score is written.
        votes: keep which patches decided the worst frame of each video.
        out_layout: ``'dul'`` also writes ``<layer>_vos`` and ``<layer>_vis`` as DUL.

    Returns:
        the content of ``metrics.json``, that of ``yardsticks.json`` as ``yardsticks``,
        the folder ``out``, and whether this process ``is_first`` among those of the
        run.

    Raises:
        ValueError: no checkpoint; results of another run in ``out``; bad options.
        KeyError: unknown task, protocol or option.
        FileNotFoundError: no config, dataset or checkpoint.
        VideoError: a video cannot be evaluated; finished ones are kept.
    """
    cfg = resolve(config, task, protocol, cfg_options)
    folder = ResultFolder(out or default_out(config, task, protocol, cfg))
    checkpoint = check_checkpoint(checkpoint)
    check_choice(yardsticks)
    check_out_layout(out_layout)
    weights, source = fetch_from_zoo(checkpoint, config, source)
    started = time.time()
    processes = start_processes(device, threads, tf32, seed_of(cfg))
    try:
        if processes.local_rank == 0:
            prepare_folder(folder, overwrite)
        gather(None)
        fingerprint = fingerprint_of(cfg, processes.tf32)
        runner = build_runner(
            cfg, task, folder.path, processes, fingerprint, out_layout
        )
        expected = cfg.get('checkpoint_source')
        loaded = load_weights(
            runner.model, weights, source, allow_unsafe, processes, expected
        )
        loop: Any = runner.test_loop
        # votes and yardsticks are of trackers
        tracked = isinstance(loop, VideoTestLoop)
        if not tracked:  # numbers of many images are kept between large arrays
            return_freed_memory()
        votes, yardsticks = votes and tracked, yardsticks if tracked else 'none'
        if loaded.note:  # every output has to say it
            loop.summary['weights'] = dict(note=loaded.note)
        runner.test()
        content = loop.content
        if processes.is_first:  # before what follows, which can be interrupted
            write_submission(cfg.get('submission'), folder, loop.dataset)
            write_atomic(folder.path / 'config.py', cfg.pretty_text)
            # an earlier run into this folder may have had fewer videos
            (folder.path / YARDSTICKS_FILE).unlink(missing_ok=True)
            write_report(folder.path, content, loop.dataset)
            facts = run_facts(processes, started, config, checkpoint, source)
            folder.write_json('run.json', facts)
            print_log(
                f'the score:\n{format_result({**content, "out": folder.path})}',
                logger='current',
            )
        if votes:
            write_votes(loop, processes.rank, processes.world_size)
        measured = measure_yardsticks(
            cfg, yardsticks, loop, checkpoint, processes, fingerprint
        )
        gather(None)
        if processes.is_first and tracked:
            write_report(folder.path, content, loop.dataset)
        gather(None)
    finally:
        stop_processes()
    return {
        **content,
        **measured,
        'out': str(folder.path),
        'is_first': processes.is_first,
    }


def default_out(
    config: str | Path, task: str, protocol: str | None, cfg: Config
) -> Path:
    """``work_dirs/<config>/<task>``, ``-<protocol>`` added where one was asked for."""
    suffix = f'-{cfg.protocol.name}' if protocol else ''
    return Path('work_dirs') / Path(config).stem / f'{task}{suffix}'


def seed_of(cfg: Config) -> int:
    """The seed of a config, 0 where it has none."""
    return cfg.get('randomness', {}).get('seed') or 0


def check_checkpoint(checkpoint: str | None) -> str:
    """Refuse to evaluate random weights by accident."""
    if not checkpoint:
        raise ValueError(
            'no checkpoint was given. Name a file, an https address, timm:NAME, '
            'torchvision:NAME or zoo; to evaluate random weights on purpose, say '
            "'random'."
        )
    return checkpoint


def prepare_folder(folder: ResultFolder, overwrite: bool) -> None:
    """Make the folder; empty it if asked to; remove what a killed run left torn.

    Raises:
        NotADirectoryError: the path, or a parent of it, is a regular file.
    """
    make_folder(folder.path)
    if overwrite:
        folder.clear()
    folder.remove_torn_files()


def build_runner(
    cfg: Config,
    task: str,
    out: Path,
    processes: Processes,
    fingerprint: Mapping[str, Any],
    out_layout: str | None = None,
) -> Runner:
    """MMEngine's Runner around a tracker, with the log in ``<out>/logs``.

    The process group exists already, so the launcher is ``'none'``: the Runner then
    finds ranks in the group, and wraps no model in DDP, which evaluation does not
    need. Its default hooks time and log training batches, so they are left out.
    """
    model = MODELS.build(tracker_config(cfg))
    loop = dict(
        type=cfg.get('test_loop', 'VideoTestLoop'),
        out_dir=str(out),
        fingerprint=fingerprint,
        out_layout=out_layout,
        summary=dict(
            task=task,
            config=Path(cfg.filename).stem,
            protocol=describe_protocol(cfg, model.backbone.stride),
        ),
    )
    with full_disk_named(out):
        runner = Runner(
            model=model,
            work_dir=str(out / 'logs'),
            test_dataloader=dict(dataset=cfg.test_dataset),
            test_evaluator=cfg.test_evaluator,
            test_cfg=loop,
            default_hooks={**dict.fromkeys(_HOOKS), 'checkpoint': None},
            custom_hooks=cfg.get('test_hooks'),
            default_scope=cfg.get('default_scope', 'densecorr'),
            randomness=dict(seed=seed_of(cfg)),
            log_level=cfg.get('log_level', 'INFO'),
            experiment_name=f'{Path(cfg.filename).stem}-{task}-{next(_runs)}',
            cfg=cfg,
        )
    runner.model.to(processes.device)  # the Runner takes CUDA wherever there is one
    return runner


def fingerprint_of(cfg: Config, tf32: bool) -> dict[str, Any]:
    """What decides the results of a config, except the weights and the videos."""
    model = {k: v for k, v in tracker_config(cfg).items() if k != 'protocol'}
    limits = model.pop('limits', {})
    settings = cfg.test_dataset.to_dict()
    return dict(
        task=cfg.task,
        protocol=dict(
            name=cfg.protocol.name,
            revision=cfg.protocol.get('revision'),
            **{cfg.task: protocol_part(cfg)},
        ),
        model=model,
        limits={key: limits.get(key) for key in _LIMITS},
        dataset={k: v for k, v in settings.items() if k not in _NOT_SETTINGS},
        metrics=cfg.test_evaluator,
        tf32=tf32,
        code=code_version(),
    )


def describe_protocol(cfg: Config, stride: int) -> dict[str, Any]:
    """What every output says about the protocol: name, revision, and a note.

    The note says what makes the numbers others than the published ones: another stride,
    no golden case that proves the protocol, what its file says, another data size.
    """
    protocol = cfg.protocol
    published = published_stride(protocol, stride)
    verified = protocol.get('verified', True)
    notes = [] if verified else [unverified_note(protocol.name)]
    if protocol.get('note'):
        notes.append(protocol.note)
    if published != stride:
        notes.append(
            f'protocol {protocol.name} was published at stride {published}, this run '
            f'has stride {stride}'
        )
    part = protocol.get(cfg.get('task'), {})
    notes += data_notes(protocol.name, part, cfg.get('test_dataset'))
    facts: dict[str, Any] = dict(
        name=protocol.name,
        revision=protocol.get('revision'),
        verified=verified,
        published_stride=published,
        stride=stride,
    )
    if part.get('label_stride') is not None:
        facts['label_stride'] = part['label_stride']
    return {**facts, 'note': '; '.join(notes)}


def published_stride(protocol: Mapping[str, Any], stride: int) -> int:
    """Of those that a protocol was published at, this one, or else the first."""
    published = protocol.get('published_stride', stride)
    strides = [published] if isinstance(published, int) else list(published)
    return stride if stride in strides else strides[0]


def data_notes(
    name: str, part: Mapping[str, Any], dataset: Mapping[str, Any] | None
) -> list[str]:
    """What to say where the data has another size than that of the protocol."""
    wanted = part.get('data', {}).get('resize')
    found = (dataset or {}).get('resize')
    if not wanted or not found or tuple(found) == tuple(wanted):
        return []
    sizes = ['x'.join(map(str, size)) for size in (wanted, found)]
    return [
        f'protocol {name} is scored on data of {sizes[0]}, this run on data of '
        f'{sizes[1]}'
    ]


def unverified_note(name: str) -> str:
    """What to say about a protocol that no recorded output of official code proves."""
    return f'protocol {name} is unverified: no output of its official code proves it'


def load_weights(
    model: Any,
    checkpoint: str,
    source: str | None,
    allow_unsafe: bool,
    processes: Processes,
    expected: str | None = None,
) -> LoadReport:
    """Load the backbone strictly, and the head of a model with slots.

    On each machine the first process fetches files.
    """
    head = getattr(model, 'head', None)
    for first in (True, False):
        if (processes.local_rank == 0) == first:
            report = load_backbone(
                model.backbone, checkpoint, source, allow_unsafe, expected
            )
            print_log(f'{checkpoint}\n{report}', logger='current')
            if head is not None:
                slots = load_head(head, checkpoint, source, allow_unsafe)
                print_log(f'{slots}', logger='current')
        gather(None)
    if checkpoint == 'random':
        print_log('random weights, as asked for', 'current', logging.WARNING)
    return report


def run_facts(
    processes: Processes,
    started: float,
    config: str | Path,
    checkpoint: str,
    source: str | None = None,
) -> dict[str, Any]:
    """What differs between equal runs: time, host, command, processes."""
    return dict(
        command=list(sys.argv),
        folder=str(Path.cwd()),
        config=str(config),
        checkpoint=checkpoint,
        source=source,
        started=time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime(started)),
        seconds=round(time.time() - started, 1),
        host=platform.node(),
        system=platform.platform(),
        python=platform.python_version(),
        device=str(processes.device),
        world_size=processes.world_size,
        threads=processes.threads,
        cores=available_cores(),
        nodes=int(os.environ.get('NNODES', '1')),
        **code_version(),
    )


def options_of_dataset(
    root: str | None = None,
    sequences: Sequence[str] | None = None,
    max_frames: int | None = None,
) -> dict[str, Any]:
    """Config options for the arguments of a dataset that the command line names."""
    values = dict(root=root, sequences=sequences, max_frames=max_frames)
    return {
        f'new:test_dataset.{key}': value
        for key, value in values.items()
        if value is not None
    }
