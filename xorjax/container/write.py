"""A compressed model to one safetensors file: the same model always gives the same bytes."""

import hashlib
import json
from io import BytesIO
from pathlib import Path

import numpy as np

from xorjax.container.format import (
    FORMATS,
    VERSION,
    WEIGHTS_PER_BYTE,
    checksum,
    layer_tensor,
    network_tensor,
    param_tensor,
)
from xorjax.container.model import CompressedLayer, CompressedModel
from xorjax.container.planes import decode_plane, plane_sha256
from xorjax.container.tensors import dtype_id, write_tensors
from xorjax.files import replacing
from xorjax.gf2.network import XorNetwork
from xorjax.gf2.pack import pack_codes


def save(path: str | Path, model: CompressedModel) -> None:
    """Writes `model` to `path`, whole or not at all: a temporary file beside it, fsync, rename.

    Raises:
        ValueError: a parameter has a dtype that the format does not know, or the layers have more than
            `WEIGHTS_PER_BYTE` weights for each byte of the file.
        OSError: the file cannot be written.
    """
    tensors, metadata = content(model)
    with replacing(Path(path)) as temporary, temporary.open("wb") as file:
        write_tensors(file, tensors, metadata)
        n_weights = sum(layer.n_weights for layer in model.layers.values())
        if n_weights > WEIGHTS_PER_BYTE * file.tell():
            raise ValueError(
                f"{n_weights} weights in {file.tell()} bytes are over {WEIGHTS_PER_BYTE} a byte, which no reader "
                "would take: prune less"
            )


def serialize(model: CompressedModel) -> bytes:
    """The bytes that `save` writes.

    Raises:
        ValueError: a parameter has a dtype that the format does not know.
    """
    file = BytesIO()
    write_tensors(file, *content(model))
    return file.getvalue()


def content(model: CompressedModel) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """The file's tensors and metadata.

    Raises:
        ValueError: a parameter has a dtype that the format does not know.
    """
    networks = model.networks
    tensors = {network_tensor(i): matrix_stream(net) for i, net in enumerate(networks)}
    for layer in model.layers.values():
        tensors |= {layer_tensor(layer.name, part): array for part, array in layer_tensors(layer).items()}
    tensors |= {param_tensor(name): _param(name, array) for name, array in model.params.items()}
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
    return tensors, metadata


def layer_tensors(layer: CompressedLayer) -> dict[str, np.ndarray]:
    """What is written for a layer: "planes/0/codes", ..., "mask/STREAM", "scales" -> array."""
    tensors: dict[str, np.ndarray] = {}
    for index, plane in enumerate(layer.planes):
        tensors |= {f"planes/{index}/{name}": stream for name, stream in plane.streams.items()}
    tensors |= {f"mask/{name}": stream for name, stream in layer.index.streams.items()}
    return tensors | {"scales": layer.scales}


def matrix_stream(net: XorNetwork) -> np.ndarray:
    """M as n_out fields of n_in bits, back to back; bit j of a field is column j."""
    return pack_codes(net.rows, net.n_in)


def _layer_spec(layer: CompressedLayer, network: int) -> dict:
    plane = layer.planes[0]
    spec = {
        "shape": list(layer.shape),
        "network": network,
        "method": plane.method,
        "patch_format": plane.patch_format,
        "patch_block": plane.patch_block,
        "layout": plane.layout,
        "mask_codec": layer.index.codec,
        "sha256": [plane_sha256(decode_plane(plane)) for plane in layer.planes],
    }
    # Absent where they say nothing, so that a file is the same as before there were such keys.
    if plane.layout_seed:
        spec["layout_seed"] = plane.layout_seed
    if any(plane.n_bounded for plane in layer.planes):
        spec["n_bounded"] = [plane.n_bounded for plane in layer.planes]
    return spec


def _network_spec(net: XorNetwork) -> dict:
    return {"n_in": net.n_in, "n_out": net.n_out, "seed": net.seed, "taps": net.taps, "sha256": net.sha256}


def _param(name: str, array: np.ndarray) -> np.ndarray:
    array = np.asanyarray(array)
    try:
        dtype_id(array)
    except ValueError as error:
        raise ValueError(f"parameter {name!r}: {error}") from error
    return array
