import math

import pytest
import torch

from densecorr.ops.monitors import assignment_entropy, cluster_usage, feature_std


def test_spread_of_hand_made_features():
    # four corners of a square in two channels: mean 0, each channel has std 1/sqrt(2)
    corners = torch.tensor([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])
    assert float(feature_std(corners * 7)) == pytest.approx(1)
    # one channel of two varies: std (1, 0), mean 1/2, times sqrt(2)
    line = torch.tensor([[1.0, 0.0], [-1.0, 0.0]])
    assert float(feature_std(line)) == pytest.approx(1 / math.sqrt(2))
    assert float(feature_std(torch.ones(5, 3))) == pytest.approx(0, abs=1e-6)


def test_spread_of_noise_is_near_its_maximum_whatever_the_scale_and_shape():
    torch.manual_seed(0)
    feats = torch.randn(4, 50, 64)
    found = float(feature_std(feats))
    assert 0.98 < found <= 1
    assert float(feature_std(feats * 100)) == pytest.approx(found, rel=1e-5)
    assert float(feature_std(feats.flatten(0, 1))) == found
    shifted = float(feature_std(feats + 3))
    assert shifted < 0.5 * found


def test_monitors_are_float32_without_gradient_also_under_autocast():
    feats = torch.randn(20, 8, requires_grad=True)
    expected = feature_std(feats)
    with torch.autocast('cpu', torch.bfloat16):
        found = feature_std(feats)
    assert found.dtype == torch.float32
    assert not found.requires_grad
    assert torch.equal(found, expected)
    assert feature_std(feats.bfloat16()).dtype == torch.float32


def test_usage_of_hand_made_assignments():
    hard = torch.eye(4)[torch.tensor([0, 0, 1, 1])]
    usage = cluster_usage(hard)
    assert float(usage.share) == 0.5
    assert float(usage.perplexity) == pytest.approx(2)
    collapsed = cluster_usage(torch.eye(4)[torch.zeros(6, dtype=torch.long)])
    assert float(collapsed.share) == 0.25
    assert float(collapsed.perplexity) == pytest.approx(1)
    soft = cluster_usage(torch.full((3, 4), 0.25))
    assert float(soft.share) == 0.25  # all have the same first choice
    assert float(soft.perplexity) == pytest.approx(4)


def test_entropy_of_hand_made_assignments():
    assert float(assignment_entropy(torch.eye(3))) == 0
    assert float(assignment_entropy(torch.full((2, 5), 0.2))) == pytest.approx(1)
    mixed = torch.tensor([[0.5, 0.5, 0.0, 0.0], [1.0, 0.0, 0.0, 0.0]])
    assert float(assignment_entropy(mixed)) == pytest.approx(0.25)
    assert float(assignment_entropy(torch.ones(3, 1))) == 0


def test_the_order_of_samples_and_prototypes_changes_nothing():
    torch.manual_seed(0)
    shares = torch.rand(30, 6).softmax(-1)
    other = shares[torch.randperm(30)][:, torch.randperm(6)]
    torch.testing.assert_close(cluster_usage(other), cluster_usage(shares))
    torch.testing.assert_close(assignment_entropy(other), assignment_entropy(shares))


def test_bad_inputs_are_named():
    with pytest.raises(ValueError, match=r'feats are \(0, 3\); give .* one sample'):
        feature_std(torch.zeros(0, 3))
    for function in (cluster_usage, assignment_entropy):
        with pytest.raises(ValueError, match=r'assignments are \(0, 3\)'):
            function(torch.zeros(0, 3))
        with pytest.raises(ValueError, match=r'a sum is off by 2\. Apply a softmax'):
            function(torch.ones(4, 3))
        with pytest.raises(ValueError, match='the smallest is -1'):
            function(torch.tensor([[2.0, -1.0]]))
