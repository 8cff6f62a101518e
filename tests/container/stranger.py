"""A decoder written from docs/format.md alone, with the standard library alone."""

import hashlib
import json
import math
import struct
import zlib

CHARACTERS = {"U8": "B", "F16": "e", "F32": "f", "F64": "d"}


def read(data):
    """Layers and parameters: {"layers": {name: {"planes": [[bits]], "mask": [bits], "weights": [floats]}}, ...}."""
    n = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + n])
    metadata = header.pop("__metadata__")
    assert (metadata["format"], metadata["format_version"]) == ("xorjax", "1")
    assert hashlib.sha256(metadata["spec"].encode()).hexdigest() == metadata["spec_sha256"]
    spec = json.loads(metadata["spec"])
    tensors = {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        content = data[8 + n + begin : 8 + n + end]
        described = f"{entry['dtype']}[{','.join(map(str, entry['shape']))}]".encode() + content
        assert f"{zlib.crc32(described):08x}" == spec["checksums"][name]
        character = CHARACTERS[entry["dtype"]]
        values = struct.unpack(f"<{math.prod(entry['shape'])}{character}", content)
        tensors[name] = content if character == "B" else (entry["shape"], values)
    networks = [network(entry, tensors[f"networks/{i}/matrix"]) for i, entry in enumerate(spec["networks"])]
    layers = {name: layer(tensors, name, entry, networks) for name, entry in spec["layers"].items()}
    params = {name[7:]: value for name, value in tensors.items() if name.startswith("params/")}
    return {"layers": layers, "params": params, "metadata": spec["metadata"]}


def fields(stream, width, count, bit=0):
    whole = int.from_bytes(stream, "little") >> bit
    return [whole >> (width * i) & (2**width - 1) for i in range(count)]


def network(entry, stream):
    rows = fields(stream, entry["n_in"], entry["n_out"])
    text = f"{entry['n_out']}x{entry['n_in']}:".encode() + b"".join(row.to_bytes(8, "little") for row in rows)
    assert hashlib.sha256(text).hexdigest() == entry["sha256"]
    return {**entry, "rows": rows}


def layer(tensors, name, entry, networks):
    n, net = math.prod(entry["shape"]), networks[entry["network"]]
    planes = []
    for p, sha256 in enumerate(entry["sha256"]):
        streams = {
            s: tensors[f"layers/{name}/planes/{p}/{s}"] for s in ("codes", "patch_counts", "patch_positions")
        }
        planes.append(plane(streams, n, net, entry, entry["shape"][-1]))
        packed = sum(bit << i for i, bit in enumerate(planes[p])).to_bytes(-(-n // 8), "little")
        assert hashlib.sha256(packed).hexdigest() == sha256
    prefix = f"layers/{name}/mask/"
    if entry["mask_codec"] == "bitmap":
        mask = fields(tensors[f"{prefix}bits"], 1, n)
    else:
        mask = ans(int.from_bytes(tensors[f"{prefix}n_ones"], "little"), tensors[f"{prefix}words"], n)
    scales = broadcast(*tensors[f"layers/{name}/scales"], [len(planes), *entry["shape"]])
    weights = [
        mask[i] * sum(scales[p * n + i] * (2 * bits[i] - 1) for p, bits in enumerate(planes))
        for i in range(n)
    ]
    return {"planes": planes, "mask": mask, "weights": weights}


def plane(streams, n, net, entry, last):
    n_in, n_out = net["n_in"], net["n_out"]
    n_slices = -(-n // n_out)
    while entry["layout"] == "interleaved" and math.gcd(n_slices, last) > 1:
        n_slices += 1
    codes = fields(streams["codes"], n_in, n_slices)
    counts = patch_counts(streams["patch_counts"], n_slices, entry["patch_format"], entry["patch_block"])
    positions = iter(fields(streams["patch_positions"], math.ceil(math.log2(n_out)), sum(counts)))
    slices = []
    for code, count in zip(codes, counts, strict=True):
        outputs = [(row & code).bit_count() % 2 for row in net["rows"]]
        for _ in range(count):
            outputs[next(positions)] ^= 1
        slices.append(outputs)
    in_order = zip(*slices, strict=True) if entry["layout"] == "interleaved" else slices
    return [bit for part in in_order for bit in part][:n]


def patch_counts(stream, n_slices, patch_format, block):
    width, stream = stream[0], stream[1:]
    if patch_format == "paper":
        return fields(stream, width, n_slices)
    n_blocks = -(-n_slices // block)
    widths, bit, counts = fields(stream, width, n_blocks), 0, []
    stream = stream[-(-n_blocks * width // 8) :]
    for s in range(n_slices):
        counts += fields(stream, widths[s // block], 1, bit)
        bit += widths[s // block]
    return counts


def ans(n_ones, stream, n):
    words = list(struct.unpack(f"<{len(stream) // 4}I", stream))
    if n_ones in (0, n):
        return [int(n_ones > 0)] * n
    f1 = min(max((n_ones * 2**24 + n // 2) // n, 1), 2**24 - 1)
    f0, state, bits = 2**24 - f1, 0, []
    while words and state < 2**32:
        state = state * 2**32 + words.pop()
    for _ in range(n):
        r = state % 2**24
        bits.append(int(r >= f0))
        state = state // 2**24 * f1 + r - f0 if bits[-1] else state // 2**24 * f0 + r
        if state < 2**32 and words:
            state = state * 2**32 + words.pop()
    assert state == 0
    assert not words
    return bits


def broadcast(shape, values, full):
    if not full:
        return list(values)
    step = math.prod(shape[1:])
    parts = [values[i * step : (i + 1) * step] for i in range(shape[0])] * (full[0] // shape[0])
    return [value for part in parts for value in broadcast(shape[1:], part, full[1:])]
