"""One bit for every weight and plane, as a binary network that was never pruned is stored."""

from dataclasses import dataclass
from typing import ClassVar

from xorjax.codec.code import CODES, EncodedPlanes, Mask, Planes, Tell, check_planes
from xorjax.codec.signs import SignsCode


@CODES.register
@dataclass(frozen=True)
class DenseCode(SignsCode):
    """Stream "p/signs": plane p in row-major order, eight signs a byte, lowest bit first; right everywhere."""

    id: ClassVar[str] = "dense"
    beside: ClassVar[tuple[str | None, ...]] = (None,)

    def encode(self, planes: Planes, mask: Mask | None, tell: Tell = lambda done: None) -> EncodedPlanes:
        check_planes(planes, mask)
        return super().encode(planes, None, tell)

    def decode(self, encoded: EncodedPlanes, mask: Mask | None) -> Planes:
        return super().decode(encoded, None)
