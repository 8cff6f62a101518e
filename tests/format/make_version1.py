"""What golden/version1.safetensors holds: it was written when version 1 was settled, and opens for ever."""

from pathlib import Path

import numpy as np

from xorjax.codec.xor import XorCode
from xorjax.container import CompressedLayer, CompressedModel
from xorjax.masks import encode_mask

PATH = Path(__file__).parent / "golden" / "version1.safetensors"


def bits(seed: int, threshold: int, shape: tuple[int, ...]) -> np.ndarray:
    """True for `threshold` in 256; PCG64's raw output, which NumPy keeps fixed."""
    words = np.asarray(np.random.PCG64(seed).random_raw(int(np.prod(shape))), dtype=np.uint64)
    return ((words >> np.uint64(32)) % np.uint64(256) < threshold).reshape(shape)


def layer(name, shape, code, n_planes, mask_codec, scale_shape, seed):
    mask = bits(seed, 40, shape)
    planes = np.stack([bits(seed + 1 + p, 128, shape) for p in range(n_planes)])
    n_scales = int(np.prod((n_planes, *scale_shape)))
    scales = (np.arange(1, n_scales + 1, dtype=np.float32) / 64).reshape(n_planes, *scale_shape)
    return CompressedLayer(name, code.encode(planes, mask), encode_mask(mask, mask_codec), scales)


def model() -> CompressedModel:
    """Two networks, two patch formats and slicings, two mask codecs, one and two planes, ragged tails."""
    shared = {"method": "greedy", "patch_block": 4}
    plain = {**shared, "patch_format": "paper", "slicing": "row_major"}
    other = {**shared, "patch_format": "blocked", "slicing": "interleaved"}
    layers = [
        layer("conv1/kernel", (3, 3, 2, 7), XorCode(6, 31, seed=1, **plain), 2, "bitmap", (1, 1, 1, 7), 10),
        layer("fc1/kernel", (37, 41), XorCode(20, 100, seed=2, taps=3, **plain), 1, "ans", (1, 41), 20),
        layer("fc2/kernel", (41, 10), XorCode(6, 31, seed=1, **other), 1, "ans", (1, 1), 30),
    ]
    params = {
        "conv1/bias": np.arange(7, dtype=np.float32) / 8,
        "fc1/bias": np.arange(41, dtype=np.float64) / 16,
        "step": np.array(0.5, dtype=np.float16),
    }
    return CompressedModel({layer.name: layer for layer in layers}, params, {"model": "example", "note": "é"})
