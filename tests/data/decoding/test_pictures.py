from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
import torch
from PIL import Image

from hubel.data.decoding import UnreadableImage, jpeg, load_array, load_for, load_image, pictures, read_array, reasons
from hubel.preprocessing import Preprocess


def encoded(image: Image.Image, kind: str, **options) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def pixels(source, channels=3) -> list:
    image = load_image(source, channels)
    assert image.mode == {1: "L", 3: "RGB"}[channels]
    return np.asarray(image).tolist()


def smooth(height: int, width: int) -> Image.Image:
    y, x = np.mgrid[:height, :width]
    return Image.fromarray(np.stack([255 * x / width, 255 * y / height, 0 * x + 90], axis=-1).astype(np.uint8))


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "WEBP", "GIF", "JPEG"])
def test_every_format(kind):
    flat = Image.new("RGB", (20, 10), (200, 100, 50))
    options = {"lossless": True} if kind == "WEBP" else {"quality": 100} if kind == "JPEG" else {}
    array = np.asarray(load_image(encoded(flat, kind, **options), 3))
    assert array.shape == (10, 20, 3)
    assert np.abs(array.astype(int) - (200, 100, 50)).max() <= (2 if kind == "JPEG" else 0)


def test_of_an_animation_the_first_frame():
    frames = [Image.new("RGB", (4, 4), colour) for colour in ("red", "lime", "blue")]
    assert pixels(encoded(frames[0], "GIF", save_all=True, append_images=frames[1:]))[0][0] == [255, 0, 0]


def test_sources_may_be_paths_names_bytes_images_and_arrays(tmp_path):
    array = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
    image, path = Image.fromarray(array), tmp_path / "a.png"
    image.save(path)
    for source in (path, str(path), path.read_bytes(), image, array):
        assert pixels(source) == array.tolist()


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_exif_orientation(orientation, kind):
    """A camera held in any way: the stored picture is turned back so that red is top left, green right of it."""
    upright = np.zeros((32, 48, 3), dtype=np.uint8)
    upright[:16, :24], upright[:16, 24:], upright[16:, :24] = (255, 0, 0), (0, 255, 0), (0, 0, 255)
    stored = {  # what a camera stores with this tag, from the EXIF standard's table of rows and columns
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.transpose(1, 0, 2),
        6: upright[:, ::-1].transpose(1, 0, 2)[:, :],
        7: upright[::-1, ::-1].transpose(1, 0, 2),
        8: upright[::-1].transpose(1, 0, 2),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"quality": 100} if kind == "JPEG" else {"lossless": True} if kind == "WEBP" else {}
    source = encoded(Image.fromarray(np.ascontiguousarray(stored)), kind, exif=exif, **options)
    result = np.asarray(load_image(source, 3)).astype(int)
    assert result.shape == upright.shape
    assert np.abs(result[4:12, 4:20] - (255, 0, 0)).max() <= 3
    assert np.abs(result[4:12, 28:44] - (0, 255, 0)).max() <= 3
    assert np.abs(result[20:28, 4:20] - (0, 0, 255)).max() <= 3


def test_damaged_exif_counts_as_none():
    source = encoded(Image.new("RGB", (4, 4), "red"), "PNG", exif=b"Exif\x00\x00MM\x00\x2a\xff\xff\xff\xff")
    assert pixels(source)[0][0] == [255, 0, 0]


def test_palette():
    image = Image.new("P", (2, 1))
    image.putpalette([10, 20, 30, 200, 150, 100])
    image.putdata([0, 1])
    for kind in ("PNG", "GIF", "BMP"):
        assert pixels(encoded(image, kind)) == [[[10, 20, 30], [200, 150, 100]]]
    assert pixels(encoded(image, "PNG"), 1) == [[round(0.299 * 10 + 0.587 * 20 + 0.114 * 30), 159]]


def test_alpha_is_composited_on_white():
    image = Image.new("RGBA", (3, 1))
    image.putdata([(100, 0, 50, 255), (100, 0, 50, 0), (100, 0, 50, 51)])  # 51 / 255 = 1 / 5
    half = [100 // 5 + 204, 204, 50 // 5 + 204]
    assert pixels(encoded(image, "PNG")) == [[[100, 0, 50], [255, 255, 255], half]]
    assert pixels(encoded(image, "PNG"), 1)[0][1] == 255


def test_grey_with_alpha():
    image = Image.new("LA", (3, 1))
    image.putdata([(100, 255), (100, 0), (100, 51)])
    assert pixels(encoded(image, "PNG"), 1) == [[100, 255, 224]]
    assert pixels(encoded(image, "PNG"), 3) == [[[100] * 3, [255] * 3, [224] * 3]]


def test_palette_with_transparency():
    image = Image.new("P", (2, 1))
    image.putpalette([10, 20, 30, 200, 150, 100])
    image.putdata([0, 1])
    for kind in ("PNG", "GIF"):
        assert pixels(encoded(image, kind, transparency=0)) == [[[255, 255, 255], [200, 150, 100]]]
    assert pixels(encoded(image, "PNG", transparency=bytes([51, 255])))[0][0] == [206, 208, 210]


def test_one_transparent_colour():
    image = Image.new("RGB", (2, 1), (9, 8, 7))
    image.putpixel((1, 0), (1, 2, 3))
    assert pixels(encoded(image, "PNG", transparency=(9, 8, 7))) == [[[255, 255, 255], [1, 2, 3]]]
    assert pixels(encoded(Image.new("L", (1, 1), 7), "PNG", transparency=7), 1) == [[255]]


def test_cmyk():
    image = Image.new("CMYK", (16, 16), (255, 0, 0, 0))  # cyan
    for kind in ("TIFF", "JPEG"):  # Pillow writes JPEG inverted, as Adobe does, and says so in the file
        colour = np.array(pixels(encoded(image, kind))[8][8])
        assert np.abs(colour - (0, 255, 255)).max() <= 2
    half = Image.new("CMYK", (1, 1), (0, 51, 0, 51))  # 255 × 4/5 × 4/5
    assert np.abs(np.array(pixels(encoded(half, "TIFF"))[0][0]) - (204, 163, 204)).max() <= 1


def test_grey_to_colour_and_back():
    assert pixels(encoded(Image.new("L", (1, 1), 77), "PNG")) == [[[77, 77, 77]]]
    image = Image.new("RGB", (1, 1), (200, 100, 50))
    assert pixels(encoded(image, "PNG"), 1) == [[round(0.299 * 200 + 0.587 * 100 + 0.114 * 50)]]


def test_one_bit():
    image = Image.new("1", (2, 1))
    image.putpixel((1, 0), 1)
    for kind in ("PNG", "TIFF", "BMP"):
        assert pixels(encoded(image, kind), 1) == [[0, 255]]


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_16_bit_grey_is_scaled(kind):
    values = np.array([[0, 128, 129, 257, 4095, 32768, 65535]], dtype=np.uint16)
    expected = [[0, 0, 1, 1, 16, 128, 255]]  # the nearest to value / 257
    assert pixels(encoded(Image.fromarray(values), kind), 1) == expected
    assert pixels(values, 1) == expected
    assert pixels(encoded(Image.fromarray(values.astype(np.int32)), "TIFF"), 1) == expected


def png_of_16_bits(rows: np.ndarray, colour_type: int) -> bytes:
    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    height, width = rows.shape[:2]
    lines = b"".join(b"\0" + row.astype(">u2").tobytes() for row in rows)
    header = struct.pack(">IIBBBBB", width, height, 16, colour_type, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(lines)) + chunk(b"IEND", b"")


def test_16_bit_colour_is_scaled():
    rows = np.array([[[65535, 257 * 100, 0], [0, 257, 65535]]])
    assert pixels(png_of_16_bits(rows, 2)) == [[[255, 100, 0], [0, 1, 255]]]
    with_alpha = np.array([[[257 * 100, 65535], [257 * 100, 0]]])
    assert pixels(png_of_16_bits(with_alpha, 4), 1) == [[100, 255]]


def test_12_bits_stated_by_a_tiff_are_scaled():
    packed = bytes([0xFF, 0xF8, 0x00])  # 4095 and 2048
    tags = [
        (256, 3, 2),
        (257, 3, 1),
        (258, 3, 12),
        (259, 3, 1),
        (262, 3, 1),
        (273, 4, 8),
        (277, 3, 1),
        (278, 3, 1),
        (279, 4, 3),
    ]
    entries = b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in tags)
    source = b"II*\0" + struct.pack("<I", 12) + packed + b"\0" + struct.pack("<H", len(tags)) + entries + b"\0" * 4
    assert pixels(source, 1) == [[255, 128]]


def test_floats():
    def tiff(*values: float) -> bytes:
        return encoded(Image.fromarray(np.array([values], dtype=np.float32)), "TIFF")

    assert pixels(tiff(0.0, 0.2, 1.0), 1) == [[0, 51, 255]]
    assert pixels(tiff(0.0, 2.0, 254.6), 1) == [[0, 2, 255]]
    assert pixels(tiff(-100.0, 0.0, 900.0), 1) == [[0, 26, 255]]  # 255 × 100 / 1000 = 25.5, to even
    assert pixels(np.array([[0.2, 1.0]]), 3) == [[[51] * 3, [255] * 3]]
    with pytest.raises(UnreadableImage, match="values that are not finite"):
        load_image(tiff(0.0, float("nan")), 1)


def test_integers_outside_16_bits_are_scaled_by_their_range():
    values = np.array([[-1000, 0, 100_000 - 1000]], dtype=np.int32)
    assert pixels(encoded(Image.fromarray(values), "TIFF"), 1) == [[0, round(2.55), 255]]


def test_arrays():
    assert pixels(np.array([[True, False]]), 1) == [[255, 0]]
    assert pixels(np.full((1, 2, 1), 9, np.uint8), 1) == [[9, 9]]
    assert pixels(np.array([[[100, 0, 50, 51]]], dtype=np.uint8)) == [[[224, 204, 214]]]
    assert pixels(np.zeros((4, 6, 3), np.uint8)[:, ::2]) == np.zeros((4, 3, 3), int).tolist()
    assert pixels(np.full((1, 1, 3), 0.2)) == [[[51, 51, 51]]]
    for wrong in (np.zeros((2, 2, 2), np.uint8), np.zeros(4, np.uint8), np.zeros((0, 3), np.uint8)):
        with pytest.raises(UnreadableImage, match=r"expected the shape \(H, W\), \(H, W, 1\)"):
            load_image(wrong, 3)
    with pytest.raises(UnreadableImage, match="expected bool, uint8, uint16"):
        load_image(np.zeros((2, 2), np.int64), 3)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "GIF", "BMP"])
def test_truncated(kind, tmp_path):
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8))
    path = tmp_path / "half"
    content = encoded(noise, kind)
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(UnreadableImage, match=r"cannot read .*half: it is (truncated|damaged)") as caught:
        load_image(path, 3)
    assert "\n" not in str(caught.value)
    if kind in ("JPEG", "PNG", "BMP"):
        assert caught.value.reason == "it is truncated"


def test_zero_bytes(tmp_path):
    (tmp_path / "a.jpg").touch()
    with pytest.raises(UnreadableImage, match=r"a\.jpg: it has zero bytes"):
        load_image(tmp_path / "a.jpg", 3)
    with pytest.raises(UnreadableImage, match="it has zero bytes"):
        load_image(b"", 3)


@pytest.mark.parametrize("brand", [b"heic", b"mif1"])
def test_heic_by_another_name_is_told(tmp_path, brand):
    content = b"\0\0\0\x18ftyp" + brand + b"\0\0\0\0mif1heic" + bytes(100)
    (tmp_path / "a.jpg").write_bytes(content)
    for source in (tmp_path / "a.jpg", content):
        with pytest.raises(UnreadableImage, match="a HEIC picture, whatever it is called: convert it to JPEG or PNG"):
            load_image(source, 3)


def test_no_image(tmp_path):
    (tmp_path / "a.jpg").write_text("<html>404</html>")
    with pytest.raises(UnreadableImage, match=r"a\.jpg: it is no image that Pillow knows"):
        load_image(tmp_path / "a.jpg", 3)


def test_missing(tmp_path):
    with pytest.raises(UnreadableImage, match=r"gone\.jpg: it does not exist"):
        load_image(tmp_path / "gone.jpg", 3)
    with pytest.raises(UnreadableImage, match="it is a folder"):
        load_image(tmp_path, 3)


def test_an_address_is_no_file():
    with pytest.raises(UnreadableImage, match=r"cannot read https://example\.org/a\.jpg: it is an address, no file"):
        load_image("https://example.org/a.jpg", 3)


def test_open_files_are_read_from_their_beginning_as_often_as_asked():
    content = encoded(smooth(8, 6), "PNG")
    file = io.BytesIO(content)
    assert pixels(file) == pixels(file) == pixels(content) == pixels(memoryview(content))


@pytest.mark.parametrize(
    ("other", "text"),
    [
        (None, "cannot read an object of type NoneType: expected a path, a file's bytes, a PIL image or an array$"),
        (7, "cannot read an object of type int: expected a path"),
        (["a.jpg"], "cannot read an object of type list: expected a path"),
        (io.StringIO("a.jpg"), "cannot read an object of type StringIO: expected a path"),
        (
            torch.zeros(3, 4, 5),
            r"cannot read an object of type Tensor: .*of a torch tensor \(3, H, W\), permute\(1, 2, 0\)",
        ),
    ],
)
def test_what_is_no_picture_is_told(other, text):
    with pytest.raises(UnreadableImage, match=text):
        load_image(other, 3)


@pytest.mark.parametrize("factor", [1.5, 3])  # Pillow warns of the first and refuses the second
def test_decompression_bomb(monkeypatch, factor):
    monkeypatch.setattr(reasons, "MAX_PIXELS", 5000)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 5000)
    source = encoded(Image.new("L", (int(5000 * factor / 50), 50)), "PNG")
    with pytest.raises(UnreadableImage, match=r"more than 5000.*decompression bomb"):
        load_image(source, 1)


def test_the_limit_is_pillows():
    assert Image.MAX_IMAGE_PIXELS == reasons.MAX_PIXELS


def test_a_bomb_is_refused_before_it_is_decoded():
    row = np.zeros((1, 1, 3), dtype=np.uint16)
    source = png_of_16_bits(row, 2)
    claimed = source[12:16] + struct.pack(">II", 200_000, 10_000) + source[24:29]
    bomb = source[:12] + claimed + struct.pack(">I", zlib.crc32(claimed)) + source[33:]
    with pytest.raises(UnreadableImage, match="decompression bomb"):
        load_image(bomb, 3)


def test_ribbons_are_refused():
    with pytest.raises(UnreadableImage, match="it has 2020×20 pixels, one side more than 100 times the other"):
        load_image(Image.new("RGB", (2020, 20)), 3)
    assert load_image(Image.new("RGB", (2000, 20)), 3).size == (2000, 20)


def test_errors_survive_a_process_boundary():
    import pickle

    error = pickle.loads(pickle.dumps(UnreadableImage("a.jpg", "it is truncated")))
    assert (str(error), error.name, error.reason) == ("cannot read a.jpg: it is truncated", "a.jpg", "it is truncated")


@pytest.mark.parametrize(("shorter", "scale"), [(100, 1), (50, 2), (49, 2), (25, 4), (12, 8), (5, 8)])
def test_jpegs_are_decoded_at_reduced_scale(shorter, scale):
    source = encoded(smooth(200, 320), "JPEG", quality=95)
    assert load_image(source, 3, shorter_side=shorter).size == (320 // scale, 200 // scale)
    assert load_image(source, 3).size == (320, 200)


def test_reduced_scale_changes_little_and_nothing_without_antialiasing():
    source = encoded(smooth(800, 1200), "JPEG", quality=95)
    preprocess = Preprocess(size=(96, 96), resize_to=100)
    whole = preprocess.to_array(load_image(source, 3)).astype(int)
    assert load_for(source, preprocess).size == (300, 200)
    assert np.abs(read_array(source, preprocess) - whole).max() <= 3
    assert load_for(source, Preprocess(size=(96, 96), resize_to=100, antialias=False)).size == (1200, 800)
    assert load_for(source, Preprocess(size=(96, 96), resize_to=100, interpolation="nearest")).size == (1200, 800)


def test_a_given_image_is_left_as_it_was():
    image = Image.open(io.BytesIO(encoded(smooth(400, 400), "JPEG")))
    load_for(image, Preprocess(size=(32, 32), resize_to=32))
    assert image.size == (400, 400)


def textured(height: int, width: int) -> Image.Image:
    """Noise on edges: a picture on which any other arithmetic would show."""
    noise = np.random.default_rng(0).integers(0, 80, (height, width, 3))
    return Image.fromarray((np.asarray(smooth(height, width)) // 2 + noise).astype(np.uint8))


@pytest.fixture
def without_pillow(monkeypatch):
    """Pictures that would pass through Pillow fail."""

    def refuse(*arguments, **options):
        raise AssertionError("Pillow was to decode it")

    monkeypatch.setattr(pictures, "_loaded", refuse)


@pytest.mark.parametrize("size", [(1, 1), (3, 17), (8, 8), (37, 61), (160, 90)])
@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:2", "4:2:0"])
@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"restart_marker_blocks": 3}, {"quality": 10}], ids=str)
def test_plain_jpegs_are_decoded_without_pillow_to_the_same_pixels(request, size, subsampling, options):
    source = encoded(textured(*size), "JPEG", **{"quality": 90, "subsampling": subsampling, **options})
    expected = np.asarray(load_image(source, 3))
    request.getfixturevalue("without_pillow")
    np.testing.assert_array_equal(load_array(source, 3), expected)


def test_jpegs_of_upright_cameras_are_decoded_without_pillow(without_pillow):
    """Most EXIF data say only which camera it was, and that it was held upright."""
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 1, "a camera"
    image = textured(40, 60)
    expected = load_array(encoded(image, "JPEG"), 3)
    np.testing.assert_array_equal(load_array(encoded(image, "JPEG", exif=exif), 3), expected)


def test_photos_are_decoded_to_the_same_pixels(shared):
    files = sorted((shared / "data" / "clothing" / "test").rglob("*.jpg"))[::10]
    assert files
    for file in files:
        np.testing.assert_array_equal(load_array(file, 3), np.asarray(load_image(file, 3)), err_msg=str(file))


def after_jfif(jpeg: bytes, *segments: tuple[int, bytes]) -> bytes:
    """The file with segments, of a marker and its data, behind its first one; 0xFF as a marker fills, without data."""
    first = jpeg[:20]
    assert first[2:4] == b"\xff\xe0"
    for marker, data in segments:
        length = b"" if marker == 0xFF else (2 + len(data)).to_bytes(2, "big")
        first += b"\xff" + bytes([marker]) + length + data
    return first + jpeg[20:]


def other_files() -> dict[str, bytes]:
    """What is no plain JPEG, each in another way."""
    image = textured(64, 48)
    turned = Image.Exif()
    turned[0x0112] = 6
    xmp = b'<x:xmpmeta><rdf:Description tiff:Orientation="6"/></x:xmpmeta>'
    plain = encoded(image, "JPEG", quality=90)
    thumbnail = encoded(textured(8, 6), "JPEG")
    damaged = bytearray(plain)
    damaged[-300:-280] = bytes(20)
    return {
        "turned by EXIF": encoded(image, "JPEG", exif=turned),
        "turned by XMP": encoded(image, "JPEG", xmp=xmp),
        "grey": encoded(image.convert("L"), "JPEG"),
        "CMYK": encoded(image.convert("CMYK"), "JPEG"),
        "several": encoded(image, "MPO", save_all=True, append_images=[smooth(64, 48)]),
        "damaged": bytes(damaged),
        "PNG": encoded(image, "PNG"),
        "behind it": plain + b"thumbnails of a camera",
        "turned, after a thumbnail": after_jfif(plain, (0xE0, b"JFXX\0\x10" + thumbnail), (0xE1, turned.tobytes())),
        "turned, after other bytes": after_jfif(plain, (0xE2, b"of a profile\xff\xda"), (0xE1, turned.tobytes())),
        "turned, after filling": after_jfif(plain, (0xFF, b""), (0xE1, turned.tobytes())),
        "colours untransformed": encoded(image, "JPEG", keep_rgb=True),
    }


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("kind", other_files())
def test_arrays_are_the_pixels_of_images(kind, channels):
    source = other_files()[kind]
    array, expected = load_array(source, channels), np.asarray(load_image(source, channels))
    np.testing.assert_array_equal(array, expected)
    assert array.flags.writeable


def test_arrays_of_other_sources(tmp_path):
    image = textured(20, 30)
    path = tmp_path / "a.jpg"
    path.write_bytes(encoded(image, "JPEG"))
    np.testing.assert_array_equal(load_array(str(path), 3), np.asarray(load_image(path, 3)))
    for source in (image, np.asarray(image)):
        np.testing.assert_array_equal(load_array(source, 3), np.asarray(image))


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"subsampling": 0}, {"subsampling": 1}])
@pytest.mark.parametrize("shorter", [3, 20, 25, 50, 100, 150])
def test_plain_jpegs_have_pillows_pixels_at_every_scale(shorter, options):
    source = encoded(textured(401, 603), "JPEG", **options)
    drafted = Image.open(io.BytesIO(source))
    drafted.draft(None, (2 * shorter, 2 * shorter))
    np.testing.assert_array_equal(load_array(source, 3, shorter_side=shorter), np.asarray(drafted.convert("RGB")))
    for load in (load_image, load_array):
        np.testing.assert_array_equal(load(source, 1, shorter_side=shorter), np.asarray(drafted.convert("L")))


@pytest.mark.parametrize("side", [1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 17])
def test_tiny_jpegs_have_pillows_pixels_at_every_scale(side):
    source = encoded(textured(side, side + 1), "JPEG")
    for shorter in (1, 2, 4):
        drafted = Image.open(io.BytesIO(source))
        drafted.draft(None, (2 * shorter, 2 * shorter))
        np.testing.assert_array_equal(load_array(source, 3, shorter_side=shorter), np.asarray(drafted))


def pixels_or_reason(load, source: bytes):
    try:
        return np.asarray(load(source, 3)).tolist()
    except UnreadableImage as error:
        return error.reason


@pytest.mark.parametrize("damage", ["cut", "flipped", "zeroed", "inserted", "removed"])
def test_of_damaged_jpegs_arrays_and_images_tell_the_same(damage):
    """Pixels, or the reason: training and prediction may not disagree about which pictures can be read."""
    rng = np.random.default_rng(0)
    exif = Image.Exif()
    exif[0x0112] = 1
    files = [encoded(textured(24, 40), "JPEG", progressive=progressive, exif=exif) for progressive in (False, True)]
    outcomes = set()
    for number in range(150):
        data = bytearray(files[number % 2])
        at = int(rng.integers(len(data)))
        if damage == "cut":
            del data[at:]
        elif damage == "flipped":
            data[at] ^= 1 << int(rng.integers(8))
        elif damage == "zeroed":
            data[at : at + 20] = bytes(len(data[at : at + 20]))
        elif damage == "inserted":
            data[at:at] = rng.bytes(5)
        else:
            del data[at : at + 3]
        told = pixels_or_reason(load_image, bytes(data))
        assert pixels_or_reason(load_array, bytes(data)) == told
        outcomes.add(type(told))
    assert outcomes == ({str} if damage == "cut" else {str, list})


def test_where_pillow_has_another_decoder_jpegs_pass_through_it(monkeypatch, without_pillow):
    source = encoded(textured(20, 30), "JPEG")
    assert load_array(source, 3).shape == (20, 30, 3)
    monkeypatch.setattr(jpeg, "_PILLOW_HAS_TURBO", False)
    with pytest.raises(UnreadableImage, match="Pillow was to decode it"):
        load_array(source, 3)


def test_arrays_that_would_be_bombs_are_refused(monkeypatch):
    monkeypatch.setattr(reasons, "MAX_PIXELS", 5000)
    with pytest.raises(UnreadableImage, match="80×80 pixels, more than 5000"):
        load_array(encoded(textured(80, 80), "JPEG"), 3)


@pytest.mark.parametrize("channels", [1, 3])
def test_read_array(channels):
    preprocess = Preprocess(channels=channels, size=(8, 6), resize_to=10, mean=(0.5,) * channels, std=(0.5,) * channels)
    array = read_array(smooth(30, 40), preprocess)
    assert array.shape == (8, 6, channels)
    assert array.dtype == np.uint8
