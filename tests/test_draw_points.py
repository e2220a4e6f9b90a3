import numpy as np

from densecorr.utils.images import davis_palette
from densecorr.visualization.points import draw_points


def draw(points, ids, confidence, size=(90, 180)):
    image = np.full((*size, 3), 100, np.uint8)
    drawn = draw_points(image, np.array(points), np.array(ids), np.array(confidence))
    assert (image == 100).all()
    return drawn


def test_disc_has_the_colour_of_its_id_at_its_place():
    drawn = draw([[50.0, 30.0]], [2], [1.0])
    assert drawn[30, 50].tolist() == davis_palette()[2].tolist()
    rows, columns = np.nonzero((drawn == davis_palette()[2]).all(-1))
    assert (rows.mean(), columns.mean()) == (30, 50)  # symmetric around the point
    assert (drawn[:20] == 100).all() and (drawn[:, :40] == 100).all()
    changed = (drawn != 100).any(-1)
    assert changed[32:, 53:].any()  # the number stands below at the right


def test_rim_tells_the_confidence():
    rims = [draw([[50.0, 30.0]], [2], [sure])[27:34, 46:55] for sure in (0.0, 1.0)]
    assert rims[0][..., 0].max() < 110 and rims[1][..., 0].max() > 200


def test_lost_points_and_points_outside_leave_the_image():
    assert (draw([[np.nan, np.nan], [-500.0, 30.0]], [1, 2], [0.0, 0.5]) == 100).all()
    assert (draw(np.empty((0, 2)), [], []) == 100).all()
