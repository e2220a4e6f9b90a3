import numpy as np
import pytest

from densecorr.structures import FrameResult, LabelMap, VideoSample


def sample(**changes):
    values = dict(
        name='a/b',
        frame_names=('0', '1', '2'),
        read_frame=lambda i: np.full((4, 5, 3), i, np.uint8),
        label_frames=(0, 2),
        read_labels=lambda i: LabelMap(np.full((4, 5), i, np.uint8)),
        first_label_frames=(0,),
        size=(4, 5),
        hash_inputs=lambda: 'f' * 64,
    )
    return VideoSample(**{**values, **changes})


def test_a_sample_counts_its_frames_and_reads_lazily():
    video = sample()
    assert video.num_frames == 3
    assert video.read_frame(2).max() == 2
    assert video.read_labels(2).indices.shape == video.size
    assert FrameResult(1, video.read_labels(0).indices).index == 1


def test_a_sample_is_frozen():
    with pytest.raises(AttributeError, match='cannot assign'):
        sample().name = 'c'


@pytest.mark.parametrize(
    'changes, text',
    [
        (dict(frame_names=()), "video 'a/b' has no frames"),
        (dict(first_label_frames=(1,)), r'\[1\], which have no labels. .*\[0, 2\]'),
        (dict(label_frames=(0, 3)), r'\[0, 3\]. Give ascending .* from 0 to 2'),
        (dict(label_frames=(2, 0)), r'\[2, 0\]. Give ascending'),
        (dict(label_frames=(0, 0)), r'\[0, 0\]. Give ascending'),
    ],
)
def test_contradictions_are_named(changes, text):
    with pytest.raises(ValueError, match=text):
        sample(**changes)
