"""Baseline: one bit for every weight and plane, as a binary network that was never pruned is stored."""

from math import prod

import numpy as np
from jaxtyping import Bool

from xorjax.masks.base import Streams, bits_to_bytes, read_bits


class Dense:
    """Streams `code/0`, `code/1`, ...: each plane in row-major order, eight signs a byte, lowest bit first.

    There is no mask in it: a dense binary layer keeps every weight, so `decode` returns a mask that is all
    True and planes that are right everywhere.
    """

    id = "dense"

    def encode(self, planes: Bool[np.ndarray, "planes *shape"], mask: Bool[np.ndarray, "*shape"]) -> Streams:
        return {f"code/{p}": bits_to_bytes(plane.ravel()) for p, plane in enumerate(planes)}

    def decode(
        self, streams: Streams, n_planes: int, shape: tuple[int, ...]
    ) -> tuple[Bool[np.ndarray, "planes ..."], Bool[np.ndarray, "..."]]:
        planes = [read_bits(streams, f"code/{p}", prod(shape)) for p in range(n_planes)]
        return np.stack(planes).reshape(n_planes, *shape), np.ones(shape, dtype=np.bool_)
