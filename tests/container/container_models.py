"""Models to write and read, with random code words and patches, and their comparison."""

import numpy as np
from hypothesis import strategies as st

from xorjax.codec.layout import LAYOUTS, to_slices
from xorjax.codec.patches import PATCH_FORMATS
from xorjax.codec.xor import METHODS, Encoded
from xorjax.container import CompressedLayer, CompressedModel
from xorjax.gf2.network import XorNetwork
from xorjax.masks import EXACT_CODECS, encode_mask


def random_plane(rng, care, net, method, patch_format, patch_block, layout, layout_seed):
    """Not encoded from anything: the container stores code words and patches, whatever they decode to."""
    inside = to_slices(care, net.n_out, layout, layout_seed)
    patches = [np.flatnonzero(row & (rng.random(net.n_out) < 0.3)) for row in inside]
    words = -(-net.n_in // 64)
    codes = rng.integers(0, 2**64, (len(inside), words), dtype=np.uint64)
    codes[:, -1] >>= np.uint64(64 * words - net.n_in)
    n_patches = np.array([len(p) for p in patches], dtype=np.int32)
    return Encoded(
        shape=care.shape,
        net=net,
        method=method,
        patch_format=patch_format,
        patch_block=patch_block,
        codes=codes,
        n_patches=n_patches,
        patch_positions=np.concatenate(patches).astype(np.int32),
        care=care,
        layout=layout,
        layout_seed=layout_seed,
        n_bounded=int(rng.integers(0, 2)) if method == "minimum" else 0,
    )


def random_layer(
    rng,
    name,
    shape,
    net,
    n_planes=1,
    mask_codec="ans",
    patch_format="paper",
    patch_block=64,
    layout="row_major",
    layout_seed=0,
    method="greedy",
):
    index = encode_mask(rng.random(shape) < 0.1, mask_codec)
    settings = method, patch_format, patch_block, layout, layout_seed
    planes = tuple(random_plane(rng, index.mask, net, *settings) for _ in range(n_planes))
    scales = rng.random((n_planes, *(1,) * (len(shape) - 1), shape[-1]), dtype=np.float32)
    return CompressedLayer(name, planes, index, scales)


def random_model(seed=0):
    rng = np.random.default_rng(seed)
    nets = [XorNetwork.random(8, 50, seed=3), XorNetwork.random(20, 192, seed=4)]
    layers = [
        random_layer(rng, "conv1/kernel", (3, 3, 4, 5), nets[0], 2, "bitmap"),
        random_layer(
            rng, "fc1/kernel", (60, 37), nets[1], patch_format="blocked", patch_block=3, layout="interleaved"
        ),
        random_layer(
            rng,
            "fc2/kernel",
            (37, 10),
            nets[0],
            mask_codec="golomb",
            patch_format="care",
            layout="shuffled",
            layout_seed=5,
            method="minimum",
        ),
    ]
    params = {"fc1/bias": rng.random(37, dtype=np.float32), "fc2/bias": rng.random(10)}
    return CompressedModel({layer.name: layer for layer in layers}, params, {"model": "random"})


layer_plans = st.fixed_dictionaries(
    {
        "shape": st.lists(st.integers(1, 12), min_size=1, max_size=4).map(tuple),
        "n_planes": st.integers(1, 3),
        "mask_codec": st.sampled_from(sorted(EXACT_CODECS)),
        "patch_format": st.sampled_from(sorted(PATCH_FORMATS)),
        "patch_block": st.integers(1, 5),
        "layout": st.sampled_from(LAYOUTS),
        "layout_seed": st.integers(0, 2**64 - 1),
        "method": st.sampled_from(METHODS),
    }
)
plans = st.fixed_dictionaries(
    {
        "seed": st.integers(0, 2**32 - 1),
        "nets": st.lists(st.tuples(st.integers(1, 128), st.integers(1, 150)), min_size=1, max_size=2),
        "layers": st.lists(layer_plans, min_size=1, max_size=3),
        "metadata": st.dictionaries(st.text(), st.text("aé\n"), max_size=2),
    }
)


def planned_model(plan):
    """A model of odd shapes. Built outside the strategies, because beartype draws random numbers."""
    rng = np.random.default_rng(plan["seed"])
    nets = [
        XorNetwork(rng.integers(0, 2, (n_in + more, n_in), dtype=np.uint8), seed)
        for seed, (n_in, more) in enumerate(plan["nets"])
    ]
    layers = [
        random_layer(rng, f"layer{i}/kernel", net=nets[i % len(nets)], **layer)
        for i, layer in enumerate(plan["layers"])
    ]
    params = {"bias": rng.random(3, dtype=np.float32), "ids": np.arange(4)} if len(layers) > 1 else {}
    return CompressedModel({layer.name: layer for layer in layers}, params, plan["metadata"])


def same_arrays(a, b):
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()


def same_model(a, b):
    """Every value that a model holds, and what its networks were drawn from."""
    return (
        a.layers.keys() == b.layers.keys()
        and all(same_layer(a.layers[name], b.layers[name]) for name in a.layers)
        and a.params.keys() == b.params.keys()
        and all(same_arrays(a.params[name], b.params[name]) for name in a.params)
        and a.metadata == b.metadata
    )


def same_layer(a, b):
    return (
        (a.name, a.shape, a.index.codec, len(a.planes)) == (b.name, b.shape, b.index.codec, len(b.planes))
        and same_arrays(a.mask, b.mask)
        and same_arrays(a.scales, b.scales)
        and all(same_plane(p, q) for p, q in zip(a.planes, b.planes, strict=True))
    )


def same_plane(a, b):
    settings = ("shape", "net", "method", "patch_format", "patch_block", "layout", "layout_seed", "n_bounded")
    return (
        all(getattr(a, name) == getattr(b, name) for name in settings)
        and (a.net.seed, a.net.taps) == (b.net.seed, b.net.taps)
        and all(
            same_arrays(getattr(a, n), getattr(b, n))
            for n in ("codes", "n_patches", "patch_positions", "care")
        )
    )
