"""What the bytes of a file are spent on."""

from pathlib import Path

from xorjax.codec.code import is_of_patches
from xorjax.container.format import OF_LAYER, PARAMS
from xorjax.container.tensors import file_header

PARTS = ("codes", "patches", "masks", "scales", "shared", "params", "header")
"""The kinds: `shared` is what layers have in common and no reader draws, `params` what is stored as it is."""


def file_parts(path: str | Path) -> dict[str, int]:
    """The bytes of a file that `load` has checked, by kind; their sum is the file's size. No tensor is read.

    Raises:
        OSError: the file cannot be read.
    """
    entries, _, size = file_header(Path(path))
    parts: dict[str, int] = dict.fromkeys(PARTS, 0)
    for name, (_, _, begin, end) in entries.items():
        parts[_kind(name)] += end - begin
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
