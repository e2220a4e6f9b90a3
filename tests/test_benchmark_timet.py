import pytest
import torch

from densecorr.apis.benchmarks import timet
from densecorr.models.losses.timet import TimeTLoss
from tests.test_models.test_timet import build

SIZES = ['--clips', '2', '--frames', '3', '--side', '56', '--pairs', '1']


def small(config, options=None):
    method = build(loss=dict(carry=dict(radius=2)))
    trained = [p for p in method.parameters() if p.requires_grad]
    return method, torch.optim.SGD(trained, lr=0.1)


def test_both_forms_are_equal():
    frames = timet.make_clips(2, 4, 56)
    assert frames.shape == (2, 4, 3, 56, 56)
    assert max(timet.differences(small('')[0], frames)) < 1e-4


def test_carrying_by_hand_is_that_of_the_loss():
    loss = TimeTLoss(carry=dict(num_frames=1, radius=1, topk=3))
    tokens = torch.randn(2, 4, 5, 5, 8)
    first = torch.rand(2, 25, 6)
    expected = torch.stack(
        [
            timet.literal_carry(loss, clip.permute(0, 3, 1, 2), q)
            for clip, q in zip(tokens, first, strict=True)
        ]
    )
    assert torch.equal(loss.labels(first, tokens).flatten(1), expected)


@pytest.mark.parametrize(('target', 'code'), [(1e9, 0), (0, 1)])
def test_report(target, code, monkeypatch, capsys):
    monkeypatch.setattr(timet, 'build', small)
    monkeypatch.setattr(timet, 'TARGET_RATIO', target)
    assert timet.main(SIZES) == code
    printed = capsys.readouterr().out
    assert '2 clips of 3 frames of 56x56, 1 thread(s)' in printed
    assert f'target {target}: {"MISSED" if code else "reached"}' in printed
    assert 'kept' in printed
