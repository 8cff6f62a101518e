"""`compress` as a library: trees in, a model out; settings by layer; a loaded weight inside a jitted function."""

import re
import tracemalloc
from collections import namedtuple
from dataclasses import replace
from pathlib import Path

import flax
import jax
import jax.numpy as jnp
import jaxtyping
import numpy as np
import optax
import orbax.checkpoint as ocp
import pytest
from flax import nnx
from flax.training.train_state import TrainState

from xorjax import CompressSpec, compress, load, save
from xorjax.codec.ans_signs import AnsSignsCode
from xorjax.codec.code import CODES
from xorjax.codec.signs import SignsCode
from xorjax.codec.xor import XorCode
from xorjax.compression import CompressError, make_cut, open_checkpoint, relative_error
from xorjax.compression.layer import as_stored, check_finite
from xorjax.compression.model import compress_checkpoint
from xorjax.container import bits, decode_weights
from xorjax.container.tensors import to_bytes
from xorjax.tiles import Weights

RNG = np.random.default_rng(0)
SPEC = CompressSpec(("fc*/kernel",), prune_rate=0.9, code=XorCode(n_out=128))


def tree():
    key = jax.random.key(0)
    return {
        "fc1": {"kernel": jax.random.normal(key, (70, 50)), "bias": jnp.ones(50)},
        "fc2/kernel": jax.random.normal(key, (50, 10), jnp.bfloat16),
        "ids": np.arange(5),
    }


def test_a_tree_of_arrays():
    model = compress(tree(), SPEC, {"made": "here"})
    assert model.layers.keys() == {"fc1/kernel", "fc2/kernel"}
    assert model.params.keys() == {"fc1/bias", "ids"}
    assert model.metadata == {"made": "here"}
    weights = np.asarray(tree()["fc1"]["kernel"])
    layer = model.layers["fc1/kernel"]
    assert layer.scales.shape == (1, 1, 50)
    wanted = np.linalg.norm(weights - decode_weights(layer)) / np.linalg.norm(weights)
    assert relative_error(Weights.of("a", weights), layer) == pytest.approx(float(wanted), rel=1e-5)


@pytest.mark.parametrize("codec", ["xor", "golomb"])
def test_a_mask_is_stored_again_in_its_own_code(codec):
    """As a network trained under an approximate mask needs it."""
    first = compress(tree(), replace(SPEC, mask_codec=codec))
    masks = {name: layer.index for name, layer in first.layers.items()}
    tuned = {"fc1": {"kernel": -tree()["fc1"]["kernel"]}, "fc2/kernel": tree()["fc2/kernel"] + 1}
    second = compress(tuned, replace(SPEC, prune_rate=None, masks=masks))
    for name, layer in second.layers.items():
        assert layer.index.codec == codec
        assert layer.index.nbits == first.layers[name].index.nbits
        assert np.array_equal(layer.mask, first.layers[name].mask)
    signs = [decode_weights(model.layers["fc1/kernel"]) > 0 for model in (first, second)]
    assert np.array_equal(signs[0], ~signs[1] & first.layers["fc1/kernel"].mask)
    swapped = {"fc1/kernel": masks["fc2/kernel"], "fc2/kernel": masks["fc1/kernel"]}
    with pytest.raises(ValueError, match=r"'fc1/kernel': its mask has shape \[50, 10\], expected \[70, 50\]"):
        compress(tuned, replace(SPEC, prune_rate=None, masks=swapped))


@pytest.mark.parametrize("code", CODES)
def test_a_loaded_weight_inside_ones_own_jitted_function(tmp_path, code):
    save(tmp_path / "model.xorjax", compress(tree(), replace(SPEC, code=CODES[code]())))
    loaded = load(tmp_path / "model.xorjax")
    assert list(loaded.weights) == list(loaded.layers)
    w = loaded.weights["fc1/kernel"]
    assert w is loaded.weights["fc1/kernel"]
    assert np.array_equal(w.to_array(), decode_weights(loaded.layers["fc1/kernel"]))
    bias = loaded.params["fc1/bias"]

    @jax.jit
    def forward(x, w):
        return jax.nn.relu(x @ w + bias[None, :])

    x = RNG.standard_normal((3, 70), dtype=np.float32)
    wanted = np.maximum(x @ decode_weights(loaded.layers["fc1/kernel"]) + np.ones(50, np.float32), 0)
    assert np.allclose(forward(x, w), wanted, atol=1e-5)
    with pytest.raises(KeyError):
        loaded.weights["fc1/bias"]


def test_rules_by_layer():
    rules = {
        "fc1*": {
            "prune_rate": 0.8,
            "n_planes": 2,
            "code.n_in": 12,
            "code.n_out": None,
            "mask_codec": "bitmap",
        },
        "fc*": {"code": SignsCode(), "scale": "tensor", "scale_dtype": "bfloat16"},
    }
    model = compress(tree(), replace(SPEC, per_layer=rules))
    first, second = model.layers["fc1/kernel"], model.layers["fc2/kernel"]
    assert (first.code.n_in, first.values.n_planes, first.index.codec) == (12, 2, "bitmap")
    assert first.code.n_out not in (None, 128)
    assert first.mask.sum() == round(0.2 * 70 * 50)
    assert (second.code, second.scales.shape, str(second.scales.dtype)) == (
        SignsCode(),
        (1, 1, 1),
        "bfloat16",
    )
    assert second.mask.sum() == round(0.1 * 50 * 10)
    both = replace(SPEC, per_layer={"fc*": {"code": XorCode(n_in=12), "code.taps": 4}})
    assert both.for_layer("fc1/kernel").code == XorCode(n_in=12, taps=4)


def test_a_rule_with_a_codec_of_its_own_leaves_the_options_of_the_other():
    spec = replace(SPEC, mask_codec="lowrank", mask_options={"index_bits": 0.3})
    model = compress(tree(), replace(spec, per_layer={"fc2*": {"mask_codec": "golomb"}}))
    assert {name: layer.index.codec for name, layer in model.layers.items()} == {
        "fc1/kernel": "lowrank",
        "fc2/kernel": "golomb",
    }
    finer = replace(spec, per_layer={"fc1*": {"mask_options.index_bits": 0.6}})
    assert len(compress(tree(), finer).layers["fc1/kernel"].index.streams["rows"]) > len(
        model.layers["fc1/kernel"].index.streams["rows"]
    )


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"prune_rate": 1.0}, "prune_rate is 1.0; it must be at least 0 and less than 1; the nearest is"),
        ({"n_planes": 9}, "n_planes is 9; it must be at least 1 and at most 8"),
        ({"code": XorCode(n_in=8, n_out=8)}, "n_out is 8; it must be more than n_in, 8"),
        ({"code": XorCode(patch_format="cares")}, "patch_format is 'cares'; it must be one of .* nearest is care"),
        ({"mask_codec": None}, "mask_codec is none, which keeps every weight; prune_rate must be 0"),
        ({"mask_options": {"rank": 3}}, "mask_codec 'ans_rc' is exact and has no mask_options"),
        ({"layers": ()}, "layers is empty"),
        ({"per_layer": {"fc1*": {"prune": 0.5}}}, "per_layer 'fc1\\*': prune .here 0.5. is .* nearest is prune_rate"),
        ({"per_layer": {"fc1*": {"n_in": 12}}}, "n_in .here 12. is not a setting; the nearest is code.n_in"),
        ({"per_layer": {"fc1*": {"rank": 4}}}, "rank .here 4. is not a setting; the nearest is mask_options.rank"),
        ({"per_layer": {"fc1*": {"layers": ("a",)}}}, "layers cannot be set by layer; prune_rate, .*, mask_codec can"),
        ({"per_layer": {"fc1*": {"code": "sign"}}}, "code is 'sign'; it must be one of .* the nearest is signs"),
        ({"per_layer": {"fc1*": {"code": 1}}}, "code is 1; it must be one of .*signs"),
        ({"per_layer": {"fc1*": {"code": None}}}, "code is None; it must be one of .*signs"),
        ({"code": XorCode(seed=None)}, "seed is null; it must be a number"),
        ({"code": XorCode(fill=0.01)}, "fill 0.01 gives n_out 2 .* more than n_in, 20"),
        ({"per_layer": {"fc1*": {"code": "signs", "code.n_in": 3}}}, "of code=trained or code=xor, not of code=signs"),
        ({"per_layer": {"fc1*": {"n_planes": "two"}}}, "n_planes is 'two'; it must be an integer"),
        ({"per_layer": {"fc1*": {"n_planes": True}}}, "n_planes is True; it must be an integer"),
        ({"per_layer": {"fc1*": {"code.n_in": 2.5}}}, "n_in is 2.5; it must be an integer"),
        ({"per_layer": {"fc1*": {"mask_codec": "lowrank", "mask_options.rnk": 4}}}, "rnk .here 4. .* nearest is rank"),
    ],
)  # fmt: skip
def test_settings_that_cannot_be_are_refused(changes, match):
    with pytest.raises(CompressError, match=match):
        replace(SPEC, **changes)


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"layers": "fc*/kernel"}, r"layers is 'fc\*/kernel'; it must be a list of patterns: \['fc\*/kernel'\]"),
        ({"skip": "fc2*"}, r"skip is 'fc2\*'; it must be a list of patterns"),
        ({"n_planes": True}, "n_planes is True; it must be an integer; the default is 1"),
        ({"code": "sign"}, r"code is 'sign'; it must be a code with its settings; the nearest is SignsCode\(\)"),
        ({"code": "xor"}, r"code is 'xor'; it must be a code with its settings; the nearest is XorCode\(\)"),
        ({"code": None}, r"code is None; it must be a code with its settings"),
        ({"code": lambda: XorCode(n_in="8")}, "n_in is '8'; it must be an integer; the default is 20"),
        ({"code": lambda: SignsCode}, r"code is <class .*; the nearest is SignsCode\(\)"),
    ],
)  # fmt: skip
def test_settings_of_another_type_are_refused(monkeypatch, changes, match):
    """Also where nothing checks the annotations, as in use."""
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)
    made = {name: value() if callable(value) else value for name, value in changes.items()}
    with pytest.raises(CompressError, match=match):
        replace(SPEC, **made)


def test_a_rule_that_matches_no_layer_is_refused():
    for pattern in ("fc3*", "fc1"):
        with pytest.raises(
            CompressError, match=f"per_layer: '{pattern[:3]}.*' matches no layer; the nearest is fc"
        ):
            compress(tree(), replace(SPEC, per_layer={pattern: {"n_planes": 2}}))
    spec = CompressSpec(("*kernel",), 0.9, skip=("fc2*",), per_layer={"fc2*": {"n_planes": 2}})
    with pytest.raises(CompressError, match=r"per_layer: 'fc2\*' matches no layer"):
        compress(tree(), spec)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_scales_of_two_bytes(dtype):
    wide = compress(tree(), SPEC)
    half = compress(tree(), replace(SPEC, scale_dtype=dtype))
    assert 2 * bits(half)["scale_bits"] == bits(wide)["scale_bits"]
    for name, layer in half.layers.items():
        assert str(layer.scales.dtype) == dtype
        assert np.array_equal(layer.scales, wide.layers[name].scales.astype(dtype))
        assert np.array_equal(layer.mask, wide.layers[name].mask)


@pytest.mark.parametrize("factor", [1e6, 1e-9])
def test_a_scale_that_does_not_fit_is_refused(factor):
    params = {"fc1/kernel": factor * np.asarray(tree()["fc1"]["kernel"])}
    with pytest.raises(
        CompressError, match="tensor 'fc1/kernel': a scale does not fit float16; scale_dtype float32"
    ):
        compress(params, replace(SPEC, scale_dtype="float16"))
    assert compress(params, replace(SPEC, scale_dtype="bfloat16")).layers.keys() == {"fc1/kernel"}


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_scales_that_devices_take_for_0_are_refused(dtype):
    params = {"fc1/kernel": 1e-39 * np.asarray(tree()["fc1"]["kernel"], np.float64)}
    with pytest.raises(CompressError, match=r"'fc1/kernel': a scale is less than 1\.18e-38"):
        compress(params, replace(SPEC, scale_dtype=dtype))


@pytest.mark.parametrize(("dtype", "factor"), [("float16", 2e-7), ("bfloat16", 1e-36)])
def test_the_error_is_that_of_the_stored_scales(dtype, factor):
    """Also where they are subnormal, so that few of their bits are left."""
    weights = factor * np.asarray(tree()["fc1"]["kernel"], np.float64)
    model = compress({"fc1/kernel": weights}, replace(SPEC, prune_rate=0.0, n_planes=2, scale_dtype=dtype))
    layer = model.layers["fc1/kernel"]
    error = np.linalg.norm((weights - decode_weights(layer)) / factor) / np.linalg.norm(weights / factor)
    assert relative_error(Weights.of("a", weights), layer) == pytest.approx(error)


def test_weights_that_float32_loses_are_an_error_of_one():
    weights = np.full((70, 50), 1e-200)
    with pytest.raises(
        CompressError, match=r"'fc1/kernel': all weights are 0 as float32 .the largest is 1e-200"
    ):
        compress({"fc1/kernel": weights}, SPEC)
    layer = compress({"fc1/kernel": 0 * weights}, SPEC).layers["fc1/kernel"]
    assert relative_error(Weights.of("a", weights), layer) == 1.0
    assert relative_error(Weights.of("a", 0 * weights), layer) == 0.0


def test_planes_whose_sum_float32_lacks_are_refused():
    weights = np.full((70, 50), 3e38, np.float32)
    weights[:, 1::2] = 1e38
    with pytest.raises(
        CompressError, match="tensor 'fc1/kernel': the scales of its planes have a sum beyond float32"
    ):
        as_stored("fc1/kernel", np.full((2, 1, 1), 3e38, np.float32), "float32")
    assert compress({"fc1/kernel": weights}, replace(SPEC, scale="tensor")).layers


def test_without_a_mask_every_weight_is_kept():
    model = compress(tree(), replace(SPEC, prune_rate=0.0, mask_codec=None, code=AnsSignsCode()))
    for layer in model.layers.values():
        assert layer.index is None
        assert layer.mask.all()
        assert (decode_weights(layer) != 0).all()
    assert bits(model)["index_bits"] == 0


def test_a_shape_that_an_approximate_mask_cannot_have_is_the_users_error():
    spec = replace(SPEC, mask_codec="lowrank", mask_options={"rank": 10**6})
    with pytest.raises(CompressError, match="tensor 'fc1/kernel': rank is 1000000, expected 1 to"):
        compress(tree(), spec)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_counted_and_placed(bad):
    array = np.ones((5, 6), np.float32)
    check_finite(Weights.of("a", array))
    array[3, 1] = array[4, 0] = bad
    with pytest.raises(ValueError, match=r"tensor 'a': 2 weights are NaN or infinite .* at \[3, 1\]\)"):
        check_finite(Weights.of("a", array))


def test_a_float64_beyond_float32_is_not_finite():
    with pytest.raises(ValueError, match="1 weight is NaN or infinite as float32"):
        check_finite(Weights.of("a", np.array([[1e39, 1.0]])))


def test_memory_stays_below_the_inputs(tmp_path):
    """Of a checkpoint's own size beside the weights, which are read in pieces."""
    n = 3_000_000
    path = tmp_path / "m.safetensors"
    path.write_bytes(to_bytes({"a": RNG.standard_normal((n // 1000, 1000), dtype=np.float32)}, {}))
    spec = CompressSpec(("a",), 0.9, code=XorCode(n_out=200, method="greedy"), mask_codec="bitmap")
    compress_checkpoint(open_checkpoint(path), spec)  # what is compiled and imported is not counted
    tracemalloc.start()
    try:
        compress_checkpoint(open_checkpoint(path), spec)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 8 * n + 48 * 2**20


def test_progress_is_told_to_the_end():
    told = []
    compress(tree(), SPEC, tell=lambda name, done: told.append((name, done)))
    for name in ("fc1/kernel", "fc2/kernel"):
        dones = [done for told_name, done in told if told_name == name]
        assert dones == sorted(dones)
        assert dones[-1] == 1.0


def test_skip_keeps_what_a_pattern_matches():
    spec = CompressSpec(("*kernel",), prune_rate=0.9, skip=("fc2*",))
    assert compress(tree(), spec).layers.keys() == {"fc1/kernel"}
    with pytest.raises(ValueError, match=r"skip: \* leaves none of the layers"):
        compress(tree(), CompressSpec(("*kernel",), prune_rate=0.9, skip=("*",)))


def test_an_array_that_the_format_lacks_is_named():
    with pytest.raises(ValueError, match="tensor 'phase': dtype complex128 is not one of"):
        compress({**tree(), "phase": np.ones(3, np.complex128)}, SPEC)


def test_a_tree_as_jax_has_them():
    """Lists and tuples are paths, and so are those of the masks; None and random keys are left out."""
    kernels = [jax.random.normal(jax.random.key(i), (70, 50)) for i in range(3)]
    params = {
        "fc": [{"kernel": kernels[0], "bias": None}, {"kernel": kernels[1], "bias": jnp.ones(50)}],
        "pair": (kernels[2], np.float32(3)),
        "dropout": {"key": jax.random.key(0), "count": jnp.uint32(0)},
        "none": [],
    }
    spec = replace(SPEC, layers=("fc/*/kernel", "pair/0"))
    model = compress(params, spec)
    assert model.layers.keys() == {"fc/0/kernel", "fc/1/kernel", "pair/0"}
    assert model.params.keys() == {"fc/1/bias", "pair/1", "dropout/count"}
    masks = {"fc": [{"kernel": kernels[0] > 1, "bias": None}, {"kernel": model.layers["fc/1/kernel"].index}]}
    masks |= {"pair": (np.asarray(kernels[2]) > 1, None)}
    again = compress(params, replace(spec, prune_rate=None, masks=masks))
    assert np.array_equal(again.layers["fc/0/kernel"].mask, kernels[0] > 1)
    assert again.layers["fc/1/kernel"].index is model.layers["fc/1/kernel"].index
    with pytest.raises(CompressError, match="masks: 'fc/2' is the mask of no layer"):
        compress(params, replace(spec, prune_rate=None, masks={"fc": [*masks["fc"], np.ones(3, bool)]}))
    listed = compress(kernels, replace(spec, layers=("[01]",)))
    assert (listed.layers.keys(), listed.params.keys()) == ({"0", "1"}, {"2"})
    with pytest.raises(CompressError, match="tensor 'a/0' is in the tree twice"):
        compress({"a": [kernels[0]], "a/0": kernels[0]}, spec)


Pair = namedtuple("Pair", ["kernel", "bias"])


@flax.struct.dataclass
class Dense:
    kernel: jax.Array
    bias: jax.Array
    width: int = flax.struct.field(pytree_node=False, default=50)


@pytest.mark.parametrize("kind", [Pair, Dense])
def test_fields_are_called_by_their_names(kind):
    kernel, bias = jax.random.normal(jax.random.key(0), (70, 50)), jnp.ones(50)
    spec = replace(SPEC, layers=("*kernel",))
    for params, at in ((kind(kernel, bias), ""), ({"a": [kind(kernel, bias)]}, "a/0/")):
        model = compress(params, spec)
        assert (model.layers.keys(), model.params.keys()) == ({f"{at}kernel"}, {f"{at}bias"})
        masks = jax.tree.map(lambda x: x > 1, params)
        again = compress(params, replace(spec, prune_rate=None, masks=masks))
        assert np.array_equal(again.layers[f"{at}kernel"].mask, kernel > 1)


def test_a_training_state():
    params = {"fc1": {"kernel": jnp.ones((70, 50)), "bias": jnp.ones(50)}}
    state = TrainState.create(apply_fn=lambda: None, params=params, tx=optax.adam(1e-3))
    model = compress(state, replace(SPEC, layers=("params/*/kernel",)))
    assert model.layers.keys() == {"params/fc1/kernel"}
    assert {
        "step",
        "params/fc1/bias",
        "opt_state/0/mu/fc1/kernel",
        "opt_state/0/count",
    } <= model.params.keys()
    assert compress(state.params, SPEC).layers.keys() == {"fc1/kernel"}


def test_a_name_that_is_a_tuple_is_a_path():
    net = Net(nnx.Rngs(0))
    flat = dict(nnx.to_flat_state(nnx.state(net, nnx.Param)))
    model = compress(flat, replace(SPEC, layers=("fc/kernel",)))
    assert (model.layers.keys(), model.params.keys()) == (
        {"fc/kernel"},
        {"fc/bias", "norm/scale", "norm/bias"},
    )


def test_what_orbax_restores(tmp_path):
    params = nnx.state(Net(nnx.Rngs(0)), nnx.Param)
    with ocp.StandardCheckpointer() as checkpointer:
        checkpointer.save(tmp_path / "state", params)
        checkpointer.wait_until_finished()
        restored = checkpointer.restore(tmp_path / "state", jax.eval_shape(lambda: params))
        plain = checkpointer.restore(tmp_path / "state")
    assert compress(restored, replace(SPEC, layers=("fc/kernel",))).params.keys() >= {"fc/bias"}
    assert compress(plain, replace(SPEC, layers=("fc/kernel/value",))).params.keys() >= {"fc/bias/value"}


@pytest.mark.parametrize("of", [lambda x: x > 0, lambda x: x > 0 if x.ndim == 2 else None])
def test_masks_of_all_of_a_state(of):
    """The masks of what is kept as it is are left alone."""
    state = nnx.state(Net(nnx.Rngs(0)), nnx.Param)
    spec = replace(SPEC, layers=("fc/kernel",), prune_rate=None, masks=jax.tree.map(of, state))
    model = compress(state, spec)
    assert np.array_equal(model.layers["fc/kernel"].mask, state["fc"]["kernel"][...] > 0)
    assert repr(spec).count("\n") == 0


@pytest.mark.parametrize(
    ("masks", "match"),
    [
        (np.ones((70, 50), bool), "masks is a ndarray, expected arrays by name"),
        (
            [np.ones((70, 50), bool)],
            "masks: '0' is the mask of no layer, expected masks by the names of layers: f",
        ),
        ({"fc1/kernel": "x"}, "tensor 'fc1/kernel': its mask has shape"),
        ({"fc1/kernel": object()}, "mask 'fc1/kernel' is a object, expected an array"),
    ],
)
def test_what_is_no_mask_is_refused(masks, match):
    with pytest.raises(CompressError, match=match):
        compress(tree(), replace(SPEC, prune_rate=None, masks=masks))


def test_arrays_without_values_are_refused():
    deleted = jnp.ones((70, 50))
    deleted.delete()
    with pytest.raises(CompressError, match="tensor 'a' cannot be read: Array has been deleted"):
        compress({"a": nnx.Param(deleted)}, SPEC)
    with pytest.raises(CompressError, match="tensor 'a' cannot be read: it is traced, expected values"):
        jax.jit(lambda x: compress({"a": x}, SPEC).layers["a"].scales)(jnp.ones((70, 50)))
    with pytest.raises(CompressError, match="mask 'a' cannot be read: it is traced, expected values"):
        jax.jit(lambda x: replace(SPEC, prune_rate=None, masks={"a": x}).masks)(jnp.ones((70, 50), bool))


@pytest.mark.parametrize(
    ("given", "what"), [({"layers": ("*",)}, "a dict"), (CompressSpec, "CompressSpec"), ("*kernel", "a str")]
)
def test_what_is_no_spec_is_refused(monkeypatch, tmp_path, given, what):
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)
    (tmp_path / "m.safetensors").write_bytes(to_bytes({"a": np.ones((70, 50), np.float32)}, {}))
    for do in (
        lambda: compress(tree(), given),
        lambda: compress_checkpoint(open_checkpoint(tmp_path), given),
        lambda: make_cut(tmp_path, given),
    ):
        with pytest.raises(CompressError, match=rf"spec is {what}, expected such as CompressSpec\("):
            do()


class Net(nnx.Module):
    def __init__(self, rngs):
        self.fc = nnx.Linear(70, 50, rngs=rngs)
        self.norm = nnx.BatchNorm(50, rngs=rngs)
        self.drop = nnx.Dropout(0.5, rngs=rngs)


@pytest.mark.parametrize("kinds", [(), (nnx.Param,)])
def test_the_state_of_a_module(kinds):
    net = Net(nnx.Rngs(0))
    spec = replace(SPEC, layers=("fc/kernel",))
    model = compress(nnx.state(net, *kinds), spec)
    assert np.array_equal(model.params["fc/bias"], net.fc.bias[...])
    assert {"fc/bias", "norm/scale", "norm/bias"} <= model.params.keys()
    assert ("norm/mean" in model.params) == (not kinds)
    assert not any(name.endswith("key") for name in model.params)
    with pytest.raises(
        CompressError, match=r"params is a Net, expected arrays by name.* give nnx.state\(module\)"
    ):
        compress(net, spec)
    with pytest.raises(CompressError, match=r"tensor 'net' is a Net, expected an array"):
        compress({"net": net}, spec)


@pytest.mark.parametrize("name", ["__metadata__", "a\ud800"])
def test_a_name_that_no_file_can_hold_is_refused_before_any_work(monkeypatch, name):
    monkeypatch.setattr(XorCode, "encode", None)
    for params in (
        {name: tree()["fc1"]["kernel"]},
        {"fc1/kernel": tree()["fc1"]["kernel"], name: np.ones(3)},
    ):
        with pytest.raises(CompressError, match=re.escape(repr(name))):
            compress(params, replace(SPEC, layers=("*",), skip=("fc2*",)))
    with pytest.raises(CompressError, match="metadata: "):
        compress(tree(), SPEC, {"a": "\ud800"})


def test_the_public_names_are_no_rooms():
    import xorjax.compression.layer
    import xorjax.decoding.planes

    assert all(
        callable(getattr(xorjax, name)) for name in ("compress", "decode", "encode", "load", "save", "form")
    )
    assert set(xorjax.__all__) <= set(dir(xorjax))
    assert not set(xorjax.__all__) & {path.stem for path in Path(xorjax.__file__).parent.iterdir()}
    with pytest.raises(AttributeError, match="no attribute 'compres'"):
        _ = xorjax.compres
