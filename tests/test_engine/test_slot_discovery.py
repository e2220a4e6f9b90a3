import types

import pytest
import torch

from densecorr.engine.hooks.slot_discovery import SlotDiscoveryHook
from densecorr.models.methods.slot_candidates import video_candidates
from tests.test_models import test_smtc

DATASET = dict(
    type='SpriteWorld', preset='single', num_clips=2, num_frames=3, size=(64, 96)
)


class Board:
    """A visualizer and a logger that remember."""

    def __init__(self):
        self.scalars, self.lines = {}, []

    def add_scalars(self, scalars, step):
        self.scalars[step] = scalars

    def info(self, line):
        self.lines.append(line)


def runner_of(model, iteration=0):
    board = Board()
    return types.SimpleNamespace(
        model=model, iter=iteration, max_iters=4, visualizer=board, logger=board
    )


def hook(**options):
    given = dict(dataset=DATASET, size=(32, 48), interval=2, unit='iter', chunk=2)
    return SlotDiscoveryHook(**{**given, **options})


def test_it_looks_when_it_is_due_and_leaves_no_trace():
    method = test_smtc.build().train()
    before = {k: v.clone() for k, v in method.state_dict().items()}
    runner, state = runner_of(method), torch.get_rng_state()
    hook().before_train(runner)
    for runner.iter in range(4):
        hook().after_train_iter(runner, runner.iter)
    board = runner.visualizer
    assert list(board.scalars) == [0, 2, 4]
    assert board.scalars[0] == board.scalars[4]
    first = board.scalars[0]
    protocols = ('per_frame_oracle', 'davis')
    names = [f'{name}/{part}' for name in protocols for part in ('J&F', 'J', 'F')]
    assert list(first) == [*names, 'discovery/candidates']
    assert all(0 <= first[name] <= 1 for name in names)
    assert 0 < first['discovery/candidates'] <= 6
    line = 'objects met by slots after 0: per_frame_oracle/J&F 0.'
    assert board.lines[0].startswith(line)
    assert method.training
    assert not method.teacher.training
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(v, before[k]) for k, v in method.state_dict().items())


def test_candidates_of_all_frames():
    method = test_smtc.build().eval()
    frames = torch.rand(5, 3, 32, 48)
    options = dict(size=(32, 48), chunk=2)
    found = list(video_candidates(method, frames, similarity=-1.0, **options))
    assert [part.masks.shape for part in found] == [(6, 32, 48)] * 5
    assert [part.slots.shape for part in found] == [(6, 16)] * 5
    again = video_candidates(method, frames, similarity=-1.0, **options)
    assert all(torch.equal(a.masks, b.masks) for a, b in zip(found, again, strict=True))
    (none,) = video_candidates(method, frames[:1], similarity=1.01, **options)
    assert none.masks.shape == (0, 32, 48)


def test_frames_without_candidates_score_nothing():
    method = test_smtc.build().eval()
    plain = method.slots_of

    def unlike(frames, noise):
        slots = plain(frames, noise)
        opposite = -slots.semantic_slots[..., None, :].expand_as(slots.instance_slots)
        return slots._replace(instance_slots=opposite)

    method.slots_of = unlike
    scalars = hook().measure(method)
    assert scalars['discovery/candidates'] == 0
    assert scalars['per_frame_oracle/J&F'] == scalars['davis/J&F'] == 0


def test_bad_arguments_are_named():
    with pytest.raises(ValueError, match=r'chunk 0, size \(32, 48\); each is at least'):
        hook(chunk=0)
    with pytest.raises(ValueError, match="unit of SlotDiscoveryHook is 'step'"):
        hook(unit='step')
    with pytest.raises(ValueError, match=r'is for methods with slots.*Linear has none'):
        hook().before_train(runner_of(torch.nn.Linear(1, 1)))
