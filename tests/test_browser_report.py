"""The report as a reader meets it: opened from a file in a browser without network."""

import base64
import json
import shutil

import numpy as np
import pytest

from densecorr.apis.report import write_report
from densecorr.propagation.votes import Votes
from densecorr.utils.images import read_label_map
from densecorr.utils.video_writer import VideoWriter
from densecorr.visualization.difference import difference_map, encode_runs

from .report_tree import voters_of, write_results

VIDEOS = {'two & <b>more &lt;': 12, 'short "one"': 4}
BROWSERS = ('chromium', 'chromium-browser', 'google-chrome')
SIZE = (128, 192)
COLORS = {1: (0x00, 0x72, 0xB2), 2: (0xE6, 0x9F, 0x00)}  # missed, false


@pytest.fixture(scope='module')
def browser():
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    if program is None:
        pytest.skip(f'no browser is installed; looked for {", ".join(BROWSERS)}')
    api = pytest.importorskip('playwright.sync_api')
    with api.sync_playwright() as playwright:
        engine = playwright.chromium.launch(
            executable_path=program, args=['--no-sandbox']
        )
        yield engine
        engine.close()


@pytest.fixture(scope='module')
def results(tmp_path_factory):
    out, content, dataset = write_results(
        tmp_path_factory.mktemp('report'), VIDEOS, size=SIZE
    )
    write_report(out, content, dataset)
    return out, content, dataset


@pytest.fixture(params=[400, 1200])
def page(browser, results, request):
    """The open page; afterwards it must have asked for and complained of nothing."""
    complaints = []
    shown = browser.new_page(viewport={'width': request.param, 'height': 900})
    shown.on('console', lambda message: complaints.append(message.text))
    shown.on('pageerror', lambda error: complaints.append(str(error)))
    shown.on('request', lambda request: complaints.append(request.url))
    address = (results[0] / 'report.html').as_uri()
    shown.goto(address)
    yield shown
    shown.close()
    reading = 'Canvas2D: Multiple readback'  # the pixels that tests read
    ours = (address, 'data:', reading)
    assert [text for text in complaints if not text.startswith(ours)] == []


def record(results, video):
    path = results[0] / 'records' / f'{list(VIDEOS)[video]}.json'
    return json.loads(path.read_text())['results'][0]


def texts(rows):
    return [[cell.strip() for cell in row] for row in rows]


def rows_of(page, video, table):
    script = """rows => rows.map(row => [...row.cells].map(cell => cell.textContent))"""
    return texts(page.locator(f'#video-{video} {table} tbody tr').evaluate_all(script))


def percents(values):
    return f'{100 * np.mean(values):.1f}'


def test_nothing_is_wider_than_the_window(page):
    wider = 'document.documentElement.scrollWidth - window.innerWidth'
    assert page.evaluate(wider) <= 0
    for mode in ('difference', 'truth'):
        page.locator(f'#video-1 [data-mode={mode}]').click()
        assert page.evaluate(wider) <= 0


def test_names_are_text(page):
    names = page.locator('.name').all_text_contents()
    assert names == list(VIDEOS)
    assert page.locator('main b b, .name b').count() == 0


def test_curves_show_the_values_of_the_record(page, results):
    expected = record(results, 0)
    assert len(expected['objects']) == 2
    svg = page.locator('#video-1 svg[data-measure=F]')
    svg.scroll_into_view_if_needed()
    box = svg.bounding_box()
    for share in (0.2, 0.5, 0.9):
        page.mouse.move(box['x'] + share * box['width'], box['y'] + 50)
        caption = page.locator('#video-1 .readout caption').text_content()
        place = expected['frames'].index(caption.removeprefix('frame '))
        assert abs(place / 11 - share) < 0.15
        items = expected['objects']
        means = ['mean of the objects']
        means += [percents([o[m][place] for o in items]) for m in 'JF']
        rows = [
            [f'object {o["object"]}', *(percents([o[m][place]]) for m in 'JF')]
            for o in items
        ]
        assert rows_of(page, 1, '.readout') == [means, *rows]
    page.mouse.move(0, 0)
    caption = page.locator('#video-1 .readout caption').text_content()
    assert caption == 'mean over the 12 frames that count'


def test_curves_answer_to_the_keyboard_and_to_touch(page, results):
    svg = page.locator('#video-2 svg[data-measure=J]')
    caption = page.locator('#video-2 .readout caption')
    svg.focus()
    for key, frame in [('End', 3), ('ArrowLeft', 2), ('Home', 0), ('ArrowLeft', 0)]:
        page.keyboard.press(key)
        assert caption.text_content() == f'frame 0000{frame}'
    items = record(results, 1)['objects']
    expected = [percents([o['J'][0] for o in items])]
    expected += [percents([o['J'][0]]) for o in items]
    assert [row[1] for row in rows_of(page, 2, '.readout')] == expected
    page.keyboard.press('Escape')
    assert caption.text_content().startswith('mean over')
    box = svg.bounding_box()
    touch = dict(pointerType='touch', clientX=box['x'] + box['width'] - 12)
    svg.dispatch_event('pointerdown', {**touch, 'bubbles': True})
    assert caption.text_content() == 'frame 00003'


def pixels(page, video, place):
    script = """(canvas) => [canvas.height, canvas.width, ...canvas.getContext('2d')
        .getImageData(0, 0, canvas.width, canvas.height).data]"""
    canvas = page.locator(f'#video-{video} .picture canvas').nth(place)
    height, width, *data = canvas.evaluate(script)
    return np.array(data, np.uint8).reshape(height, width, 4)


def test_modes_change_the_picture(page, results):
    out, _, dataset = results
    caption = page.locator('#video-1 .picture figcaption b').first.text_content()
    sample = dataset[0]
    index = sample.frame_names.index(caption.removeprefix('frame '))
    worst = record(results, 0)
    scores = np.mean([o[m] for o in worst['objects'] for m in 'JF'], axis=0)
    assert index == int(np.argmin(scores))
    pred, _ = read_label_map(out / 'predictions' / sample.name / f'{index:05d}.png')
    truth = sample.read_labels(index).indices
    drawn = {}
    for mode in ('image', 'prediction', 'truth', 'difference'):
        button = page.locator(f'#video-1 [data-mode={mode}]')
        button.click()
        assert button.get_attribute('aria-pressed') == 'true'
        drawn[mode] = pixels(page, 1, 0)
    assert not drawn['image'].any()
    assert np.array_equal(drawn['prediction'][..., 3] > 0, pred > 0)
    assert np.array_equal(drawn['truth'][..., 3] > 0, truth > 0)
    classes = difference_map(pred, truth)
    assert {0, 1, 2} <= set(np.unique(classes).tolist())
    for number, color in COLORS.items():
        painted = drawn['difference'][classes == number][:, :3].astype(int)
        close = np.abs(painted - color).max(1) <= 2
        assert close.mean() > (0.99 if number == 1 else 0.6)  # false is striped
        right = drawn['difference'][classes == 0]
        assert not (np.abs(right[:, :3].astype(int) - color).max(1) <= 2).any()
    assert page.locator('#video-1 .legend.differences').is_visible()


def test_the_page_reads_what_python_wrote(page):
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, (30, 40)).astype(np.uint8)
    labels[3:20] = 255
    text = encode_runs(labels)
    assert page.evaluate('text => [...labelsOf(text, 1200)]', text) == (
        labels.ravel().tolist()
    )
    halves = np.arange(2**16, dtype=np.uint16).view('<f2')
    halves = halves[np.isfinite(halves)]
    text = base64.b64encode(halves.tobytes()).decode()
    assert page.evaluate('text => [...halvesOf(text)]', text) == halves.tolist()
    pred, truth = (m.astype(np.uint8) for m in np.meshgrid([0, 1, 2], [0, 1, 2, 255]))
    pairs = [[int(p), int(t)] for p, t in zip(pred.ravel(), truth.ravel(), strict=True)]
    found = page.evaluate('pairs => pairs.map(([p, t]) => differenceOf(p, t))', pairs)
    assert found == difference_map(pred, truth).ravel().tolist()


def test_a_picture_can_be_enlarged(page):
    frame = page.locator('#video-1 .picture .frame').nth(1)
    before = frame.bounding_box()['width']
    frame.click()
    after = frame.bounding_box()['width']
    assert after > before or page.viewport_size['width'] == 400
    frame.click()
    assert frame.bounding_box()['width'] == before


def chosen(page, votes):
    """Place of the query that the caption names."""
    words = page.locator('#video-1 .query figcaption').text_content().split()
    row, column = int(words[5].strip(',')), int(words[7])
    return votes.queries.tolist().index(row * votes.grid[1] + column)


def expect_voters(page, votes, query):
    expected = voters_of(votes, query)
    rows = rows_of(page, 1, '.votes')
    assert [(row[0][:5], int(row[1]), int(row[2])) for row in rows] == [
        (f'{frame:05d}', row, column) for frame, row, column, _ in expected
    ]
    shown = [float(row[3]) for row in rows]
    assert shown == pytest.approx([weight for *_, weight in expected], abs=5.1e-4)
    assert '(2 copies)' in ''.join(row[0] for row in rows)
    visible = page.locator('#video-1 .context figure:visible figcaption')
    frames = sorted({frame for frame, *_ in expected})
    sums = [sum(v[3] for v in expected if v[0] == frame) for frame in frames]
    captions = [text.split() for text in visible.all_text_contents()]
    assert [int(words[1]) for words in captions] == frames
    assert [float(words[-1]) for words in captions] == pytest.approx(sums, abs=6e-4)


def test_a_click_shows_who_voted(page, results):
    out, _, dataset = results
    votes = Votes.load(out / 'votes' / f'{dataset[0].name}.npz')
    expect_voters(page, votes, chosen(page, votes))
    canvas = page.locator('#video-1 .query canvas')
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    for row, column in [(0, 0), (8, 14), (14, 22)]:  # of 16 x 24 cells, even ones
        scale = box['width'] / SIZE[1]
        place = dict(x=(8 * column + 4) * scale, y=(8 * row + 4) * scale)
        canvas.click(position=place)
        query = chosen(page, votes)
        assert votes.queries[query] == row * 24 + column
        expect_voters(page, votes, query)
    page.locator('#video-1 .query .frame').focus()
    page.keyboard.press('ArrowLeft')
    assert votes.queries[chosen(page, votes)] == 14 * 24 + 20


def test_voters_are_outlined_in_their_frames(page):
    script = """(canvases) => canvases.map((canvas) => canvas.getContext('2d')
        .getImageData(0, 0, canvas.width, canvas.height).data.some(
            (v, i, all) => i % 4 === 0 && all[i] > 250 && all[i + 1] > 200
                && all[i + 1] < 225 && all[i + 3] > 70))"""
    found = page.locator('#video-1 .context figure:visible canvas')
    outlined = found.evaluate_all(script)
    assert outlined
    assert all(outlined)


def test_videos_fold_and_open_by_their_links(page):
    first = page.locator('#video-1')
    page.get_by_text('Fold all').click()
    assert not first.evaluate('video => video.open')
    page.locator('.per-video a').first.click()
    assert first.evaluate('video => video.open')
    assert page.locator('#video-1 .readout tbody tr').count() == 3


def test_a_browser_plays_what_the_writer_writes(browser, tmp_path):
    ramp = np.arange(192, dtype=np.uint8)[None, :, None]
    for suffix in ('mp4', 'gif'):
        with VideoWriter(tmp_path / f'clip.{suffix}', SIZE, 24) as writer:
            for t in range(12):
                writer.write(np.broadcast_to(ramp + np.uint8(5 * t), (*SIZE, 3)))
    page = tmp_path / 'page.html'
    page.write_text('<video muted src="clip.mp4"></video><img src="clip.gif">', 'utf-8')
    shown = browser.new_page()
    shown.goto(page.as_uri())
    facts = shown.evaluate(
        """async () => {
          const video = document.querySelector('video');
          const ended = new Promise((done) => video.addEventListener('ended', done));
          await video.play();
          await ended;
          const image = document.querySelector('img');
          return [video.videoWidth, video.videoHeight, video.duration,
                  image.naturalWidth, image.naturalHeight];
        }"""
    )
    shown.close()
    assert facts == [SIZE[1], SIZE[0], pytest.approx(0.5), SIZE[1], SIZE[0]]
