"""What is said of a compressed layer, a parameter and a network: plain values, for JSON and for tables."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from xorjax.compression.checkpoint import Tensor
from xorjax.compression.layer import relative_error
from xorjax.compression.select import Weights
from xorjax.container import CompressedLayer, layer_bits
from xorjax.gf2.network import XorNetwork
from xorjax.streams import BIT_STREAMS


def describe_layer(layer: CompressedLayer) -> dict[str, Any]:
    """A layer's shape, settings and bits by stream; bits are counted from the bytes of the streams."""
    plane, bits = layer.planes[0], layer_bits(layer)
    n_kept, n = int(layer.mask.sum()), layer.n_weights
    return {
        "name": layer.name,
        "shape": list(layer.shape),
        "n_weights": n,
        "n_kept": n_kept,
        "prune_rate": 1 - n_kept / n,
        "n_planes": len(layer.planes),
        "n_in": layer.net.n_in,
        "n_out": layer.net.n_out,
        "method": plane.method,
        "patch_format": plane.patch_format,
        "layout": plane.layout,
        "mask_codec": layer.index.codec,
        "n_slices": sum(len(plane.codes) for plane in layer.planes),
        "n_patches": sum(int(plane.n_patches.sum()) for plane in layer.planes),
        "n_bounded": sum(plane.n_bounded for plane in layer.planes),
        **bits,
        "bits_per_weight": sum(bits.values()) / n,
    }


def describe_made(layer: CompressedLayer, weights: Weights, input_bits: int) -> dict[str, Any]:
    """`describe_layer`, and how the layer compares with the weights that it was made of."""
    described = describe_layer(layer)
    ratio = input_bits / (described["bits_per_weight"] * layer.n_weights)
    error = relative_error(weights, layer)
    return {**described, "input_bits": input_bits, "ratio": ratio, "relative_error": error}


def describe_param(name: str, array: np.ndarray | Tensor) -> dict[str, Any]:
    return {
        "name": name,
        "dtype": str(array.dtype),
        "shape": list(array.shape),
        "bytes": array.nbytes,
    }


def describe_networks(networks: Iterable[XorNetwork]) -> list[dict[str, Any]]:
    return [
        {
            "n_in": net.n_in,
            "n_out": net.n_out,
            "seed": net.seed,
            "sha256": net.sha256,
            "bytes": -(-net.n_in * net.n_out // 8),
        }
        for net in networks
    ]


def totals(layers: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The sums over the layers, and their bits per weight; the ratio too, where they say what they were made of."""
    counts = {kind: sum(layer[kind] for layer in layers) for kind in ("n_weights", "n_kept", *BIT_STREAMS)}
    n_bits = sum(counts[kind] for kind in BIT_STREAMS)
    n = counts["n_weights"]
    total = {**counts, "bits_per_weight": n_bits / n if n else None}
    if layers and "input_bits" in layers[0]:
        total["input_bits"] = sum(layer["input_bits"] for layer in layers)
        total["ratio"] = total["input_bits"] / n_bits
    return total
