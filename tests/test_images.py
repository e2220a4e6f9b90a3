import io
import zlib

import cv2
import numpy as np
import pytest
import torch
from PIL import Image, ImageOps

from densecorr.utils import files, images
from densecorr.utils.images import (
    davis_palette,
    encode_label_map,
    image_size,
    read_image,
    read_label_map,
    turn_upright,
    write_label_map,
)

READERS = ['opencv', 'pillow']


def picture(height=40, width=56):
    """A smooth colour picture, without symmetry."""
    y, x = np.mgrid[:height, :width]
    channels = [x * 255 / width, y * 255 / height, (x + 2 * y) * 80 / width]
    return np.stack(channels, axis=-1).astype(np.uint8)


def save(path, pixels=None, mode='RGB', **options):
    Image.fromarray(picture() if pixels is None else pixels).convert(mode).save(
        path, **options
    )
    return path


@pytest.mark.parametrize('reader', READERS)
def test_png_is_read_exactly_as_rgb(tmp_path, reader):
    rgb = read_image(save(tmp_path / 'a.png'), reader)
    assert rgb.dtype == np.uint8
    np.testing.assert_array_equal(rgb, picture())


def test_readers_are_the_libraries_own(tmp_path):
    path = save(tmp_path / 'a.jpg', quality=90)
    np.testing.assert_array_equal(
        read_image(path, 'opencv'), cv2.imread(str(path))[..., ::-1]
    )
    np.testing.assert_array_equal(
        read_image(path, 'pillow'), np.asarray(Image.open(path))
    )


@pytest.mark.parametrize('reader', READERS)
@pytest.mark.parametrize('name', ['A.JPG', 'mit leer.jpg', 'кадр-é.jpeg', 'none'])
def test_names_do_not_matter(tmp_path, reader, name):
    path = save(tmp_path / name, format='JPEG', quality=95)
    assert np.abs(read_image(path, reader).astype(int) - picture()).max() < 30
    assert image_size(path) == (40, 56)


@pytest.mark.parametrize('reader', READERS)
def test_grey_images_become_rgb(tmp_path, reader):
    rgb = read_image(save(tmp_path / 'a.png', mode='L'), reader)
    assert rgb.shape == (40, 56, 3)
    assert (rgb == rgb[..., :1]).all()


@pytest.mark.parametrize('orientation', range(1, 9))
def test_turn_upright_is_exif_transpose(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    image = Image.fromarray(picture())
    image.info['exif'] = exif.tobytes()
    expected = np.asarray(ImageOps.exif_transpose(image))
    actual = turn_upright(picture(), orientation)
    np.testing.assert_array_equal(actual, expected)
    assert actual.flags.c_contiguous


def test_turn_upright_names_a_wrong_orientation():
    with pytest.raises(ValueError, match=r'orientation should be in 1\.\.8, not 9'):
        turn_upright(picture(), 9)


@pytest.mark.parametrize('reader', READERS)
def test_exif_rotation_is_applied_and_warned_once(tmp_path, reader, monkeypatch):
    exif = Image.Exif()
    exif[0x0112] = 6
    path = save(tmp_path / 'a.jpg', exif=exif, quality=95)
    warnings = []
    monkeypatch.setattr(images, 'print_log', lambda text, **kw: warnings.append(text))
    rgb = read_image(path, reader)
    again = read_image(path, reader)
    np.testing.assert_array_equal(rgb, again)
    assert rgb.shape == (56, 40, 3) and image_size(path) == (56, 40)
    assert np.abs(rgb.astype(int) - turn_upright(picture(), 6)).max() < 30
    assert len(warnings) == 1 and 'orientation 6' in warnings[0]
    assert str(path) in warnings[0]


def test_unknown_reader(tmp_path):
    with pytest.raises(ValueError, match=r"reader .*'opencv', 'pillow'.*not 'magick'"):
        read_image(save(tmp_path / 'a.png'), 'magick')


@pytest.mark.parametrize('read', [read_image, image_size, read_label_map])
def test_missing_empty_and_foreign_files(tmp_path, read):
    with pytest.raises(FileNotFoundError, match=r'no image .*gone\.png'):
        read(tmp_path / 'gone.png')
    (tmp_path / 'empty.png').touch()
    with pytest.raises(ValueError, match=r'empty\.png is empty .*again'):
        read(tmp_path / 'empty.png')
    (tmp_path / 'text.png').write_text('no pixels here')
    with pytest.raises(ValueError, match=r'text\.png is not an image'):
        read(tmp_path / 'text.png')


@pytest.mark.parametrize('reader', READERS)
@pytest.mark.parametrize('options', [{}, {'progressive': True}])
@pytest.mark.parametrize('thumbnail', [False, True])
def test_truncated_jpeg(tmp_path, reader, options, thumbnail):
    exif = Image.Exif()
    if thumbnail:  # holds an end marker of its own inside the header
        buffer = io.BytesIO()
        Image.fromarray(picture(8, 8)).save(buffer, 'JPEG')
        exif[0x927C] = buffer.getvalue()
    path = save(tmp_path / 'a.jpg', exif=exif, **options)
    whole = path.read_bytes()
    read_image(path, reader)
    for share in (0.5, 0.9):
        path.write_bytes(whole[: int(len(whole) * share)])
        with pytest.raises(ValueError, match=r'a\.jpg is truncated .*again'):
            read_image(path, reader)
    path.write_bytes(whole[:-2])
    with pytest.raises(ValueError, match=r'a\.jpg is truncated'):
        read_image(path, reader)
    path.write_bytes(whole + b'\0' * 100)  # padding after the end is harmless
    read_image(path, reader)


@pytest.mark.parametrize('reader', READERS)
def test_truncated_png(tmp_path, reader):
    path = save(tmp_path / 'a.png')
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(ValueError, match=r'a\.png is truncated'):
        read_image(path, reader)


@pytest.mark.parametrize('reader', READERS)
def test_deep_images(tmp_path, reader):
    deep = picture().astype(np.uint16) * 257
    cv2.imwrite(str(tmp_path / 'rgb.png'), deep)
    cv2.imwrite(str(tmp_path / 'grey.png'), deep[..., 0])
    for name in ('rgb.png', 'grey.png'):
        with pytest.raises(ValueError, match=rf'{name} has 16 bits.*Convert it to 8'):
            read_image(tmp_path / name, reader)
    Image.fromarray(deep[..., 0]).save(tmp_path / 'deep.tif')
    with pytest.raises(ValueError, match=r'deep\.tif has more than 8 bits'):
        read_image(tmp_path / 'deep.tif', reader)
    path = save(tmp_path / 'a.jpg')
    data = bytearray(path.read_bytes())
    data[data.index(b'\xff\xc0') + 4] = 16  # the precision in the frame header
    path.write_bytes(data)
    with pytest.raises(ValueError, match=r'a\.jpg has 16 bits .*Convert it to 8'):
        read_image(path, reader)


@pytest.mark.parametrize('reader', READERS)
def test_cmyk_jpeg(tmp_path, reader):
    path = save(tmp_path / 'a.jpg', mode='CMYK')
    with pytest.raises(ValueError, match=r'a\.jpg is a CMYK JPEG.*Convert it to RGB'):
        read_image(path, reader)


def test_image_size_decodes_nothing(tmp_path):
    for name in ('a.jpg', 'b.png'):
        path = save(tmp_path / name, picture(300, 500))
        path.write_bytes(path.read_bytes()[:700])  # header only
        assert image_size(path) == (300, 500)


def test_davis_palette():
    expected = [
        (0, 0, 0), (128, 0, 0), (0, 128, 0), (128, 128, 0), (0, 0, 128),
        (128, 0, 128), (0, 128, 128), (128, 128, 128), (64, 0, 0), (192, 0, 0),
    ]  # fmt: skip
    palette = davis_palette()
    assert palette.shape == (256, 3) and palette.dtype == np.uint8
    assert [tuple(map(int, color)) for color in palette[:10]] == expected
    assert len(np.unique(palette, axis=0)) == 256
    assert tuple(palette[255]) == (224, 224, 192)


@pytest.mark.parametrize('palette', [None, 255 - davis_palette()])
def test_label_maps_survive_a_round_trip(tmp_path, palette):
    label_map = np.arange(256, dtype=np.uint8).reshape(8, 32)
    path = tmp_path / 'vidéo 1' / '00000.PNG'
    write_label_map(path, label_map, palette)
    indices, found = read_label_map(path)
    np.testing.assert_array_equal(indices, label_map)
    assert indices.dtype == np.uint8
    np.testing.assert_array_equal(
        found, davis_palette() if palette is None else palette
    )
    assert Image.open(path).mode == 'P'


def test_encoding_is_deterministic_and_takes_any_integer():
    label_map = np.array([[0, 1], [200, 255]])
    first = encode_label_map(label_map)
    assert first == encode_label_map(label_map.astype(np.uint8))
    assert encode_label_map(label_map > 0) == encode_label_map([[0, 1], [1, 1]])


def test_short_palettes_and_one_bit_maps(tmp_path):
    label_map = np.array([[0, 1, 2], [2, 1, 0]], np.uint8)
    image = Image.fromarray(label_map)
    image.putpalette([9, 8, 7, 255, 0, 0, 0, 255, 0])
    image.save(tmp_path / 'short.png')
    indices, palette = read_label_map(tmp_path / 'short.png')
    np.testing.assert_array_equal(indices, label_map)
    assert palette.shape == (256, 3) and palette[0].tolist() == [9, 8, 7]
    Image.fromarray(label_map > 0).save(tmp_path / 'bit.png')
    indices, palette = read_label_map(tmp_path / 'bit.png')
    np.testing.assert_array_equal(indices, label_map > 0)
    assert palette is None


def test_grey_label_maps_have_no_palette(tmp_path):
    label_map = np.array([[0, 255], [7, 1]], np.uint8)
    Image.fromarray(label_map).save(tmp_path / 'a.png')
    indices, palette = read_label_map(tmp_path / 'a.png')
    np.testing.assert_array_equal(indices, label_map)
    assert palette is None


@pytest.mark.parametrize('mode', ['RGB', 'RGBA', 'LA'])
def test_a_coloured_label_map_is_refused(tmp_path, mode):
    path = save(tmp_path / 'a.png', mode=mode)
    with pytest.raises(ValueError, match=rf'mode {mode}.*write_label_map'):
        read_label_map(path)


def test_label_maps_that_would_lose_labels_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r'a\.jpg is a JPEG file.*as PNG'):
        read_label_map(save(tmp_path / 'a.jpg', mode='L'))
    cv2.imwrite(str(tmp_path / 'deep.png'), np.full((4, 4), 300, np.uint16))
    with pytest.raises(ValueError, match=r'deep\.png .* 8 bits, .* up to 300; .* 255'):
        read_label_map(tmp_path / 'deep.png')
    path = save(tmp_path / 'cut.png', mode='L')
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(ValueError, match=r'cut\.png is truncated'):
        read_label_map(path)
    nibbles = np.full((4, 4), 1, np.uint8)
    Image.fromarray(nibbles).save(tmp_path / 'two.png')
    data = bytearray((tmp_path / 'two.png').read_bytes())
    data[24] = 4  # bit depth in the header, then the header's checksum
    data[29:33] = zlib.crc32(data[12:29]).to_bytes(4, 'big')
    (tmp_path / 'two.png').write_bytes(data)
    with pytest.raises(ValueError, match=r'two\.png is a grey PNG of 4 bits'):
        read_label_map(tmp_path / 'two.png')


def test_what_cannot_be_encoded():
    with pytest.raises(ValueError, match=r'\(H, W\) array of integers, not float64'):
        encode_label_map(np.zeros((2, 2)))
    with pytest.raises(ValueError, match=r'integers, not int64 of shape \(1, 2, 2\)'):
        encode_label_map(np.zeros((1, 2, 2), int))
    for value in (256, -1):
        with pytest.raises(ValueError, match=rf'range over .*{value}.*Renumber'):
            encode_label_map(np.array([[0, value]]))
    with pytest.raises(ValueError, match=r'palette is a \(256, 3\).*\(3, 3\)'):
        encode_label_map(np.zeros((2, 2), int), np.zeros((3, 3), np.uint8))


def test_label_maps_go_through_the_one_writer(tmp_path, monkeypatch):
    def full(handle, data):
        raise OSError(28, 'no space')

    monkeypatch.setattr(files, '_write', full)
    with pytest.raises(OSError, match=r'No space left.*00000\.png'):
        write_label_map(tmp_path / '00000.png', np.zeros((2, 2), np.uint8))
    assert not list(tmp_path.iterdir())


def test_floor_resize_is_that_of_pytorch():
    labels = np.random.default_rng(0).integers(0, 9, (45, 31), dtype=np.uint8)
    for size in ((20, 20), (100, 64)):
        expected = torch.nn.functional.interpolate(
            torch.from_numpy(labels)[None, None], size, mode='nearest'
        )
        assert np.array_equal(images.resize_floor(labels, size), expected[0, 0])
