"""The signs of the kept weights, entropy-coded by asymmetric numeral systems under one density a plane.

Beside the mask codec `ans` this is a coder of the ternary symbols {0, +, -}: in one such symbol index and value cannot
be told apart, and the chain rule separates them without cost, H(0, +, -) = H(kept) + P(kept) H(sign). The total is the
same up to a word or two; a test compares it with a coder of ternary symbols. What planes would tell about one another
is not used.
"""

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
from xorjax.masks.ans import decode_bernoulli, encode_bernoulli


@CODES.register
@dataclass(frozen=True)
class AnsSignsCode:
    """Streams "p/n_ones" and "p/words" of plane p, as `masks.ans` writes bits; without a mask all weights are kept."""

    id: ClassVar[str] = "ans_signs"
    beside: ClassVar[tuple[str | None, ...]] = ("ans",)

    def encode(self, planes: Planes, mask: Mask | None, tell: Tell = lambda done: None) -> EncodedPlanes:
        check_planes(planes, mask)
        streams = {
            f"{p}/{name}": stream
            for p, plane in enumerate(planes)
            for name, stream in encode_bernoulli(take_kept(plane, mask)).items()
        }
        return EncodedPlanes(self, planes.shape[1:], len(planes), streams)

    def decode(self, encoded: EncodedPlanes, mask: Mask | None) -> Planes:
        check_streams(encoded, ("n_ones", "words"))
        n = count_kept(encoded, mask)
        kept = [decode_bernoulli(encoded.streams, n, f"{p}/") for p in range(encoded.n_planes)]
        return place_kept(kept, encoded.shape, mask)

    def describe(self, encoded: EncodedPlanes) -> dict[str, Any]:
        return {}
