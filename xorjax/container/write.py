"""A compressed model to one safetensors file: the same model always gives the same bytes."""

import hashlib
import json
import os
import secrets
from pathlib import Path

import numpy as np

from xorjax.container.format import (
    FORMATS,
    VERSION,
    checksum,
    layer_tensor,
    network_tensor,
    param_tensor,
)
from xorjax.container.model import CompressedLayer, CompressedModel
from xorjax.container.planes import decode_plane, plane_sha256
from xorjax.container.tensors import dtype_id, to_bytes
from xorjax.gf2.network import XorNetwork
from xorjax.gf2.pack import pack_fields
from xorjax.masks import get_mask_codec


def save(path: str | Path, model: CompressedModel) -> None:
    """Writes `model` to `path`, whole or not at all: a temporary file beside it, fsync, rename.

    Raises:
        ValueError: a parameter is not a float array that the format knows.
        OSError: the file cannot be written.
    """
    path = Path(path)
    data = serialize(model)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def serialize(model: CompressedModel) -> bytes:
    """The bytes that `save` writes.

    Raises:
        ValueError: a parameter is not a float array that the format knows.
    """
    networks = model.networks
    tensors = {network_tensor(i): matrix_stream(net) for i, net in enumerate(networks)}
    for layer in model.layers.values():
        tensors |= {layer_tensor(layer.name, part): array for part, array in layer_tensors(layer).items()}
    tensors |= {param_tensor(name): _float_array(name, array) for name, array in model.params.items()}
    spec = {
        "layers": {
            name: _layer_spec(layer, networks.index(layer.net)) for name, layer in model.layers.items()
        },
        "networks": [_network_spec(net) for net in networks],
        "checksums": {name: checksum(array) for name, array in tensors.items()},
        "metadata": model.metadata,
    }
    text = json.dumps(spec, sort_keys=True, separators=(",", ":"))
    metadata = {
        "format": FORMATS[0],
        "format_version": str(VERSION),
        "spec": text,
        "spec_sha256": hashlib.sha256(text.encode()).hexdigest(),
    }
    return to_bytes(tensors, metadata)


def layer_tensors(layer: CompressedLayer) -> dict[str, np.ndarray]:
    """What is written for a layer: "planes/0/codes", ..., "mask/STREAM", "scales" -> array."""
    tensors: dict[str, np.ndarray] = {}
    for index, plane in enumerate(layer.planes):
        tensors |= {f"planes/{index}/{name}": stream for name, stream in plane.streams.items()}
    mask = get_mask_codec(layer.mask_codec).encode(layer.mask)
    tensors |= {f"mask/{name}": stream for name, stream in mask.items()}
    return tensors | {"scales": layer.scales}


def matrix_stream(net: XorNetwork) -> np.ndarray:
    """M as n_out fields of n_in bits, back to back; bit j of a field is column j."""
    return pack_fields(net.rows, net.n_in)


def _layer_spec(layer: CompressedLayer, network: int) -> dict:
    plane = layer.planes[0]
    return {
        "shape": list(layer.shape),
        "network": network,
        "method": plane.method,
        "patch_format": plane.patch_format,
        "patch_block": plane.patch_block,
        "layout": plane.layout,
        "mask_codec": layer.mask_codec,
        "sha256": [plane_sha256(decode_plane(plane)) for plane in layer.planes],
    }


def _network_spec(net: XorNetwork) -> dict:
    return {"n_in": net.n_in, "n_out": net.n_out, "seed": net.seed, "taps": net.taps, "sha256": net.sha256}


def _float_array(name: str, array: np.ndarray) -> np.ndarray:
    array = np.asarray(array)
    if not np.issubdtype(array.dtype, np.floating):
        raise ValueError(f"parameter {name!r} has dtype {array.dtype}, not a float's")
    try:
        dtype_id(array)
    except ValueError as error:
        raise ValueError(f"parameter {name!r}: {error}") from error
    return array
