"""The mask as it is: one bit a weight."""

from math import prod

import numpy as np
from jaxtyping import Bool

from xorjax.masks.base import MASK_CODECS, Streams, bits_to_bytes, read_bits


class Bitmap:
    """Stream `bits`: the mask's values in row-major order, eight a byte, least significant bit first."""

    id = "bitmap"
    stream_names = ("bits",)

    def encode(self, mask: Bool[np.ndarray, "*shape"]) -> Streams:
        return {"bits": bits_to_bytes(mask.ravel())}

    def decode(self, streams: Streams, shape: tuple[int, ...]) -> Bool[np.ndarray, "..."]:
        return read_bits(streams, "bits", prod(shape)).reshape(shape)


MASK_CODECS.register(Bitmap())
