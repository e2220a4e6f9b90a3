"""The report of clusters, probes and retrieval."""

from __future__ import annotations

import base64
import io
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from densecorr.apis.report import rebuild_report, write_overlays, write_report
from densecorr.apis.report.results import read_results
from densecorr.apis.report.segment_files import Segments, read_segments
from densecorr.apis.report.segments import (
    clip_frames,
    clip_views,
    confusion_table,
    ranked_views,
    segment_parts,
)
from densecorr.evaluation.metrics.seg_tables import write_shown
from densecorr.utils.segment_colors import segment_palette
from densecorr.visualization.panels import Panel, join_panels, panel_size

from .segment_tree import CLASSES, CLIPS, SIZE, VIEWS, write_segments
from .test_browser_report import browser  # noqa: F401

LARGE = 10**7


@pytest.fixture(scope='module')
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any, Any]:
    out = tmp_path_factory.mktemp('segments')
    return out, *write_segments(out)


@pytest.fixture(scope='module')
def found(run: tuple[Path, Any, Any]) -> Segments:
    return read_segments(read_results(run[0], run[1]), run[2])


def _frames_of(address: str) -> list[np.ndarray]:
    image = Image.open(io.BytesIO(base64.b64decode(address.partition(',')[2])))
    frames = []
    for number in range(getattr(image, 'n_frames', 1)):
        image.seek(number)
        frames.append(np.asarray(image.convert('RGB')))
    return frames


def test_a_clip_is_a_gif_of_panels_in_colours_that_stay(found: Segments) -> None:
    parts = segment_parts(found, LARGE)
    assert [clip['name'] for clip in parts['clips']] == list(CLIPS)
    assert parts['clips'][0]['scores'] == ['clip/K-classes 60.0', 'clip/K-10 60.0']
    assert parts['table']['rows'][1] == ['b', '85.0', '85.0']
    frames = _frames_of(parts['clips'][0]['image'])
    assert len(frames) == CLIPS['a']
    height = panel_size(SIZE, 220)[0]
    assert frames[0].shape == (2 * (height + 16), 3 * 220 + 2 * 4, 3)
    palette = segment_palette().astype(int)
    scale = 220 / SIZE[1]
    for frame in frames:
        top, left = 16 + int(16.5 * scale), int(25.5 * scale)
        labels, classes = (frame[top, left + k * 224] for k in (1, 2))
        pale = frame[top + height + 16, left]  # first of the second row
        assert np.abs(labels - palette[2]).max() < 20
        assert np.abs(classes - palette[2]).max() < 20
        assert np.abs(pale - palette[130]).max() < 45  # nearest colour of the GIF


def test_confusions_are_shares_of_annotated_pixels(found: Segments) -> None:
    table = confusion_table(found, VIEWS[0])
    assert table['columns'] == CLASSES
    cat = table['rows'][1]
    assert (cat['name'], cat['pixels']) == ('cat <b>', 5 * 96)
    assert [cell['text'] for cell in cat['cells']] == ['8', '92', '']
    assert [cell['right'] for cell in cat['cells']] == [False, True, False]
    many = {VIEWS[0]: [(n, n, 10 + n) for n in range(40)]}
    wide = Segments(found.out, VIEWS, {}, {}, many, {}, ())
    table = confusion_table(wide, VIEWS[0])
    assert len(table['rows']) == len(table['columns']) == 24
    assert table['left_out'] == 16
    assert table['rows'][0]['name'] == 'object 16'
    assert wide.class_name(0) == 'background'


def test_best_and_worst_images(found: Segments) -> None:
    parts = segment_parts(found, LARGE)
    assert ranked_views(found) == [VIEWS[0]]
    titles = [(group['title'], group['view']) for group in parts['ranked']]
    assert titles == [('Worst', VIEWS[0]), ('Best', VIEWS[0])]
    names = [[p['name'] for p in group['pictures']] for group in parts['ranked']]
    assert names == [['a/00000', 'a/00001', 'a/00002'], ['b/00001', 'b/00000']]
    assert parts['ranked'][0]['pictures'][0]['score'] == '50.0'


def test_a_view_of_few_images_is_not_among_the_clips(tmp_path: Path) -> None:
    content, dataset = write_segments(tmp_path)
    with (tmp_path / 'per_image.csv').open('a') as file:
        for image in dataset.images:
            file.write(f'dataset/K-2,{image.name},{image.group},0.5\n')
    for place in (0, 1, 4):
        name, labels = dataset[place].name, np.zeros(SIZE)
        write_shown(tmp_path, 'dataset/K-2', name, labels)
    found = read_segments(read_results(tmp_path, content), dataset)
    assert clip_views(found, 'a') == list(VIEWS)
    assert ranked_views(found) == ['dataset/K-2']
    (group, other) = segment_parts(found, LARGE)['ranked']
    assert [p['name'] for p in group['pictures']] == ['a/00000', 'a/00001']
    assert [p['name'] for p in other['pictures']] == ['b/00001']


def test_pictures_keep_the_bytes_that_they_may_take(found: Segments) -> None:
    whole = segment_parts(found, LARGE)
    pictures = [p for g in whole['ranked'] for p in g['pictures']] + whole['clips']
    total = sum(len(p['image']) for p in pictures)
    for limit in (total, total // 2, 9000, 0):
        parts = segment_parts(found, limit)
        kept = [p for g in parts['ranked'] for p in g['pictures']] + parts['clips']
        assert sum(len(p['image']) for p in kept) <= limit
        assert parts['hidden'] == len(CLIPS) - len(parts['clips'])
    assert segment_parts(found, 0)['clips'] == []


def test_the_page(run: tuple[Path, Any, Any]) -> None:
    out, content, dataset = run
    path = write_report(out, content, dataset)
    page = path.read_text('utf-8')
    assert page.count('data:image/gif') == len(CLIPS)
    assert page.count('data:image/jpeg') == 5
    assert 'cat &lt;b&gt;' in page
    assert 'cat <b>' not in page
    assert '5 images' in page
    assert 'No yardsticks' not in page
    assert 'Annotated: numbers of pixels.' in page
    assert '<td class=name-cell>cat &lt;b&gt;</td>' in page
    assert re.search(r'<dt>sizes</dt><dd>points: 112, labels: null</dd>', page)
    assert page == write_report(out, content, dataset).read_text('utf-8')


def test_a_page_without_images_or_maps(tmp_path: Path) -> None:
    content, dataset = write_segments(tmp_path, maps=False)
    page = write_report(tmp_path, content, dataset).read_text('utf-8')
    assert 'No label maps were kept. Run the evaluation into a new --out' in page
    assert '<table class="confusion">' in page
    write_segments(tmp_path)
    page = rebuild_report(tmp_path).read_text('utf-8')  # no config.py: no dataset
    assert 'No images and no labels: the dataset was not found' in page
    assert page.count('data:image/gif') == len(CLIPS)
    for name in ('per_image.csv', 'confusion.csv', 'per_class.csv'):
        (tmp_path / name).unlink()
    page = rebuild_report(tmp_path).read_text('utf-8')
    assert 'clip-classes' in page


def test_overlays_of_clips(run: tuple[Path, Any, Any], monkeypatch: Any) -> None:
    out, _, dataset = run
    place = 'densecorr.apis.report.overlays.find_dataset'
    monkeypatch.setattr(place, lambda *_: dataset)
    done: list[str] = []
    paths = write_overlays(out, ['gif', 'png'], advance=done.append)
    assert done == list(CLIPS)
    assert paths[0] == out / 'overlays/a/overlay.gif'
    with Image.open(paths[0]) as gif:
        assert (gif.n_frames, gif.info['duration']) == (3, 500)
    names = sorted(path.name for path in (out / 'overlays/b').glob('*.png'))
    assert names == ['00000.png', '00001.png']


def test_panels() -> None:
    photo = np.full((20, 40, 3), 200, np.uint8)
    labels = np.zeros((10, 20), np.uint8)
    labels[:, 10:] = 3
    panels = [Panel('a', photo), Panel('b', labels), Panel('c', None)]
    joined = join_panels(panels, (10, 20), columns=2)
    assert joined.shape == (2 * 26, 44, 3)
    assert (joined[16:26, :20] == 200).all()
    assert (joined[16:26, 34:44] == segment_palette()[3]).all()
    assert (joined[42:52, :20] == 225).all()
    assert (joined[16:26, 20:24] == 255).all()
    assert (joined[:16, :10] < 128).any()  # the name
    with pytest.raises(ValueError, match='there is no picture to join'):
        join_panels([], (10, 20))


def test_frames_of_a_long_clip_are_evenly_spaced(found: Segments) -> None:
    names = [name for name, _ in clip_frames(found, 'a', 60, number=2)]
    assert names == ['00000', '00002']


@pytest.mark.parametrize('width', [400, 1200])
def test_in_a_browser(browser, run, width) -> None:  # noqa: F811
    out, content, dataset = run
    path = write_report(out, content, dataset)
    complaints: list[str] = []
    page = browser.new_page(viewport={'width': width, 'height': 900})
    page.on('console', lambda message: complaints.append(message.text))
    page.on('pageerror', lambda error: complaints.append(str(error)))
    page.goto(path.as_uri())
    wider = 'document.documentElement.scrollWidth - window.innerWidth'
    assert page.evaluate(wider) <= 0
    script = """images => images.map(image => {
      image.loading = 'eager';
      return image.decode().then(() => image.naturalWidth);
    })"""
    widths = page.locator('img').evaluate_all(f'async i => Promise.all(({script})(i))')
    assert len(widths) == 7
    assert min(widths) > 100
    color = page.locator('.confusion td.right').first.evaluate(
        'cell => getComputedStyle(cell).backgroundColor'
    )
    assert color != 'rgba(0, 0, 0, 0)'
    page.close()
    assert complaints == []
