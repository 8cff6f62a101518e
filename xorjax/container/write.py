"""A compressed model to one safetensors file: the same model always gives the same bytes."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from io import BytesIO
from pathlib import Path

import numpy as np

from xorjax.container.format import (
    FORMATS,
    PARAMS,
    VERSION,
    WEIGHTS_PER_BYTE,
    checksum,
    layer_tensor,
    network_tensor,
    param_tensor,
)
from xorjax.container.model import CompressedLayer, CompressedModel
from xorjax.container.planes import decode_plane, plane_sha256
from xorjax.container.tensors import describe, dtype_id, write_made, write_tensors
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
    save_made(path, _sorted_layers(model), model.params, model.metadata)


def save_made(
    path: str | Path,
    layers: Iterable[CompressedLayer],
    params: Mapping[str, np.ndarray],
    metadata: Mapping[str, str],
) -> None:
    """The file that `save` writes, of layers that are made one after the other, in the order of their names.

    Of each only what is written is held, and no parameter, so that `params` may read one when it is asked for it.

    Raises:
        ValueError: as `save`.
        OSError: the file cannot be written, or what makes the layers raises it.
    """
    whole = _Content(layers, params, metadata)
    with replacing(Path(path)) as temporary, temporary.open("wb") as file:
        write_made(file, whole.described, whole.read, whole.metadata)
        if whole.n_weights > WEIGHTS_PER_BYTE * file.tell():
            raise ValueError(
                f"{whole.n_weights} weights in {file.tell()} bytes are over {WEIGHTS_PER_BYTE} a byte, which no "
                "reader would take: prune less"
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
    whole = _Content(_sorted_layers(model), model.params, model.metadata)
    return {name: whole.read(name) for name in whole.described}, whole.metadata


class _Content:
    """A file's tensors, those of the layers held and the parameters read when they are asked for, and its metadata."""

    def __init__(
        self,
        layers: Iterable[CompressedLayer],
        params: Mapping[str, np.ndarray],
        metadata: Mapping[str, str],
    ):
        self._held: dict[str, np.ndarray] = {}
        self._params = params
        self.n_weights = 0
        networks: list[XorNetwork] = []
        specs = {}
        for layer in layers:
            if layer.net not in networks:
                networks.append(layer.net)
            self._held |= {
                layer_tensor(layer.name, part): data for part, data in layer_tensors(layer).items()
            }
            specs[layer.name] = _layer_spec(layer, networks.index(layer.net))
            self.n_weights += layer.n_weights
            del layer  # the next one is made before the name is bound again
        self._held |= {network_tensor(i): matrix_stream(net) for i, net in enumerate(networks)}
        checksums = {name: checksum(array) for name, array in self._held.items()}
        self.described = describe(self._held)
        for name in params:
            array = self._read_param(name)
            self.described[param_tensor(name)] = dtype_id(array), array.shape
            checksums[param_tensor(name)] = checksum(array)
            del array
        spec = {
            "layers": specs,
            "networks": [_network_spec(net) for net in networks],
            "checksums": checksums,
            "metadata": dict(metadata),
        }
        text = json.dumps(spec, sort_keys=True, separators=(",", ":"))
        self.metadata = {
            "format": FORMATS[0],
            "format_version": str(VERSION),
            "spec": text,
            "spec_sha256": hashlib.sha256(text.encode()).hexdigest(),
        }

    def read(self, tensor: str) -> np.ndarray:
        held = self._held.get(tensor)
        return self._read_param(tensor.removeprefix(PARAMS)) if held is None else held

    def _read_param(self, name: str) -> np.ndarray:
        array = np.asanyarray(self._params[name])
        try:
            dtype_id(array)
        except ValueError as error:
            raise ValueError(f"parameter {name!r}: {error}") from error
        return array


def _sorted_layers(model: CompressedModel) -> Iterator[CompressedLayer]:
    return (model.layers[name] for name in sorted(model.layers))


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
