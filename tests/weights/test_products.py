"""`x @ w` is `jnp.matmul(x, w.to_array())`, in every way that a matrix product is used."""

import dataclasses
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import jaxtyping
import ml_dtypes
import numpy as np
import pytest
from coded_weights import ALL_CODES, SHAPE, coded, looked_up, parts, quantized, weight

from xorjax.decoding.planes import DECODERS
from xorjax.weights import CodedWeight, conv, form, matmul

N, M = SHAPE
both_ways = pytest.mark.parametrize("weight", [weight, looked_up], ids=["decoded", "looked_up"])


@pytest.fixture(autouse=True)
def full_precision():
    """An accelerator's default rounds the factors of a float32 product."""
    with jax.default_matmul_precision("highest"):
        yield


def inputs(*shape, dtype=jnp.float32, seed=1):
    return jax.random.normal(jax.random.key(seed), shape).astype(dtype)


def assert_close(a, b):
    assert (a.shape, a.dtype) == (b.shape, b.dtype)
    np.testing.assert_allclose(np.asarray(a, np.float64), np.asarray(b, np.float64), rtol=2e-6, atol=2e-6)


@pytest.mark.parametrize("code", ALL_CODES, ids=lambda code: code.id)
@pytest.mark.parametrize("jitted", [True, False])
@pytest.mark.parametrize("shape", [(N,), (5, N), (2, 3, N), (0, N), (2, 0, N)])
def test_batches_of_any_rank(code, jitted, shape):
    check_batches(weight(code=code), jitted, shape)


def check_batches(w, jitted, shape):
    x = inputs(*shape)
    product = (lambda f: jax.jit(f) if jitted else f)(lambda x, w: x @ w)(x, w)
    assert_close(product, jnp.matmul(x, w.to_array()))
    assert_close(matmul(x, w), product)
    assert_close(matmul(x, w.to_array()), product)


@pytest.mark.parametrize("jitted", [True, False])
@pytest.mark.parametrize("shape", [(N,), (5, N), (2, 3, N), (0, N), (2, 0, N)])
def test_batches_of_any_rank_looked_up(jitted, shape):
    check_batches(looked_up(), jitted, shape)


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16])
def test_narrow_floats(dtype):
    w, x = weight(dtype=dtype), inputs(5, N, dtype=dtype)
    product = x @ w
    assert product.dtype == dtype
    np.testing.assert_array_equal(np.asarray(product), np.asarray(jnp.matmul(x, w.to_array())))


@pytest.mark.parametrize(("dtype", "rounding"), [(np.float16, 2.0**-11), (ml_dtypes.bfloat16, 2.0**-8)])
def test_narrow_floats_looked_up(dtype, rounding):
    """Summed in float32, and rounded once."""
    w, x = looked_up(dtype=dtype), inputs(5, N, dtype=dtype)
    product = jax.jit(lambda x, w: x @ w)(x, w)
    assert product.dtype == dtype
    exact = np.asarray(x, np.float64) @ np.asarray(w.astype(jnp.float32).to_array(), np.float64)
    np.testing.assert_allclose(np.asarray(product, np.float64), exact, rtol=rounding, atol=1e-4)


def test_dtypes_are_promoted_as_jnp_promotes_them():
    w, x = weight(), inputs(5, N, dtype=jnp.bfloat16)
    for product in (lambda: jnp.matmul(x, w.to_array()), lambda: x @ w):
        with pytest.raises(Exception, match="implicit dtype promotion"):
            product()
    with jax.numpy_dtype_promotion("standard"):
        assert (x @ w).dtype == jnp.float32
        assert_close(x @ w, jnp.matmul(x, w.to_array()))


def test_numpy_arrays_on_either_side():
    w = weight()
    x = np.asarray(inputs(3, N))
    assert isinstance(x @ w, jax.Array)
    assert_close(x @ w, jnp.matmul(x, w.to_array()))
    y = np.asarray(inputs(M, 3))
    assert_close(w @ y, jnp.matmul(w.to_array(), y))
    other = weight((M, 8))
    assert_close(w @ other, jnp.matmul(w.to_array(), other.to_array()))
    with pytest.raises(TypeError):
        x * w


def test_shapes_that_do_not_fit_are_refused_with_both_of_them():
    w = weight()
    told = r"x has shape \(3, 41\) and the coded weight \(40, 24\); the last axis of x must be 40"
    for product in (lambda x: x @ w, jax.jit(lambda x: x @ w), lambda x: np.asarray(x) @ w):
        with pytest.raises(ValueError, match=told):
            product(inputs(3, N + 1))
    told = r"the coded weight has shape \(40, 24\) and x \(3, 24\); the last axis of x but one must be 24$"
    with pytest.raises(ValueError, match=told):
        w @ inputs(3, M)
    with pytest.raises(ValueError, match=r"has shape \(24,\) and x \(40, 24\)"):
        weight((M,)) @ w


def test_a_weight_in_torch_s_orientation_is_turned():
    w, x = weight(), inputs(3, M)
    with pytest.raises(
        ValueError, match=r"the last axis of x must be 40; a weight of \(out, in\).* as x @ w\.T$"
    ):
        x @ w
    for product in (lambda x, w: x @ w.T, jax.jit(lambda x, w: x @ w.T)):
        assert_close(product(x, w), jnp.matmul(x, w.to_array().T))


def test_arithmetic_tells_of_the_array():
    w, x = weight(), inputs(N, M)
    for operation in (
        *(lambda: w * 2, lambda: x * w, lambda: np.asarray(x) - w, lambda: -w, lambda: w**2, lambda: 2 // w),
        *(lambda: w % 2, lambda: w > 0, lambda: x <= w, lambda: w == 0, lambda: x != w, lambda: w & 1),
        *(lambda: not w, lambda: 0 in w, lambda: np.abs(w), lambda: np.asarray(x) == w, lambda: np.add(x, w)),
    ):
        with pytest.raises(TypeError, match=r"no arithmetic but @; w\.to_array\(\) has"):
            operation()


def test_it_equals_itself_alone():
    w = weight()
    assert w == w
    assert w != "w"
    assert w in [None, w]
    assert {w: 1}[w] == 1


@pytest.mark.parametrize("name", ["mean", "at", "reshape", "tolist"])
def test_what_an_array_has_tells_of_the_array(name):
    w = weight()
    with pytest.raises(AttributeError, match=rf"no {name}; w\.to_array\(\) has, inside jit too"):
        getattr(w, name)
    with pytest.raises(AttributeError, match="has no attribute 'foo'"):
        w.foo  # noqa: B018


def test_functions_of_jax_tell_of_the_array():
    w, x = weight(), inputs(3, N)
    for function in (jnp.dot, jnp.matmul, lambda x, w: jnp.einsum("bi,ij->bj", x, w), jax.lax.dot):
        for called in (function, jax.jit(function)):
            with pytest.raises(TypeError, match=r"CodedWeight', of which jax.numpy takes w\.to_array\(\)>"):
                called(x, w)


def test_numpy_multiplies():
    w, x = weight(), np.asarray(inputs(3, N))
    assert_close(np.matmul(x, w), x @ w)
    assert_close(np.matmul(w, x[:, :M].T), w @ x[:, :M].T)


def test_what_is_no_weight_is_refused(monkeypatch):
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)
    for product in (matmul, conv):
        with pytest.raises(TypeError, match=r"the weight is a dict, expected a coded weight, such as load"):
            product(inputs(3, N), {})


@both_ways
def test_vmap_over_x_and_over_weights(weight):
    w, x = weight(), inputs(4, 3, N)
    assert_close(jax.vmap(lambda x: x @ w)(x), x @ w)
    stacked = dataclasses.replace(w, scales=jnp.stack([w.scales, 2 * w.scales]))
    axes = dataclasses.replace(jax.tree.map(lambda _: None, w), scales=0)
    products = jax.jit(jax.vmap(lambda x, w: x @ w, in_axes=(None, axes)))(x[0], stacked)
    assert_close(products, jnp.stack([x[0] @ w, 2 * (x[0] @ w)]))
    both = jax.tree.map(lambda leaf: jnp.stack([leaf, leaf]), w)
    assert_close(jax.vmap(lambda w: x[0] @ w)(both), jnp.stack([x[0] @ w] * 2))


@both_ways
def test_gradients_with_respect_to_x_and_to_the_scales(weight):
    w, x = weight(), inputs(5, N)

    def loss(x, scales, product):
        return (product(x, dataclasses.replace(w, scales=scales)) ** 2).sum()

    coded = jax.jit(jax.grad(lambda x, s: loss(x, s, lambda x, w: x @ w), (0, 1)))(x, w.scales)
    dense = jax.grad(lambda x, s: loss(x, s, lambda x, w: jnp.matmul(x, w.to_array())), (0, 1))(x, w.scales)
    for mine, theirs in zip(coded, dense, strict=True):
        assert np.abs(np.asarray(theirs)).max() > 0
        np.testing.assert_allclose(np.asarray(mine), np.asarray(theirs), rtol=1e-5, atol=1e-4)


def test_forward_mode_and_second_derivatives_looked_up():
    w, x = looked_up(), inputs(3, N)

    def loss(product):
        return lambda x, scales: jnp.tanh(0.1 * product(x, dataclasses.replace(w, scales=scales))).sum()

    coded, dense = loss(lambda x, w: x @ w), loss(lambda x, w: jnp.matmul(x, w.to_array()))
    tangents = inputs(3, N, seed=2), 1 + w.scales
    for derive in (
        lambda loss: lambda x, scales: jax.jvp(loss, (x, scales), tangents),
        lambda loss: jax.hessian(loss, (0, 1)),
        lambda loss: jax.jacrev(jax.grad(loss), 1),
        lambda loss: jax.vmap(jax.jacfwd(loss), (0, None)),
    ):
        mine, theirs = (jax.tree.leaves(jax.jit(derive(loss))(x, w.scales)) for loss in (coded, dense))
        for a, b in zip(mine, theirs, strict=True):
            assert np.abs(np.asarray(b)).max() > 0
            np.testing.assert_allclose(np.asarray(a), np.asarray(b), rtol=1e-4, atol=1e-4)


@both_ways
def test_scan_over_x_and_over_a_stack_of_weights(weight):
    square, x = weight((N, N)), inputs(6, N)
    each = jax.jit(lambda x, w: jax.lax.scan(lambda carry, x: (carry, x @ w), 0, x)[1])(x, square)
    assert_close(each, x @ square)
    ws = [square, dataclasses.replace(square, scales=-square.scales)]
    stack = jax.tree.map(lambda *leaves: jnp.stack(leaves), *ws)
    through = jax.jit(lambda x, ws: jax.lax.scan(lambda x, w: (jnp.tanh(x @ w), None), x, ws)[0])(x, stack)
    assert_close(through, jnp.tanh(jnp.tanh(x @ ws[0]) @ ws[1]))


@both_ways
def test_remat(weight):
    w, x = weight(), inputs(5, N)
    plain = jax.jit(jax.grad(lambda x: jnp.tanh(x @ w).sum()))
    assert_close(jax.jit(jax.grad(lambda x: jax.checkpoint(lambda x: jnp.tanh(x @ w).sum())(x)))(x), plain(x))


def test_double_precision_looked_up():
    """Products and their gradients, which float32 would miss by 1e-7."""
    with jax.enable_x64(True):
        w, x = looked_up(dtype=np.float64), np.random.default_rng(0).standard_normal((5, N))
        dense = np.asarray(w.to_array())
        product, pull = jax.vjp(jax.jit(lambda x: x @ w), x)
        assert product.dtype == np.float64
        np.testing.assert_allclose(np.asarray(product), x @ dense, rtol=1e-12, atol=1e-12)
        (gradient,) = pull(product)
        np.testing.assert_allclose(np.asarray(gradient), x @ dense @ dense.T, rtol=1e-12, atol=1e-11)


@pytest.mark.parametrize("masked", [True, False])
def test_double_precision(masked):
    with jax.enable_x64(True):
        for code in ALL_CODES:
            planes, mask, scales = parts(dtype=np.float64, code=code)
            w = coded(planes, mask if masked else None, scales, code)
            x = np.random.default_rng(0).random((5, N))
            product = jax.jit(lambda x, w: x @ w)(x, w)
            assert product.dtype == np.float64
            wide = np.where(mask if masked else True, (scales * (2.0 * planes - 1)).sum(0), 0)
            np.testing.assert_allclose(np.asarray(product), x @ wide, rtol=1e-12)
            narrow = coded(planes, mask, scales.astype(np.float32), code)
            np.testing.assert_array_equal(
                np.asarray(jax.jit(form)(narrow)), quantized(planes, mask, scales.astype(np.float32))
            )


SHARDED = """
import jax
jax.config.update("jax_num_cpu_devices", 4)
import numpy as np
from jax.sharding import NamedSharding, PartitionSpec
from coded_weights import weight
w = weight()
x = np.random.default_rng(0).random((8, 40)).astype(np.float32)
mesh = jax.make_mesh((4,), ("batch",), axis_types=(jax.sharding.AxisType.Auto,))
placed = jax.device_put(x, NamedSharding(mesh, PartitionSpec("batch")))
on_all = jax.device_put(w, NamedSharding(mesh, PartitionSpec()))
y = jax.jit(lambda x, w: x @ w)(placed, on_all)
assert len(y.sharding.device_set) == 4
np.testing.assert_allclose(np.asarray(y), np.asarray(x @ w), rtol=1e-6, atol=1e-6)
print("same")
"""


def test_x_may_lie_on_several_devices():
    run = subprocess.run(
        [sys.executable, "-c", SHARDED],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parent,
        check=False,
    )
    assert run.stdout == "same\n", run.stderr


def test_a_product_without_decoding_is_used_where_it_pays(monkeypatch):
    w, calls = weight(), []

    class Fast(type(DECODERS["xor"])):
        @staticmethod
        def product(x, planes, mask, scales):
            calls.append(x.shape)
            return jnp.matmul(x, CodedWeight(planes, mask, scales).to_array())

        @staticmethod
        def pays(x_shape, planes, mask, scales):
            return len(x_shape) == 2 and planes.shape == SHAPE

    monkeypatch.setitem(DECODERS._entries, "xor", Fast)
    x = inputs(3, N)
    assert_close(x @ w, jnp.matmul(x, w.to_array()))
    assert_close(matmul(np.asarray(x), w), x @ w)
    x[0] @ w
    assert calls == [(3, N)] * 3


KERNEL = (3, 2, 4, 6)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"strides": 2, "padding": "SAME"},
        {"strides": (1, 2), "padding": 1, "dilation": 2},
        {"padding": ((2, 0), (1, 3)), "dilation": (1, 3)},
        {"padding": (1, 0), "groups": 2},
    ],
    ids=str,
)
@pytest.mark.parametrize("batch", [(), (5,), (2, 3), (0,)])
def test_convolutions_are_jax_s_own(settings, batch):
    groups = settings.get("groups", 1)
    w, x = weight(KERNEL), inputs(*batch, 9, 8, 4 * groups)
    pad = settings.get("padding", "VALID")
    pad = {"1": ((1, 1), (1, 1)), "(1, 0)": ((1, 1), (0, 0))}.get(str(pad), pad)

    def pair(value):
        return (value, value) if isinstance(value, int) else value

    expected = jax.lax.conv_general_dilated(
        x.reshape(-1, 9, 8, 4 * groups),
        w.to_array(),
        pair(settings.get("strides", 1)),
        pad,
        rhs_dilation=pair(settings.get("dilation", 1)),
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
        feature_group_count=groups,
    )
    for kernel in (w, w.to_array()):
        y = jax.jit(lambda x, w: conv(x, w, **settings))(x, kernel)
        assert_close(y, expected.reshape(*batch, *expected.shape[1:]))


@pytest.mark.parametrize("n_space", [1, 3])
def test_convolutions_of_other_ranks(n_space):
    w, x = weight((2,) * n_space + (3, 5)), inputs(2, *(4,) * n_space, 3)
    assert conv(x, w).shape == (2, *(3,) * n_space, 5)
    at_once = conv(x, w, strides=2)
    corner = x[(slice(None), *(slice(0, 2),) * n_space)].reshape(2, -1) @ w.to_array().reshape(-1, 5)
    assert_close(at_once[(slice(None), *(0,) * n_space)], corner)


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16])
def test_convolutions_of_narrow_floats(dtype):
    w, x = weight(KERNEL, dtype=dtype), inputs(2, 9, 8, 4, dtype=dtype)
    assert conv(x, w).dtype == dtype
    wide = conv(x.astype(jnp.float32), w.to_array().astype(jnp.float32))
    np.testing.assert_allclose(np.asarray(conv(x, w), np.float32), np.asarray(wide), rtol=0.02, atol=0.05)
    with pytest.raises(Exception, match="promotion"):
        conv(x.astype(jnp.float32), w)


def test_a_convolution_has_a_gradient():
    w, x = weight(KERNEL), inputs(2, 9, 8, 4)
    gradient = jax.grad(lambda x, kernel: (conv(x, kernel, strides=2) ** 2).sum())
    mine = jax.grad(lambda x: (conv(x, w, strides=2) ** 2).sum())(x)
    theirs = gradient(x, w.to_array())
    assert_close(mine, theirs)


def test_channels_that_do_not_fit_are_refused():
    with pytest.raises(
        ValueError, match=r"\(2, 9, 8, 5\) has 5 channels, .* shape \(3, 2, 4, 6\) in 1 group takes 4$"
    ):
        conv(inputs(2, 9, 8, 5), weight(KERNEL))
    w, x = weight((6, 4, 3, 2)), inputs(2, 9, 8, 4)  # as torch has it
    with pytest.raises(ValueError, match=r"takes 3; one of \(out, in, \*window\).* jnp\.moveaxis\(form\(w\)"):
        conv(x, w)
    assert conv(x, jnp.moveaxis(form(w), (0, 1), (-1, -2))).shape == (2, 7, 7, 6)


def test_what_is_no_convolution_is_refused():
    with pytest.raises(ValueError, match=r"x of shape \(8, 4\) does not fit a convolution"):
        conv(inputs(8, 4), weight(KERNEL))
    with pytest.raises(ValueError, match="does not fit a convolution"):
        conv(inputs(8, N), weight())
