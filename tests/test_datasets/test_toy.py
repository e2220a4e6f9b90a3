"""SpriteWorld: the presets, their limits, and the dataset class."""

import hashlib
import time

import numpy as np
import pytest

from densecorr.datasets.toy import (
    PRESETS,
    SpriteWorld,
    make_clip,
)
from densecorr.registry import DATASETS
from densecorr.utils.images import davis_palette

SMALL = (64, 96)


def geometry_hash(clip):
    """Sha256 over label maps, parts, joints, flow and points of all frames."""
    digest = hashlib.sha256()

    def feed(array, dtype):
        digest.update(np.ascontiguousarray(array, dtype).tobytes())

    for t in range(clip.num_frames):
        feed(clip.label_map(t), '<u1')
        feed(clip.parts(t), '<u1')
        feed(clip.points(t), '<i4')
        for number, joints in clip.joints(t).items():
            feed([number], '<i4')
            feed(joints, '<i4')
        if t + 1 < clip.num_frames:
            step, valid = clip.flow(t)
            feed(step, '<i4')
            feed(valid, '<u1')
    return digest.hexdigest()


def color_hash(clip):
    frames = [clip.frame(t) for t in range(clip.num_frames)]
    return hashlib.sha256(np.stack(frames).tobytes()).hexdigest()


# ------------------------------------------------------------------------- all presets
@pytest.mark.parametrize('preset', PRESETS)
def test_geometry_is_the_same_bits_everywhere(preset):
    assert geometry_hash(make_clip(preset, 3, SMALL, 10)) == GEOMETRY[preset]


@pytest.mark.parametrize('preset', ['single', 'mixed'])
def test_colours_are_the_same_bits_everywhere(preset):
    assert color_hash(make_clip(preset, 3, SMALL, 10)) == COLORS[preset]


def test_geometry_at_the_usual_size():
    assert geometry_hash(make_clip('mixed', 0, num_frames=4)) == LARGE


def test_frames_do_not_depend_on_what_was_asked_before():
    first, second = (make_clip('mixed', 5, SMALL, 8) for _ in range(2))
    frames = [first.frame(t) for t in range(8)]
    for t in (7, 0, 3):
        step = second.flow(min(t, 6))
        np.testing.assert_array_equal(second.frame(t), frames[t])
        np.testing.assert_array_equal(second.label_map(t), first.label_map(t))
        np.testing.assert_array_equal(step[0], first.flow(min(t, 6))[0])
    second.frame(3)[:] = 0
    np.testing.assert_array_equal(second.frame(3), frames[3])


def test_seeds_and_presets_give_worlds_of_their_own():
    keys = [(p, s) for p in ('single', 'occlusion', 'light') for s in range(3)]
    assert len({make_clip(*key, SMALL, 2).frame(0).tobytes() for key in keys}) == 9


@pytest.mark.parametrize('preset', PRESETS)
@pytest.mark.parametrize('seed', range(4))
def test_objects_are_there_when_they_say_so(preset, seed):
    clip = make_clip(preset, seed, SMALL, 10)
    assert [info.number for info in clip.objects] == list(
        range(1, len(clip.objects) + 1)
    )
    starts = [info.first_frame for info in clip.objects]
    assert starts == sorted(starts)
    for info in clip.objects:
        seen = [t for t in range(10) if (clip.label_map(t) == info.number).sum() >= 8]
        assert seen[0] == info.first_frame
        assert info.last_frame - 2 <= seen[-1] <= info.last_frame


@pytest.mark.parametrize('preset', ['single', 'occlusion'])
@pytest.mark.parametrize('size', [(240, 432), SMALL])
def test_objects_of_the_yardsticks_are_large_and_move(preset, size):
    count = dict(single=1, occlusion=3)[preset]
    for seed in range(8):
        clip = make_clip(preset, seed, size)
        assert len(clip.objects) == count
        first, last = clip.label_map(0), clip.label_map(19)
        shift = []
        for k in range(1, count + 1):
            assert (first == k).mean() >= 0.01
            middle = [np.argwhere(labels == k).mean(0) for labels in (first, last)]
            shift.append(np.abs(middle[1] - middle[0]).max() / size[1])
        assert max(shift) > 0.05
        for t in range(19):
            step, valid = clip.flow(t)
            # Within the usual window: 12 cells of stride 4 at 240 x 432.
            assert np.abs(step[valid]).max() < 256 * 44 * size[0] // 240
        if preset == 'single':
            borders = [clip.label_map(t) for t in range(20)]
            assert not any(b[[0, -1]].any() or b[:, [0, -1]].any() for b in borders)


@pytest.mark.parametrize('preset', ['occlusion', 'odd', 'articulated', 'mixed'])
def test_the_order_of_painting_changes(preset):
    for seed in range(3):
        clip = make_clip(preset, seed, SMALL)
        orders = {tuple(clip._renderer.painting_order(t)[:2]) for t in (0, 8, 19)}
        assert len(orders) > 1


def test_objects_pass_over_each_other():
    for seed in range(4):
        clip = make_clip('occlusion', seed, SMALL)
        contacts = set()
        for t in range(20):
            labels = clip.label_map(t)
            beside = np.stack([labels[:, 1:], labels[:, :-1]], -1).reshape(-1, 2)
            beside = beside[(beside.min(1) > 0) & (beside[:, 0] != beside[:, 1])]
            contacts |= {tuple(sorted(pair)) for pair in beside.tolist()}
        assert len(contacts) >= 2


def test_late_vanishing_and_odd_ones():
    late = make_clip('late', 0, SMALL, 20).objects
    assert [info.first_frame for info in late] == [0, 0, 8]
    vanishing = make_clip('vanishing', 0, SMALL, 20).objects
    assert [info.last_frame for info in vanishing] == [19, 12, 19]
    assert make_clip('odd', 0, SMALL, 2).size == (237, 421)
    mixed = make_clip('mixed', 0, SMALL, 20)
    assert [info.articulated for info in mixed.objects] == [True, True] + 3 * [False]
    assert mixed.objects[-1].first_frame == 8
    assert min(info.last_frame for info in mixed.objects) == 12


def test_fast_objects_leave_the_window():
    for seed in range(4):
        clip = make_clip('fast', seed)
        step = [clip.flow(t)[0] for t in range(19)]
        labels = [clip.label_map(t) for t in range(19)]
        jumps = [
            np.abs(s[m == 1]).max() / 256 for s, m in zip(step, labels, strict=True)
        ]
        assert max(jumps) > 96  # 12 cells of stride 8
        home = np.argwhere(labels[0] == 2).mean(0)
        away = [np.abs(np.argwhere(m == 2).mean(0) - home).max() for m in labels]
        assert max(away) > 96


def test_light_changes_the_colours_and_not_the_points():
    clip = make_clip('light', 0, SMALL, 26)
    bright = [clip.frame(t).mean() for t in range(26)]
    assert max(bright) > 1.5 * min(bright)
    ratio = [
        clip.frame(t)[..., 0].mean() / clip.frame(t)[..., 2].mean() for t in (0, 15)
    ]
    assert abs(ratio[1] / ratio[0] - 1) > 0.02
    steady = make_clip('single', 0, SMALL, 26)
    means = [steady.frame(t).mean() for t in range(26)]
    assert max(means) < 1.1 * min(means)


# -------------------------------------------------------------------- sizes and limits
@pytest.mark.parametrize('preset', PRESETS)
@pytest.mark.parametrize('size', [(32, 32), (33, 200), (150, 35)])
def test_any_size_is_drawn(preset, size):
    clip = make_clip(preset, 0, size, 5)
    for t in (0, 4):
        frame, labels = clip.frame(t), clip.label_map(t)
        assert frame.shape[:2] == labels.shape == clip.size
        assert frame.std() > 8
        present = {i.number for i in clip.objects if i.first_frame <= t <= i.last_frame}
        assert set(np.unique(labels)) - {0} <= present
    assert make_clip('single', 0, size, 1).label_map(0).any()


def test_memory_does_not_grow_with_the_clip():
    clip = make_clip('mixed', 0, SMALL, 100_000)
    for t in (0, 1, 50_000, 99_999):
        clip.frame(t)
        assert (clip.label_map(t) == 1).any()
    assert len(clip._kept) == 2
    assert clip.points(99_999).min() >= 0


def test_a_frame_takes_less_than_50_ms():
    clip = make_clip('mixed', 0)
    clip.frame(0)
    spent = []
    for t in range(1, 8):
        start = time.process_time()
        clip.frame(t)
        clip.label_map(t)
        spent.append(time.process_time() - start)
    assert min(spent) < 0.05


def test_mistakes_are_named():
    with pytest.raises(ValueError, match=r"'oclusion' of Sprite.*mean 'occlusion'\?"):
        make_clip('oclusion', 0)
    with pytest.raises(ValueError, match=r"is 0; preset 'single' needs at least 1\."):
        make_clip('single', 0, num_frames=0)
    with pytest.raises(ValueError, match=r"num_frames is 3; preset 'late' needs.* 4\."):
        make_clip('late', 0, num_frames=3)
    with pytest.raises(ValueError, match=r'31x64 \(H x W\); sprites need at least 32'):
        make_clip('single', 0, (31, 64))
    with pytest.raises(ValueError, match=r'size is \(64,\); give two numbers'):
        make_clip('single', 0, (64,))
    with pytest.raises(ValueError, match=r'seed is -1; give an integer from 0\.'):
        make_clip('single', -1)
    clip = make_clip('single', 0, SMALL, 4)
    for t in (-1, 4):
        for ask in (clip.frame, clip.label_map, clip.points, clip.joints, clip.flow):
            with pytest.raises(IndexError, match=rf'no frame {t}\. .* 0 to 3\.'):
                ask(t)
    with pytest.raises(
        IndexError, match=r"'single_00' has no flow from frame 3: f.* 2"
    ):
        clip.flow(3)


# ------------------------------------------------------------------- the dataset class
def test_videos_are_read_from_memory():
    dataset = DATASETS.build(
        dict(type='SpriteWorld', preset='late', num_clips=3, size=SMALL, seed=4)
    )
    assert (len(dataset), dataset.weights()) == (3, [20, 20, 20])
    video, clip = dataset[1], make_clip('late', 5, SMALL)
    assert (video.name, video.size, video.num_frames) == ('late_05', SMALL, 20)
    assert video.frame_names[:2] == ('00000', '00001')
    assert video.label_frames == tuple(range(20))
    assert video.first_label_frames == (0,)
    labels = video.read_labels(9)
    np.testing.assert_array_equal(labels.indices, clip.label_map(9))
    np.testing.assert_array_equal(labels.palette, davis_palette())
    np.testing.assert_array_equal(video.read_frame(9), clip.frame(9))
    np.testing.assert_array_equal(video.read_points(9), clip.points(9))
    info = dataset.metainfo
    assert (info['name'], info['split'], info['complete']) == (
        'SpriteWorld',
        'late',
        True,
    )
    assert (info['expected_sequences'], info['found'], info['note']) == (3, 3, '')


def test_a_cut_world_says_so():
    dataset = SpriteWorld(
        'late', 3, SMALL, sequences=['late_02', 'late_00'], max_frames=5
    )
    assert [clip.name for clip in dataset.clips] == ['late_00', 'late_02']
    assert dataset.weights() == [5, 5]
    assert dataset[1].num_frames == 5
    note = '2 of 3 sequences, first 5 frames: not SpriteWorld late'
    assert (dataset.metainfo['note'], dataset.metainfo['complete']) == (note, False)


def test_several_presets_are_taken_in_turn():
    world = SpriteWorld(
        ['single', 'fast'], num_clips=3, size=SMALL, num_frames=2, seed=5
    )
    names = [world[i].name for i in range(len(world))]
    assert names == ['single_05', 'fast_06', 'single_07']
    assert world.metainfo['split'] == 'single fast'


def test_labels_of_late_objects_may_be_given():
    world = dict(num_clips=1, size=SMALL, late_labels=True)
    (video,) = SpriteWorld('late', **world)
    assert video.first_label_frames == (0, 8)
    assert 3 in video.read_labels(8).indices
    assert 3 not in video.read_labels(7).indices
    (cut,) = SpriteWorld('late', max_frames=8, **world)
    assert cut.first_label_frames == (0,)
    (without,) = SpriteWorld('late', **{**world, 'late_labels': False})
    assert without.hash_inputs() != video.hash_inputs()


def test_hashes_tell_inputs_apart():
    def inputs(**changes):
        arguments = dict(preset='single', num_clips=1, size=SMALL, num_frames=3)
        return SpriteWorld(**{**arguments, **changes})[0].hash_inputs()

    found = [inputs(), inputs(seed=1), inputs(num_frames=2), inputs(preset='light')]
    assert len(set(found)) == 4
    assert inputs() == found[0]
    assert inputs(max_frames=2) == found[2]


def test_mistakes_of_the_dataset_are_named():
    with pytest.raises(ValueError, match='num_clips is 0; give at least 1'):
        SpriteWorld(num_clips=0)
    with pytest.raises(ValueError, match=r'preset is \[\]; name at least one of'):
        SpriteWorld([])
    with pytest.raises(ValueError, match='max_frames should be at least 1, not 0'):
        SpriteWorld(max_frames=0)
    with pytest.raises(ValueError, match=r"'single_0' is not in th.*mean 'single_07'"):
        SpriteWorld('single', sequences=['single_0'], size=SMALL)
    with pytest.raises(ValueError, match="preset 'none' of SpriteWorld is unknown"):
        SpriteWorld('none')


# Change these only where a changed world is meant; say so in the changelog.
GEOMETRY = dict(
    single='ef59b002e61657f483e3de326bf5b1277f23b24e35580976349069288cc4f315',
    occlusion='847d2c3e1af68d18bc3a6ab0d9ba067434e24a6fe3c1d6a9e5fca902c5261762',
    articulated='246f1d086e7ebc5adea8c68de027a63fcaad35c81fd9cc76c0f462e95824649d',
    late='8f2e4935561612a7ec172537aea63c7eba282515b1f6fbf8e5948a7b9cb6ccfb',
    vanishing='3b08e03dd53157d491dc7f9171bed3b2d01e6c9bba9acfe600bd460138cc00c4',
    fast='3b570b5b68ebdf7e2d1047f62b45a88c88e381c0c60764cbbab2353236f51813',
    light='7632ec1861a585b693156e2606cc4d482c578bd5fcf1a3b51c49d9396b851d7c',
    odd='8990bcd4e64186daff835bb6ff726ad69cd93e8abbab5afc322e8962801e7243',
    mixed='4fb606ac4546b46c72debf7528af2e9674553aa49a0df1063b0ca73859b82428',
)
COLORS = dict(
    single='4807127b3cfc1b7816f4f9d8e7b6e7b3aa0f3aa29473b2466f6c213368144176',
    mixed='904aee09538af8fc32331702f92fa83cfea3a3d54e8eb16bb8b110779abc44fe',
)
LARGE = 'bcfba8012c792e459765d2388a781c124c82ac79b64158457b679f03c712533a'
