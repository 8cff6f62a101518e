"""Files of version 1, which open for ever: every layer is an XOR code under a mask. Their tensors and spec, renamed.

See `docs/format.md`, "Version 1".
"""

import re
from dataclasses import replace
from typing import Any

from xorjax.codec.xor import XorCode
from xorjax.container.format import shared_tensor
from xorjax.container.model import CompressedLayer
from xorjax.container.spec import get, get_list


def upgrade(tensors: dict[str, Any], spec: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """What version 2 would hold of the same layers.

    Raises:
        ValueError: the spec lacks what version 1 has, or it is of another type.
    """
    networks = get(spec, "networks", list)
    layers = {
        name: _layer(entry, networks, f"layers/{name}") for name, entry in get(spec, "layers", dict).items()
    }
    return {_renamed(name): array for name, array in tensors.items()}, {**spec, "layers": layers}


def with_patches_noted(layer: CompressedLayer) -> CompressedLayer:
    """The layer with its number of patches, which version 1 does not say."""
    code, mask = layer.code, None if layer.index is None else layer.index.mask
    assert isinstance(code, XorCode)
    n_patches = sum(len(plane.patch_positions) for plane in code.read(layer.values, mask))
    return replace(layer, values=replace(layer.values, notes={**layer.values.notes, "n_patches": n_patches}))


def _renamed(tensor: str) -> str:
    found = re.fullmatch(r"networks/(\d+)/matrix", tensor)
    return shared_tensor(int(found[1]), "matrix") if found else tensor


def _layer(entry: object, networks: list[Any], where: str) -> dict[str, Any]:
    if not isinstance(entry, dict):
        raise ValueError(f"spec: {where} is not an object")
    number, n_planes = get(entry, "network", int, where), len(get_list(entry, "sha256", str, where))
    if not 0 <= number < len(networks):
        raise ValueError(f"spec: {where} uses network {number} of {len(networks)}")
    optional = {"layout_seed": 0, "n_bounded": [0] * n_planes, **entry}
    n_bounded = get_list(optional, "n_bounded", int, where)
    if len(n_bounded) != n_planes:
        raise ValueError(f"spec: {where} has 'n_bounded' {n_bounded}, not a count a plane")
    network = networks[number]
    return {
        "shape": optional.get("shape"),
        "code": {
            "id": "xor",
            **{name: get(network, name, int, f"networks/{number}") for name in ("n_in", "n_out")},
            **{name: get(network, name, int | None, f"networks/{number}") for name in ("seed", "taps")},
            "method": optional.get("method"),
            "patch_format": optional.get("patch_format"),
            "patch_block": optional.get("patch_block"),
            "slicing": optional.get("layout"),
            "slicing_seed": optional["layout_seed"],
            "fill": None,
        },
        "mask": {"codec": optional.get("mask_codec")},
        "shared": {"matrix": number},
        "sha256": optional["sha256"],
        "notes": {"n_bounded": sum(n_bounded)},
    }
