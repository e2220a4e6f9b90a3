import numpy as np
import pytest
import torch

from densecorr.propagation.votes import Votes, votes_of
from tests.parity.pipelines import memory_video

from .test_tracker import clip, tracker


def video_and_tracker(protocol='crw', length=6):
    frames, labels = clip(length)
    return memory_video(frames, labels[0]), tracker(protocol)


def test_votes_give_the_propagated_labels():
    video, model = video_and_tracker()
    soft = {}
    step = model.propagator.step

    def spy(feats, labels=None, present=None):
        soft[len(soft)] = step(feats, labels, present)
        return soft[len(soft) - 1]

    model.propagator.step = spy
    list(model.track(video))
    votes = votes_of(model, video, 4)
    assert votes.frames.tolist() == [0, 1, 2, 3]
    labels = torch.cat([soft[int(t)].flatten(1).t() for t in votes.frames])
    weight = torch.from_numpy(votes.weight.astype(np.float32))
    position = torch.from_numpy(votes.position).long()
    voted = (labels[position] * weight[..., None]).sum(1)  # (q, o)
    expected = soft[4].flatten(1).t()[torch.from_numpy(votes.queries).long()]
    torch.testing.assert_close(voted, expected, atol=2e-3, rtol=0)


def test_cells_and_queries_are_in_the_pixels_of_the_image():
    video, model = video_and_tracker()
    votes = votes_of(model, video, 1)
    h, w = votes.grid
    assert votes.cell == (64 / h, 96 / w)
    assert votes.step == 1
    np.testing.assert_array_equal(votes.queries, np.arange(h * w))
    np.testing.assert_allclose(votes.weight.sum(1), 1, atol=5e-3)
    assert votes.position.max() < h * w


@pytest.mark.parametrize('protocol', ['dino', 'dul', 'vfs', 'spa_then_temp'])
def test_every_protocol_has_votes(protocol):
    video, model = video_and_tracker(protocol)
    votes = votes_of(model, video, 3)
    assert votes.weight.shape == votes.position.shape
    assert (votes.weight >= 0).all()
    assert set(votes.frames) <= {0, 1, 2}


def test_many_queries_are_thinned_out(monkeypatch):
    monkeypatch.setattr('densecorr.propagation.votes._MOST_QUERIES', 100)
    video, model = video_and_tracker()
    votes = votes_of(model, video, 2)
    assert votes.step > 1
    assert len(votes.queries) <= 100
    w = votes.grid[1]
    assert set(votes.queries % w % votes.step) == {0}
    assert len(votes.position) == len(votes.queries)


def test_saved_votes_are_read_again(tmp_path):
    video, model = video_and_tracker()
    votes = votes_of(model, video, 2)
    votes.save(tmp_path / 'a/b.npz')
    votes.save(tmp_path / 'c.npz')
    assert (tmp_path / 'a/b.npz').read_bytes() == (tmp_path / 'c.npz').read_bytes()
    again = Votes.load(tmp_path / 'c.npz')
    assert (again.frame, again.grid, again.cell) == (2, votes.grid, votes.cell)
    np.testing.assert_array_equal(again.position, votes.position)
    whole = (tmp_path / 'c.npz').read_bytes()
    for torn in (b'no', b'', whole[:200]):
        (tmp_path / 'c.npz').write_bytes(torn)
        with pytest.raises(ValueError, match=r'c.npz is not a file of votes.*Remove'):
            Votes.load(tmp_path / 'c.npz')


@pytest.mark.parametrize('frame', [0, 6, -1])
def test_frames_without_context_are_refused(frame):
    video, model = video_and_tracker()
    with pytest.raises(ValueError, match=r"'golden' has no votes; give one from 1 to"):
        votes_of(model, video, frame)


def test_a_voter_that_stands_often_has_many_slots():
    video, model = video_and_tracker()  # CRW repeats the first frame
    votes = votes_of(model, video, 1)
    assert votes.frames.tolist() == [0]
    # 21 copies inside the window, one outside: the best key fills all ten slots,
    # unless it lies outside
    assert (votes.position[:, :1] == votes.position).all(1).mean() > 0.5
