"""Baseline: the mask as a bitmap, the kept weights' signs packed; the values cost exactly 1 - S bits."""

from math import prod

import numpy as np
from jaxtyping import Bool

from xorjax.codec.base import kept_to_planes
from xorjax.masks.base import Streams, bits_to_bytes, read_bits
from xorjax.masks.bitmap import Bitmap


class BitmapSigns:
    """Streams `index/bits`, one bit a weight, and `code/0`, `code/1`, ...: one bit a kept weight."""

    id = "bitmap_signs"

    def encode(self, planes: Bool[np.ndarray, "planes *shape"], mask: Bool[np.ndarray, "*shape"]) -> Streams:
        codes = {f"code/{p}": bits_to_bytes(plane[mask]) for p, plane in enumerate(planes)}
        return {"index/bits": Bitmap().encode(mask)["bits"], **codes}

    def decode(
        self, streams: Streams, n_planes: int, shape: tuple[int, ...]
    ) -> tuple[Bool[np.ndarray, "planes ..."], Bool[np.ndarray, "..."]]:
        mask = read_bits(streams, "index/bits", prod(shape)).reshape(shape)
        kept = [read_bits(streams, f"code/{p}", int(mask.sum())) for p in range(n_planes)]
        return kept_to_planes(np.stack(kept), mask), mask
