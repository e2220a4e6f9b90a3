"""Collectives, and what is built of them, in two real gloo processes."""

import torch
import torch.nn.functional as F

from densecorr.ops.sinkhorn import sinkhorn_assignment, sinkhorn_plan
from densecorr.utils.ranks import gather_ranks, rank_count

from .two_ranks import run_two_ranks


def _scores():
    generator = torch.Generator().manual_seed(0)
    feats = F.normalize(torch.randn(46, 8, generator=generator), dim=1)
    return feats[:40] @ feats[40:].t()


def _work(rank, scores):
    value = torch.tensor([1.0, 2.0]).mul(rank + 1).requires_grad_()
    stacked = gather_ranks(value)  # [[1, 2], [2, 4]]
    (stacked.prod(0).sum() * (rank + 1)).backward()
    mine = scores.chunk(2)[rank]
    return dict(
        count=rank_count(),
        stacked=stacked.detach(),
        grad=value.grad,
        assigned=sinkhorn_assignment(mine, gather=gather_ranks),
        plan=sinkhorn_plan(mine, gather=gather_ranks),
    )


def test_two_processes_equal_one():
    scores = _scores()
    found = run_two_ranks(_work, scores)
    for rank, one in enumerate(found):
        assert one['count'] == 2
        assert one['stacked'].tolist() == [[1.0, 2.0], [2.0, 4.0]]
        # rank 0 loses the product once, rank 1 twice; the derivative of the product
        # by one rank's part is the other's part
        other = torch.tensor([1.0, 2.0]) * (2 - rank)
        assert torch.equal(one['grad'], 3 * other)
    for name, whole in (
        ('assigned', sinkhorn_assignment(scores)),
        ('plan', sinkhorn_plan(scores)),
    ):
        both = torch.cat([one[name] for one in found])
        torch.testing.assert_close(both, whole, atol=2e-6, rtol=1e-5)


def test_one_process_gathers_itself():
    value = torch.rand(3)
    assert rank_count() == 1
    assert torch.equal(gather_ranks(value), value[None])
