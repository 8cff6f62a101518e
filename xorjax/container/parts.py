"""What the bytes of a file are spent on."""

from pathlib import Path

import numpy as np

from xorjax.codec.code import is_of_patches
from xorjax.container.format import OF_LAYER, PACKED, PARAMS
from xorjax.container.packed import packed_bytes
from xorjax.container.tensors import file_header

PARTS = ("codes", "patches", "masks", "scales", "shared", "params", "header")
"""The kinds: `shared` is what layers have in common and no reader draws, `params` what is in no code, `header`
also the spec."""


def file_parts(path: str | Path) -> dict[str, int]:
    """The bytes of a file that `load` has checked, by kind; their sum is the file's size. No large tensor is read.

    Raises:
        OSError: the file cannot be read.
    """
    entries, _, size = file_header(Path(path))
    sizes = {name: end - begin for name, (_, _, begin, end) in entries.items()}
    if PACKED in entries:
        *_, begin, end = entries[PACKED]
        with Path(path).open("rb") as file:
            file.seek(begin)
            packed = np.frombuffer(file.read(end - begin), np.uint8)
        sizes |= packed_bytes(packed)
        del sizes[PACKED]
    parts: dict[str, int] = dict.fromkeys(PARTS, 0)
    for name, n_bytes in sizes.items():
        parts[_kind(name)] += n_bytes
    return parts | {"header": size - sum(parts.values())}


def _kind(tensor: str) -> str:
    if tensor.startswith(PARAMS):
        return "params"
    found = OF_LAYER.fullmatch(tensor)
    if found is None:
        return "shared"
    what = found[2].partition("/")[0]
    if what == "planes":
        return "patches" if is_of_patches(found[2]) else "codes"
    return {"mask": "masks", "scales": "scales"}[what]
