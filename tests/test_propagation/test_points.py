from dataclasses import replace

import numpy as np
import pytest
import torch

from densecorr.ops.size_policy import resolve_size
from densecorr.propagation.points import (
    PointFollower,
    PointQueries,
    from_cells,
    locate,
    splat,
    to_cells,
)
from densecorr.registry import MODELS
from densecorr.structures import VideoSample

STRIDE = 4
SIZE = (64, 96)


def queries(*rows) -> PointQueries:
    """Rows of frame, id, x, y."""
    table = np.array(rows, float)
    return PointQueries(table[:, 0].astype(int), table[:, 1].astype(int), table[:, 2:])


def video_of(frames) -> VideoSample:
    def nothing(index):
        raise AssertionError('points need no labels')

    return VideoSample(
        name='clip',
        frame_names=tuple(f'{i:05d}' for i in range(len(frames))),
        read_frame=lambda index: frames[index],
        label_frames=(),
        read_labels=nothing,
        first_label_frames=(),
        size=frames[0].shape[:2],
        hash_inputs=str,
    )


def follower(topk=1, num_frames=3, temperature=0.05, size=None, chunk=1):
    """Colours as features, without a window."""
    protocol = dict(
        context=dict(num_frames=num_frames, first='windowed', recent_first=False),
        window=dict(shape='none'),
        select=dict(topk=topk, temperature=temperature),
        labels={},
        size=size or {},
        resizer='opencv',
    )
    model = dict(
        type='VideoTracker',
        backbone=dict(type='RawColors', stride=STRIDE),
        inputs=dict(color='rgb', mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0)),
        protocol=protocol,
        chunk=chunk,
    )
    return PointFollower(MODELS.build(model).eval())


def blocks(length, step=(STRIDE, 0), size=SIZE):
    """Cells of random colours that move by ``step`` (x, y) pixels a frame."""
    rng = np.random.default_rng(0)
    cells = rng.integers(0, 256, (size[0] // STRIDE, size[1] // STRIDE, 3))
    image = cells.astype(np.uint8).repeat(STRIDE, 0).repeat(STRIDE, 1)
    return [np.roll(image, (t * step[1], t * step[0]), (0, 1)) for t in range(length)]


def ramp(length, step):
    """Red tells the column of the texture, green the row: features of the place."""
    rows, columns = np.mgrid[: SIZE[0], : SIZE[1]]
    frames = []
    for t in range(length):
        planes = [2.5 * (columns - t * step[0]), 3.5 * (rows - t * step[1]), 0 * rows]
        frames.append(np.stack(planes, -1).clip(0, 255).astype(np.uint8))
    return frames


def test_splat_by_hand():
    soft = splat(torch.tensor([[1.25, 0.5], [-0.4, 3.4]]), (3, 4))
    expected = torch.zeros(2, 3, 4)
    expected[0, :2, 1], expected[0, :2, 2] = 0.375, 0.125
    expected[1, 2, 0] = 1  # beyond the outer cells: on them
    torch.testing.assert_close(soft, expected)


def test_locate_by_hand():
    soft = torch.zeros(2, 6, 8)
    soft[0, 2, 3], soft[0, 2, 4], soft[0, 5, 7] = 0.3, 0.1, 0.29
    places, confidence = locate(soft)
    torch.testing.assert_close(places[0], torch.tensor([3.25, 2.0]).double())
    assert confidence[0] == pytest.approx(0.4)  # the far cell has no share
    assert torch.isnan(places[1]).all() and confidence[1] == 0


def test_locate_takes_the_best_cells_alone():
    soft = torch.full((1, 5, 5), 0.1)
    soft[0, 2, 2] = 0.9
    places, confidence = locate(soft, reach=1, cells=1)
    assert places.tolist() == [[2, 2]] and confidence.item() == pytest.approx(0.9)
    assert locate(soft, reach=1, cells=9)[1].item() == 1  # never above 1


def test_points_come_back_from_their_splat():
    rng = np.random.default_rng(1)
    points = torch.from_numpy(rng.uniform((0, 0), (12, 8), (50, 2)))
    places, confidence = locate(splat(points, (9, 13)))
    torch.testing.assert_close(places, points, atol=1e-6, rtol=0)
    torch.testing.assert_close(confidence, torch.ones(50).double())


def test_image_and_grid_agree_about_places():
    """The centre of the first cell of 4 pixels is at pixel 1.5, also when resized."""
    points = torch.tensor([[1.5, 1.5], [5.5, 9.5]]).double()
    plan = resolve_size(SIZE)
    assert to_cells(points, plan, (16, 24)).tolist() == [[0, 0], [1, 2]]
    doubled = resolve_size(SIZE, fixed=(128, 192))
    grid = (32, 48)
    assert to_cells(points, doubled, grid)[0].tolist() == [0.5, 0.5]
    for each in (plan, doubled):
        back = from_cells(to_cells(points, each, grid), each, grid)
        torch.testing.assert_close(back, points)


@pytest.mark.parametrize('step', [(4, 0), (0, 4), (8, -4), (-4, -4)])
def test_translation_by_whole_cells_is_recovered_exactly(step):
    given = np.array([[40.3, 30.9], [47.5, 31.5], [50.0, 25.0]])
    rows = [(0, number, *xy) for number, xy in enumerate(given, 1)]
    video = video_of(blocks(5, step))
    for result in follower().track(video, queries(*rows)):
        assert result.ids.tolist() == [1, 2, 3]
        expected = given + np.array(step) * result.index
        np.testing.assert_allclose(result.points, expected, atol=1e-4)
        np.testing.assert_allclose(result.confidence, 1, atol=1e-5)


@pytest.mark.parametrize('step', [(1, 0), (1.3, 0.7), (-1.2, 0.9)])
def test_translation_of_less_than_a_cell_is_met_within_half_a_cell(step):
    rng = np.random.default_rng(2)
    given = rng.uniform((30, 20), (66, 44), (20, 2))
    rows = [(0, number, *xy) for number, xy in enumerate(given)]
    tracker = follower(num_frames=0)  # every frame against the first
    for result in tracker.track(video_of(ramp(6, step)), queries(*rows)):
        expected = given + np.array(step) * result.index
        assert np.abs(result.points - expected).max() <= STRIDE / 2 + 0.1


def test_soft_votes_keep_the_place():
    given = np.array([[45.0, 30.0], [50.5, 33.5]])
    rows = [(0, number, *xy) for number, xy in enumerate(given)]
    tracker = follower(topk=5, num_frames=3)
    for result in tracker.track(video_of(blocks(5)), queries(*rows)):
        expected = given + np.array([STRIDE * result.index, 0])
        assert np.abs(result.points - expected).max() <= STRIDE / 2
        assert (result.confidence > 0).all() and (result.confidence <= 1).all()


def test_points_start_in_any_frame_and_do_not_disturb_one_another():
    frames = blocks(6)
    alone = follower().track(video_of(frames), queries((0, 5, 40, 30)))
    rows = [(3, 9, 52.0, 30.0), (0, 5, 40.0, 30.0), (2, 1, 60.0, 20.0)]
    together = list(follower().track(video_of(frames), queries(*rows)))
    assert [r.ids.tolist() for r in together] == [
        *[[5]] * 2,
        [1, 5],
        *[[1, 5, 9]] * 3,
    ]
    for one, all_ in zip(alone, together, strict=True):
        place = all_.ids.tolist().index(5)
        np.testing.assert_allclose(one.points[0], all_.points[place], atol=1e-5)
    # point 9 is given on point 5, and point 1 moves on from where it was given
    np.testing.assert_allclose(together[5].points[1:, 0], [60, 60], atol=1e-4)
    np.testing.assert_allclose(together[5].points[0], [72, 20], atol=1e-4)


def test_frames_before_the_first_point_are_empty_and_not_read():
    frames = blocks(4)
    video = video_of(frames)
    read = []

    def read_frame(index):
        read.append(index)
        return frames[index]

    watched = replace(video, read_frame=read_frame)
    found = list(follower().track(watched, queries((2, 1, 40, 30))))
    assert [len(result.ids) for result in found] == [0, 0, 1, 1]
    assert read == [2, 3]


def test_a_point_that_is_given_again_goes_on_from_there():
    rows = [(0, 1, 40.0, 30.0), (2, 1, 20.0, 50.0)]
    found = list(follower().track(video_of(blocks(4)), queries(*rows)))
    assert [r.ids.tolist() for r in found] == [[1]] * 4
    x = [r.points[0].tolist() for r in found]
    np.testing.assert_allclose(x, [[40, 30], [44, 30], [20, 50], [24, 50]], atol=1e-4)


def test_a_point_whose_place_is_gone_is_lost():
    """Without a vote for it nobody knows where it is; the given frame is exact."""
    frames = [*blocks(1), *[np.zeros((*SIZE, 3), np.uint8)] * 2]
    frames[0] = frames[0].copy()
    frames[0][:STRIDE, :STRIDE] = 0  # what the later frames match
    found = list(follower().track(video_of(frames), queries((0, 1, 41.3, 30.2))))
    assert found[0].points.tolist() == [[41.3, 30.2]]
    assert found[0].confidence.tolist() == [1]
    assert np.isnan(found[1].points).all() and found[1].confidence.tolist() == [0]


def test_chunks_change_nothing_and_order_of_points_neither():
    rows = [(0, 1, 40.0, 30.0), (1, 2, 50.0, 20.0), (0, 3, 20.5, 45.0)]
    video = video_of(blocks(5))
    one = list(follower(topk=4).track(video, queries(*rows)))
    two = list(follower(topk=4, chunk=3).track(video, queries(*rows[::-1])))
    for a, b in zip(one, two, strict=True):
        assert a.ids.tolist() == b.ids.tolist()
        np.testing.assert_allclose(a.points, b.points, atol=1e-4)


def test_what_is_no_point_of_the_clip_is_named():
    with pytest.raises(ValueError, match=r'no point is given\. Give at least one'):
        PointQueries(np.empty(0, int), np.empty(0, int), np.empty((0, 2)))
    with pytest.raises(ValueError, match='point 7 is given 2 times in frame 3'):
        queries((3, 7, 1, 1), (0, 7, 1, 1), (3, 7, 2, 2))
    with pytest.raises(ValueError, match=r'point 2 in frame 0 is at \(x, y\) = \(nan'):
        queries((0, 2, np.nan, 1))
    video = video_of(blocks(3))
    for row, text in [
        ((3, 1, 5, 5), 'point 1 is given in frame 3; the clip has frames 0 to 2'),
        ((-1, 1, 5, 5), 'point 1 is given in frame -1'),
        ((0, 4, 95.6, 5), r'point 4 in frame 0 is at \(x, y\) = \(95.6, 5\), outside'),
        ((0, 4, 5, -0.6), 'of 64x96 .* y from -0.5 to 63.5'),
    ]:
        with pytest.raises(ValueError, match=text):
            list(follower().track(video, queries(row)))
    corner = next(follower().track(video, queries((0, 4, 95.5, -0.5))))
    assert corner.points.tolist() == [[95.5, -0.5]]
