"""Writes golden/version1.safetensors: `python tests/format/make_version1.py`. Run once, when version 1 was
settled; the tests open that file for ever, and compare it with `model()`."""

from pathlib import Path

import numpy as np

from xorjax.codec.xor import encode
from xorjax.container import CompressedLayer, CompressedModel, save
from xorjax.gf2.network import XorNetwork
from xorjax.masks import encode_mask

PATH = Path(__file__).parent / "golden" / "version1.safetensors"


def bits(seed: int, threshold: int, shape: tuple[int, ...]) -> np.ndarray:
    """True for `threshold` in 256; PCG64's raw output, which NumPy keeps fixed."""
    words = np.asarray(np.random.PCG64(seed).random_raw(int(np.prod(shape))), dtype=np.uint64)
    return ((words >> np.uint64(32)) % np.uint64(256) < threshold).reshape(shape)


def layer(
    name, shape, net, n_planes, mask_codec, scale_shape, seed, patch_format="paper", layout="row_major"
):
    mask = bits(seed, 40, shape)
    planes = tuple(
        encode(
            bits(seed + 1 + p, 128, shape), mask, net, "greedy", patch_format, patch_block=4, layout=layout
        )
        for p in range(n_planes)
    )
    n_scales = int(np.prod((n_planes, *scale_shape)))
    scales = (np.arange(1, n_scales + 1, dtype=np.float32) / 64).reshape(n_planes, *scale_shape)
    return CompressedLayer(name, planes, encode_mask(mask, mask_codec), scales)


def model() -> CompressedModel:
    """Two networks, both patch formats and layouts, both mask codecs, one and two planes, ragged tails."""
    small, large = XorNetwork.random(6, 31, seed=1), XorNetwork.random(20, 100, seed=2, taps=3)
    layers = [
        layer("conv1/kernel", (3, 3, 2, 7), small, 2, "bitmap", (1, 1, 1, 7), 10),
        layer("fc1/kernel", (37, 41), large, 1, "ans", (1, 41), 20),
        layer("fc2/kernel", (41, 10), small, 1, "ans", (1, 1), 30, "blocked", "interleaved"),
    ]
    params = {
        "conv1/bias": np.arange(7, dtype=np.float32) / 8,
        "fc1/bias": np.arange(41, dtype=np.float64) / 16,
        "step": np.array(0.5, dtype=np.float16),
    }
    return CompressedModel({layer.name: layer for layer in layers}, params, {"model": "example", "note": "é"})


if __name__ == "__main__":
    PATH.parent.mkdir(exist_ok=True)
    save(PATH, model())
