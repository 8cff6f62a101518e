"""A decoder written from docs/format.md alone, in plain NumPy; codes, patches and masks are in the files beside it."""

import hashlib
import json
import re
import zlib

import numpy as np
from stranger_codes import CODES, draw
from stranger_masks import MASKS

IDS = ["BOOL", "U8", "I8", "U16", "I16", "U32", "I32", "U64", "I64", "F16", "BF16", "F32", "F64"]
TYPES = ["?", "u1", "i1", "<u2", "<i2", "<u4", "<i4", "<u8", "<i8", "<f2", "<u2", "<f4", "<f8"]
DTYPES = dict(zip(IDS, TYPES, strict=True))


def read(data):
    """Layers {name: {"planes", "mask", "weights"}}, parameters (BF16 as its bits) and the user's metadata."""
    start = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:start])
    metadata, tensors, wide = header.pop("__metadata__"), {}, {}
    assert metadata["format"] == "xorjax"
    assert hashlib.sha256(metadata["spec"].encode()).hexdigest() == metadata["spec_sha256"]
    spec = json.loads(metadata["spec"])
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        content = data[start + begin : start + end]
        described = f"{entry['dtype']}[{','.join(map(str, entry['shape']))}]".encode() + content
        assert f"{zlib.crc32(described):08x}" == spec["checksums"][name]
        tensors[name] = np.frombuffer(content, DTYPES[entry["dtype"]]).reshape(entry["shape"])
        if entry["dtype"] == "BF16" and name.endswith("/scales"):
            wide[name] = (tensors[name].astype(np.uint32) << 16).view(np.float32)
    if metadata["format_version"] == "1":
        tensors, spec = version2(tensors, spec)
    else:
        assert metadata["format_version"] == "2"
    layers = {name: layer(name, {**tensors, **wide}, entry) for name, entry in spec["layers"].items()}
    params = {name.removeprefix("params/"): a for name, a in tensors.items() if name.startswith("params/")}
    return {"layers": layers, "params": params, "metadata": spec["metadata"]}


def layer(name, tensors, entry):
    streams = {}
    for tensor, array in tensors.items():
        found = re.fullmatch(r"layers/(.*)/(scales|mask/[^/]+|planes/\d+/[^/]+)", tensor, re.DOTALL)
        if found and found[1] == name:
            streams[found[2]] = array
    shape = tuple(entry["shape"])
    mask = np.ones(shape, bool)
    if entry["mask"] is not None:
        mask = MASKS[entry["mask"]["codec"]](under(streams, "mask/"), shape)
    shared = {name: tensors[f"shared/{n}/{name}"] for name, n in entry["shared"].items() if type(n) is int}
    if (drawn := entry["shared"].get("matrix")) is not None and "matrix" not in shared:
        shared["matrix"] = draw(entry["code"])
        assert hashlib.sha256(shared["matrix"]).hexdigest() == drawn["sha256"]
    planes = []
    for p, sha256 in enumerate(entry["sha256"]):
        decode = CODES[entry["code"]["id"]]
        planes.append(decode(under(streams, f"planes/{p}/"), entry["code"], shared, mask))
        assert hashlib.sha256(np.packbits(planes[p].ravel(), bitorder="little")).hexdigest() == sha256
    signs = 2 * np.array(planes, np.float64) - 1
    return {"planes": planes, "mask": mask, "weights": mask * (streams["scales"] * signs).sum(axis=0)}


def under(tensors, prefix):
    return {name[len(prefix) :]: array for name, array in tensors.items() if name.startswith(prefix)}


def version2(tensors, spec):
    """What version 2 would hold of a file of version 1."""
    tensors = {
        re.sub(r"^networks/(\d+)/matrix$", r"shared/\1/matrix", name): a for name, a in tensors.items()
    }
    layers = {}
    for name, entry in spec["layers"].items():
        code = {"id": "xor", **spec["networks"][entry["network"]], **entry, "slicing": entry["layout"]}
        code["slicing_seed"] = entry.get("layout_seed", 0)
        mask, shared = {"codec": entry["mask_codec"]}, {"matrix": entry["network"]}
        layers[name] = {**entry, "code": code, "mask": mask, "shared": shared}
    return tensors, {**spec, "layers": layers}
