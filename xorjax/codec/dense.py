"""One bit for every weight and plane, as a binary network that was never pruned is stored."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from xorjax.codec.code import CODES, EncodedPlanes, Mask, Planes, Tell, check_planes, check_streams
from xorjax.masks.base import bits_to_bytes, read_bits


@CODES.register
@dataclass(frozen=True)
class DenseCode:
    """Stream "p/signs": plane p in row-major order, eight signs a byte, lowest bit first; right everywhere."""

    id: ClassVar[str] = "dense"
    beside: ClassVar[tuple[str | None, ...]] = (None,)

    def encode(self, planes: Planes, mask: Mask | None, tell: Tell = lambda done: None) -> EncodedPlanes:
        check_planes(planes, mask)
        streams = {f"{p}/signs": bits_to_bytes(plane.ravel()) for p, plane in enumerate(planes)}
        return EncodedPlanes(self, planes.shape[1:], len(planes), streams)

    def decode(self, encoded: EncodedPlanes, mask: Mask | None) -> Planes:
        check_streams(encoded, ("signs",))
        planes = [
            read_bits(encoded.streams, f"{p}/signs", encoded.n_weights) for p in range(encoded.n_planes)
        ]
        return np.stack(planes).reshape(encoded.n_planes, *encoded.shape)

    def describe(self, encoded: EncodedPlanes) -> dict[str, Any]:
        return {}
