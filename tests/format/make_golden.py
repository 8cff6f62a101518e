"""Writes the golden files that are not there yet: `python tests/format/make_golden.py`.

A file that version 1 wrote stays as it is and opens for ever; `expected.json` holds the SHA-256 of what each of its
layers decoded to when it was written. New ids get new files.
"""

import hashlib
import json
from pathlib import Path

import ml_dtypes
import numpy as np
from make_version1 import bits

from xorjax.codec.layout import LAYOUTS
from xorjax.codec.patches import PATCH_FORMATS
from xorjax.codec.xor import METHODS, encode
from xorjax.container import CompressedLayer, CompressedModel, decode_weights, load, save
from xorjax.gf2.network import XorNetwork
from xorjax.masks import APPROXIMATE_CODECS, EXACT_CODECS, encode_mask, fit_mask

GOLDEN = Path(__file__).parent / "golden"
EXPECTED = GOLDEN / "expected.json"

SMALL = XorNetwork.random(6, 31, seed=1)
TINY = XorNetwork.random(3, 9, seed=2)
LONG = XorNetwork.random(20, 300, seed=3)
MIDDLE = XorNetwork.random(40, 300, seed=6)
WORDS = XorNetwork.random(70, 160, seed=4)
WHOLE = XorNetwork.random(128, 200, seed=5, taps=5)


def layer(name, index, net, seed, n_planes=1, scale_shape=None, **settings):
    planes = tuple(
        encode(bits(seed + 1 + p, 128, index.shape), index.mask, net, **settings) for p in range(n_planes)
    )
    shape = (n_planes, *(scale_shape or (1,) * len(index.shape)))
    scales = (np.arange(1, np.prod(shape) + 1, dtype=np.float32) / 64).reshape(shape)
    return CompressedLayer(name, planes, index, scales)


def masked(seed, threshold, shape, codec="bitmap"):
    return encode_mask(bits(seed, threshold, shape), codec)


def model(*layers, params=None):
    return CompressedModel({layer.name: layer for layer in layers}, params or {}, {"note": "golden"})


def patch_file(patch_format):
    """Both methods, code words of one word and of two, masks from all kept to hardly any, K > 256, two rANS states."""
    settings = {"patch_format": patch_format, "patch_block": 4}
    return model(
        layer("conv", masked(10, 40, (3, 3, 2, 7)), SMALL, 11, 2, (1, 1, 1, 7), method="greedy", **settings),
        layer("fc", masked(20, 60, (37, 41)), SMALL, 21, method="minimum", **settings),
        layer("words", masked(30, 120, (30, 41)), WORDS, 31, method="minimum", **settings),
        layer("whole", masked(35, 190, (20, 41)), WHOLE, 36, method="greedy", **settings),
        layer("dense", masked(40, 256, (30, 31)), LONG, 41, method="greedy", **settings),
        layer("bounded", masked(45, 200, (12, 310)), MIDDLE, 46, 2, method="minimum", **settings),
        layer("sparse", masked(50, 1, (64, 33)), SMALL, 51, **settings),
        layer("many", masked(60, 70, (9, 4200)), TINY, 61, method="greedy", **settings),
    )


def layout_file(layout):
    settings = {"layout": layout, "layout_seed": 7 if layout == "shuffled" else 0}
    shapes = {"one": (50,), "two": (31, 34), "three": (5, 6, 31), "four": (3, 3, 5, 8)}
    return model(
        *(
            layer(name, masked(100 + i, 60, shape), SMALL, 110 + i, patch_format=patch_format, **settings)
            for i, (name, shape) in enumerate(shapes.items())
            for patch_format in (["paper", "care"][i % 2],)
        )
    )


def mask_file(codec):
    shapes = {"two": (37, 41), "four": (3, 3, 5, 8), "one": (77,)}
    layers = [
        layer(f"{name}/{threshold}", masked(200 + i, threshold, shape, codec), SMALL, 210 + i)
        for i, (name, shape) in enumerate(shapes.items())
        for threshold in (2, 40, 256)
    ]
    uneven = bits(230, 50, (60, 44)) & (bits(231, 90, (60, 1)) | bits(232, 60, (1, 44)))
    layers.append(layer("uneven", encode_mask(uneven, codec), SMALL, 240))
    return model(*layers)


def fitted_file(codec):
    def scores(seed, shape):
        words = np.asarray(np.random.PCG64(seed).random_raw(int(np.prod(shape))), dtype=np.uint64)
        return ((words >> np.uint64(44)).astype(np.float32) / 2**20).reshape(shape) ** 3

    return model(
        *(
            layer(name, fit_mask(scores(300 + i, shape), rate, codec), SMALL, 310 + i)
            for i, (name, shape, rate) in enumerate(
                [("two", (61, 52), 0.9), ("four", (3, 3, 16, 24), 0.8), ("sparse", (128, 70), 0.95)]
            )
        )
    )


def params_file():
    integers = {
        f"{dtype}": np.arange(-3, 5).astype(dtype)
        for dtype in ("i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8")
    }
    floats = {
        "f2": np.arange(6, dtype=np.float16).reshape(2, 3),
        "bf16": np.arange(5).astype(ml_dtypes.bfloat16),
        "f4": np.array(0.5, dtype=np.float32),
        "f8": np.zeros((3, 0), dtype=np.float64),
    }
    fc = layer("fc", masked(400, 30, (20, 11)), SMALL, 401, 3, (20, 1))
    return model(fc, params={**integers, **floats, "bool": np.array([True, False, True])})


FILES = {
    **{f"patches-{id}": (patch_file, id) for id in PATCH_FORMATS},
    **{f"layout-{id}": (layout_file, id) for id in LAYOUTS},
    **{f"mask-{id}": (mask_file, id) for id in EXACT_CODECS},
    **{f"mask-{id}": (fitted_file, id) for id in APPROXIMATE_CODECS},
    "params": (params_file,),
}


def digests(model):
    """The SHA-256 of each layer's mask, and of its weights as float32, in row-major order."""
    return {
        name: {
            "mask": hashlib.sha256(np.ascontiguousarray(layer.mask)).hexdigest(),
            "weights": hashlib.sha256(np.ascontiguousarray(decode_weights(layer), "<f4")).hexdigest(),
            "method": layer.planes[0].method,
        }
        for name, layer in model.layers.items()
    }


if __name__ == "__main__":
    assert set(METHODS) == {"greedy", "minimum"}
    expected = json.loads(EXPECTED.read_text()) if EXPECTED.exists() else {}
    for name, (make, *ids) in FILES.items():
        path = GOLDEN / f"{name}.safetensors"
        if not path.exists():
            save(path, make(*ids))
            expected[name] = digests(load(path))
            print(path.name, path.stat().st_size)
    EXPECTED.write_text(json.dumps(dict(sorted(expected.items())), indent=1) + "\n")
