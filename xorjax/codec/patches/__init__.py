"""Patch formats: how the care bits that a code word gets wrong are written. One a file, ids from a closed set."""

from difflib import get_close_matches

from xorjax.codec.patches.base import CareSlices, PatchFormat
from xorjax.codec.patches.blocked import Blocked
from xorjax.codec.patches.care import Care
from xorjax.codec.patches.enumerative import Enumerative
from xorjax.codec.patches.paper import Paper

__all__ = ["PATCH_FORMATS", "CareSlices", "PatchFormat", "get_patch_format"]

PATCH_FORMATS: dict[str, PatchFormat] = {f.id: f for f in (Paper(), Blocked(), Care(), Enumerative())}


def get_patch_format(id: str) -> PatchFormat:
    """The patch format called `id`.

    Raises:
        ValueError: no patch format has this id; the message names the nearest one.
    """
    if id not in PATCH_FORMATS:
        nearest = get_close_matches(id, PATCH_FORMATS, n=1, cutoff=0)[0]
        known = ", ".join(PATCH_FORMATS)
        raise ValueError(f"patch_format must be one of {known}, not {id!r}; the nearest is {nearest!r}")
    return PATCH_FORMATS[id]
