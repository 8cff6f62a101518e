"""Patch formats: how the care bits that a code word gets wrong are written. Ids from a closed set."""

from xorjax.codec.patches.base import CareSlices, PatchFormat
from xorjax.codec.patches.care import Care
from xorjax.codec.patches.enumerative import Enumerative
from xorjax.codec.patches.paper import Blocked, Paper
from xorjax.settings import nearest, one_of

__all__ = ["PATCH_FORMATS", "CareSlices", "PatchFormat", "get_patch_format"]

PATCH_FORMATS: dict[str, PatchFormat] = {f.id: f for f in (Paper(), Blocked(), Care(), Enumerative())}


def get_patch_format(id: str) -> PatchFormat:
    """The patch format called `id`.

    Raises:
        ValueError: no patch format has this id; the message names the nearest one.
    """
    if id not in PATCH_FORMATS:
        known = tuple(PATCH_FORMATS)
        raise ValueError(
            f"patch_format must be {one_of(known)}, not {id!r}; the nearest is {nearest(id, known)!r}"
        )
    return PATCH_FORMATS[id]
