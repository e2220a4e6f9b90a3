"""MMEngine's test loop for evaluations of cached features: clusters, probes."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmengine.dist import get_rank, get_world_size
from mmengine.logging import print_log
from mmengine.model import is_model_wrapper
from mmengine.runner import BaseLoop

from densecorr.engine.feature_store import FeatureStore
from densecorr.engine.fingerprint import check_same
from densecorr.engine.launch import gather
from densecorr.engine.progress import FrameProgress
from densecorr.engine.records import RECORD_SCHEMA, ResultFolder
from densecorr.engine.test_loop import METRICS_SCHEMA, deal_videos
from densecorr.registry import DATASETS, LOOPS, METRICS
from densecorr.utils.checkpoints import hash_tensors
from densecorr.utils.files import write_atomic

_FEATURES, _ATTENTION, _JOBS = 'features', 'attention', 'states'  # folders
_FACTS = 'fingerprint.json'


@LOOPS.register_module()
class FeatureTestLoop(BaseLoop):
    """Extracts features of all images once, then does the jobs of a metric on them.

    Features go to ``<out>/features``, results of a job to ``<out>/records``; both are
    dealt to the ranks, and what is there of an interrupted run is not done again. The
    ranks share the folder.

    A metric finds its ``dataset_meta``, ``out_dir`` and ``device`` set, and as
    ``state_dir`` the folder in which a long job may keep what it needs to go on. Where
    it has ``reads_attention = True`` its ``run`` gets the attention of the backbone's
    class token as ``attention``, too.

    Args:
        runner: MMEngine's Runner; its model has ``maps(images, attention)``.
        dataloader: ``dict(dataset=..., batch_size=8)``; an item of the dataset is a
            :class:`densecorr.structures.LabelledImage`.
        evaluator: config of one metric with ``jobs``, ``run``, ``compute_metrics`` and
            ``tables``.
        out_dir: folder of the results.
        fingerprint: of the run, without the weights and the data, which are added; None
            keeps nothing but the summary.
        summary: what ``metrics.json`` says besides the numbers.
        title: before the progress bar.
        out_layout: trackers have it; it has to be None.
    """

    def __init__(
        self,
        runner: Any,
        dataloader: dict,
        evaluator: list[dict] | dict,
        out_dir: str,
        fingerprint: Mapping | None = None,
        summary: Mapping | None = None,
        title: str = 'evaluating',
        out_layout: str | None = None,
    ) -> None:
        if out_layout is not None:
            raise ValueError(
                f'out_layout is {out_layout!r}; this task tracks no video. Leave it '
                'out.'
            )
        self.dataset: Any = DATASETS.build(dataloader['dataset'])
        self.batch_size = dataloader.get('batch_size', 8)
        super().__init__(runner, self.dataset)
        configs = [evaluator] if isinstance(evaluator, Mapping) else evaluator
        if len(configs) != 1:
            raise ValueError(f'{len(configs)} metrics are given; this task takes one.')
        self.metric: Any = METRICS.build(configs[0])
        self.metric.dataset_meta = self.dataset.metainfo
        # where it may leave files, see seg_tables
        self.metric.out_dir = None if fingerprint is None else out_dir
        self.out_dir, self.fingerprint = out_dir, fingerprint
        self.summary, self.title = dict(summary or {}), title
        self.content: dict[str, Any] = {}

    def run(self) -> dict[str, float]:
        """Extract and evaluate; the metrics are returned on every rank.

        Raises:
            ValueError: results or features of another run lie in the folder.
        """
        self.runner.call_hook('before_test')
        model = self._model().eval()
        images = [self.dataset[i] for i in range(len(self.dataset))]
        self.inputs = ''
        shared = None
        if self.fingerprint is not None:
            self.inputs = self._hash_inputs(images)
            weights = hash_tensors(model.state_dict())
            shared = {**self.fingerprint, 'weights': weights}
        self.folder = ResultFolder(self.out_dir, shared)
        self.folder.open()
        gather(None)  # nobody writes before all have checked the folder
        self._open_metric(getattr(model, 'device', 'cpu'))
        stores = self._extract(model, images)
        results = self._do_jobs(images, stores)
        content = self._summarise(results) if get_rank() == 0 else {}
        self.content = gather(content)[0]
        if self.fingerprint is None and get_rank() == 0:
            self._forget()
        self.runner.call_hook('after_test')
        return self.content['metrics']

    def _model(self) -> Any:
        model = self.runner.model
        return model.module if is_model_wrapper(model) else model

    def _hash_inputs(self, images: list) -> str:
        """One hash over the hashes of all images; each rank reads a share."""
        rank, size = get_rank(), get_world_size()
        places = range(rank, len(images), size)
        own: dict[int, str] = {}
        with FrameProgress(
            len(places), 'reading', visible=rank == 0, unit='images'
        ) as progress:
            for i in places:
                own[i] = images[i].hash_inputs()
                progress.advance()
        every: dict[int, str] = {}
        for part in gather(own):
            every.update(part)
        text = ''.join(f'{images[i].name} {every[i]};' for i in sorted(every))
        return hashlib.sha256(text.encode()).hexdigest()

    def _open_metric(self, device: Any) -> None:
        """Tell the metric where it is, and start anew or go on."""
        folder = Path(self.out_dir) / _JOBS
        self.metric.device, self.metric.state_dir = device, folder
        if get_rank() == 0 and self.fingerprint is None:
            self._forget()
        elif get_rank() == 0:
            path = folder / _FACTS
            expected = self._fingerprint()
            if path.is_file():
                found = json.loads(path.read_text(encoding='utf-8'))
                check_same(expected, found, str(path))
            write_atomic(path, json.dumps(expected, sort_keys=True) + '\n')
        gather(None)

    def _forget(self) -> None:
        """Remove what only a run with a fingerprint can go on with."""
        for name in (_FEATURES, _ATTENTION, _JOBS):
            shutil.rmtree(Path(self.out_dir) / name, ignore_errors=True)

    def _fingerprint(self) -> dict[str, Any]:
        return {**(self.folder.fingerprint or {}), 'inputs': self.inputs}

    def _extract(self, model: Any, images: list) -> dict[str, FeatureStore]:
        """Maps of all images by name, those that are not there yet."""
        rank, size = get_rank(), get_world_size()
        attention = getattr(self.metric, 'reads_attention', False)
        stores = self._stores(attention)
        if rank == 0:
            first = model.maps([images[0].read_image()], attention)
            for name, store in stores.items():
                store.create((len(images), *first[name].shape[1:]))
        gather(None)
        for store in stores.values():
            store.open()
        own = sorted({i for store in stores.values() for i in store.missing()})
        gather(None)  # all have read what is missing before anybody writes
        own = own[rank::size]
        print_log(f'features: {len(own)} of {len(images)} images to do', 'current')
        with FrameProgress(len(own), 'features', visible=rank == 0) as progress:
            for start in range(0, len(own), self.batch_size):
                batch = own[start : start + self.batch_size]
                maps = model.maps([images[i].read_image() for i in batch], attention)
                for name, store in stores.items():
                    store.write(batch, maps[name].float().cpu().numpy())
                for _ in batch:
                    progress.advance()
        gather(None)
        return stores

    def _stores(self, attention: bool) -> dict[str, FeatureStore]:
        # the metric may change without new features: only what makes them counts
        made_of = {
            key: value
            for key, value in (self.folder.fingerprint or {}).items()
            if key not in ('metrics', 'task')
        }
        return {
            name: FeatureStore(
                Path(self.out_dir) / name, {**made_of, 'inputs': self.inputs}
            )
            for name in ((_FEATURES, _ATTENTION) if attention else (_FEATURES,))
        }

    def _do_jobs(self, images: list, stores: dict[str, FeatureStore]) -> list[dict]:
        """Results of all jobs, in their order, on every rank."""
        rank, size = get_rank(), get_world_size()
        jobs = self.metric.jobs(images)
        share = deal_videos([len(job.images) for job in jobs], size)[rank]
        own: dict[int, dict] = {}
        visible = rank == 0
        with FrameProgress(len(share), self.title, visible, unit='jobs') as progress:
            for number in sorted(share):
                own[number] = self._do_job(jobs[number], images, stores)
                progress.advance()
        every: dict[int, dict] = {}
        for part in gather(own):
            every.update(part)
        return [every[number] for number in sorted(every)]

    def _do_job(self, job: Any, images: list, stores: dict[str, FeatureStore]) -> dict:
        """The result of a job, from its record if it has one."""
        maps = stores[_FEATURES].maps
        more = {key: store.maps for key, store in stores.items() if key != _FEATURES}
        if self.fingerprint is None:
            return json.loads(json.dumps(self.metric.run(job, images, maps, **more)))
        path = self.folder.record_path(job.name)
        expected = self._fingerprint()
        if path.is_file():
            record = json.loads(path.read_text(encoding='utf-8'))
            check_same(expected, record['fingerprint'], str(path))
            return record['results']
        result = self.metric.run(job, images, maps, **more)
        record = dict(
            schema=RECORD_SCHEMA, job=job.name, results=result, fingerprint=expected
        )
        write_atomic(path, json.dumps(record, sort_keys=True) + '\n')
        return json.loads(json.dumps(result))

    def _summarise(self, results: list[dict]) -> dict[str, Any]:
        for name, text in self.metric.tables(results).items():
            write_atomic(self.folder.path / name, text)
        content = dict(
            schema=METRICS_SCHEMA,
            metrics=self.metric.compute_metrics(results),
            dataset=self.dataset.metainfo,
            num_images=len(self.dataset),
            **self.summary,
            fingerprint=self.folder.fingerprint,
            inputs=self.inputs,
        )
        self.folder.write_json('metrics.json', content)
        return content
