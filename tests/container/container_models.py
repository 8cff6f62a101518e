"""Models to write and read: random code words and patches, and random planes in every other code; their comparison."""

import numpy as np
from hypothesis import strategies as st

from xorjax.codec.code import CODES, EncodedPlanes
from xorjax.codec.patches import PATCH_FORMATS, CareSlices
from xorjax.codec.plane import METHODS, CodedPlane, write
from xorjax.codec.slicing import SLICINGS, to_slices
from xorjax.codec.trained import TrainedCode
from xorjax.codec.xor import XorCode
from xorjax.container import CompressedLayer, CompressedModel
from xorjax.gf2.network import XorNetwork
from xorjax.gf2.pack import pack_codes
from xorjax.masks import EXACT_CODECS, encode_mask

DTYPES = ("float32", "float16", "bfloat16")
OTHERS = sorted(CODES.keys() - {"xor"})


def random_values(rng, shape, mask, net, n_planes, **settings):
    """Not encoded from anything: the container stores code words and patches, whatever they decode to."""
    code = XorCode(net.n_in, net.n_out, seed=net.seed, taps=net.taps, **settings)
    care = np.ones(shape, np.bool_) if mask is None else mask
    inside = to_slices(care, net.n_out, code.slicing, code.slicing_seed)
    slices = CareSlices.of(inside, net.n_in, code.patch_block)
    streams, n_all = {}, 0
    for p in range(n_planes):
        patches = [np.flatnonzero(row & (rng.random(net.n_out) < 0.3)) for row in inside]
        words = -(-net.n_in // 64)
        codes = rng.integers(0, 2**64, (len(inside), words), dtype=np.uint64)
        codes[:, -1] >>= np.uint64(64 * words - net.n_in)
        counts = np.array([len(patch) for patch in patches], np.int32)
        plane = CodedPlane(codes, counts, np.concatenate(patches).astype(np.int32))
        streams |= {f"{p}/{name}": stream for name, stream in write(plane, slices, code.patch_format).items()}
        n_all += int(counts.sum())
    n_bounded = int(rng.integers(0, 2)) if code.method == "minimum" else 0
    notes = {"n_bounded": n_bounded, "n_patches": n_all}
    return EncodedPlanes(
        code, tuple(shape), n_planes, streams, {"matrix": pack_codes(net.rows, net.n_in)}, notes
    )


def random_layer(
    rng, name, shape, net, n_planes=1, mask_codec="ans", scale_dtype="float32", code="xor", **settings
):
    """A layer in the XOR code with these settings, or of random planes in another code, an id or the code itself;
    mask_codec None: no mask.
    """
    index = None if mask_codec is None else encode_mask(rng.random(shape) < 0.1, mask_codec)
    mask = None if index is None else index.mask
    if code == "xor":
        settings = {"patch_format": "paper", "slicing": "row_major", "method": "greedy", **settings}
        values = random_values(rng, shape, mask, net, n_planes, **settings)
    else:
        code = CODES[code]() if isinstance(code, str) else code
        held = [code.project(rng.standard_normal(shape)) for _ in range(n_planes)]
        values = code.encode(np.stack(held), mask)
    scales = rng.random((n_planes, *(1,) * (len(shape) - 1), shape[-1]), dtype=np.float32)
    return CompressedLayer(name, values, index, scales.astype(scale_dtype))


def random_model(seed=0):
    """Two matrices that are stored, and one that is drawn again."""
    rng = np.random.default_rng(seed)
    drawn = XorNetwork.random(8, 50, seed=3)
    nets = [XorNetwork.from_matrix(XorNetwork.random(*shape).matrix) for shape in ((8, 50, 3), (20, 192, 4))]
    shuffled = {"patch_format": "care", "slicing": "shuffled", "slicing_seed": 5, "method": "minimum"}
    layers = [
        random_layer(rng, "conv1/kernel", (3, 3, 4, 5), nets[0], 2, "bitmap"),
        random_layer(
            rng, "fc1/kernel", (60, 37), nets[1], patch_format="blocked", patch_block=3, slicing="interleaved"
        ),
        random_layer(rng, "fc2/kernel", (37, 10), drawn, 1, "golomb", "float16", **shuffled),
        random_layer(rng, "bare/kernel", (20, 12), nets[0], 1, None, "bfloat16", patch_format="enumerative"),
        random_layer(rng, "signs/kernel", (20, 30), nets[0], 2, "ans_rc", "bfloat16", "signs"),
        random_layer(rng, "open/kernel", (13, 7), nets[0], 1, None, "float16", "ans_signs"),
        random_layer(rng, "dense/kernel", (11, 9), nets[0], 1, "csr4", "float32", "dense"),
        random_layer(rng, "context/kernel", (17, 12), nets[0], 2, "csr6", "float32", "context_signs"),
        random_layer(rng, "trained/kernel", (23, 5), nets[0], 2, None, "float32", TrainedCode(5, 9, seed=3)),
    ]
    params = {"fc1/bias": rng.random(37, dtype=np.float32), "fc2/bias": rng.random(10)}
    return CompressedModel({layer.name: layer for layer in layers}, params, {"model": "random"})


of_xor = st.fixed_dictionaries(
    {
        "patch_format": st.sampled_from(sorted(PATCH_FORMATS)),
        "patch_block": st.integers(1, 5),
        "slicing": st.sampled_from(SLICINGS),
        "slicing_seed": st.integers(0, 2**64 - 1),
        "method": st.sampled_from(METHODS),
    }
)
layer_plans = st.fixed_dictionaries(
    {
        "shape": st.lists(st.integers(1, 12), min_size=1, max_size=4).map(tuple),
        "n_planes": st.integers(1, 3),
        "mask_codec": st.sampled_from([None, *sorted(EXACT_CODECS)]),
        "scale_dtype": st.sampled_from(DTYPES),
        "settings": of_xor | st.fixed_dictionaries({"code": st.sampled_from(OTHERS)}),
    }
)
plans = st.fixed_dictionaries(
    {
        "seed": st.integers(0, 2**32 - 1),
        "nets": st.lists(
            st.tuples(st.integers(1, 128), st.integers(1, 150), st.booleans()), min_size=1, max_size=2
        ),
        "layers": st.lists(layer_plans, min_size=1, max_size=3),
        "metadata": st.dictionaries(st.text(), st.text("aé\n"), max_size=2),
    }
)


def planned_model(plan):
    """A model of odd shapes. Built outside the strategies, because beartype draws random numbers."""
    rng = np.random.default_rng(plan["seed"])
    nets = [
        XorNetwork.random(n_in, n_in + more, seed)
        if is_drawn
        else XorNetwork(rng.integers(0, 2, (n_in + more, n_in), dtype=np.uint8), seed)
        for seed, (n_in, more, is_drawn) in enumerate(plan["nets"])
    ]
    layers = []
    for i, layer in enumerate(plan["layers"]):
        own = {key: value for key, value in layer.items() if key != "settings"} | layer["settings"]
        layers.append(random_layer(rng, f"layer{i}/kernel", net=nets[i % len(nets)], **own))
    params = {"bias": rng.random(3, dtype=np.float32), "ids": np.arange(4)} if len(layers) > 1 else {}
    return CompressedModel({layer.name: layer for layer in layers}, params, plan["metadata"])


def same_arrays(a, b):
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()


def same_by_name(a, b):
    return a.keys() == b.keys() and all(same_arrays(a[name], b[name]) for name in a)


def same_model(a, b):
    """Every value that a model holds, and what its codes and networks say of themselves."""
    return (
        a.layers.keys() == b.layers.keys()
        and all(same_layer(a.layers[name], b.layers[name]) for name in a.layers)
        and same_by_name(a.params, b.params)
        and a.metadata == b.metadata
    )


def same_layer(a, b):
    return (
        (a.name, a.shape, a.code, a.values.n_planes) == (b.name, b.shape, b.code, b.values.n_planes)
        and same_by_name(a.values.streams, b.values.streams)
        and same_by_name(a.values.shared, b.values.shared)
        and dict(a.values.notes) == dict(b.values.notes)
        and (a.index is None) == (b.index is None)
        and (
            a.index is None
            or (a.index.codec == b.index.codec and same_by_name(a.index.streams, b.index.streams))
        )
        and same_arrays(np.asarray(a.mask), np.asarray(b.mask))
        and same_arrays(a.scales, b.scales)
    )
