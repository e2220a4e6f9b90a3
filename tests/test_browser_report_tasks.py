"""Joints, parts and many videos as a reader meets them in a browser."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

from densecorr.apis.report import write_report
from densecorr.propagation.votes import Votes

from .report_tasks import FAR, LOST, SIZE, joint_run, late_run, part_run
from .test_browser_report import browser, rows_of  # noqa: F401

CLIPS = [f'walk/{name}' for name in 'abcdefghij']  # so many are folded
PREDICTED, TRUE, DARK = (0xE6, 0x9F, 0x00), (0x56, 0xB4, 0xE9), (0x14, 0x14, 0x14)


@pytest.fixture(scope='module')
def joints(tmp_path_factory):
    out = tmp_path_factory.mktemp('joints')
    content, dataset = joint_run(out, CLIPS)
    path = out / 'per_video.csv'
    text = path.read_text()
    assert 'walk/c,6,6,0.98' in text
    path.write_text(text.replace('walk/c,6,6,0.98', 'walk/c,6,6,0.25'))  # the worst
    write_report(out, content, dataset)
    return out, dataset


@pytest.fixture
def open_page(browser):  # noqa: F811
    """A function that opens a report; at the end it must have complained of nothing."""
    complaints, pages = [], []

    def open_it(folder, width):
        shown = browser.new_page(viewport={'width': width, 'height': 900})
        shown.on('pageerror', lambda error: complaints.append(str(error)))
        shown.goto((folder / 'report.html').as_uri())
        pages.append(shown)
        return shown

    yield open_it
    for shown in pages:
        wider = 'document.documentElement.scrollWidth - window.innerWidth'
        assert shown.evaluate(wider) <= 0
        shown.close()
    assert complaints == []


def drawing(page, place):
    """``(H, W, 4)`` of the canvas of a picture of the first video."""
    canvas = page.locator('#video-1 .picture canvas').nth(place)
    address = canvas.evaluate('canvas => canvas.toDataURL()')
    png = base64.b64decode(address.partition(',')[2])
    return np.asarray(Image.open(io.BytesIO(png)).convert('RGBA'))


def color_at(drawn, joint, aside=(0, 0)):
    """Colour where a joint, in pixels of the video, should be drawn."""
    x, y = (joint + 0.5) / (SIZE[1], SIZE[0]) * drawn.shape[1::-1]
    return drawn[int(y + aside[1]), int(x + aside[0])].astype(int)


def is_near(color, wanted):
    return color[3] > 200 and np.abs(color[:3] - wanted).max() < 40


@pytest.mark.parametrize('width', [400, 1200])
def test_joints_are_drawn_by_mode(open_page, joints, width):
    page, truth = open_page(joints[0], width), joints[1][0].read_joints(FAR[0])
    page.locator('#video-1 summary').click()
    drawn = {}
    for mode in ('image', 'prediction', 'truth', 'difference'):
        page.locator(f'#video-1 [data-mode={mode}]').click()
        drawn[mode] = drawing(page, 0)
    assert not drawn['image'].any()
    moved = truth[FAR[1]] + (40.5, 0)
    assert is_near(color_at(drawn['prediction'], moved), PREDICTED)
    assert not is_near(color_at(drawn['truth'], moved), PREDICTED)
    assert is_near(color_at(drawn['difference'], moved), PREDICTED)
    radius = min(6, max(2.5, drawn['truth'].shape[1] / 85))
    corner = (radius - 0.2, radius - 0.2)  # of the square, where no disc reaches
    assert is_near(color_at(drawn['truth'], truth[FAR[1]], corner), TRUE)
    assert is_near(color_at(drawn['difference'], truth[FAR[1]], corner), TRUE)
    middle = (truth[FAR[1]] + moved) / 2
    assert is_near(color_at(drawn['difference'], middle), (255, 255, 255))
    assert drawn['prediction'].shape[1] == pytest.approx(
        page.locator('#video-1 .picture .frame').first.bounding_box()['width'], abs=1
    )


def test_a_lost_joint_is_a_crossed_square(open_page, joints):
    page, truth = open_page(joints[0], 1200), joints[1][0].read_joints(LOST[0])
    page.locator('#video-1 summary').click()
    captions = page.locator('#video-1 .picture figcaption').all_text_contents()
    (place,) = [n for n, text in enumerate(captions) if 'lost: right wrist' in text]
    page.locator('#video-1 [data-mode=difference]').click()
    drawn = drawing(page, place)
    cross = (2, 2)  # on its diagonal, beside the disc that is not there
    assert is_near(color_at(drawn, truth[LOST[1]], cross), TRUE)
    found = color_at(drawn, truth[LOST[1] - 4], cross)  # one that is not lost
    assert is_near(found, PREDICTED) or is_near(found, DARK)
    legend = page.locator('#video-1 .legend.differences').text_content()
    assert 'crossed square: the joint is lost' in legend


def test_pointing_names_the_joint(open_page, joints):
    page, truth = open_page(joints[0], 1200), joints[1][0].read_joints(FAR[0])
    page.locator('#video-1 summary').click()
    frame = page.locator('#video-1 .picture .frame').first
    frame.scroll_into_view_if_needed()
    box = frame.bounding_box()
    note = page.locator('#video-1 .picture .here').first
    for joint, words in (
        (truth[FAR[1]] + (40, 0), 'face, predicted'),
        (np.array([150, 5]), ''),
    ):
        x, y = (joint + 0.5) / (SIZE[1], SIZE[0])
        page.mouse.move(box['x'] + x * box['width'], box['y'] + y * box['height'])
        assert note.text_content() == words


def test_votes_of_joints_answer_to_a_click(open_page, joints):
    page = open_page(joints[0], 400)
    page.locator('#video-1 summary').click()
    votes = Votes.load(joints[0] / 'votes/walk/a.npz')
    canvas = page.locator('#video-1 .query canvas')
    canvas.scroll_into_view_if_needed()
    scale = canvas.bounding_box()['width'] / SIZE[1]
    canvas.click(position=dict(x=(8 * 6 + 4) * scale, y=(8 * 4 + 4) * scale))
    caption = page.locator('#video-1 .query figcaption').text_content()
    assert 'row 4, column 6' in caption
    query = votes.queries.tolist().index(4 * votes.grid[1] + 6)
    assert len(rows_of(page, 1, '.votes')) == (votes.weight[query] > 0).sum() - 1
    assert page.locator('#video-1 .context figure:visible').count() > 0


def test_many_videos_are_found_and_sorted(open_page, joints):
    page = open_page(joints[0], 400)
    names = page.locator('.video .name')
    assert names.all_text_contents() == CLIPS
    page.locator('[data-order]').click()
    order = names.all_text_contents()
    assert order[0] == 'walk/c'
    assert sorted(order) == CLIPS
    page.locator('[data-order]').click()
    assert names.all_text_contents() == CLIPS
    page.locator('[data-find]').fill('K/D')
    assert page.locator('.video:visible .name').all_text_contents() == ['walk/d']
    assert page.locator('.per-video tbody tr:visible').count() == 1
    assert page.locator('.found').text_content() == '1 of 10'
    page.locator('.per-video tbody tr:visible a').click()
    assert page.locator('#video-4').evaluate('video => video.open')
    page.locator('[data-find]').fill('')
    assert page.locator('.video:visible').count() == len(CLIPS)


def test_parts_of_one_colour_have_patterns_and_names(open_page, tmp_path):
    content, dataset = part_run(tmp_path)
    write_report(tmp_path, content, dataset)
    page = open_page(tmp_path, 1200)
    legend = page.locator('#video-1 .legend.objects li').all_text_contents()
    assert legend == ['hat', 'sun-glasses', 'pants', 'left-arm']
    page.locator('#video-1 [data-mode=truth]').click()
    drawn = drawing(page, 0)
    assert drawn.shape[:2] == SIZE
    looks = [
        {tuple(pixel) for pixel in drawn[15:55, start : start + 20].reshape(-1, 4)}
        for start in (15, 45, 75)  # hat, pants, left-arm: all of the first colour
    ]
    assert [len(look) for look in looks] == [1, 2, 2]
    white = (drawn[15:55, 45:65, :3] == 255).all(2), (drawn[15:55, 75:95, :3] == 255)
    assert not np.array_equal(white[0], white[1].all(2))
    assert not drawn[80:, :20].any()  # void
    frame = page.locator('#video-1 .picture .frame').first
    frame.scroll_into_view_if_needed()
    box = frame.bounding_box()
    note = page.locator('#video-1 .picture .here').first
    for (x, y), words in (((50, 30), 'pants'), ((5, 90), 'does not count')):
        at = (x + 0.5) / SIZE[1] * box['width'], (y + 0.5) / SIZE[0] * box['height']
        page.mouse.move(box['x'] + at[0], box['y'] + at[1])
        assert note.text_content() == words
    page.locator('#video-1 [data-mode=difference]').click()
    right = 42 / SIZE[1] * box['width']
    page.mouse.move(box['x'] + right, box['y'] + box['height'] / 3)
    assert note.text_content() == 'hat, truly pants'


def test_means_of_late_objects_are_those_of_the_table(open_page, tmp_path):
    content, dataset = late_run(tmp_path, scored=True)
    write_report(tmp_path, content, dataset)
    page = open_page(tmp_path, 400)
    (row,) = page.locator('.per-video tbody tr').all()
    _, _, _, _, *means = row.locator('th, td').all_text_contents()
    expected = ['mean of the objects', *means]
    assert rows_of(page, 1, '.readout')[0] == expected
    page.locator('#video-1 svg[data-measure=J]').focus()
    page.keyboard.press('Home')  # a frame before the second object
    rows = rows_of(page, 1, '.readout')
    assert rows[2] == ['object 2 (skateboard)', '-', '-']
    assert rows[0][1:] == rows[1][1:]
