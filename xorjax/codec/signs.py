"""The signs of the kept weights and no others: one bit each, so that values cost exactly 1 - S bits a weight."""

from dataclasses import dataclass
from typing import Any, ClassVar

from xorjax.codec.code import (
    CODES,
    EncodedPlanes,
    Mask,
    Planes,
    Tell,
    check_planes,
    check_streams,
    count_kept,
    place_kept,
    take_kept,
)
from xorjax.masks.base import bits_to_bytes, read_bits


@CODES.register
@dataclass(frozen=True)
class SignsCode:
    """Stream "p/signs": the kept signs of plane p in row-major order, eight a byte, lowest bit first.

    Without a mask all weights are kept.
    """

    id: ClassVar[str] = "signs"
    beside: ClassVar[tuple[str | None, ...]] = ("bitmap", "csr5", "golomb", "ans_rc")

    def encode(self, planes: Planes, mask: Mask | None, tell: Tell = lambda done: None) -> EncodedPlanes:
        check_planes(planes, mask)
        streams = {f"{p}/signs": bits_to_bytes(take_kept(plane, mask)) for p, plane in enumerate(planes)}
        return EncodedPlanes(self, planes.shape[1:], len(planes), streams)

    def decode(self, encoded: EncodedPlanes, mask: Mask | None) -> Planes:
        check_streams(encoded, ("signs",))
        n = count_kept(encoded, mask)
        kept = [read_bits(encoded.streams, f"{p}/signs", n) for p in range(encoded.n_planes)]
        return place_kept(kept, encoded.shape, mask)

    def describe(self, encoded: EncodedPlanes) -> dict[str, Any]:
        return {}
