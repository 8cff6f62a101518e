"""`compress` as a library: trees in, a model out; tiles; and a loaded layer inside a jitted function."""

import tracemalloc
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from xorjax import CompressSpec, compress, load, save
from xorjax.codec.layout import LAYOUTS
from xorjax.codec.xor import encode
from xorjax.compression import layer as layer_module
from xorjax.compression import open_checkpoint, relative_error
from xorjax.compression.layer import encode_in_tiles
from xorjax.compression.model import compress_checkpoint
from xorjax.tiles import Weights
from xorjax.container import decode_weights
from xorjax.container.tensors import to_bytes
from xorjax.gf2.network import XorNetwork
from xorjax.layers.linear import XorLinear

RNG = np.random.default_rng(0)
SPEC = CompressSpec(("fc*/kernel",), prune_rate=0.9, n_out=128)


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


def test_a_loaded_layer_inside_ones_own_jitted_function(tmp_path):
    save(tmp_path / "model.xorjax", compress(tree(), SPEC))
    loaded = load(tmp_path / "model.xorjax")
    fc1 = XorLinear.from_layer(loaded.layers["fc1/kernel"], loaded.params["fc1/bias"])

    @jax.jit
    def forward(x):
        return jax.nn.relu(fc1(x))

    x = RNG.standard_normal((3, 70), dtype=np.float32)
    wanted = np.maximum(x @ decode_weights(loaded.layers["fc1/kernel"]) + np.ones(50, np.float32), 0)
    assert np.allclose(forward(x), wanted, atol=1e-5)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("method", ["greedy", "minimum"])
def test_tiles_give_what_the_whole_gives(monkeypatch, layout, method):
    monkeypatch.setattr(layer_module, "TILE", 300)
    bits, care, net = RNG.random((37, 41)) < 0.5, RNG.random((37, 41)) < 0.2, XorNetwork.random(12, 64)
    spec = CompressSpec(
        ("a",), 0.5, method=method, layout=layout, layout_seed=3 if layout == "shuffled" else 0
    )
    told = []
    tiled = encode_in_tiles(bits, care, net, spec, told.append)
    whole = encode(bits, care, net, method, layout=layout, layout_seed=spec.layout_seed)
    assert all(np.array_equal(tiled.streams[name], whole.streams[name]) for name in whole.streams)
    assert tiled.n_bounded == whole.n_bounded
    assert len(told) > 4
    assert told[-1] == 1.0


def test_memory_stays_below_the_inputs(tmp_path):
    """Of a checkpoint's own size beside the weights, which are read in pieces."""
    n = 3_000_000
    path = tmp_path / "m.safetensors"
    path.write_bytes(to_bytes({"a": RNG.standard_normal((n // 1000, 1000), dtype=np.float32)}, {}))
    spec = CompressSpec(("a",), 0.9, n_out=200, method="greedy", mask_codec="bitmap")
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
    spec = CompressSpec(("*kernel",), prune_rate=0.9, skip=("fc2*",), n_out=128)
    assert compress(tree(), spec).layers.keys() == {"fc1/kernel"}
    with pytest.raises(ValueError, match=r"skip: \* leaves none of the layers"):
        compress(tree(), CompressSpec(("*kernel",), prune_rate=0.9, skip=("*",)))


def test_an_array_that_the_format_lacks_is_named():
    with pytest.raises(ValueError, match="tensor 'phase': dtype complex64 is not one of"):
        compress({**tree(), "phase": np.ones(3, np.complex64)}, SPEC)


def test_the_public_names_are_functions_whatever_is_imported_first():
    import xorjax.compression.layer
    import xorjax.decode.lookup

    assert all(callable(getattr(xorjax, name)) for name in ("compress", "decode", "encode", "load", "save"))
    assert set(xorjax.__all__) <= set(dir(xorjax))
    with pytest.raises(AttributeError, match="no attribute 'compres'"):
        _ = xorjax.compres
