import json
import re

import pytest

from densecorr import cli
from densecorr.apis.report.comparison import write_comparison

CONTENT = dict(
    schema=2,
    metrics={'J&F-Mean': 0.5},
    dataset=dict(name='DAVIS-2017', split='val', note='3 of 30 sequences: not val'),
    protocol=dict(name='crw', note=''),
    task='davis',
)
VIDEOS = [f'v{number}' for number in range(9)]


def result(folder, shift=0.0, topk=10, videos=VIDEOS, **changes):
    """A results folder with two objects in every video."""
    folder.mkdir(parents=True)
    part = dict(
        context=dict(num_frames=3),
        window=dict(shape='none'),
        select=dict(topk=topk),
        labels=dict(encode='bilinear'),
    )
    print_ = dict(task='davis', protocol=dict(name='crw', revision=1, davis=part))
    content = {**CONTENT, 'fingerprint': print_, **changes}
    (folder / 'metrics.json').write_text(json.dumps(content))
    lines = ['Sequence,Object,J-Mean,F-Mean']
    for number, video in enumerate(videos):
        for item in (1, 2):
            score = 0.3 + 0.05 * number + 0.02 * item + shift * (1 + number / 9)
            lines.append(f'{video},{item},{score:.6f},{score:.6f}')
    (folder / 'per_object.csv').write_text('\n'.join(lines) + '\n')
    return folder


def row_of(page, name):
    """Cells of the first row of a table that begins with a name."""
    row = re.search(rf'<tr[^>]*><th scope="row">{name}</th>(.*?)</tr>', page)
    return re.sub('<[^>]+>', ' ', row[1]).split()


def test_page_has_means_tests_videos_and_factors(tmp_path):
    folders = [
        result(tmp_path / 'a/davis'),
        result(tmp_path / 'b/davis', 0.001, topk=3),
        result(tmp_path / 'c/davis', 0.1),
    ]
    page = write_comparison(folders, tmp_path / 'page.html').read_text()
    assert '<h1>3 results on DAVIS-2017 val</h1>' in page
    assert '18 objects of 9 videos' in page
    assert '95 % confidence intervals (bootstrap-t, whole videos resampled)' in page
    assert '3 of 30 sequences: not val' in page
    for letter in 'abc':
        assert f'<li>{letter}/davis, protocol crw</li>' in page
    assert row_of(page, 'A')[0] == '53.0'
    assert row_of(page, 'C - A') == ['+14.4', *row_of(page, 'C - A')[1:]]
    # all 2 ** 9 exchanges are counted; three tests, the smallest p times three
    assert row_of(page, 'C - A')[-2:] == ['0.0039', '0.012']
    assert row_of(page, 'v0') == [
        '2', '33.0', '33.1', '43.0', '+0.1', '+10.0'
    ]  # fmt: skip
    assert row_of(page, 'protocol') == ['select.topk', '10', '3', '10']
    assert 'Equal in all: size rule, image reader, decode, protocol name' in page
    assert 'Not recorded in all: weights, ' in page
    assert str(tmp_path) not in page
    again = write_comparison(folders, tmp_path / 'again.html')
    assert again.read_text() == page


def test_only_clear_differences_are_bold(tmp_path):
    folders = [result(tmp_path / 'a'), result(tmp_path / 'b', 0.1)]
    page = write_comparison(folders, tmp_path / 'page.html').read_text()
    assert '<tr class=clear><th scope="row">B - A' in page
    assert 'p, corrected' not in page
    page = write_comparison([folders[0]] * 2, tmp_path / 'same.html').read_text()
    assert '<tr><th scope="row">B - A</th><td>+0.0</td>' in page
    assert 'No recorded factor differs.' in page


def test_few_videos_say_so_on_an_axis_from_zero(tmp_path):
    folders = [
        result(tmp_path / name, shift, videos=VIDEOS[::6])
        for name, shift in (('a', 0.0), ('b', 0.1))
    ]
    page = write_comparison(folders, tmp_path / 'page.html').read_text()
    assert 'Student&#39;s t over the videos, too few to resample' in page
    ticks = re.findall(r'<span style="left: [\d.]+%">(.*?)</span>', page)
    assert ticks == ['0', '20', '40', '60', '80']  # and not -0


def test_page_needs_nothing_from_outside(tmp_path):
    folders = [result(tmp_path / 'a'), result(tmp_path / 'b', 0.1)]
    page = write_comparison(folders, tmp_path / 'page.html').read_text()
    assert "default-src 'none'" in page
    assert not re.findall(r'(?:src|href)=', page)
    assert '<script' not in page


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        (dict(task='vip'), r"cannot be compared: their task is 'davis' and 'vip'"),
        (dict(schema=7), r'has schema 7, this version reads'),
        (dict(videos=[*VIDEOS[1:], 'x']), r'other videos: .* first has v0, only .* x'),
    ],
)
def test_results_that_cannot_be_compared_are_named(tmp_path, changes, message):
    folders = [result(tmp_path / 'a'), result(tmp_path / 'b', **changes)]
    with pytest.raises(ValueError, match=message):
        write_comparison(folders, tmp_path / 'page.html')
    assert not (tmp_path / 'page.html').exists()


def test_one_video_or_one_result_is_too_few(tmp_path):
    lone = [result(tmp_path / name, videos=['v0']) for name in 'ab']
    with pytest.raises(ValueError, match=r'are of 1 video; .* at least 2 are needed'):
        write_comparison(lone, tmp_path / 'page.html')
    with pytest.raises(ValueError, match=r'1 results were given; compare 2 to 26'):
        write_comparison(lone[:1], tmp_path / 'page.html')


def test_program_writes_the_page_where_it_is_told(tmp_path, capsys):
    folders = [str(result(tmp_path / 'a')), str(result(tmp_path / 'b', 0.1))]
    out = tmp_path / 'page.html'
    assert cli.main(['report', '--compare', *folders, '--out', str(out)]) == 0
    assert capsys.readouterr().out == f'comparison: {out}\n'
    assert out.is_file()
    (tmp_path / 'b/per_object.csv').unlink()
    assert cli.main(['report', '--compare', *folders]) == 1
    assert 'there is no' in capsys.readouterr().err
    for wrong in ([], [folders[0], '--compare', *folders], [folders[0], '--out', 'x']):
        with pytest.raises(SystemExit):
            cli.main(['report', *wrong])
