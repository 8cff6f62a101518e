"""A safetensors file to a compressed model; whatever does not fit is refused by the tensor's name."""

import hashlib
from dataclasses import replace
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from xorjax.codec.code import EncodedPlanes
from xorjax.container.format import (
    BITS_PER_BYTE,
    FORMAT,
    HASH_DIGITS,
    METADATA_KEYS,
    OF_LAYER,
    PARAMS,
    VERSION,
    ContainerError,
    array_sha256,
    check_sum,
    layer_tensor,
    shared_tensor,
)
from xorjax.container.model import CompressedLayer, CompressedModel, decode_planes, plane_sha256
from xorjax.container.packed import unpack
from xorjax.container.spec import LAYER_KEYS, check_count, get, get_counts, get_list, read_code, read_shape
from xorjax.container.tensors import Raw, from_bytes, parse_json
from xorjax.container.version1 import upgrade, with_patches_noted
from xorjax.errors import about
from xorjax.masks import MASK_CODECS, EncodedMask

Parts = dict[str, np.ndarray]
"""A layer's tensors: "scales", "mask/STREAM", "planes/0/STREAM"."""


def load(path: str | Path) -> CompressedModel:
    """The model in the file at `path`, after every check: checksums, streams, and each plane against its SHA-256.

    Raises:
        ContainerError: the file is short, damaged, of a newer version, or holds an unknown id or setting, a wrong
            shape, a non-finite scale, a plane that is not the one saved, or a tensor that nothing uses.
        OSError: the file cannot be read.
    """
    path = Path(path)
    try:
        data = path.read_bytes()
    except (FileNotFoundError, IsADirectoryError) as error:
        wanted = "expected a file that `xorjax compress` or `save` wrote"
        raise type(error)(error.errno, f"{error.strerror}, {wanted}", str(path)) from None
    with about(str(path), ContainerError):
        tensors, metadata = from_bytes(data)
        version = _version(metadata)
        tensors, spec = unpack(tensors) if version > 2 else (tensors, _checked(tensors, metadata))
        if version == 1:
            tensors, spec = upgrade(tensors, spec)
        digits = HASH_DIGITS if version > 2 else None
        model = _model(tensors, spec, BITS_PER_BYTE * len(data), digits)
        if version == 1:
            layers = {name: with_patches_noted(layer) for name, layer in model.layers.items()}
            model = replace(model, layers=layers)
        return model


def verify(path: str | Path) -> list[str]:
    """The planes that `load` checks, such as "layers/fc1/kernel/planes/0".

    Raises:
        ContainerError: as `load`.
        OSError: the file cannot be read.
    """
    return planes_of(load(path))


def planes_of(model: CompressedModel) -> list[str]:
    return [name for layer in model.layers.values() for name in layer.plane_names]


def _version(metadata: dict[str, str]) -> int:
    """The version of the format, once format and keys are right."""
    format, version = metadata.get("format"), metadata.get("format_version", "")
    if format != FORMAT:
        if format is None:
            raise ValueError(
                "metadata: it names no format, as a file of xorjax does; `xorjax compress` makes one"
            )
        raise ValueError(f"metadata: format is {format!r}, not {FORMAT!r}")
    if version not in [str(known) for known in range(1, VERSION + 1)]:
        newer = "; a newer xorjax wrote it" if version.isdecimal() and int(version) > VERSION else ""
        raise ValueError(f"metadata: format_version is {version!r}, and this reads 1 to {VERSION}{newer}")
    keys = METADATA_KEYS if int(version) > 2 else {*METADATA_KEYS, "spec", "spec_sha256"}
    if set(metadata) != keys:
        raise ValueError(f"metadata: the keys are {sorted(metadata)}, not {sorted(keys)}")
    return int(version)


def _checked(tensors: dict[str, Any], metadata: dict[str, str]) -> dict[str, Any]:
    """The spec of a file of version 1 or 2, once its hash and the tensors' checksums are right."""
    if hashlib.sha256(metadata["spec"].encode()).hexdigest() != metadata["spec_sha256"]:
        raise ValueError("metadata: spec does not have the SHA-256 that spec_sha256 gives")
    spec = parse_json(metadata["spec"].encode(), "spec")
    checksums = get(spec, "checksums", dict)
    for name in sorted(tensors.keys() ^ checksums.keys()):
        raise ValueError(f"tensor {name!r} is {'missing' if name in checksums else 'not in the spec'}")
    for name, array in tensors.items():
        check_sum(name, array, checksums[name])
    return spec


def _model(
    tensors: dict[str, Any], spec: dict[str, Any], max_bits: int, digits: int | None
) -> CompressedModel:
    """`digits`: how many a hash has; None: all."""
    params, shared, parts = _sorted_out(tensors)
    used: set[str] = set()
    layers = {}
    for name, entry in get(spec, "layers", dict).items():
        layer = _layer(name, entry, parts.pop(name, {}), shared, used, max_bits, digits)
        max_bits -= layer.values.n_planes * layer.n_weights
        layers[name] = layer
    for name in parts:
        raise ValueError(
            f"tensor {layer_tensor(name, next(iter(parts[name])))!r} belongs to no layer of the spec"
        )
    for name in shared.keys() - used:
        raise ValueError(f"tensor {name!r} is used by no layer of the spec")
    metadata = get(spec, "metadata", dict)
    if not all(isinstance(value, str) for value in metadata.values()):
        raise ValueError("spec: metadata is not a map from strings to strings")
    return CompressedModel(layers, params, metadata)


def _sorted_out(
    tensors: dict[str, Any],
) -> tuple[dict[str, Any], dict[str, np.ndarray], dict[str, Parts]]:
    """The parameters by path, the shared arrays by tensor, and each layer's tensors."""
    params: dict[str, Any] = {}
    shared: dict[str, np.ndarray] = {}
    parts: dict[str, Parts] = {}
    for name, array in tensors.items():
        if name.startswith(PARAMS):
            params[name.removeprefix(PARAMS)] = array
        elif isinstance(array, Raw):
            raise ValueError(f"tensor {name!r} has dtype {array.dtype}, which only parameters may have")
        elif name.startswith("shared/"):
            shared[name] = array
        elif found := OF_LAYER.fullmatch(name):
            parts.setdefault(found[1], {})[found[2]] = array
        else:
            raise ValueError(f"tensor {name!r} belongs to no layer, is no parameter and is not shared")
    return params, shared, parts


def _layer(
    name: str,
    entry: object,
    parts: Parts,
    shared: dict[str, np.ndarray],
    used: set[str],
    max_bits: int,
    digits: int | None,
) -> CompressedLayer:
    """The layer; which shared arrays it uses is added to `used`."""
    where = f"layers/{name}"
    if not isinstance(entry, dict) or entry.keys() != LAYER_KEYS:
        raise ValueError(
            f"spec: {where} does not have the keys {', '.join(sorted(LAYER_KEYS))} and no others"
        )
    shape, hashes = read_shape(entry, where), get_list(entry, "sha256", str, where)
    if prod(shape) * max(len(hashes), 1) > max_bits:
        raise ValueError(
            f"spec: {where} has {len(hashes)} planes of {prod(shape)} weights; {max_bits} bits fit a file of its size"
        )
    values = EncodedPlanes(
        code=read_code(entry, where),
        shape=shape,
        n_planes=len(hashes),
        streams={
            part.removeprefix("planes/"): _stream(parts.pop(part), layer_tensor(name, part))
            for part in list(parts)
            if part.startswith("planes/")
        },
        notes=get_counts(entry, "notes", where),
    )
    entries = get(entry, "shared", dict, where)
    values = replace(values, shared=_shared(values, entries, shared, used, where, digits))
    index = _index(name, get(entry, "mask", dict | None, where), parts, shape)
    scales = _pop(parts, name, "scales")
    for part in parts:
        raise ValueError(f"tensor {layer_tensor(name, part)!r} does not belong to its mask codec")
    with about(f"tensor {layer_tensor(name, 'scales')!r}"):
        layer = CompressedLayer(name, values, index, scales)
    with about(f"tensor {layer_tensor(name, 'planes')!r}"):
        planes = decode_planes(layer)
    for tensor, plane, sha256 in zip(layer.plane_names, planes, hashes, strict=True):
        if plane_sha256(plane)[:digits] != sha256:
            raise ValueError(f"tensor {tensor!r} does not decode to the plane that was saved")
    return layer


def _shared(
    values: EncodedPlanes,
    entries: dict[str, Any],
    shared: dict[str, np.ndarray],
    used: set[str],
    where: str,
    digits: int | None,
) -> dict[str, np.ndarray]:
    """The arrays that the layer shares: the tensor of a number, and drawn again where there is a hash."""
    arrays = {}
    for name, entry in entries.items():
        if isinstance(entry, dict) and entry.keys() == {"sha256"}:
            arrays[name] = _drawn(values, name, entry["sha256"], where, digits)
            continue
        tensor = shared_tensor(check_count(entry, f"{where} has 'shared' with {name!r}"), name)
        if tensor not in shared:
            raise ValueError(f"spec: {where} uses tensor {tensor!r}, which is missing")
        arrays[name] = shared[tensor]
        used.add(tensor)
    return arrays


def _drawn(values: EncodedPlanes, name: str, sha256: object, where: str, digits: int | None) -> np.ndarray:
    drawn = values.drawn()
    if name not in drawn:
        raise ValueError(f"spec: {where} has no tensor for {name!r}, which its code's settings do not give")
    if array_sha256(drawn[name])[:digits] != sha256:
        raise ValueError(
            f"spec: {where} gives another {name!r} than was saved: its SHA-256 is not {sha256!r}"
        )
    return drawn[name]


def _index(name: str, entry: object, parts: Parts, shape: tuple[int, ...]) -> EncodedMask | None:
    if entry is None:
        return None
    where = layer_tensor(name, "mask")
    codec = get(entry, "codec", str, where)
    with about(f"tensor {where!r}"):
        streams = {
            stream: _stream(_pop(parts, name, f"mask/{stream}"), f"{where}/{stream}")
            for stream in MASK_CODECS.find(codec).stream_names
        }
        index = EncodedMask(codec, shape, streams)
        if index.mask.shape != shape:
            raise ValueError(f"it decodes to shape {index.mask.shape}, not {shape}")
    return index


def _pop(parts: Parts, name: str, part: str) -> np.ndarray:
    if part not in parts:
        raise ValueError(f"tensor {layer_tensor(name, part)!r} is missing")
    return parts.pop(part)


def _stream(array: np.ndarray, tensor: str) -> np.ndarray:
    if array.dtype != np.uint8 or array.ndim != 1:
        raise ValueError(f"tensor {tensor!r} is {array.dtype}{list(array.shape)}, not a stream of bytes")
    return array
