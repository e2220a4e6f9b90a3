import pytest

from densecorr.utils.tables import format_csv, format_markdown, format_table


def test_screen_shows_percent_and_aligns():
    rows = [dict(name='cows', J=0.5034, n=3), dict(name='bike', J=1.0, n=12)]
    assert format_table(rows, ['name', 'n', 'J']).split('\n') == [
        'name   n      J',
        '----  --  -----',
        'cows   3   50.3',
        'bike  12  100.0',
    ]


def test_missing_cells_are_dashes_and_no_rows_are_fine():
    rows = [dict(name='a', J=float('nan')), dict(name='b')]
    assert format_table(rows, ['name', 'J']).split('\n')[2:] == ['a     -', 'b     -']
    assert format_table([], ['name', 'J']).split('\n') == ['name  J', '----  -']


def test_unnamed_cells_are_an_error():
    with pytest.raises(ValueError, match=r"cells \['F'\], columns are \['J'\]"):
        format_table([dict(J=0.5, F=0.5)], ['J'])


def test_csv_is_what_pandas_writes():
    rows = [['a,b', 0.0004999, -0.0001, float('nan')], ['c', 1, 0.9996, None]]
    text = format_csv(rows, ['Sequence', 'x', 'y', 'z'], decimals=3)
    assert text == 'Sequence,x,y,z\n"a,b",0.000,-0.000,\nc,1,1.000,\n'


def test_csv_rows_have_all_cells():
    with pytest.raises(ValueError, match=r"row \['a'\] has 1 cells for 2 columns"):
        format_csv([['a']], ['x', 'y'], decimals=3)


def test_markdown_escapes_bars_and_has_all_cells():
    assert format_markdown([['a|b', '']], ['x', 'y']).split('\n') == [
        '| x | y |',
        '| --- | --- |',
        r'| a\|b | |',
    ]
    with pytest.raises(ValueError, match=r"row \['a'\] has 1 cells for 2 columns"):
        format_markdown([['a']], ['x', 'y'])
