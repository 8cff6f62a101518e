"""A safetensors file to a compressed model; whatever does not fit is refused by the tensor's name."""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from xorjax.codec.layout import LAYOUTS, count_slices
from xorjax.codec.xor import STREAMS, Encoded
from xorjax.container.format import (
    FORMATS,
    MAX_LAYOUT_SEED,
    MAX_PATCH_BLOCK,
    METADATA_KEYS,
    PARAMS,
    VERSION,
    WEIGHTS_PER_BYTE,
    ContainerError,
    checksum,
    layer_tensor,
    network_tensor,
)
from xorjax.container.model import CompressedLayer, CompressedModel
from xorjax.container.planes import decode_plane, plane_sha256
from xorjax.container.tensors import MAX_NDIM, from_bytes
from xorjax.gf2.network import MAX_N_IN, XorNetwork
from xorjax.gf2.pack import pack_codes, unpack_codes
from xorjax.masks import MASK_CODECS, EncodedMask

_TOO_MANY = 2**48  # more than any file holds; NumPy's own limits are not reached below it


def load(path: str | Path) -> CompressedModel:
    """The model in the file at `path`, after every check except decoding the planes, which `verify` adds.

    Raises:
        ContainerError: the file is short, damaged, of a newer version, or holds an unknown id, a wrong shape,
            a non-finite scale or a tensor that nothing uses.
        OSError: the file cannot be read.
    """
    return _read(Path(path))[0]


def verify(path: str | Path) -> list[str]:
    """Loads the file, decodes every plane and compares its SHA-256 with the one stored.

    Returns:
        The planes that were checked, such as "layers/fc1/kernel/planes/0".

    Raises:
        ContainerError: as `load`, or a plane does not decode to the one that was saved.
        OSError: the file cannot be read.
    """
    model, hashes = _read(Path(path))
    for name, sha256 in hashes.items():
        if plane_sha256(decode_plane(model.planes[name])) != sha256:
            raise ContainerError(f"{path}: tensor {name!r} does not decode to the plane that was saved")
    return list(hashes)


def _read(path: Path) -> tuple[CompressedModel, dict[str, str]]:
    try:
        data = path.read_bytes()
        tensors, metadata = from_bytes(data)
        spec = _spec(metadata)
        _check_sums(tensors, _get(spec, "checksums", dict))
        return _model(tensors, spec, WEIGHTS_PER_BYTE * len(data))
    except ValueError as error:
        raise ContainerError(f"{path}: {error}") from error


def _spec(metadata: dict[str, str]) -> dict[str, Any]:
    """The JSON spec, once the format, its version and the spec's hash are right."""
    format, version = metadata.get("format"), metadata.get("format_version", "")
    if format not in FORMATS:
        if format is None:
            raise ValueError(
                "metadata: it names no format, as a file of xorjax does; `xorjax compress` makes one"
            )
        raise ValueError(f"metadata: format is {format!r}, not {FORMATS[0]!r}")
    if version != str(VERSION):
        newer = "; a newer xorjax wrote it" if version.isdecimal() and int(version) > VERSION else ""
        raise ValueError(f"metadata: format_version is {version!r}, and this reads {VERSION}{newer}")
    if set(metadata) != METADATA_KEYS:
        raise ValueError(f"metadata: the keys are {sorted(metadata)}, not {sorted(METADATA_KEYS)}")
    if hashlib.sha256(metadata["spec"].encode()).hexdigest() != metadata["spec_sha256"]:
        raise ValueError("metadata: spec does not have the SHA-256 that spec_sha256 gives")
    try:
        spec = json.loads(metadata["spec"])
    except (ValueError, RecursionError) as error:
        raise ValueError(f"spec: it is not JSON ({error})") from error
    if not isinstance(spec, dict):
        raise ValueError("spec: it is not a JSON object")
    return spec


def _check_sums(tensors: dict[str, np.ndarray], checksums: dict[str, Any]) -> None:
    for name in sorted(tensors.keys() ^ checksums.keys()):
        raise ValueError(f"tensor {name!r} is {'missing' if name in checksums else 'not in the spec'}")
    for name, array in tensors.items():
        if checksum(array) != checksums[name]:
            raise ValueError(f"tensor {name!r} is damaged: its CRC-32 is not {checksums[name]}")


def _model(
    tensors: dict[str, np.ndarray], spec: dict[str, Any], max_weights: int
) -> tuple[CompressedModel, dict[str, str]]:
    """The model, and the SHA-256 of each of its planes."""
    unread = dict(tensors)
    networks = [_network(unread, i, entry) for i, entry in enumerate(_get(spec, "networks", list))]
    layers, hashes = {}, {}
    for name, entry in _get(spec, "layers", dict).items():
        layers[name] = _layer(unread, name, entry, networks, max_weights)
        max_weights -= layers[name].n_weights
        hashes |= {layer_tensor(name, f"planes/{i}"): sha256 for i, sha256 in enumerate(entry["sha256"])}
    params = {name.removeprefix(PARAMS): unread.pop(name) for name in list(unread) if name.startswith(PARAMS)}
    for name in unread:
        raise ValueError(f"tensor {name!r} belongs to no layer, network or parameter of the spec")
    metadata = _get(spec, "metadata", dict)
    if not all(isinstance(value, str) for value in metadata.values()):
        raise ValueError("spec: metadata is not a map from strings to strings")
    return CompressedModel(layers, params, metadata), hashes


def _network(unread: dict[str, np.ndarray], index: int, entry: object) -> XorNetwork:
    name = network_tensor(index)
    n_in, n_out = _count(entry, "n_in", name), _count(entry, "n_out", name)
    with _naming(name):
        stream = _pop_stream(unread, name)
        if not 1 <= n_in <= MAX_N_IN:
            raise ValueError(f"n_in is {n_in}, not 1 to {MAX_N_IN}")
        if len(stream) != -(-n_in * n_out // 8):
            raise ValueError(f"{len(stream)} bytes are not {n_out} rows of {n_in} bits")
        rows = unpack_codes(stream, n_in, n_out)
        if not np.array_equal(pack_codes(rows, n_in), stream):
            raise ValueError("a bit is set after the last row")
        bits = np.ascontiguousarray(rows, "<u8").view(np.uint8)
        net = XorNetwork.from_matrix(np.unpackbits(bits, axis=1, count=n_in, bitorder="little"))
        if net.sha256 != _get(entry, "sha256", str, name):
            raise ValueError("the matrix does not have the SHA-256 that the spec gives")
    seed, taps = _get(entry, "seed", int | None, name), _get(entry, "taps", int | None, name)
    return XorNetwork(net.matrix, seed, taps)


def _layer(
    unread: dict[str, np.ndarray], name: str, entry: object, networks: list[XorNetwork], max_weights: int
) -> CompressedLayer:
    where = f"layers/{name}"
    shape = tuple(_get_list(entry, "shape", int, where))
    if not all(0 <= size < _TOO_MANY for size in shape) or len(shape) > MAX_NDIM:
        raise ValueError(f"spec: {where} has shape {list(shape)}")
    if not 0 < prod(shape) <= max_weights:
        raise ValueError(
            f"spec: {where} has {prod(shape)} weights; 1 to {max_weights} fit a file of its size"
        )
    network = _count(entry, "network", where)
    if network >= len(networks):
        raise ValueError(f"spec: {where} uses network {network} of {len(networks)}")
    net = networks[network]
    settings = (
        _get(entry, "method", str, where),
        _get(entry, "patch_format", str, where),
        _count(entry, "patch_block", where, MAX_PATCH_BLOCK),
        _get(entry, "layout", str, where),
        _count({"layout_seed": 0, **_object(entry, where)}, "layout_seed", where, MAX_LAYOUT_SEED),
    )
    n_planes = len(_get_list(entry, "sha256", str, where))
    n_bounded = _n_bounded(entry, where, n_planes)
    streams = [
        {stream: _pop_stream(unread, layer_tensor(name, f"planes/{i}/{stream}")) for stream in STREAMS}
        for i in range(n_planes)
    ]
    for i in range(n_planes):
        with _naming(layer_tensor(name, f"planes/{i}")):
            _check_codes(streams[i]["codes"], shape, net, settings[3])
    index = _index(unread, name, _get(entry, "mask_codec", str, where), shape)
    planes = []
    for i in range(n_planes):
        with _naming(layer_tensor(name, f"planes/{i}")):
            planes.append(Encoded.from_streams(streams[i], index.mask, net, *settings, n_bounded[i]))
    with _naming(layer_tensor(name, "scales")):
        scales = _pop(unread, layer_tensor(name, "scales"))
        if scales.dtype != np.float32:
            raise ValueError(f"dtype {scales.dtype} is not float32")
        return CompressedLayer(name, tuple(planes), index, scales)


def _index(unread: dict[str, np.ndarray], name: str, codec: str, shape: tuple[int, ...]) -> EncodedMask:
    with _naming(layer_tensor(name, "mask")):
        names = MASK_CODECS.find(codec).stream_names
        streams = {stream: _pop_stream(unread, layer_tensor(name, f"mask/{stream}")) for stream in names}
        index = EncodedMask(codec, shape, streams)
        if index.mask.shape != shape:
            raise ValueError(f"it decodes to shape {index.mask.shape}, not {shape}")
    return index


def _check_codes(stream: np.ndarray, shape: tuple[int, ...], net: XorNetwork, layout: str) -> None:
    """Before anything is decoded, so that a shape that lies costs nothing."""
    if layout not in LAYOUTS:
        raise ValueError(f"layout must be one of {', '.join(LAYOUTS)}, not {layout!r}")
    n_slices = count_slices(shape, net.n_out, layout)
    if len(stream) != -(-n_slices * net.n_in // 8):
        raise ValueError(
            f"stream 'codes': {len(stream)} bytes are not {n_slices} code words of {net.n_in} bits"
        )


def _n_bounded(entry: object, where: str, n_planes: int) -> list[int]:
    if "n_bounded" not in _object(entry, where):
        return [0] * n_planes
    counts = _get_list(entry, "n_bounded", int, where)
    if len(counts) != n_planes or not all(0 <= count < _TOO_MANY for count in counts):
        raise ValueError(f"spec: {where} has 'n_bounded' {counts}, not a count a plane")
    return counts


def _pop(unread: dict[str, np.ndarray], name: str) -> np.ndarray:
    if name not in unread:
        raise ValueError(f"tensor {name!r} is missing")
    return unread.pop(name)


def _pop_stream(unread: dict[str, np.ndarray], name: str) -> np.ndarray:
    stream = _pop(unread, name)
    if stream.dtype != np.uint8 or stream.ndim != 1:
        raise ValueError(f"tensor {name!r} is {stream.dtype}{list(stream.shape)}, not a stream of bytes")
    return stream


def _get(entry: object, key: str, kind: Any, where: str = "the spec") -> Any:
    # bool is a subclass of int, and true is no count.
    if not isinstance(entry, dict) or not isinstance(entry.get(key), kind) or isinstance(entry[key], bool):
        raise ValueError(f"spec: {where} lacks {key!r}, or it is not of type {kind}")
    return entry[key]


def _count(entry: object, key: str, where: str, largest: int = _TOO_MANY - 1) -> int:
    count = _get(entry, key, int, where)
    if not 0 <= count <= largest:
        raise ValueError(f"spec: {where} has {key!r} {count}, not 0 to {largest}")
    return count


def _object(entry: object, where: str) -> dict[str, Any]:
    if not isinstance(entry, dict):
        raise ValueError(f"spec: {where} is not an object")
    return entry


def _get_list(entry: object, key: str, kind: type, where: str) -> list[Any]:
    values = _get(entry, key, list, where)
    if not all(type(value) is kind for value in values):
        raise ValueError(f"spec: {where} has {key!r} with an entry that is not of type {kind}")
    return values


@contextmanager
def _naming(tensor: str) -> Iterator[None]:
    try:
        yield
    except ValueError as error:
        raise ValueError(f"tensor {tensor!r}: {error}") from error
