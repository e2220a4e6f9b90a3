"""RetrievalMetric against the official evaluation written out in loops."""

from __future__ import annotations

import importlib.util
import sys
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from densecorr.evaluation.functional.cluster_matching import cluster_scores
from densecorr.evaluation.metrics.retrieval import RetrievalMetric
from densecorr.evaluation.metrics.retrieval_memory import (
    build_memory,
    make_search,
    patches_per_image,
)
from densecorr.structures import LabelledImage, LabelMap
from densecorr.utils.images import read_label_map

SIDE, GRID, CLASSES = 12, 3, 4
QUICK: dict[str, Any] = dict(
    neighbours=3, sizes=dict(memory=SIDE), num_classes=CLASSES, temperature=0.1
)
FAISS = importlib.util.find_spec('faiss') is not None


def _image(name: str, labels: np.ndarray, part: str) -> LabelledImage:
    return LabelledImage(
        name=f'{part}/{name}',
        group=f'{part}/{name}',
        read_image=lambda: np.zeros((*labels.shape, 3), np.uint8),
        read_labels=lambda: LabelMap(labels),
        hash_inputs=lambda: name,
        part=part,
    )


def _world(train: int = 3, test: int = 2) -> tuple[list[LabelledImage], np.ndarray]:
    rng = np.random.default_rng(0)
    blocks = rng.integers(0, CLASSES, (train + test, 4, 4)).astype(np.uint8)
    labels = blocks.repeat(3, 1).repeat(3, 2)
    labels[:, 0, :2] = 255
    images = [
        _image(str(i), labels[i], 'train' if i < train else 'test')
        for i in range(train + test)
    ]
    maps = rng.standard_normal((train + test, GRID, GRID, 6)).astype(np.float16)
    return images, maps


def _run(metric: RetrievalMetric, images: Any, maps: np.ndarray) -> dict[str, float]:
    results = [metric.run(job, images, maps) for job in metric.jobs(images)]
    return metric.compute_metrics(results)


def _literal(images: list[LabelledImage], maps: np.ndarray, k: int, beta: float) -> Any:
    """Prediction of every test image, cell by cell."""
    keys, values = [], []
    cell = SIDE // GRID
    for i in (0, 1, 2):
        labels = images[i].read_labels().indices.copy()
        labels[labels == 255] = 0
        for row, col in np.ndindex(GRID, GRID):
            own = (slice(row * cell, row * cell + cell),)
            own += (slice(col * cell, col * cell + cell),)
            feat = maps[i, row, col].astype(np.float64)
            keys.append(feat / np.linalg.norm(feat))
            values.append([(labels[own] == c).mean() for c in range(CLASSES)])
    predictions = []
    for i in (3, 4):
        soft = np.zeros((GRID, GRID, CLASSES))
        for row, col in np.ndindex(GRID, GRID):
            feat = maps[i, row, col].astype(np.float64)
            cosines = np.array(keys) @ (feat / np.linalg.norm(feat))
            best = np.argsort(-cosines)[:k]
            weights = np.exp(cosines[best] / beta)
            soft[row, col] = weights / weights.sum() @ np.array(values)[best]
        large = F.interpolate(
            torch.from_numpy(soft).permute(2, 0, 1)[None], (SIDE, SIDE), mode='bilinear'
        )
        predictions.append(large[0].argmax(0).numpy())
    return np.stack(predictions)


@pytest.mark.parametrize('match', ['none', 'hungarian'])
def test_scores_are_those_of_the_evaluation_in_loops(match: str) -> None:
    images, maps = _world()
    predictions = _literal(images, maps, 3, 0.1)
    labels = np.stack([image.read_labels().indices for image in images[3:]])
    rule = dict(none='linear_probe', hungarian='hungarian')[match]
    expected = cluster_scores(predictions, labels, rule, void=255).miou
    found = _run(RetrievalMetric(match=match, **QUICK), images, maps)
    assert found == {'mIoU': pytest.approx(expected, abs=1e-9)}


def test_a_memory_of_the_same_images_gives_their_labels(tmp_path: Any) -> None:
    rng = np.random.default_rng(1)
    cells = rng.integers(0, CLASSES, (2, GRID, GRID)).astype(np.uint8)
    labels = cells.repeat(4, 1).repeat(4, 2)
    images = [_image(str(i), labels[i % 2], 'train') for i in range(2)]
    images += [_image(str(i), labels[i % 2], 'test') for i in range(2)]
    maps = rng.standard_normal((2, GRID, GRID, 16)).astype(np.float16)
    maps = np.concatenate([maps, maps])
    metric = RetrievalMetric(**{**QUICK, 'neighbours': 1, 'sizes': dict(memory=3)})
    metric.out_dir = str(tmp_path)
    results = [metric.run(job, images, maps) for job in metric.jobs(images)]
    assert [row[2] for row in results[0]['images']] != [None, None]
    centres = read_label_map(tmp_path / 'predictions/retrieval/test/0.png')[0][1::4]
    assert (centres[:, 1::4] == cells[0]).all()
    small = [
        _image(i.name, i.read_labels().indices[1::4, 1::4], i.part) for i in images
    ]
    assert _run(metric, small, maps)['mIoU'] == 1


def test_the_size_of_the_memory_is_respected() -> None:
    images, maps = _world(train=4)
    places = [0, 1, 2, 3]

    def memory(size: int | None, seed: int = 0) -> Any:
        return build_memory(
            images,
            maps,
            places,
            classes=CLASSES,
            memory_size=size,
            side=(SIDE, SIDE),
            seed=seed,
        )

    whole = memory(None)
    assert whole.feats.shape == (4 * GRID**2, 6)
    assert whole.feats.norm(dim=1) == pytest.approx(1, abs=1e-6)
    small = memory(11)
    assert len(small.feats) == len(small.shares) == 8  # 2 of each of 4 images
    where = (small.feats[:, None] == whole.feats).all(2).nonzero()[:, 1]
    assert (where // GRID**2).tolist() == [0, 0, 1, 1, 2, 2, 3, 3]
    assert torch.equal(small.shares, whole.shares[where])
    assert torch.equal(memory(11).feats, small.feats)
    assert not torch.equal(memory(11, seed=1).feats, small.feats)
    assert patches_per_image(10**6, 4, 9) == 9


@pytest.mark.skipif(not FAISS, reason='faiss-cpu is not installed')
def test_faiss_finds_the_same_neighbours() -> None:
    generator = torch.Generator().manual_seed(0)
    memory, queries = (
        F.normalize(torch.randn(n, 16, generator=generator), dim=1) for n in (500, 20)
    )
    ours, theirs = (
        make_search(memory, name)(queries, 7) for name in ('torch', 'faiss')
    )
    torch.testing.assert_close(ours[0], theirs[0])
    assert torch.equal(ours[1], theirs[1])
    images, maps = _world()
    found = [
        _run(RetrievalMetric(search=dict(backend=b), **QUICK), images, maps)
        for b in ('torch', 'faiss')
    ]
    assert found[0] == found[1]
    with pytest.raises(ValueError, match='501 neighbours are wanted of a memory of 5'):
        make_search(memory, 'faiss')(queries, 501)


def test_seeds_and_tables() -> None:
    images, maps = _world()
    metric = RetrievalMetric(memory_size=12, seeds=(0, 1), **QUICK)
    metric.dataset_meta = dict(classes=['background', 'cat', 'dog', 'sheep'])
    results = [metric.run(job, images, maps) for job in metric.jobs(images)]
    found = metric.compute_metrics(results)
    assert set(found) == {'mIoU', 'mIoU-deviation'}
    texts = metric.tables(results)
    lines = texts['per_class.csv'].splitlines()
    assert lines[0] == 'Seed,Class,Name,Annotated,IoU'
    assert lines[2].startswith('0,1,cat,')
    rows = texts['per_image.csv'].splitlines()
    assert [row.rsplit(',', 1)[0] for row in rows[1:]] == [
        'retrieval,test/3,test/3',
        'retrieval,test/4,test/4',
    ]
    assert texts['confusion.csv'].startswith('View,Class,Predicted,Pixels\nretrieval,0')


def test_work_is_done_in_blocks_of_images() -> None:
    images, maps = _world(train=1, test=40)
    metric = RetrievalMetric(**QUICK)
    jobs = metric.jobs(images)
    assert [job.name for job in jobs] == ['seed-0/00000', 'seed-0/00001']
    assert [len(job.images) for job in jobs] == [32, 8]
    apart = [RetrievalMetric(**QUICK).run(job, images, maps) for job in jobs]
    assert apart == [metric.run(job, images, maps) for job in jobs]


def test_errors(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match=r'neighbours is 0 and temperature 0.02; they'):
        RetrievalMetric(neighbours=0)
    with pytest.raises(ValueError, match=r"match is 'best'; it should be one of"):
        RetrievalMetric(match='best')
    with pytest.raises(ValueError, match=r'sizes has memory=None; give the size'):
        RetrievalMetric(sizes=dict(memory=None))
    with pytest.raises(ValueError, match=r"backend is 'scann'; it should be one of"):
        RetrievalMetric(search=dict(backend='scann'))
    monkeypatch.setitem(sys.modules, 'faiss', None)
    with pytest.raises(
        ImportError, match=r"backend='faiss' needs faiss.*densecorr\[fa"
    ):
        RetrievalMetric(search=dict(backend='faiss'))
    images, maps = _world()
    with pytest.raises(ValueError, match=r'memory_size is 2, less than one patch for'):
        _run(RetrievalMetric(memory_size=2, **QUICK), images, maps)
    with pytest.raises(ValueError, match=r'train/0: a label is 3; there are 3 classes'):
        _run(RetrievalMetric(**{**QUICK, 'num_classes': 3}), images, maps)
    with pytest.raises(ValueError, match=r'the dataset names no classes. Give num_'):
        _run(RetrievalMetric(**{**QUICK, 'num_classes': None}), images, maps)
    with pytest.raises(ValueError, match=r"has no images of part 'train'"):
        _run(RetrievalMetric(**QUICK), images[3:], maps[3:])
    empty = [_image('x', np.full((SIDE, SIDE), 255, np.uint8), 'test')]
    with pytest.raises(ValueError, match=r'no pixel of the test images has a class'):
        _run(RetrievalMetric(**QUICK), images[:3] + empty, maps[:4])
