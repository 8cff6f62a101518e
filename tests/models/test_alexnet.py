"""AlexNet's forward pass against the definition, in the frameworks' own layout, and the names of its tensors."""

import re
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from xorjax.models.alexnet import CAFFE, LAYERS, TORCHVISION, find_family, logits, params_of, shaped
from xorjax.models.registry import ModelError

# As the real ones, with few channels.
NARROW = {
    "torchvision": replace(TORCHVISION, widths=(4, 6, 6, 4, 4), hidden=12),
    "caffe": replace(CAFFE, widths=(6, 8, 6, 8, 4), hidden=12),
}
N_CLASSES = 7


def caffe_names(pattern="{layer}/{blob}"):
    return {layer: tuple(pattern.format(layer=layer, blob=blob) for blob in (0, 1)) for layer in LAYERS}


def torch_names():
    return {
        layer: (f"{prefix}.weight", f"{prefix}.bias")
        for layer, prefix in zip(LAYERS, TORCHVISION.prefixes, strict=True)
    }


def drawn(family, names, n_classes=N_CLASSES):
    rng, arrays = np.random.default_rng(0), {}
    for layer, (weight, bias) in names.items():
        shape = family.shape(layer, n_classes)
        arrays[weight] = (rng.standard_normal(shape) / np.sqrt(np.prod(shape[1:]))).astype(np.float32)
        arrays[bias] = rng.standard_normal(shape[:1]).astype(np.float32)
    return arrays


def by_definition(arrays, names, family, images):
    """Channels first and kernels (out, in), as the frameworks have them; float64."""
    x = np.asarray(images, np.float64).transpose(0, 3, 1, 2)
    for i in range(5):
        weight, bias = (arrays[name].astype(np.float64) for name in names[f"conv{i + 1}"])
        padding, groups = (family.first_padding, 2, 1, 1, 1)[i], family.groups[i]
        x = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
        size, stride = weight.shape[2], 4 if i == 0 else 1
        windows = np.lib.stride_tricks.sliding_window_view(x, (size, size), axis=(2, 3))
        windows = windows[:, :, ::stride, ::stride]
        parts = [
            np.einsum("bchwij,ocij->bohw", of_x, of_weight)
            for of_x, of_weight in zip(
                np.split(windows, groups, axis=1), np.split(weight, groups, axis=0), strict=True
            )
        ]
        x = np.maximum(np.concatenate(parts, axis=1) + bias[None, :, None, None], 0)
        if i < 2 and family.normalizes:
            squares = np.pad(x * x, ((0, 0), (2, 2), (0, 0), (0, 0)))
            sums = sum(squares[:, k : k + x.shape[1]] for k in range(5))
            x = x / (1 + 1e-4 * sums / 5) ** 0.75
        if i in (0, 1, 4):
            windows = np.lib.stride_tricks.sliding_window_view(x, (3, 3), axis=(2, 3))
            x = windows[:, :, ::2, ::2].max(axis=(4, 5))
    x = x.reshape(len(x), -1)
    for layer in ("fc6", "fc7", "fc8"):
        weight, bias = (arrays[name].astype(np.float64) for name in names[layer])
        x = x @ weight.T + bias
        x = x if layer == "fc8" else np.maximum(x, 0)
    return x


@pytest.mark.parametrize(("id", "names"), [("torchvision", torch_names()), ("caffe", caffe_names())])
def test_the_forward_pass_is_the_frameworks(id, names):
    family = NARROW[id]
    arrays = drawn(family, names)
    images = 3 * np.random.default_rng(1).standard_normal((2, family.image_side, family.image_side, 3))
    images = images.astype(np.float32)
    params = jax.jit(lambda arrays: params_of(arrays, family, names))(arrays)
    outputs = jax.jit(lambda params, images: logits(params, images, family))(params, jnp.asarray(images))
    np.testing.assert_allclose(outputs, by_definition(arrays, names, family, images), atol=1e-4)


def test_the_shapes_are_alexnet_s():
    assert TORCHVISION.shape("fc6", 1000) == CAFFE.shape("fc6", 1000) == (4096, 9216)
    assert TORCHVISION.shape("fc7", 1000) == (4096, 4096)
    assert CAFFE.shape("conv2", 1000) == (256, 48, 5, 5)
    counts = [
        sum(np.prod(family.shape(layer, 1000)) + family.shape(layer, 1000)[0] for layer in LAYERS)
        for family in (TORCHVISION, CAFFE)
    ]
    # The first is what torchvision's documents say.
    assert counts == [61_100_840, 60_965_224]


@pytest.mark.parametrize("pattern", ["{layer}/{blob}", "{layer}_{blob}", "{layer}.{blob}", "{layer}{blob}"])
def test_caffe_s_blobs_are_known_however_they_are_joined(pattern):
    names = caffe_names(pattern)
    assert find_family(dict.fromkeys([name for pair in names.values() for name in pair])) == (CAFFE, names)


def test_caffe_s_blobs_are_known_by_what_they_are():
    names = {layer: (f"{layer}_W", f"{layer}_b") for layer in LAYERS}
    names["fc6"] = ("FC6.weights", "FC6.biases")
    assert find_family(dict.fromkeys([name for pair in names.values() for name in pair])) == (CAFFE, names)


def test_torchvision_s_names_are_known():
    names = torch_names()
    held = dict.fromkeys([name for pair in names.values() for name in pair] + ["classifier.9.more"])
    assert find_family(held) == (TORCHVISION, names)


def test_a_missing_tensor_is_named():
    names = [name for pair in torch_names().values() for name in pair]
    with pytest.raises(ModelError, match=r"'classifier\.4\.bias' is missing"):
        find_family(dict.fromkeys(set(names) - {"classifier.4.bias"}))
    with pytest.raises(ModelError, match=re.escape("'conv1/0' is missing") + ".*there are fc1.weight"):
        find_family({"fc1.weight": None})


def test_another_shape_is_refused_and_old_blobs_are_not():
    names = caffe_names()
    arrays = drawn(NARROW["caffe"], names)
    arrays["fc6/0"] = arrays["fc6/0"][None, None]
    arrays["fc6/1"] = arrays["fc6/1"][None, None, None]
    taken = shaped(arrays | {"more": np.zeros(3)}, NARROW["caffe"], names)
    assert taken["fc6/0"].shape == NARROW["caffe"].shape("fc6", N_CLASSES)
    assert taken["fc6/1"].shape == (12,)
    assert "more" not in taken
    arrays["fc7/0"] = arrays["fc7/0"][:, :5]
    with pytest.raises(
        ModelError, match=r"'fc7/0' has shape \[12, 5\], expected \[12, 12\] of caffe's AlexNet"
    ):
        shaped(arrays, NARROW["caffe"], names)
