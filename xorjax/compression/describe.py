"""What is said of a compressed layer, a parameter and whole files: plain values, for JSON and for tables."""

from collections import Counter
from collections.abc import Iterable, Sequence
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from xorjax.compression.checkpoint import Tensor
from xorjax.compression.layer import relative_error
from xorjax.container import CompressedLayer, layer_bits
from xorjax.container.parts import PARTS, file_parts
from xorjax.container.tensors import Raw
from xorjax.streams import BIT_STREAMS
from xorjax.tiles import Weights


def describe_layer(layer: CompressedLayer) -> dict[str, Any]:
    """A layer's shape, settings and bits by stream; bits are counted from the bytes of the streams."""
    bits, n = layer_bits(layer), layer.n_weights
    n_kept = int(layer.mask.sum())
    return {
        "name": layer.name,
        "shape": list(layer.shape),
        "n_weights": n,
        "n_kept": n_kept,
        "prune_rate": 1 - n_kept / n,
        "n_planes": layer.values.n_planes,
        "scale_dtype": str(layer.scales.dtype),
        "code": layer.code.id,
        "mask_codec": None if layer.index is None else layer.index.codec,
        **layer.code.describe(layer.values),
        **bits,
        "value_bits": bits["code_bits"] + bits["patch_bits"],
        "bits_per_weight": sum(bits.values()) / n,
    }


def describe_made(layer: CompressedLayer, weights: Weights, input_bits: int) -> dict[str, Any]:
    """`describe_layer`, and how the layer compares with the weights that it was made of."""
    described = describe_layer(layer)
    ratio = input_bits / (described["bits_per_weight"] * layer.n_weights)
    error = relative_error(weights, layer)
    return {**described, "input_bits": input_bits, "ratio": ratio, "relative_error": error}


def describe_param(name: str, array: np.ndarray | Raw | Tensor) -> dict[str, Any]:
    return {
        "name": name,
        "dtype": str(array.dtype),
        "shape": list(array.shape),
        "bytes": array.nbytes,
    }


def describe_sizes(
    files: Iterable[Path], layers: Sequence[dict[str, Any]], params: Sequence[dict[str, Any]]
) -> dict[str, Any]:
    """The bytes of the files of one model, by what they are spent on, and bits per parameter.

    Every value that the files hold is a parameter, compressed or not, a batch normalization's statistics too.
    """
    parts = Counter()
    for file in files:
        parts.update(file_parts(file))
    n = sum(layer["n_weights"] for layer in layers) + sum(prod(param["shape"]) for param in params)
    return {
        "file_bytes": parts.total(),
        "n_parameters": n,
        "file_bits_per_parameter": 8 * parts.total() / n if n else None,
        "parts": {
            name: {"bytes": parts[name], "bits_per_parameter": 8 * parts[name] / n if n else None}
            for name in PARTS
        },
    }


def plainer(layers: Sequence[dict[str, Any]], pruned_here: bool) -> dict[str, Any] | None:
    """The plainer code in which the file's XOR layers would take fewer bits, without scales; None where none does.

    `signs` takes a bit a kept weight beside the same mask. `dense` takes one a weight and no mask; it only stands for
    layers that were `pruned_here`: weights that were pruned before are zeros, and have no signs.
    """
    coded = [layer for layer in layers if layer["code"] == "xor"]
    values = sum(layer["code_bits"] + layer["patch_bits"] for layer in coded)
    index = sum(layer["index_bits"] for layer in coded)
    rivals = {"signs": index + sum(layer["n_planes"] * _whole_bytes(layer["n_kept"]) for layer in coded)}
    if pruned_here:
        rivals["dense"] = sum(layer["n_planes"] * _whole_bytes(layer["n_weights"]) for layer in coded)
    code = min(rivals, key=lambda code: rivals[code])
    if rivals[code] >= values + index:
        return None
    n = sum(layer["n_weights"] for layer in coded)
    return {"code": code, "n_weights": n, "n_bits": rivals[code], "n_bits_now": values + index}


def _whole_bytes(n_bits: int) -> int:
    return 8 * -(-n_bits // 8)


def totals(layers: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The sums over the layers, and their bits per weight; the ratio too, where they say what they were made of."""
    counts = {kind: sum(layer[kind] for layer in layers) for kind in ("n_weights", "n_kept", *BIT_STREAMS)}
    n_bits = sum(counts[kind] for kind in BIT_STREAMS)
    n = counts["n_weights"]
    total = {
        **counts,
        "value_bits": counts["code_bits"] + counts["patch_bits"],
        "bits_per_weight": n_bits / n if n else None,
    }
    if layers and "input_bits" in layers[0]:
        total["input_bits"] = sum(layer["input_bits"] for layer in layers)
        total["ratio"] = total["input_bits"] / n_bits
    return total
