"""A decoder written from docs/format.md alone, in plain NumPy; patches and masks are in the files beside it."""

import hashlib
import json
import zlib
from math import gcd, prod

import numpy as np
from stranger_masks import MASKS
from stranger_patches import PATCHES, Bits

IDS = ["BOOL", "U8", "I8", "U16", "I16", "U32", "I32", "U64", "I64", "F16", "BF16", "F32", "F64"]
DTYPES = dict(
    zip(
        IDS,
        ["?", "u1", "i1", "<u2", "<i2", "<u4", "<i4", "<u8", "<i8", "<f2", "<u2", "<f4", "<f8"],
        strict=True,
    )
)


def read(data):
    """Layers {name: {"planes", "mask", "weights"}}, parameters (BF16 as its bits) and the user's metadata."""
    start = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:start])
    metadata, tensors = header.pop("__metadata__"), {}
    assert (metadata["format"], metadata["format_version"]) == ("xorjax", "1")
    assert hashlib.sha256(metadata["spec"].encode()).hexdigest() == metadata["spec_sha256"]
    spec = json.loads(metadata["spec"])
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        content = data[start + begin : start + end]
        described = f"{entry['dtype']}[{','.join(map(str, entry['shape']))}]".encode() + content
        assert f"{zlib.crc32(described):08x}" == spec["checksums"][name]
        tensors[name] = np.frombuffer(content, DTYPES[entry["dtype"]]).reshape(entry["shape"])
    nets = [network(entry, tensors[f"networks/{i}/matrix"]) for i, entry in enumerate(spec["networks"])]
    layers = {
        name: layer(under(tensors, f"layers/{name}/"), entry, nets[entry["network"]])
        for name, entry in spec["layers"].items()
    }
    return {"layers": layers, "params": under(tensors, "params/"), "metadata": spec["metadata"]}


def under(tensors, prefix):
    return {name[len(prefix) :]: array for name, array in tensors.items() if name.startswith(prefix)}


def network(entry, stream):
    n_in, n_out = entry["n_in"], entry["n_out"]
    matrix = np.unpackbits(stream, count=n_in * n_out, bitorder="little").reshape(n_out, n_in)
    rows = np.zeros((n_out, 64 * -(-n_in // 64)), np.uint8)
    rows[:, :n_in] = matrix
    text = f"{n_out}x{n_in}:".encode() + np.packbits(rows, bitorder="little").tobytes()
    assert hashlib.sha256(text).hexdigest() == entry["sha256"]
    return matrix


def layer(streams, entry, matrix):
    shape = entry["shape"]
    mask = MASKS[entry["mask_codec"]](under(streams, "mask/"), tuple(shape))
    where = places(shape, len(matrix), entry["layout"], entry.get("layout_seed", 0))
    planes = []
    for p, sha256 in enumerate(entry["sha256"]):
        planes.append(plane(under(streams, f"planes/{p}/"), entry, matrix, mask, where))
        assert hashlib.sha256(np.packbits(planes[p].ravel(), bitorder="little")).hexdigest() == sha256
    signs = 2 * np.array(planes, np.float64) - 1
    return {"planes": planes, "mask": mask, "weights": mask * (streams["scales"] * signs).sum(axis=0)}


def places(shape, n_out, layout, seed):
    n_slices = -(-prod(shape) // n_out)
    while layout == "interleaved" and gcd(n_slices, shape[-1] if shape else 1) > 1:
        n_slices += 1
    s, i = np.ogrid[:n_slices, :n_out]
    if layout == "shuffled":
        s = (s - (np.random.PCG64(seed).random_raw(n_out) % n_slices).astype(np.int64)) % n_slices
    return i * n_slices + s if layout in ("interleaved", "shuffled") else s * n_out + i


def plane(streams, entry, matrix, mask, where):
    by_columns = entry["layout"] == "column_major"
    padded = np.zeros(where.size, bool)
    padded[: mask.size] = (mask.T if by_columns else mask).ravel()
    care = padded[where]
    n_in = matrix.shape[1]
    words = np.unpackbits(streams["codes"], count=len(care) * n_in, bitorder="little").reshape(-1, n_in)
    outputs = words.astype(np.int64) @ matrix.T.astype(np.int64) % 2 == 1
    counts, positions = Bits(streams["patch_counts"]), Bits(streams["patch_positions"])
    for s, patches in enumerate(PATCHES[entry["patch_format"]](counts, positions, care, n_in, entry)):
        outputs[s, patches] ^= True
    flat = np.zeros(where.size, bool)
    flat[where] = outputs
    flat = flat[: mask.size]
    return flat.reshape(mask.shape[::-1]).T if by_columns else flat.reshape(mask.shape)
