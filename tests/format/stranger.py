"""A decoder written from docs/format.md alone, in plain NumPy; codes, patches and masks are in the files beside it."""

import hashlib
import json
import re
import zlib

import numpy as np
from stranger_codes import CODES, draw
from stranger_masks import MASKS
from stranger_packed import array, bfloat16, unpacked


def read(data):
    """Layers {name: {"planes", "mask", "weights"}}, parameters (BF16 as its bits) and the user's metadata."""
    start = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:start])
    metadata, tensors, sums = header.pop("__metadata__"), {}, {}
    assert metadata["format"] == "xorjax"
    assert metadata["format_version"] in ("1", "2", "3")
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        content = data[start + begin : start + end]
        described = f"{entry['dtype']}[{','.join(map(str, entry['shape']))}]".encode() + content
        tensors[name], sums[name] = array(content, **entry), f"{zlib.crc32(described):08x}"
    if metadata["format_version"] == "3":
        tensors, spec = unpacked(tensors, header, sums)
    else:
        assert hashlib.sha256(metadata["spec"].encode()).hexdigest() == metadata["spec_sha256"]
        spec = json.loads(metadata["spec"])
        assert spec["checksums"] == sums
    if metadata["format_version"] == "1":
        tensors, spec = version2(tensors, spec)
    wide = {n: bfloat16(a) for n, a in tensors.items() if n.endswith("/scales") and a.dtype == np.uint16}
    layers = {name: layer(name, tensors | wide, entry) for name, entry in spec["layers"].items()}
    params = {name.removeprefix("params/"): a for name, a in tensors.items() if name.startswith("params/")}
    return {"layers": layers, "params": params, "metadata": spec["metadata"]}


def layer(name, tensors, entry):
    streams = {}
    for tensor, values in tensors.items():
        found = re.fullmatch(r"layers/(.*)/(scales|mask/[^/]+|planes/\d+/[^/]+)", tensor, re.DOTALL)
        if found and found[1] == name:
            streams[found[2]] = values
    shape = tuple(entry["shape"])
    mask = np.ones(shape, bool)
    if entry["mask"] is not None:
        mask = MASKS[entry["mask"]["codec"]](under(streams, "mask/"), shape)
    shared = {name: tensors[f"shared/{n}/{name}"] for name, n in entry["shared"].items() if type(n) is int}
    if (drawn := entry["shared"].get("matrix")) is not None and "matrix" not in shared:
        shared["matrix"] = draw(entry["code"])
        same(hashlib.sha256(shared["matrix"]), drawn["sha256"])
    planes = []
    for p, sha256 in enumerate(entry["sha256"]):
        decode = CODES[entry["code"]["id"]]
        planes.append(decode(under(streams, f"planes/{p}/"), entry["code"], shared, mask))
        same(hashlib.sha256(np.packbits(planes[p].ravel(), bitorder="little")), sha256)
    signs = 2 * np.array(planes, np.float64) - 1
    return {"planes": planes, "mask": mask, "weights": mask * (streams["scales"] * signs).sum(axis=0)}


def same(found, digits):
    assert len(digits) in (16, 64)
    assert found.hexdigest().startswith(digits)


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
