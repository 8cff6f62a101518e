"""Writes the golden files that are not there yet: `python tests/format/make_golden.py`.

A file that was written stays as it is and opens for ever; `expected.json` holds the SHA-256 of what each of its layers
decoded to when it was written. Nothing writes versions 1 and 2 any more, whose names do not begin with "v3-": together
they hold every id that there was. New ids get new files.
"""

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import ml_dtypes
import numpy as np
from make_version1 import bits

from xorjax.codec.code import CODES
from xorjax.codec.slicing import SLICINGS
from xorjax.codec.trained import TrainedCode
from xorjax.codec.xor import XorCode
from xorjax.container import CompressedLayer, CompressedModel, decode_weights, load, save
from xorjax.container.spec import code_spec
from xorjax.masks import EncodedMask, encode_mask

GOLDEN = Path(__file__).parent / "golden"
EXPECTED = GOLDEN / "expected.json"

# Code words of less than one word, of one and of two; K > 256; two rANS states, in the layer "many".
NETS = {"small": (6, 31), "words": (70, 160), "long": (20, 300), "tiny": (3, 9)}
SHAPES = {"small": (3, 3, 2, 7), "words": (30, 41), "long": (30, 31), "tiny": (9, 4200)}
V2_CODES = ("xor", "signs", "ans_signs", "context_signs", "dense", "trained")
DTYPES = ("float32", "float16", "bfloat16")


def signs(seed, shape):
    return bits(seed, 128, shape)


def agreeing(seed, shape):
    """Uneven, and mostly as two rows above, where there is one."""
    plane, differs = bits(seed, 70, shape), bits(seed + 1000, 10, shape)
    for i in range(2, len(plane)):
        plane[i] = plane[i - 2] ^ differs[i]
    return plane


def layer(name, shape, code, index: EncodedMask | None, seed, n_planes=1, scale_shape=None, dtype="float32"):
    mask = None if index is None else index.mask
    draw = agreeing if code.id == "context_signs" else signs
    drawn = [draw(seed + 1 + p, shape) for p in range(n_planes)]
    planes = np.stack([code.project(np.where(plane, np.float32(1), np.float32(-1))) for plane in drawn])
    wide = (n_planes, *(scale_shape or (1,) * len(shape)))
    scales = (np.arange(1, np.prod(wide) + 1, dtype=np.float32) / 64).reshape(wide).astype(dtype)
    return CompressedLayer(name, code.encode(planes, mask), index, scales)


def masked(seed, threshold, shape, codec="bitmap"):
    return encode_mask(bits(seed, threshold, shape), codec)


def model(*layers, params=None):
    return CompressedModel({layer.name: layer for layer in layers}, params or {}, {"note": "golden"})


def code_file(id):
    """With a mask and without, and each dtype of scales."""
    shape = (37, 41)
    code = XorCode(n_in=12, n_out=70) if id == "xor" else CODES[id]()
    return model(
        *(
            layer(f"{kind}/{dtype}", shape, code, index, 500 + i, 2, (1, 41), dtype)
            for i, dtype in enumerate(DTYPES)
            for kind, index in (("masked", masked(520 + i, 60, shape, "ans_rc")), ("bare", None))
        )
    )


def patch_file(patch_format):
    """Both methods and every slicing."""
    return model(
        *(
            layer(
                name,
                SHAPES[name],
                XorCode(
                    *NETS[name],
                    seed=600 + i,
                    slicing=SLICINGS[i],
                    slicing_seed=7,
                    method=("minimum", "greedy")[i % 2],
                    patch_format=patch_format,
                    patch_block=4,
                ),
                None if name == "long" else masked(610 + i, 60, SHAPES[name]),
                620 + i,
            )
            for i, name in enumerate(NETS)
        )
    )


def mask_file(codec):
    shapes = (3, 3, 4, 21), (900,)
    return model(
        *(
            layer(f"{i}", shape, CODES["signs"](), masked(700 + i, 9, shape, codec), 710 + i)
            for i, shape in enumerate(shapes)
        )
    )


def matrix_file():
    """Drawn with and without taps, one at the second attempt and one shared; given, with a seed that is not its own."""
    shape = (30, 41)
    mask = masked(700, 60, shape)
    codes = {
        "drawn": XorCode(6, 31, seed=1),
        "shared": XorCode(6, 31, seed=1, slicing="row_major"),
        "again": XorCode(20, 21, seed=2),
        "wide": XorCode(70, 160, seed=2**64 - 1),
        "odd taps": XorCode(20, 100, seed=2, taps=3),
        "even taps": XorCode(20, 100, seed=2, taps=4),
        "one tap": XorCode(3, 9, seed=2, taps=1),
        "all taps": XorCode(3, 9, seed=2, taps=3),
    }
    layers = [layer(name, shape, code, mask, 710 + i) for i, (name, code) in enumerate(codes.items())]
    other = replace(layers[0].values, code=replace(codes["drawn"], seed=None))
    given = replace(layers[0], name="given", values=other)
    foreign = replace(layers[0], name="foreign", values=replace(other, code=replace(codes["drawn"], seed=2)))
    return model(*layers, given, foreign)


def params_file():
    kinds = ("i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8")
    integers = {kind: np.arange(-3, 5).astype(kind) for kind in kinds}
    floats = {
        "f2": np.arange(6, dtype=np.float16).reshape(2, 3),
        "bf16": np.arange(5).astype(ml_dtypes.bfloat16),
        "f4": np.array(0.5, dtype=np.float32),
        "f8": np.zeros((3, 0), dtype=np.float64),
    }
    fc = layer("fc", (20, 11), CODES["signs"](), masked(400, 30, (20, 11)), 401, 3, (20, 1))
    return model(fc, params={**integers, **floats, "bool": np.array([True, False, True])})


def narrow_file():
    """float32 in each form that a file has it in, as scales and as parameters, large ones too."""
    rng = np.random.default_rng(900)
    bfloat16 = rng.standard_normal(2100).astype(ml_dtypes.bfloat16).astype(np.float32)
    arrays = {
        "u8": rng.integers(0, 256, 4200).astype(np.float32) * 2.0**-9,
        "i8": rng.integers(-128, 128, 41).astype(np.float32) * 2.0**-130,
        "u16": rng.integers(0, 65536, 41).astype(np.float32) * 2.0**100,
        "i16": rng.integers(-32768, 32768, 41).astype(np.float32) * 2.0**-149,
        "bf16": bfloat16,
        "f32": rng.standard_normal(41).astype(np.float32),
        "zeros": np.zeros(5, np.float32),
        "minus": np.array([-0.0, 3], np.float32),
    }
    arrays = {name: array.astype(np.float32) for name, array in arrays.items()}
    scales = {name: array[:41].reshape(1, 1, -1) for name, array in arrays.items()}
    layers = [
        replace(layer(name, (3, array.size), CODES["signs"](), None, 910), scales=array)
        for name, array in scales.items()
    ]
    return model(*layers, params={f"{name} alone": array for name, array in arrays.items()})


def network_file():
    """Every layer of a network in the trained code, with all that can be left out left out."""
    shapes, n_outs = {"conv": (5, 5, 1, 4), "fc": (80, 30)}, {"conv": 8, "fc": 20}
    layers = [
        layer(
            f"{name}/kernel",
            shape,
            TrainedCode(n_out=n_outs[name]),
            None,
            950,
            1,
            (1,) * (len(shape) - 1) + shape[-1:],
        )
        for name, shape in shapes.items()
    ]
    return model(*layers, params={f"{name}/bias": np.arange(-2, 2, dtype=np.float32) / 64 for name in shapes})


FILES = {
    **{f"{'v2' if id in V2_CODES else 'v3'}-code-{id}": (code_file, id) for id in CODES},
    **{f"v2-mask-{codec}": (mask_file, codec) for codec in ("csr6", "csr7")},
    "v2-patches-care": (patch_file, "care"),
    "v2-patches-enumerative": (patch_file, "enumerative"),
    "v2-matrix": (matrix_file,),
    "v2-params": (params_file,),
    "v3-narrow": (narrow_file,),
    "v3-network": (network_file,),
    "v3-matrix": (matrix_file,),
}


def digests(model):
    """The SHA-256 of each layer's mask, and of its weights as float32, in row-major order, and its code."""
    return {
        name: {
            "mask": hashlib.sha256(np.ascontiguousarray(layer.mask)).hexdigest(),
            "weights": hashlib.sha256(np.ascontiguousarray(decode_weights(layer), "<f4")).hexdigest(),
            "code": code_spec(layer.code),
        }
        for name, layer in model.layers.items()
    }


if __name__ == "__main__":
    expected = json.loads(EXPECTED.read_text())
    for name, (make, *ids) in FILES.items():
        path = GOLDEN / f"{name}.safetensors"
        if not path.exists():
            save(path, make(*ids))
            expected[name] = digests(load(path))
            print(path.name, path.stat().st_size)
    EXPECTED.write_text(json.dumps(dict(sorted(expected.items())), indent=1) + "\n")
