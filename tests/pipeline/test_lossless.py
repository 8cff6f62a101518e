"""The check must be able to fail: every kind of difference is found and named."""

from dataclasses import replace

import numpy as np
import pytest

from xorjax.codec.xor import XorCode
from xorjax.config.schema import Config
from xorjax.masks import encode_mask
from xorjax.pipeline.encode import compress
from xorjax.pipeline.lossless import LosslessError, check_logits, check_planes
from xorjax.pipeline.quantize import Quantized
from xorjax.tasks.images import ImagesTask

TASK = ImagesTask()

CONFIG = Config(code=XorCode(n_in=8, n_out=40))


@pytest.fixture
def model():
    rng = np.random.default_rng(0)
    mask = rng.random((30, 20)) < 0.2
    return Quantized(
        {"fc1/bias": np.zeros(20, np.float32)},
        {"norm/mean": np.zeros(20, np.float32)},
        {"fc1/kernel": mask},
        {"fc1/kernel": rng.random((1, 30, 20)) < 0.5},
        {"fc1/kernel": np.full((1, 1, 1), 0.25, np.float32)},
    )


def encoded(model):
    return compress(model, {path: encode_mask(mask) for path, mask in model.masks.items()}, CONFIG)


def flipped(array, index):
    copy = array.copy()
    copy[index] = ~copy[index]
    return copy


def test_what_was_encoded_passes(model):
    compressed = encoded(model)
    check_planes(compressed, model)
    assert compressed.layers["fc1/kernel"].values.notes["n_patches"] > 0


def test_one_wrong_care_bit_is_found(model):
    mask, planes = model.masks["fc1/kernel"], model.planes["fc1/kernel"]
    other = replace(model, planes={"fc1/kernel": flipped(planes, (0, *np.argwhere(mask)[7]))})
    with pytest.raises(LosslessError, match=r"fc1/kernel: plane 0 decodes to 1 wrong signs of kept weights"):
        check_planes(encoded(model), other)


def test_dont_cares_may_differ(model):
    mask, planes = model.masks["fc1/kernel"], model.planes["fc1/kernel"]
    other = replace(model, planes={"fc1/kernel": np.where(mask, planes, ~planes)})
    check_planes(encoded(model), other)
    assert not np.array_equal(other.planes["fc1/kernel"], planes)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("masks", {"fc1/kernel": np.ones((30, 20), bool)}, r"fc1/kernel: the mask"),
        ("scales", {"fc1/kernel": np.full((1, 1, 1), 0.5, np.float32)}, r"fc1/kernel: the scales"),
        ("params", {"fc1/bias": np.ones(20, np.float32)}, r"fc1/bias: the parameter"),
        ("state", {"norm/mean": np.ones(20, np.float32)}, r"norm/mean: the parameter"),
    ],
)
def test_anything_else_that_differs_is_found(model, field, value, message):
    with pytest.raises(LosslessError, match=message):
        check_planes(encoded(model), replace(model, **{field: value}))


def test_one_other_prediction_is_found():
    quantized = np.eye(10, dtype=np.float32)
    assert check_logits(TASK, quantized + np.float32(1e-6), quantized) == pytest.approx(1e-6, rel=0.1)
    with pytest.raises(LosslessError, match="1 test predictions"):
        check_logits(TASK, quantized[[0, 1, 2, 4, 4, *range(5, 10)]], quantized)
