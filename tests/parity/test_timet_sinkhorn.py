"""TimeT: the balanced assignment of patches to prototypes."""

from __future__ import annotations

from densecorr.ops.sinkhorn import sinkhorn_assignment

from .replay import Case, replay


@replay('timet', 'sinkhorn', inputs=['scores', 'epsilon', 'iterations'])
def test_sinkhorn(case: Case) -> None:
    found = sinkhorn_assignment(
        case.tensor('scores'), epsilon=case.epsilon, iterations=case.iterations
    )
    case.close('q', found, atol=1e-5)
