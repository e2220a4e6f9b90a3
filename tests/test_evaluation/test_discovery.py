import numpy as np
import pytest

from densecorr.evaluation.functional.boundary import boundary_accuracy
from densecorr.evaluation.functional.davis import mask_scores
from densecorr.evaluation.functional.discovery import (
    best_candidate,
    check_exclusive,
    exclusive_map,
    largest_tracks,
    link_slots,
    match_per_frame,
    match_per_sequence,
    merge_foreground,
)
from densecorr.evaluation.functional.region import region_similarity


def blocks(*boxes, size=(12, 16)):
    """Masks of boxes (top, left, bottom, right)."""
    planes = np.zeros((len(boxes), *size), bool)
    for plane, (top, left, bottom, right) in zip(planes, boxes, strict=True):
        plane[top:bottom, left:right] = True
    return planes


def test_scores_of_masks_that_overlap():
    proposals = blocks((0, 0, 6, 8), (2, 2, 12, 16), (0, 0, 0, 0))
    objects = blocks((0, 0, 6, 6), (4, 4, 12, 12))
    void = np.zeros((12, 16), bool)
    void[:, 14:] = True
    region, boundary = mask_scores(proposals, objects, void)
    for n, proposal in enumerate(proposals):
        for k, target in enumerate(objects):
            expected = region_similarity(proposal, target, void)
            assert region[n, k] == pytest.approx(expected)
            expected = boundary_accuracy(proposal, target, void)
            assert boundary[n, k] == pytest.approx(expected)


def test_proposals_of_another_data_set():
    with pytest.raises(ValueError, match='Are the proposals those of another data set'):
        mask_scores(blocks((0, 0, 2, 2), size=(8, 8)), blocks((0, 0, 2, 2)))


def scores(n=4, k=3, t=5, seed=0):
    rng = np.random.default_rng(seed)
    return rng.random((n, k, t)), rng.random((n, k, t))


def test_a_sequence_gets_no_more_than_its_frames_do():
    region, boundary = scores()
    frames = match_per_frame(region, boundary)
    whole = match_per_sequence(region, boundary)
    assert (whole.region + whole.boundary).sum() <= (
        frames.region + frames.boundary
    ).sum()
    assert (whole.proposals == whole.proposals[:, :1]).all()
    for matched in (frames, whole):
        assert matched.region.shape == (3, 5)
        for t in range(5):
            assert len(set(matched.proposals[:, t])) == 3
            rows = matched.proposals[:, t]
            expected = region[rows, range(3), t]
            np.testing.assert_array_equal(matched.region[:, t], expected)


def test_rows_are_objects_whatever_the_order_of_proposals():
    region, boundary = scores()
    order = np.array([2, 0, 3, 1])
    for match in (match_per_frame, match_per_sequence):
        plain, moved = match(region, boundary), match(region[order], boundary[order])
        np.testing.assert_array_equal(plain.region, moved.region)
        np.testing.assert_array_equal(plain.proposals, order[moved.proposals])


def test_too_few_proposals():
    with pytest.raises(ValueError, match=r'2 proposals for 3 objects\. Add empty'):
        match_per_frame(*scores(n=2))
    with pytest.raises(ValueError, match='give equal'):
        match_per_sequence(scores()[0], scores(t=4)[1])


def test_slots_are_followed_and_new_ones_begin_tracks():
    one, two, three = np.eye(3)
    frames = [np.array([one, two]), np.array([2 * two, one]), np.zeros((0, 3)),
              np.array([one]), np.array([three, one])]  # fmt: skip
    tracks = link_slots(frames, threshold=0.5)
    assert [t.tolist() for t in tracks] == [[1, 2], [2, 1], [], [3], [4, 3]]
    turned = [np.array([one]), np.array([(one + two) / np.sqrt(2)])]
    assert [t.tolist() for t in link_slots(turned, 0.7)] == [[1], [1]]
    assert [t.tolist() for t in link_slots(turned, 0.72)] == [[1], [2]]


def test_bad_arguments_of_the_linker():
    with pytest.raises(ValueError, match=r'threshold of the linker is 2; give -1 to 1'):
        link_slots([], 2)
    with pytest.raises(ValueError, match=r'have \[2, 3\] channels'):
        link_slots([np.eye(2), np.eye(3)])


def test_the_largest_tracks_are_kept():
    tracks = [np.array([1, 2]), np.array([2, 3]), np.zeros(0, int)]
    areas = [np.array([5.0, 2.0]), np.array([4.0, 0.0]), np.zeros(0)]
    assert largest_tracks(tracks, areas).tolist() == [2, 1]
    assert largest_tracks(tracks, areas, most=1).tolist() == [2]
    assert largest_tracks([], []).tolist() == []


def test_a_pixel_belongs_to_one_proposal():
    owners, tracks = np.array([[0, 1, -1]]), np.array([7, 4])
    assert exclusive_map(owners, tracks, np.array([4, 7])).tolist() == [[2, 1, 0]]
    assert exclusive_map(owners, tracks, np.array([7])).tolist() == [[1, 0, 0]]
    none = exclusive_map(np.full((1, 3), -1), tracks[:0], tracks[:0])
    assert none.tolist() == [[0, 0, 0]]


def test_proposals_that_the_protocol_refuses():
    check_exclusive(blocks((0, 0, 6, 8), (6, 0, 12, 8)), 'dog/00003')
    message = r'proposals 1 and 3 of dog/00003 overlap in 12 pixels.*per_frame_oracle'
    with pytest.raises(ValueError, match=message):
        masks = blocks((0, 0, 6, 8), (6, 0, 12, 8), (4, 2, 6, 8))
        check_exclusive(masks, 'dog/00003')
    with pytest.raises(ValueError, match='has 21 proposals, the protocol davis allows'):
        check_exclusive(np.zeros((21, 4, 4)), 'dog/00003')


def test_merge_takes_the_slots_of_the_foreground():
    truth = blocks((3, 4, 9, 12))[0]
    maps = np.stack([truth[:6].repeat(2, 0), truth, ~truth]).astype(float)
    maps[0] = blocks((3, 4, 9, 8))[0]
    maps[1] = blocks((3, 8, 9, 12))[0]
    found = merge_foreground(np.stack([maps, maps]), truth)
    assert found.iou == 1
    np.testing.assert_array_equal(found.mean > 0.5, truth)
    assert merge_foreground(maps[None, 2:], truth).iou == 0  # no slot is chosen
    with pytest.raises(ValueError, match='enlarge maps'):
        merge_foreground(maps, truth)


def test_best_candidate_of_a_sequence():
    region = np.array([[0.9, 0.1], [0.6, 0.6]])
    assert best_candidate(region) == (1, pytest.approx(0.6))
    with pytest.raises(ValueError, match='at least one of each'):
        best_candidate(region[:0])
