"""Mask codecs: how the positions of the kept weights are stored. One codec a file, ids from a closed set."""

from difflib import get_close_matches

from xorjax.masks.ans import Ans
from xorjax.masks.base import MaskCodec, Streams
from xorjax.masks.bitmap import Bitmap

__all__ = ["MASK_CODECS", "Ans", "Bitmap", "MaskCodec", "Streams", "get_mask_codec"]

MASK_CODECS: dict[str, MaskCodec] = {codec.id: codec for codec in (Bitmap(), Ans())}


def get_mask_codec(id: str) -> MaskCodec:
    """The mask codec called `id`.

    Raises:
        ValueError: no mask codec has this id; the message names the nearest one.
    """
    if id not in MASK_CODECS:
        nearest = get_close_matches(id, MASK_CODECS, n=1, cutoff=0)[0]
        raise ValueError(f"unknown mask codec {id!r}; did you mean {nearest!r}? ({', '.join(MASK_CODECS)})")
    return MASK_CODECS[id]
