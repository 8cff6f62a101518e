"""A finished point recomputed from its files with NumPy alone, by docs/format.md and a printed table of Student's t."""

import json
import math
import zlib
from pathlib import Path

import numpy as np

T_975 = {1: 12.706, 2: 4.303, 3: 3.182, 4: 2.776}
"""By degrees of freedom."""
TYPES = {
    "U8": "<u1",
    "I8": "<i1",
    "U16": "<u2",
    "I16": "<i2",
    "F32": "<f4",
    "F16": "<f2",
    "I32": "<i4",
    "BOOL": "?",
}


def safetensors(file: Path) -> dict[str, np.ndarray]:
    data = file.read_bytes()
    start = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:start])
    header.pop("__metadata__", None)
    found = {}
    for name, entry in header.items():
        first, last = (start + offset for offset in entry["data_offsets"])
        found[name] = np.frombuffer(data[first:last], TYPES[entry["dtype"]]).reshape(entry["shape"])
    return found


def compressed(file: Path) -> tuple[dict[str, np.ndarray], dict[str, int]]:
    """The tensors of a compressed file, those that are packed too, and the bytes of each as it is stored."""
    tensors = safetensors(file)
    inflate = zlib.decompressobj(-15)
    spec = json.loads(inflate.decompress(tensors.pop("packed").tobytes()[4:]))
    behind, found = inflate.unused_data, {}
    for name, entry in sorted(spec["tensors"].items()):
        if "dtype" in entry:
            n_bytes = np.dtype(TYPES[entry["dtype"]]).itemsize * math.prod(entry["shape"])
            tensors[name] = np.frombuffer(behind[:n_bytes], TYPES[entry["dtype"]]).reshape(entry["shape"])
            behind = behind[n_bytes:]
        wide = "exponent" in entry
        found[name] = (
            tensors[name].astype(np.float32) * np.float32(2.0 ** entry["exponent"]) if wide else tensors[name]
        )
    return found, {name: tensor.nbytes for name, tensor in tensors.items()}


def decoded(file: Path, layer: str, shape: tuple[int, ...]) -> tuple[dict[str, np.ndarray], float]:
    """The parameters of a file with one layer, its signs packed behind a bitmap; and its bits per weight."""
    tensors, n_bytes = compressed(file)
    params = {name.removeprefix("params/"): v for name, v in tensors.items() if name.startswith("params/")}
    own = {name: v for name, v in tensors.items() if name.startswith(f"layers/{layer}/")}
    n = int(np.prod(shape))
    kept = np.unpackbits(own[f"layers/{layer}/mask/bits"], count=n, bitorder="little") == 1
    signs = own[f"layers/{layer}/planes/0/signs"]
    weights = np.zeros(n, np.float32)
    bits = np.unpackbits(signs, count=int(kept.sum()), bitorder="little")
    weights[kept] = np.where(bits == 1, np.float32(1), np.float32(-1))
    (scale,) = own[f"layers/{layer}/scales"].ravel()
    params[layer] = (scale * weights).reshape(shape)
    return params, 8 * sum(n_bytes[name] for name in own) / n


def lenet5(params: dict[str, np.ndarray], images: np.ndarray) -> np.ndarray:
    x = images.astype(np.float32) / 255
    for block in ("conv1", "conv2"):
        kernel = params[f"{block}/kernel"]
        windows = np.lib.stride_tricks.sliding_window_view(x, kernel.shape[:2], axis=(1, 2))
        x = np.einsum("nyxcij,ijco->nyxo", windows, kernel, optimize=True) + params[f"{block}/bias"]
        n, rows, columns, channels = x.shape
        x = np.maximum(x.reshape(n, rows // 2, 2, columns // 2, 2, channels).max(axis=(2, 4)), 0)
    x = x.reshape(len(x), -1)
    x = np.maximum(x @ params["fc1/kernel"] + params["fc1/bias"], 0)
    return x @ params["fc2/kernel"] + params["fc2/bias"]


def accuracy(params: dict[str, np.ndarray], images: np.ndarray, labels: np.ndarray) -> float:
    return float(np.mean(lenet5(params, images).argmax(axis=1) == labels))


def interval(values: list[float]) -> tuple[float, float]:
    """The mean, and half its 95 % interval."""
    n = len(values)
    mean = sum(values) / n
    deviation = (sum((value - mean) ** 2 for value in values) / (n - 1)) ** 0.5
    return mean, T_975[n - 1] * deviation / n**0.5
