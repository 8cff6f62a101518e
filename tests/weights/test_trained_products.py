"""The product by look-ups: its values against float64, its gradients, its use."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from coded_weights import coded

from xorjax import CompressSpec, compress
from xorjax.codec.trained import TrainedCode
from xorjax.container import CompressedLayer, CompressedModel, load, save
from xorjax.decoding import trained as of_trained
from xorjax.decoding.planes import DECODERS, PackedPlanes
from xorjax.decoding.trained import TrainedDecoder, TrainedFormat, _by_kernel
from xorjax.weights import CodedWeight, conv

RNG = np.random.default_rng(0)


def weight(shape, code, n_planes=1, by_channel=True):
    planes = np.stack([code.project(RNG.standard_normal(shape)) for _ in range(n_planes)])
    scales = RNG.uniform(0.5, 2, (n_planes, 1, shape[1] if by_channel else 1)).astype(np.float32)
    return coded(planes, None, scales, code), (scales.astype(float) * (2.0 * planes - 1)).sum(0)


def random_weight(shape, n_out):
    """As a layer's, without looking for code words."""
    words = {"codes": jnp.zeros((1, -(-shape[0] // n_out), shape[1]), jnp.uint8)}
    words["vectors"] = jnp.asarray(TrainedCode(8, n_out).vectors)
    planes = PackedPlanes(words, "trained", shape, 1, TrainedFormat(8, n_out))
    return CodedWeight(planes, None, jnp.ones((1, 1, shape[1])))


def by_look_ups(x, w):
    return TrainedDecoder.product(x, w.planes, w.mask, w.scales)


def bound(x, scales):
    """Of a sum of K products in any order: K roundings, and those of scales and planes, of the magnitudes."""
    magnitudes = np.abs(x).astype(float).sum(axis=-1, keepdims=True) * np.abs(scales).sum(axis=(0, 1))
    return (x.shape[-1] + len(scales) + 1) * 2.0**-24 * magnitudes


@pytest.mark.parametrize(
    ("code", "shape", "n_planes"),
    [
        (TrainedCode(8, 32), (130, 33), 1),
        (TrainedCode(8, 20), (64, 7), 2),
        (TrainedCode(12, 33), (31, 500), 1),
        (TrainedCode(2, 5), (1, 1), 2),
    ],
)
@pytest.mark.parametrize("batch", [(), (1,), (3,), (16,), (2, 21)])
def test_look_ups_sum_to_the_product(code, shape, batch, n_planes):
    w, dense = weight(shape, code, n_planes)
    x = RNG.standard_normal((*batch, shape[0])).astype(np.float32)
    y = np.asarray(jax.jit(by_look_ups)(jnp.asarray(x), w))
    assert y.shape == (*batch, shape[1])
    assert (np.abs(y - x.astype(float) @ dense) <= bound(x, w.scales)).all()


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
@pytest.mark.parametrize("batch", [1, 3, 16, 21])
def test_the_kernel_of_gpus_interpreted(batch, dtype):
    """Partial sums are rounded to the dtype of x, their sum to none."""
    code = TrainedCode(8, 20)
    w, _ = weight((130, 300), code)
    x = jnp.asarray(RNG.standard_normal((batch, 130)), dtype)
    codes, vectors = w.planes.words["codes"][0], w.planes.words["vectors"]
    y = _by_kernel(x, codes, vectors, interpret=True)
    assert y.dtype == jnp.float32
    exact = np.asarray(x, np.float64)
    bits = np.asarray(DECODERS["trained"].decode(w.planes, None)[0])
    within = np.abs(exact).sum(axis=1, keepdims=True) * (2.0**-8 if dtype == jnp.bfloat16 else 2.0**-16)
    assert (np.abs(y - exact @ (2.0 * bits - 1)) <= within).all()


def lowered_for_an_h100(shape, batch, dtype):
    w = random_weight(shape, 32).astype(dtype)
    like = jax.tree.map(lambda array: jax.ShapeDtypeStruct(array.shape, array.dtype), w)
    x = jax.ShapeDtypeStruct((batch, shape[0]), dtype)
    device = jax.sharding.AbstractDevice("NVIDIA H100 80GB HBM3", 1, "gpu")
    with jax.sharding.use_abstract_mesh(jax.sharding.AbstractMesh((1,), ("x",), abstract_device=device)):
        return jax.jit(by_look_ups).trace(x, like).lower(lowering_platforms=("cuda",)).as_text()


@pytest.mark.filterwarnings("ignore:The Pallas Triton backend is deprecated")
@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
@pytest.mark.parametrize("batch", [1, 16])
def test_the_kernel_lowers_for_an_h100(batch, dtype):
    text = lowered_for_an_h100((4096, 512), batch, dtype)
    assert "triton" in text
    assert "look_up" in text


@pytest.mark.parametrize("dtype", [np.float16, np.float64])
def test_what_the_kernel_cannot_add_is_gathered_on_a_gpu(dtype):
    with jax.enable_x64(True):
        assert "triton" not in lowered_for_an_h100((64, 256), 2, dtype)


def test_where_look_ups_pay_on_a_gpu(monkeypatch):
    """Where the kernel is, and with as many outputs as vectors."""
    w = random_weight((4096, 256), 32)

    def pays(batch=16, w=w):
        return TrainedDecoder.pays((batch, 4096), w.planes, None, w.scales)

    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    assert not pays()
    monkeypatch.setattr(of_trained, "backends", lambda: {"cpu": None, "cuda": None})
    assert pays()
    assert pays(w=w.astype(jnp.bfloat16))
    assert not pays(batch=17)
    assert not pays(w=w.astype(jnp.float16))
    assert not pays(w=random_weight((4096, 255), 32))
    monkeypatch.setattr(of_trained, "has_kernel", lambda dtype: False)
    assert not pays()


def test_narrow_inputs_are_summed_in_float32():
    w, dense = weight((2000, 40), TrainedCode(8, 40))
    x = jnp.asarray(RNG.standard_normal((4, 2000)), jnp.bfloat16)
    y = by_look_ups(x, w.astype(jnp.bfloat16))
    assert y.dtype == jnp.bfloat16
    narrow = np.asarray(w.scales.astype(jnp.bfloat16), np.float64)[0] * np.sign(dense)
    exact = np.asarray(x, np.float64) @ narrow
    assert (np.abs(np.asarray(y, np.float64) - exact) <= 2.0**-8 * np.abs(exact) + 1e-2).all()


def test_an_empty_batch():
    w, _ = weight((40, 6), TrainedCode(8, 32))
    assert by_look_ups(jnp.zeros((0, 40)), w).shape == (0, 6)


@pytest.mark.parametrize("batch", [1, 5, 20])
def test_gradients_are_those_of_the_product(batch):
    w, _ = weight((70, 9), TrainedCode(8, 32), 2)
    x = jnp.asarray(RNG.standard_normal((batch, 70)), jnp.float32)
    weights = jnp.asarray(RNG.standard_normal((batch, 9)), jnp.float32)

    def loss(x, scales, planes):
        w = CodedWeight(planes, None, scales)
        return (weights * jnp.tanh(by_look_ups(x, w))).sum()

    def reference(x, scales, planes):
        return (weights * jnp.tanh(x @ CodedWeight(planes, None, scales).to_array())).sum()

    for found, wanted in zip(
        jax.grad(loss, (0, 1))(x, w.scales, w.planes),
        jax.grad(reference, (0, 1))(x, w.scales, w.planes),
        strict=True,
    ):
        np.testing.assert_allclose(found, wanted, rtol=2e-5, atol=2e-5)


def test_under_vmap():
    w, dense = weight((70, 9), TrainedCode(8, 32))
    x = RNG.standard_normal((4, 6, 70)).astype(np.float32)
    np.testing.assert_allclose(
        jax.vmap(lambda x: by_look_ups(x, w))(jnp.asarray(x)), x @ dense, rtol=1e-4, atol=1e-4
    )


@pytest.mark.parametrize(
    ("shape", "n_out", "most"),
    [
        *(((4096, 4096), n_out, most) for n_out, most in ((12, 8), (16, 256), (32, 256))),
        *(((800, 500), n_out, most) for n_out, most in ((16, 8), (32, 32), (128, 256))),
        ((500, 10), 32, 0),
    ],
)
def test_how_many_examples_pay(shape, n_out, most):
    """Up to as many as `benchmarks/product.py` showed."""
    w = random_weight(shape, n_out)
    for batch in (1, 2, 4, 8, 16, 32, 64, 128, 256):
        assert TrainedDecoder.pays((batch, shape[0]), w.planes, None, w.scales) == (batch <= most)


def test_where_it_is_used():
    """Not under a mask, for scales of inputs, nor for stacks of matrices."""
    pays = TrainedDecoder.pays
    long = weight((64, 100), TrainedCode(8, 32))[0]
    assert pays((1, 64), long.planes, None, long.scales)
    assert not pays((1, 64), long.planes, None, jnp.ones((1, 64, 1)))
    code = TrainedCode(8, 32)
    stack = coded(
        code.project(RNG.standard_normal((3, 64, 8)))[None], None, np.ones((1, 1, 1, 8), np.float32), code
    )
    assert not pays((1, 64), stack.planes, None, stack.scales)
    mask = RNG.random((64, 8)) < 0.5
    masked = coded(
        code.project(RNG.standard_normal((64, 8)))[None], mask, np.ones((1, 1, 1), np.float32), code
    )
    assert not pays((1, 64), masked.planes, masked.mask, masked.scales)
    x = RNG.standard_normal((2, 64)).astype(np.float32)
    np.testing.assert_array_equal(jnp.asarray(x) @ masked, jnp.asarray(x) @ masked.to_array())


@pytest.mark.parametrize("n_planes", [1, 2])
def test_torch_s_orientation_has_the_same_words_and_product(tmp_path, n_planes):
    """Compressed as (out, in), through a file: `x @ w.T` is `x @ w` of the same weight as (in, out), bit for bit."""
    kernel = RNG.standard_normal((130, 500)).astype(np.float32)
    spec = CompressSpec(("w",), 0.0, mask_codec=None, n_planes=n_planes, code=TrainedCode(8, 32))
    save(tmp_path / "flax", compress({"w": kernel}, spec))
    of_torch = replace(spec, scale="row", code=TrainedCode(8, 32, slicing="inputs_last"))
    save(tmp_path / "torch", compress({"w": kernel.T.copy()}, of_torch))
    w, turned = (load(tmp_path / name).weights["w"] for name in ("flax", "torch"))
    assert turned.shape == (500, 130)
    assert TrainedDecoder.pays((3, 130), turned.T.planes, None, turned.T.scales)
    np.testing.assert_array_equal(turned.planes.words["codes"], w.planes.words["codes"])
    np.testing.assert_allclose(turned.scales.swapaxes(1, 2), w.scales, rtol=1e-6)
    np.testing.assert_array_equal(turned.T.planes.words["codes"], w.planes.words["codes"])
    np.testing.assert_array_equal(turned.T.to_array(), turned.to_array().T)
    x = jnp.asarray(RNG.standard_normal((3, 130)), jnp.float32)
    same = replace(w, scales=turned.T.scales)
    for compiled in (jax.jit, lambda function: function):
        found, wanted = compiled(lambda x, w: x @ w.T)(x, turned), compiled(lambda x, w: x @ w)(x, same)
        np.testing.assert_array_equal(found, wanted)
    y = jnp.asarray(RNG.standard_normal((3, 500)), jnp.float32)
    np.testing.assert_array_equal(y @ turned, jnp.matmul(y, turned.to_array()))


def test_only_a_matrix_without_a_mask_is_turned_in_its_code():
    code, scales = TrainedCode(8, 32, slicing="inputs_last"), np.ones((1, 1, 1), np.float32)
    plane, mask = code.project(RNG.standard_normal((8, 64)))[None], RNG.random((8, 64)) < 0.5
    assert isinstance(coded(plane, None, scales, code).T, CodedWeight)
    masked = coded(plane, mask, scales, code)
    np.testing.assert_array_equal(masked.T, masked.to_array().T)
    window = code.project(RNG.standard_normal((8, 5, 3, 3)))[None]
    stacked = coded(window, None, scales.reshape(1, 1, 1, 1, 1), code)
    np.testing.assert_array_equal(stacked.T, jnp.asarray(2.0 * window[0] - 1, jnp.float32).T)


def test_convolutions_from_a_file(tmp_path):
    """They decode: under jit, vmap and gradients, with respect to x and to the scales."""
    code = TrainedCode(8, 20)
    planes = code.project(RNG.standard_normal((5, 5, 3, 6)))[None]
    scales = RNG.uniform(0.5, 2, (1, 1, 1, 1, 6)).astype(np.float32)
    layer = CompressedLayer("conv/kernel", code.encode(planes, None), None, scales)
    save(tmp_path / "file", CompressedModel({layer.name: layer}, {}, {}))
    w = load(tmp_path / "file").weights["conv/kernel"]
    kernel = jnp.asarray(scales[0] * (2 * planes[0].astype(np.float32) - 1))
    np.testing.assert_array_equal(w.to_array(), kernel)
    x = jnp.asarray(RNG.standard_normal((4, 9, 8, 3)), jnp.float32)
    np.testing.assert_array_equal(jax.jit(conv)(x, w), jax.jit(conv)(x, kernel))
    each = jax.jit(jax.vmap(conv, in_axes=(0, None)))(x, w)
    np.testing.assert_allclose(each, conv(x, kernel), rtol=1e-4, atol=1e-4)

    def loss(x, scales, signs=None):
        return (
            conv(x, CodedWeight(w.planes, None, scales) if signs is None else signs * scales[0]) ** 2
        ).sum()

    found = jax.jit(jax.grad(loss, (0, 1)))(x, w.scales)
    wanted = jax.grad(loss, (0, 1))(x, w.scales, jnp.sign(kernel))
    for mine, theirs in zip(found, wanted, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-3, atol=1e-2)
