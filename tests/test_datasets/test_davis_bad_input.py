import numpy as np
import pytest
from PIL import Image

from densecorr.datasets.davis import DAVISDataset
from tests.trees import write_davis_tree, write_image, write_palette_png


@pytest.fixture
def root(tmp_path):
    return write_davis_tree(tmp_path / 'DAVIS')


def png(root, name, index):
    return root / 'Annotations' / '480p' / name / f'{index:05d}.png'


def jpg(root, name, index):
    return root / 'JPEGImages' / '480p' / name / f'{index:05d}.jpg'


def test_missing_root(tmp_path):
    with pytest.raises(FileNotFoundError) as error:
        DAVISDataset(tmp_path / 'none')
    for part in (f"'{tmp_path}/none' is not a folder", 'ROOT/JPEGImages', 'https://'):
        assert part in str(error.value)


@pytest.mark.parametrize(
    'options, text',
    [
        (dict(year=2018), r'year .* one of \[2016, 2017\], not 2018'),
        (
            dict(task='zero-shot'),
            r"task .*'semi-supervised', 'unsupervised'.*'zero-shot'",
        ),
        (dict(reader='cv'), r"reader .* one of .*'opencv', 'pillow'.*, not 'cv'"),
        (dict(max_frames=0), r'max_frames should be at least 1, not 0'),
        (
            dict(split='vall'),
            r"split 'vall'.*ImageSets/2017/vall.txt\. Did you mean 'val'",
        ),
        (
            dict(sequences=['camal']),
            r"'camal' is not in DAVIS-2017 val .* mean 'camel'",
        ),
        (
            dict(folders=dict(res='1')),
            r"folders .*\['resolution', 'annotations'\].*'res'",
        ),
    ],
)
def test_wrong_arguments(root, options, text):
    with pytest.raises(ValueError, match=text):
        DAVISDataset(root, **options)


def test_missing_resolution_and_missing_sequences(root):
    with pytest.raises(
        FileNotFoundError, match=r"(?s)1080p\. .*holds \['480p'\].*Expect"
    ):
        DAVISDataset(root, folders=dict(resolution='1080p'))
    (root / 'ImageSets/2017/val.txt').write_text('dog\n')
    with pytest.raises(
        FileNotFoundError, match=r"(?s)none of the 1 .*\['dog'\].*https"
    ):
        DAVISDataset(root)


def test_empty_list(root):
    (root / 'ImageSets/2017/val.txt').write_text('\n')
    with pytest.raises(
        ValueError, match=r'val\.txt is empty\. Write one sequence name'
    ):
        DAVISDataset(root)


def test_first_label_map_without_objects(root):
    for content in (0, 255):  # 255 is background in this task
        write_palette_png(png(root, 'camel', 0), np.full((64, 96), content, np.uint8))
        data = DAVISDataset(root)
        assert data[0].name == 'blackswan'  # the others are not held up
        with pytest.raises(
            ValueError,
            match=r"sequence 'camel', .*00000\.png, has no object.*sequences=",
        ):
            data[1]


def test_frames_of_different_sizes(root):
    write_image(jpg(root, 'camel', 2), np.zeros((60, 96, 3), np.uint8))
    video = DAVISDataset(root)[1]
    assert video.read_frame(1).shape == (64, 96, 3)
    text = r'00002\.jpg is 60x96, the first frame .*00000\.jpg is 64x96 .*split or resi'
    with pytest.raises(ValueError, match=text):
        video.read_frame(2)


def test_label_map_of_another_size_than_its_frame(root):
    write_palette_png(png(root, 'camel', 2), np.ones((64, 95), np.uint8))
    video = DAVISDataset(root)[1]
    text = (
        r'map .*00002\.png is 64x95, its frame .*00002\.jpg is 64x96 .*by nearest nei'
    )
    with pytest.raises(ValueError, match=text):
        video.read_labels(2)


def test_colour_label_map(root):
    write_image(png(root, 'camel', 0), np.zeros((64, 96, 3), np.uint8))
    with pytest.raises(ValueError, match=r'00000\.png has pixels of mode RGB.*palette'):
        DAVISDataset(root)[1]


def test_annotations_without_frames(root):
    png(root, 'camel', 3).rename(png(root, 'camel', 77))
    text = (
        r"'camel' has 1 label files without a frame .*00077\.png; .*'00000'.*together"
    )
    with pytest.raises(ValueError, match=text):
        DAVISDataset(root)


def test_sequence_without_annotations(root):
    folder = png(root, 'camel', 0).parent
    for path in folder.iterdir():
        path.unlink()
    text = r"(?s)'camel' .* no usable annotations: .*/camel'.*nothing.*sequences=.*http"
    with pytest.raises(ValueError, match=text):
        DAVISDataset(root)
    folder.rmdir()
    with pytest.raises(
        FileNotFoundError,
        match=text.replace(".*/camel'.*nothing", '.*no folder .*/camel'),
    ):
        DAVISDataset(root)


def test_cut_before_the_first_annotation(tmp_path):
    root = write_davis_tree(tmp_path, {'camel': 4}, annotated=[3])
    text = r"'camel' has no annotation in its first 2 .*00003\.png\. Raise max_frames=2"
    with pytest.raises(ValueError, match=text):
        DAVISDataset(root, max_frames=2)


def test_two_formats_of_one_frame(root):
    Image.new('RGB', (96, 64)).save(jpg(root, 'camel', 0).with_suffix('.png'))
    with pytest.raises(ValueError, match=r"'00000\.(jpg|png)' and .*one frame name"):
        DAVISDataset(root)
