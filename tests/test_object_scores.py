import numpy as np
import pytest

from densecorr.apis.object_scores import paired_test, read_object_scores

HEADER = 'Sequence,Row,Object,Proposal,J-Mean,J-Recall,F-Mean\n'


def table(folder, *rows):
    """``per_object.csv`` of (video, object, J, F)."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = [f'{v},1,{o},1,{j},1.0,{f}\n' for v, o, j, f in rows]
    (folder / 'per_object.csv').write_text(HEADER + ''.join(lines))
    return folder


ROWS = [('dog', 1, 0.5, 0.7), ('dog', 2, 0.4, 0.6), ('cat', 1, 0.9, 0.8)]


def test_objects_and_their_means_are_read(tmp_path):
    found = read_object_scores(table(tmp_path, *ROWS))
    assert found.names == ('dog 1', 'dog 2', 'cat 1')
    assert found.of('J&F-Mean').tolist() == pytest.approx([0.6, 0.5, 0.85])
    assert found.of('F-Mean').tolist() == [0.7, 0.6, 0.8]
    interval = found.interval()
    assert interval.mean == pytest.approx(0.65)
    assert (interval.num_videos, interval.num_objects) == (2, 3)


def test_pairs_are_found_by_name_in_any_order(tmp_path):
    one = read_object_scores(table(tmp_path / 'a', *ROWS))
    better = [(v, o, j + 0.05, f) for v, o, j, f in reversed(ROWS)]
    two = read_object_scores(table(tmp_path / 'b', *better))
    found = paired_test(two, one)
    ends = (found.difference, found.low, found.high)
    assert ends == pytest.approx((0.025, 0.025, 0.025))
    assert found.p_value == 0.5  # the least that two videos can give
    assert np.isclose(paired_test(one, two).difference, -0.025)


def test_other_videos_and_objects_are_named(tmp_path):
    one = read_object_scores(table(tmp_path / 'a', *ROWS))
    horse = read_object_scores(table(tmp_path / 'b', *ROWS[:2], ('horse', 1, 0.5, 0.5)))
    with pytest.raises(ValueError, match=r'other videos: only the first has cat, only'):
        paired_test(one, horse)
    fewer = read_object_scores(table(tmp_path / 'c', *ROWS[1:]))
    with pytest.raises(ValueError, match=r'objects: only the first has dog 1, .* none'):
        paired_test(one, fewer)


@pytest.mark.parametrize(
    ('rows', 'message'),
    [
        ([('dog', 1, '', 0.5)], r"object 1 of dog has J-Mean '', not a fraction"),
        ([('dog', 1, 'nan', 0.5)], r"has J-Mean 'nan', not a fraction"),
        ([('dog', 1, 50.0, 0.5)], r"has J-Mean '50.0', not a fraction"),
        ([ROWS[0], ROWS[0]], r"has objects twice: \['dog 1'\]"),
        ([], r'has no rows: nothing was scored'),
    ],
)
def test_bad_tables_are_named(tmp_path, rows, message):
    with pytest.raises(ValueError, match=message):
        read_object_scores(table(tmp_path, *rows))


def test_files_that_are_no_tables_are_named(tmp_path):
    with pytest.raises(
        FileNotFoundError, match=r'there is no .*per_object\.csv\. Runs'
    ):
        read_object_scores(tmp_path)
    (tmp_path / 'x.csv').write_text('a,b\n1,2\n')
    with pytest.raises(ValueError, match=r"it lacks \['F-Mean', 'J-Mean', 'Object', "):
        read_object_scores(tmp_path / 'x.csv')


def test_one_video_has_no_interval(tmp_path):
    found = read_object_scores(table(tmp_path, *ROWS[:2]))
    with pytest.raises(ValueError, match=r'per_object\.csv: the scores are of 1 video'):
        found.interval()
    with pytest.raises(KeyError, match=r"has no 'J-Men'.*Did you mean 'J-Mean'"):
        found.of('J-Men')
