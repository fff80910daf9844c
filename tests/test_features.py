"""Features: what they store, give back and refuse."""

from __future__ import annotations

import io
import pickle

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image as Pillow
from support.rows import same

from domainkit import cards
from domainkit.errors import CardError, DecodeError, DomainkitError
from domainkit.features import (
    Audio,
    Boxes,
    Feature,
    Float,
    Image,
    Int,
    Label,
    Mask,
    Tensor,
    Text,
    Tokens,
    feature_from_spec,
)
from domainkit.features.spec import FEATURES
from domainkit.ragged import Ragged

SPECS = [
    {"type": "Audio"},
    {"type": "Audio", "sample_rate": 16000},
    {"type": "Boxes", "format": "xywh"},
    {"type": "Float"},
    {"type": "Image"},
    {"type": "Image", "mode": "L", "shape": [1, 28, 28]},
    {"type": "Image", "mode": "RGBA", "orient": False},
    {"type": "Int"},
    {"type": "Label", "names": ["kat", "Bär", "犬"]},
    {"type": "Mask"},
    {"type": "Tensor", "dtype": "float32", "shape": [2, 3]},
    {"type": "Text"},
    {"type": "Tokens"},
]


def png(pixels: np.ndarray) -> bytes:
    out = io.BytesIO()
    Pillow.fromarray(pixels).save(out, "PNG")
    return out.getvalue()


def stored(feature: Feature, value: object) -> object:
    """What the store would hand to ``decode``: it keeps bytes and arrays as views."""
    raw = feature.encode(value)
    return memoryview(raw) if isinstance(raw, bytes) else raw


def test_image_modes_and_orientation():
    assert "orient" not in Image().spec()  # fingerprints stay what they were
    picture, exif = Pillow.new("RGB", (6, 4), "red"), Pillow.Exif()
    exif[0x0112] = 6
    out = io.BytesIO()
    picture.save(out, "JPEG", exif=exif.tobytes())
    raw = memoryview(out.getvalue())
    for feature, shape in ((Image(), (3, 6, 4)), (Image(orient=False), (3, 4, 6))):
        assert feature.shape_of(raw) == shape == tuple(feature.decode(raw).shape)
        place = torch.zeros(shape, dtype=torch.uint8)
        place = place.permute(1, 2, 0).contiguous().permute(2, 0, 1)
        feature.decode_into(raw, place)
        assert torch.equal(place, feature.decode(raw))
    with pytest.raises(CardError, match="mode must be one of RGB, L, RGBA, LA, got 'index'"):
        Image(mode="index")


def test_cards_know_every_feature():
    assert set(cards.FEATURES) == set(FEATURES)
    assert {spec["type"] for spec in SPECS} == set(FEATURES)


@pytest.mark.parametrize("spec", SPECS, ids=str)
def test_spec_round_trip(spec):
    feature = feature_from_spec(spec)
    again = feature_from_spec(feature.spec())
    assert again == feature
    assert hash(again) == hash(feature)
    assert pickle.loads(pickle.dumps(feature)) == feature
    assert feature.spec().items() >= spec.items()
    assert feature.storage in {"number", "binary", "fixed", "list"}


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"type": "Picture"}, "unknown type 'Picture'"),
        ({}, "unknown type None"),
        ({"type": "Imag"}, "Did you mean 'Image'"),
        ({"type": "Image", "sahpe": [1, 2, 3]}, "sahpe"),
    ],
)
def test_wrong_specs_are_refused(spec, message):
    with pytest.raises(CardError, match=message) as caught:
        feature_from_spec(spec, "features.x")
    assert str(caught.value).startswith("features.x: ")


# -- numbers -----------------------------------------------------------------------------------


@given(st.integers(-(2**63), 2**63 - 1))
def test_int_keeps_every_int64(value):
    assert same(Int().decode(Int().encode(value)), value)
    assert same(Int().decode(Int().encode(np.int64(value))), value)


def test_int_takes_what_a_csv_file_holds():
    assert Int().encode(" 12 ") == 12
    assert Int().encode(3.0) == 3


@pytest.mark.parametrize("value", [2**63, -(2**63) - 1, 1.5, float("nan"), "x", None, [1]])
def test_int_refuses_what_it_would_change(value):
    with pytest.raises((TypeError, ValueError)):
        Int().encode(value)


@given(st.floats(allow_nan=False))
def test_float_keeps_every_double(value):
    assert same(Float().decode(Float().encode(value)), value)


def test_float_keeps_nan_and_reads_text():
    assert np.isnan(Float().decode(Float().encode(float("nan"))))
    assert Float().encode("1e-3") == 0.001
    with pytest.raises((TypeError, ValueError)):
        Float().encode("fast")


def test_numbers_collate():
    ints = Int().collate([1, 2**62])
    assert same(ints, torch.tensor([1, 2**62]))
    assert same(Float().collate([0.5, 1]), torch.tensor([0.5, 1.0]))
    assert same(Label().collate([3, 4]), torch.tensor([3, 4]))


def test_label_by_index_and_by_name():
    label = Label(names=("a", "ä", "c"))
    assert [label.encode(v) for v in (0, 2, np.int32(1), np.uint8(2), "a", "ä")] == [
        0,
        2,
        1,
        2,
        0,
        1,
    ]
    assert same(label.decode(1), 1)


@pytest.mark.parametrize("value", [-1, 3, "A", "", None, 1.5, np.float32(0.5)])
def test_label_refuses_other_classes(value):
    with pytest.raises((TypeError, ValueError, DomainkitError)):
        Label(names=("a", "b", "c")).encode(value)


def test_label_without_names_takes_any_int32():
    assert Label().encode(-7) == -7
    with pytest.raises((TypeError, ValueError)):
        Label().encode(2**31)


def test_label_offers_the_nearest_name():
    with pytest.raises(DomainkitError, match="Did you mean 'Ankle boot'"):
        Label(names=("Bag", "Ankle boot")).encode("ankle boot")


# -- text, tokens, arrays ----------------------------------------------------------------------


@given(st.text())
def test_text_keeps_every_string(value):
    assert Text().decode(stored(Text(), value)) == value


def test_text_refuses_bytes_lone_surrogates_and_none():
    for value in (b"abc", None, 3):
        with pytest.raises(TypeError, match="Text takes a str"):
            Text().encode(value)
    with pytest.raises(ValueError, match="surrogate"):
        Text().encode("\ud800")


def test_damaged_text_is_a_decode_error():
    with pytest.raises(DecodeError, match="UTF-8"):
        Text().decode(memoryview(b"\xff\xfe"))


def test_texts_stay_a_list():
    assert Text().collate(("a", "b")) == ["a", "b"]


@pytest.mark.parametrize("value", [[], [1], [2**31 - 1, -(2**31)], np.arange(5), range(3), (7, 8)])
def test_tokens_keep_every_int32(value):
    got = Tokens().decode(Tokens().encode(value))
    assert same(got, torch.tensor(list(map(int, value)), dtype=torch.int64))


@pytest.mark.parametrize(
    "value", [[2**31], np.array([2**40]), [1.5], [float("nan")], ["a"], [[1, 2], [3, 4]], None]
)
def test_tokens_refuse_what_they_would_change(value):
    with pytest.raises((TypeError, ValueError)):
        Tokens().encode(value)


def test_tokens_collate_dense_or_ragged():
    decode = Tokens().decode
    equal = [decode(np.arange(3, dtype=np.int32)) for _ in range(2)]
    assert same(Tokens().collate(equal), torch.stack(equal))
    ragged = Tokens().collate([decode(np.arange(n, dtype=np.int32)) for n in (3, 0, 1)])
    assert isinstance(ragged, Ragged)
    assert ragged.lengths.tolist() == [3, 0, 1]


@pytest.mark.parametrize("n", [0, 1, 3])
def test_boxes_round_trip(n):
    boxes = np.random.default_rng(n).random((n, 4)).astype(np.float32)
    for value in (boxes, boxes.tolist()):
        assert same(Boxes().decode(Boxes().encode(value)), torch.from_numpy(boxes))


def test_boxes_collate_per_sample():
    batch = Boxes().collate([torch.zeros(2, 4), torch.zeros(0, 4), torch.ones(1, 4)])
    assert isinstance(batch, Ragged)
    assert batch.inner == (4,)
    assert [len(item) for item in batch] == [2, 0, 1]
    # equal numbers of boxes are a coincidence, so they stay Ragged
    assert isinstance(Boxes().collate([torch.zeros(2, 4)] * 2), Ragged)


@pytest.mark.parametrize("shape", [(3,), (2, 3), (2, 6), (2, 2, 2)])
def test_boxes_refuse_other_shapes(shape):
    with pytest.raises(ValueError, match=r"\[n, 4\]"):
        Boxes().encode(np.zeros(shape))


@pytest.mark.parametrize(
    "dtype", ["uint8", "int16", "int64", "float16", "float32", "float64", "bool"]
)
def test_tensor_round_trip(dtype):
    feature = Tensor(dtype=dtype, shape=(2, 3))
    array = (np.random.default_rng(0).random((2, 3)) * 100).astype(dtype)
    for value in (array, torch.from_numpy(array), np.asfortranarray(array)):
        raw = stored(feature, value)
        assert len(raw) == feature.width
        assert same(feature.decode(raw), torch.from_numpy(array))


def test_tensor_without_dimensions():
    feature = Tensor(dtype="int32", shape=())
    assert feature.width == 4
    assert same(feature.decode(stored(feature, np.int32(7))), torch.tensor(7, dtype=torch.int32))


@pytest.mark.parametrize(
    "value", [np.zeros((2, 3)), np.zeros((3, 2), np.float32), [[0.0] * 3] * 2, None]
)
def test_tensor_refuses_other_dtypes_and_shapes(value):
    with pytest.raises(TypeError, match=r"Tensor takes float32 \(2, 3\), got"):
        Tensor(dtype="float32", shape=(2, 3)).encode(value)


def test_what_is_decoded_may_be_written_to():
    for feature, value in (
        (Tensor(dtype="int16", shape=(2,)), np.array([1, 2], np.int16)),
        (Image(shape=(1, 2, 2)), np.zeros((1, 2, 2), np.uint8)),
        (Tokens(), [1, 2]),
        (Boxes(), [[1, 2, 3, 4]]),
    ):
        raw = feature.encode(value)
        raw = memoryview(raw) if isinstance(raw, bytes) else raw
        decoded = feature.decode(raw)
        decoded += 1
        assert not torch.equal(decoded, feature.decode(raw))


# -- media -------------------------------------------------------------------------------------


def test_raw_image_is_its_pixels():
    feature = Image(mode="L", shape=(1, 2, 3))
    pixels = np.arange(6, dtype=np.uint8).reshape(1, 2, 3)
    assert feature.storage == "fixed"
    assert feature.width == 6
    assert same(feature.decode(stored(feature, pixels)), torch.from_numpy(pixels))
    for wrong in (pixels[0], pixels.astype(np.int32), png(pixels[0])):
        with pytest.raises(TypeError, match="Image takes uint8"):
            feature.encode(wrong)


@pytest.mark.parametrize("kind", [Image, Audio, Mask])
def test_media_is_kept_as_published(kind):
    data = b"\x00 any bytes \xff"
    for value in (data, bytearray(data), memoryview(data)):
        assert kind().encode(value) == data
    for wrong in ("text", 3, None, [1, 2]):
        with pytest.raises(TypeError, match=f"{kind.__name__} takes the bytes of a file"):
            kind().encode(wrong)


def test_encoded_image_and_mask_are_decoded():
    pixels = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    image = Image().decode(stored(Image(), png(pixels)))
    assert same(image, torch.from_numpy(pixels).permute(2, 0, 1).contiguous())
    mask = Mask().decode(stored(Mask(), png(pixels[..., 0])))
    assert same(mask, torch.from_numpy(pixels[..., 0].copy()))


def test_images_collate_dense_or_ragged():
    equal = Image().collate([torch.zeros(3, 4, 5), torch.ones(3, 4, 5)])
    assert equal.shape == (2, 3, 4, 5)
    ragged = Image().collate([torch.zeros(3, 4, 5), torch.ones(3, 5, 4)])
    assert isinstance(ragged, Ragged)
    assert ragged.shapes.tolist() == [[3, 4, 5], [3, 5, 4]]


def test_audio_of_another_rate_is_refused():
    import soundfile

    out = io.BytesIO()
    wave = np.linspace(-0.5, 0.5, 100, dtype=np.float32)
    soundfile.write(out, wave, 8000, "FLOAT", format="WAV")
    decoded = Audio(sample_rate=8000).decode(out.getvalue())
    assert same(decoded, torch.from_numpy(wave)[None])
    with pytest.raises(DecodeError, match="expected recordings of 16000 Hz as declared, got 8000"):
        Audio(sample_rate=16000).decode(out.getvalue())


@pytest.mark.parametrize("feature", [Image(), Audio(), Mask()], ids=str)
@pytest.mark.parametrize("data", [b"", b"not media at all"])
def test_damaged_media_is_a_decode_error(feature, data):
    with pytest.raises(DecodeError):
        feature.decode(memoryview(data))
