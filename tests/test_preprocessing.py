from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from torchvision import transforms

from hubel.errors import ConfigError
from hubel.preprocessing import FRAME, Preprocess, resample


def image(height: int, width: int, seed: int = 0) -> Image.Image:
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


@given(st.integers(5, 60), st.integers(5, 60), st.integers(1, 20), st.integers(1, 20), st.integers(0, 5))
def test_the_shorter_side_is_scaled_and_the_centre_cropped_as_torchvision_does(
    height, width, crop_height, crop_width, margin
):
    preprocess = Preprocess(size=(crop_height, crop_width), resize_to=max(crop_height, crop_width) + margin)
    resized = preprocess.resized(image(height, width))
    assert min(resized.size) == preprocess.resize_to
    assert abs(resized.width / resized.height - width / height) <= max(
        1 / resized.height, width / height / resized.width
    )
    peer = transforms.Compose(
        [transforms.Resize(preprocess.resize_to), transforms.CenterCrop((crop_height, crop_width))]
    )
    assert (preprocess.to_array(image(height, width)) == np.asarray(peer(image(height, width)))).all()


def test_stretch_takes_all_of_the_picture():
    preprocess = Preprocess(size=(6, 9), resize="stretch", resize_to=1)
    expected = np.asarray(image(30, 20).resize((9, 6), Image.Resampling.BILINEAR))
    assert (preprocess.to_array(image(30, 20)) == expected).all()


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("batch", [0, 1, 5])
def test_normalise(channels, batch):
    mean, std = (0.1, 0.5, 0.9)[:channels], (0.2, 0.25, 0.5)[:channels]
    pixels = np.random.default_rng(0).integers(0, 256, (batch, 7, 5, channels), dtype=np.uint8)
    out = Preprocess(channels=channels, mean=mean, std=std).normalise(torch.from_numpy(pixels))
    assert (out.dtype, out.shape) == (torch.float32, (batch, channels, 7, 5))
    assert out.is_contiguous(memory_format=torch.channels_last) or batch == 0
    expected = ((pixels / 255 - mean) / std).transpose(0, 3, 1, 2)
    assert np.abs(out.numpy() - expected).max(initial=0) < 1e-6


def test_a_picture_alone_is_bit_equal_to_itself_in_a_batch():
    preprocess = Preprocess(size=(33, 47), resize_to=50)
    pictures = [image(60, 70, seed) for seed in range(3)]
    batch = preprocess.normalise(torch.from_numpy(np.stack([preprocess.to_array(picture) for picture in pictures])))
    for number, picture in enumerate(pictures):
        assert torch.equal(preprocess.apply(picture), batch[number])


def test_normalise_takes_a_part_of_a_larger_tensor():
    pixels = torch.arange(2 * 4 * 6 * 3, dtype=torch.uint8).reshape(2, 4, 6, 3)
    preprocess = Preprocess()
    assert torch.equal(preprocess.normalise(pixels[:, 1:3, ::2]), preprocess.normalise(pixels)[:, :, 1:3, ::2])


def test_normalise_leaves_its_input_alone_and_its_result_is_the_callers():
    pixels = torch.full((1, 2, 2, 3), 100, dtype=torch.uint8)
    first = Preprocess().normalise(pixels)
    expected = first.clone()
    first.zero_()
    assert (pixels == 100).all()
    assert torch.equal(Preprocess().normalise(pixels), expected)


def test_it_survives_json():
    preprocess = Preprocess(channels=1, size=(5, 6), resize="stretch", interpolation="bicubic", mean=(0.3,), std=(0.2,))
    assert Preprocess.from_dict(json.loads(json.dumps(preprocess.to_dict()))) == preprocess


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
def test_without_antialiasing_as_torch_defines_it(interpolation):
    source = image(40, 40)
    pixels = torch.from_numpy(np.array(source)).permute(2, 0, 1)[None].float()
    expected = torch.nn.functional.interpolate(pixels, size=(10, 15), mode=interpolation, align_corners=False)
    out = np.asarray(resample(source, (10, 15), interpolation, antialias=False)).transpose(2, 0, 1)
    assert (out == expected[0].round().clamp(0, 255).numpy()).all()
    assert resample(source.convert("L"), (10, 15), interpolation, antialias=False).mode == "L"


def test_lanczos_without_antialiasing_is_not_defined():
    with pytest.raises(ConfigError, match="lanczos without antialiasing is not defined"):
        resample(image(9, 9), (3, 3), "lanczos", antialias=False)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"channels": 2}, "channels is 2: expected 1 .grey. or 3 .RGB."),
        ({"size": (0, 5)}, "expected a height and a width of at least 1 pixel"),
        ({"resize": "crop"}, "resize is 'crop': expected one of shorter_side, stretch"),
        ({"interpolation": "cubic"}, "interpolation is 'cubic': expected nearest, bilinear, bicubic, lanczos"),
        ({"size": (300, 300)}, "resize_to is 256: expected at least the crop's larger side, 300"),
        ({"mean": (0.5,)}, "1 values of mean and 3 of std came for 3 channels"),
        ({"std": (0.1, 0.0, 0.1)}, "expected positive values"),
    ],
)
def test_fields_outside_their_range(fields, message):
    with pytest.raises(ConfigError, match=message):
        Preprocess(**fields)


RULES = ("shorter_side", "stretch", "fit", "native")


@given(
    st.sampled_from(RULES),
    st.integers(20, 60),
    st.integers(20, 60),
    st.integers(24, 40),
    st.integers(24, 40),
    st.integers(0, 8),
    st.booleans(),
)
def test_a_placement_says_where_a_spot_comes_to_lie(rule, height, width, rows, columns, margin, whole):
    """Brute force: a bright spot is drawn, the picture is resized, and the spot is looked for."""
    preprocess = Preprocess(
        size=(rows, columns),
        resize=rule,
        resize_to=max(rows, columns) + margin,
        interpolation="nearest",
        channels=1,
        mean=(0.5,),
        std=(0.5,),
    )
    top, left = height // 2 - 4, width // 2 - 3
    pixels = np.zeros((height, width), dtype=np.uint8)
    pixels[top : top + 9, left : left + 7] = 255
    array = preprocess.to_array(Image.fromarray(pixels), whole=whole)
    placement = preprocess.placement((height, width), whole=whole)
    assert array.shape[:2] == preprocess.input_size((height, width), whole=whole)
    box = placement.to_input(np.array([[left, top, left + 7, top + 9]], dtype=np.float64))
    ys, xs = np.nonzero(array[:, :, 0] == 255)
    assert len(ys)
    found = np.array([xs.min(), ys.min(), xs.max() + 1, ys.max() + 1])
    limits = [array.shape[1], array.shape[0]] * 2
    assert np.abs(found - np.clip(box[0], 0, limits)).max() <= 1
    assert np.allclose(placement.to_picture(box), [[left, top, left + 7, top + 9]])
    tensor = torch.tensor(box)
    assert torch.allclose(placement.to_input(placement.to_picture(tensor)), tensor)


@pytest.mark.parametrize(("height", "width", "rows"), [(10, 20, (5, 15)), (20, 10, (0, 20)), (7, 7, (0, 20))])
def test_fit_shows_all_of_a_picture_in_a_grey_frame(height, width, rows):
    preprocess = Preprocess(size=(20, 20), resize="fit")
    array = preprocess.to_array(Image.new("RGB", (width, height), (0, 0, 0)))
    assert array.shape == (20, 20, 3)
    dark = np.nonzero((array == 0).all(axis=(1, 2)) | (array[:, 10] == 0).all(axis=1))[0]
    assert (dark.min(), dark.max() + 1) == rows
    assert set(np.unique(array).tolist()) <= {0, FRAME}


def test_native_leaves_every_pixel_as_it_is():
    picture = image(13, 31)
    assert (Preprocess(resize="native", size=(8, 8)).to_array(picture) == np.asarray(picture)).all()
