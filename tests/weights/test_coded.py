"""A coded weight is the quantized weight, and a pytree that survives what pytrees go through."""

import copy
import dataclasses
import pickle
from collections import UserDict

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import orbax.checkpoint as ocp
import pytest
from coded_weights import ALL_CODES, CODE, SHAPE, coded, parts, quantized, weight
from flax import nnx

from xorjax.layers import XorLinear
from xorjax.masks import EXACT_CODECS, MASK_CODECS, encode_mask, fit_mask
from xorjax.weights import CodedWeight, form

codes = pytest.mark.parametrize("code", ALL_CODES, ids=lambda code: code.id)
array_of = jax.jit(lambda w: w.to_array())


def assert_same(w, other):
    np.testing.assert_array_equal(np.asarray(array_of(w)), np.asarray(array_of(other)))
    assert jax.tree.structure(w) == jax.tree.structure(other)


@codes
@pytest.mark.parametrize("masked", [True, False])
@pytest.mark.parametrize(
    ("n_planes", "shape"), [(1, SHAPE), (3, SHAPE), (3, (1,)), (3, (3, 31)), (3, (4, 5, 33))]
)
def test_the_array_is_the_quantized_weight_bit_for_bit(code, masked, n_planes, shape):
    planes, mask, scales = parts(shape, n_planes, code=code)
    mask.flat[0] = True
    mask = mask if masked else None
    array = array_of(coded(planes, mask, scales, code))
    assert array.dtype == jnp.float32
    np.testing.assert_array_equal(np.asarray(array), quantized(planes, mask, scales))


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16])
def test_narrow_scales_give_a_narrow_weight_rounded_once(dtype):
    planes, mask, scales = parts(n_planes=3, dtype=dtype)
    w = coded(planes, mask, scales)
    assert w.dtype == dtype
    for array in (array_of(w), w.to_array()):
        assert array.dtype == dtype
        np.testing.assert_array_equal(np.asarray(array), quantized(planes, mask, scales))


def test_narrow_scales_may_be_widened():
    planes, mask, scales = parts(n_planes=3, dtype=ml_dtypes.bfloat16)
    w = coded(planes, mask, scales).astype(jnp.float32)
    np.testing.assert_array_equal(np.asarray(array_of(w)), quantized(planes, mask, scales.astype(np.float32)))


@pytest.mark.parametrize("shape", [(7,), (3, 5, 4, 6)])
def test_it_has_an_array_s_shape(shape):
    w = weight(shape)
    assert (w.shape, w.ndim, w.size) == (shape, len(shape), int(np.prod(shape)))
    assert array_of(w).shape == shape


@pytest.mark.parametrize("codec", sorted(MASK_CODECS))
def test_every_mask_codec_does(codec):
    planes, mask, scales = parts((60, 50))
    if codec in EXACT_CODECS:
        index = encode_mask(mask, codec)
    else:
        scores = np.random.default_rng(0).random((60, 50)).astype(np.float32)
        index = fit_mask(
            scores, 0.8, codec, **({"rank": 2} if codec == "lowrank" else {"n_in": 8, "step": 2})
        )
    w = CodedWeight.of(CODE.encode(planes, index.mask), index, scales)
    np.testing.assert_array_equal(np.asarray(array_of(w)), quantized(planes, index.mask, scales))


def test_a_low_rank_mask_stays_encoded():
    scores = np.random.default_rng(0).random((300, 200)).astype(np.float32)
    index = fit_mask(scores, 0.8, "lowrank", rank=2)
    w = CodedWeight.of(
        CODE.encode(np.ones((1, 300, 200), bool), index.mask), index, np.ones((1, 1, 1), np.float32)
    )
    assert sum(leaf.size for leaf in jax.tree.leaves(w.mask)) < 300 * 200 / 32


def test_nothing_of_it_is_a_float_but_the_scales():
    w = weight()
    floats = [leaf for leaf in jax.tree.leaves(w) if jnp.issubdtype(leaf.dtype, jnp.floating)]
    assert [leaf.size for leaf in floats] == [w.scales.size]
    assert all(leaf.dtype in (jnp.float32, jnp.uint32) for leaf in jax.tree.leaves(w))


def test_an_empty_mask_decodes_to_zeros():
    planes, mask, scales = parts()
    array = array_of(coded(planes, np.zeros_like(mask), scales))
    np.testing.assert_array_equal(np.asarray(array), np.zeros(SHAPE, np.float32))


def test_parts_that_do_not_go_together_are_refused():
    planes, mask, scales = parts()
    values, index = CODE.encode(planes, mask), encode_mask(mask)
    with pytest.raises(ValueError, match=r"its mask has shape \[24, 40\], expected \[40, 24\]"):
        CodedWeight.of(values, encode_mask(mask.T), scales)
    for wrong in (scales[:1], np.ones((2, 1, 25), np.float32), np.ones((2, 1, 40, 24), np.float32)):
        with pytest.raises(ValueError, match=r"scales of shape .* do not broadcast over \(2, 40, 24\)"):
            CodedWeight.of(values, index, wrong)
    streams = values.streams | {"0/codes": values.streams["0/codes"][:-1]}
    short = dataclasses.replace(values, streams=streams)
    with pytest.raises(ValueError, match="stream '0/codes'"):
        CodedWeight.of(short, index, scales)


@codes
@pytest.mark.parametrize(
    "through", [copy.deepcopy, lambda w: pickle.loads(pickle.dumps(w))], ids=["copy", "pickle"]
)
def test_it_is_copied_and_pickled(code, through):
    w = weight(code=code)
    assert_same(w, through(w))


@codes
def test_orbax_restores_it(code, tmp_path):
    w = weight(code=code)
    with ocp.StandardCheckpointer() as checkpointer:
        checkpointer.save(tmp_path / "state", {"w": w})
        checkpointer.wait_until_finished()
        restored = checkpointer.restore(tmp_path / "state", {"w": jax.tree.map(jnp.zeros_like, w)})
    assert_same(w, restored["w"])


def test_parts_of_it_are_parts_of_the_array():
    w = weight()
    assert w[...] is w
    np.testing.assert_array_equal(np.asarray(w[3:5, 7]), np.asarray(w.to_array())[3:5, 7])


def test_it_is_iterated_as_an_array_is():
    w = weight()
    assert len(w) == len(list(w)) == SHAPE[0]
    np.testing.assert_array_equal(np.stack([np.asarray(row) for row in w]), np.asarray(w.to_array()))


def test_numpy_gets_the_array():
    w = weight()
    for array in (np.asarray(w), np.array(w), jnp.asarray(w)):
        assert (array.shape, array.dtype) == (SHAPE, np.float32)
        np.testing.assert_array_equal(np.asarray(array), np.asarray(w.to_array()))
    assert np.asarray(w, np.float64).dtype == np.float64
    with pytest.raises(ValueError, match="copy must not be False"):
        np.array(w, copy=False)
    for convert in (np.asarray, jnp.asarray):
        with pytest.raises(TypeError, match=r"inside jit .* takes w\.to_array\(\)"):
            jax.jit(convert)(w)


def test_its_bytes_are_those_of_its_arrays():
    w = weight()
    assert w.nbytes == sum(leaf.nbytes for leaf in jax.tree.leaves(w))
    assert jax.eval_shape(lambda w: w, w).nbytes == w.nbytes


@codes
def test_its_repr_is_a_line(code):
    w = weight(code=code)
    text = repr(w)
    assert text.startswith("CodedWeight((40, 24), float32, PackedPlanes((40, 24), 2, ")
    assert f"{8 * w.nbytes / w.size:.4g} bits/weight in memory" in text
    if code.id == "xor":
        assert "xor, XorFormat(n_in=9, n_out=40, " in text
    assert text in repr(nnx.Param(w))
    assert text in repr(nnx.state(XorLinear(w)))
    seen = []
    jax.jit(lambda w: seen.append(repr(w)) or w)(w)
    jax.vmap(lambda w: seen.append(repr(w)) or w)(jax.tree.map(lambda leaf: jnp.stack([leaf, leaf]), w))
    seen.append(repr(jax.eval_shape(lambda w: w, w)))
    assert set(seen) == {text}


def test_a_tree_without_arrays_has_a_repr_too():
    w = weight()
    for other in (None, 0, jnp.float32):
        text = repr(jax.tree.map(lambda _, other=other: other, w))
        assert text.startswith("CodedWeight(PackedPlanes((40, 24), 2, xor, XorFormat(")
        assert text.endswith(f"scales={other})")
    axes = object.__new__(CodedWeight)
    vars(axes).update(planes=None, mask=None, scales=0)
    assert repr(axes) == "CodedWeight(None, None, scales=0)"


def test_form_finds_it_in_any_tree():
    w, other = weight(), np.arange(3)
    assert form(w).shape == SHAPE
    tree = form({"a": [w, other], "b": (None, {"c": w})})
    assert tree["a"][1] is other
    for array in (tree["a"][0], tree["b"][1]["c"]):
        np.testing.assert_array_equal(np.asarray(array), np.asarray(w.to_array()))


def test_form_takes_a_mapping_that_jax_does_not_know():
    w = weight()
    formed = form((UserDict(a=w), 1))
    np.testing.assert_array_equal(np.asarray(formed[0]["a"]), np.asarray(w.to_array()))
    assert formed[1] == 1


class Own(nnx.Module):
    """A user's own module, which knows nothing of codes."""

    def __init__(self, rngs):
        self.table = nnx.Param(jax.random.normal(rngs.params(), SHAPE))
        self.norm = nnx.BatchNorm(SHAPE[1], use_running_average=True, rngs=rngs)

    def __call__(self, x):
        return self.norm(jnp.einsum("bi,ij->bj", x, self.table[...]) + self.table[...][None, 0] ** 2)


MODULES = {
    "lstm": (
        lambda rngs: nnx.LSTMCell(12, 10, rngs=rngs),
        lambda m, x: m((x[:, :10], x[:, 10:20]), x[:, :12]),
    ),
    "embed": (
        lambda rngs: nnx.Embed(40, 24, rngs=rngs),
        lambda m, x: m(jnp.arange(5)) + m.attend(x[:, :24])[:, :24],
    ),
    "own": (Own, lambda m, x: m(x)),
}


@pytest.mark.parametrize("name", MODULES)
def test_any_module_runs_with_it_through_form(name):
    make, call = MODULES[name]
    graphdef, state = nnx.split(make(nnx.Rngs(0)))
    x = jax.random.normal(jax.random.key(1), (5, SHAPE[0]))
    flat = nnx.to_flat_state(state)
    kernels = [path for path, variable in flat if isinstance(variable, nnx.Param) and variable[...].ndim == 2]
    assert kernels
    coded_state, dense_state = dict(flat), dict(flat)
    for seed, path in enumerate(kernels):
        w = weight(coded_state[path][...].shape, seed=seed)
        coded_state[path], dense_state[path] = nnx.Param(w), nnx.Param(w.to_array())
    run = jax.jit(lambda state, x: call(nnx.merge(graphdef, form(state)), x))
    of_coded, of_dense = (run(nnx.from_flat_state(state.items()), x) for state in (coded_state, dense_state))
    jax.tree.map(np.testing.assert_array_equal, of_coded, of_dense)
    # As a value of a module, too: split and merged again, it is still coded.
    model = nnx.merge(graphdef, nnx.from_flat_state(coded_state.items()))
    held = jax.tree.leaves(nnx.state(model), is_leaf=lambda leaf: isinstance(leaf, CodedWeight))
    assert sum(isinstance(leaf, CodedWeight) for leaf in held) == len(kernels)
