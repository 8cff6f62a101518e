"""A compressed model to one safetensors file: the same model always gives the same bytes."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from xorjax.codec.code import EncodedPlanes
from xorjax.container.format import (
    BITS_PER_BYTE,
    FORMAT,
    HASH_DIGITS,
    PACKED,
    PARAMS,
    VERSION,
    ContainerError,
    array_sha256,
    layer_tensor,
    param_tensor,
    shared_tensor,
)
from xorjax.container.model import CompressedLayer, CompressedModel, decode_planes, plane_sha256
from xorjax.container.narrow import narrowed
from xorjax.container.packed import entry_of, is_small, pack
from xorjax.container.spec import LAYER_DEFAULTS, short_code_spec
from xorjax.container.tensors import Description, Raw, describe, dtype_id, make_header, write_made
from xorjax.errors import about
from xorjax.files import replacing


def save(path: str | Path, model: CompressedModel) -> None:
    """Writes `model` to `path`, whole or not at all: a temporary file beside it, fsync, rename.

    Raises:
        ContainerError: `model` is none, a parameter has a dtype that the format does not know, or the layers' planes
            have more than `BITS_PER_BYTE` bits for each byte of the file.
        OSError: the file cannot be written.
    """
    if not isinstance(model, CompressedModel):
        raise ContainerError(
            f"save(path, model): model is a {type(model).__name__}, expected what `compress` or `load` returns"
        )
    save_made(path, _sorted_layers(model), model.params, model.metadata)


def save_made(
    path: str | Path,
    layers: Iterable[CompressedLayer],
    params: Mapping[str, Any],
    metadata: Mapping[str, str],
) -> None:
    """Writes the file that `save` writes. `layers` are in the order of their names and may be made one by one.

    Memory holds what is written of each layer, and one parameter at a time: `params` may read it from a disk.

    Raises:
        ContainerError: as `save`.
        OSError: the file cannot be written, or what makes the layers raises it.
    """
    whole = _Content(layers, params, metadata)
    with replacing(Path(path)) as temporary, temporary.open("wb") as file:
        write_made(file, whole.described, whole.read, whole.metadata)
        if whole.n_plane_bits > BITS_PER_BYTE * file.tell():
            raise ContainerError(
                f"planes of {whole.n_plane_bits} bits in {file.tell()} bytes are over {BITS_PER_BYTE} a byte, which no "
                "reader would take: prune less"
            )


def file_bytes(model: CompressedModel) -> int:
    """The size of the file that `save` writes: all layers, what they share, uncompressed parameters and the header."""
    whole = _Content(_sorted_layers(model), model.params, model.metadata)
    header, _ = make_header(whole.described, whole.metadata)
    return len(header) + sum(n_bytes for _, _, n_bytes in whole.described.values())


class _Content:
    """A file's tensors, large parameters read when they are asked for and all others held, and its metadata."""

    metadata: ClassVar[dict[str, str]] = {"format": FORMAT, "format_version": str(VERSION)}

    def __init__(
        self,
        layers: Iterable[CompressedLayer],
        params: Mapping[str, Any],
        metadata: Mapping[str, str],
    ):
        self._held: dict[str, np.ndarray | Raw] = {}
        self._params = params
        self.described: dict[str, Description] = {}
        self.n_plane_bits = 0
        self._entries: dict[str, dict[str, Any]] = {}
        self._small: dict[str, np.ndarray] = {}
        specs = {}
        shared = _Shared()
        for layer in layers:
            for part, array in layer_tensors(layer).items():
                self._add(layer_tensor(layer.name, part), array, hold=True)
            specs[layer.name] = _layer_spec(layer, shared)
            self.n_plane_bits += layer.values.n_planes * layer.n_weights
            del layer  # the next one is made before the name is bound again
        for name, array in shared.tensors.items():
            self._add(name, array, hold=True)
        for name in params:
            self._add(param_tensor(name), self._param(name), hold=False)
        spec = {"layers": specs, "tensors": self._entries, "metadata": dict(metadata)}
        packed = pack(spec, self._small)
        self._held[PACKED], self.described[PACKED] = packed, describe(packed)

    def _add(self, name: str, array: np.ndarray | Raw, hold: bool) -> None:
        stored, exponent = narrowed(array)
        self._entries[name] = entry_of(stored, exponent)
        if is_small(stored):
            self._small[name] = stored
            return
        self.described[name] = describe(stored)
        if hold:
            self._held[name] = stored

    def read(self, tensor: str) -> np.ndarray | Raw:
        held = self._held.get(tensor)
        return narrowed(self._param(tensor.removeprefix(PARAMS)))[0] if held is None else held

    def _param(self, name: str) -> np.ndarray | Raw:
        array = self._params[name]
        array = array if isinstance(array, Raw) else np.asanyarray(array)
        with about(f"parameter {name!r}", ContainerError):
            dtype_id(array)
        return array


def _sorted_layers(model: CompressedModel) -> Iterator[CompressedLayer]:
    return (model.layers[name] for name in sorted(model.layers))


def layer_tensors(layer: CompressedLayer) -> dict[str, np.ndarray]:
    """What is written for a layer: "planes/0/STREAM", ..., "mask/STREAM", "scales" -> array."""
    tensors: dict[str, np.ndarray] = {
        f"planes/{name}": stream for name, stream in layer.values.streams.items()
    }
    if layer.index is not None:
        tensors |= {f"mask/{name}": stream for name, stream in layer.index.streams.items()}
    return tensors | {"scales": layer.scales}


class _Shared:
    """What layers have in common and no code draws, equal arrays once, numbered in the order of their first use."""

    def __init__(self):
        self.tensors: dict[str, np.ndarray] = {}
        self._numbers: dict[tuple, int] = {}

    def entries(self, values: EncodedPlanes) -> dict[str, Any]:
        """Each array's number, or the hash of one that the reader draws again."""
        given = values.given()
        return {
            name: self._number(name, array)
            if name in given
            else {"sha256": array_sha256(array)[:HASH_DIGITS]}
            for name, array in values.shared.items()
        }

    def _number(self, name: str, array: np.ndarray) -> int:
        key = name, dtype_id(array), array.shape, array.tobytes()
        number = self._numbers.setdefault(key, len(self._numbers))
        self.tensors[shared_tensor(number, name)] = array
        return number


def _layer_spec(layer: CompressedLayer, shared: _Shared) -> dict[str, Any]:
    """What is as usual is left out."""
    spec = {
        "shape": list(layer.shape),
        "code": short_code_spec(layer.code),
        "mask": None if layer.index is None else {"codec": layer.index.codec},
        "shared": shared.entries(layer.values),
        "sha256": [plane_sha256(plane)[:HASH_DIGITS] for plane in decode_planes(layer)],
        "notes": dict(layer.values.notes),
    }
    return {key: value for key, value in spec.items() if LAYER_DEFAULTS.get(key, value is None) != value}
