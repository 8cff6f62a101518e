"""The signs of the kept weights, entropy-coded by asymmetric numeral systems under one density a plane.

Beside the mask codec `ans` this is a coder of the ternary symbols {0, +, -}: in one such symbol index and value cannot
be told apart, and the chain rule separates them without cost, H(0, +, -) = H(kept) + P(kept) H(sign). The total is the
same up to a word or two; a test compares it with a coder of ternary symbols. What planes would tell about one another
is not used.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from jaxtyping import Bool

from xorjax.codec.code import CODES, KeptSigns
from xorjax.masks.ans import decode_bernoulli, encode_bernoulli
from xorjax.masks.base import Streams


@CODES.register
@dataclass(frozen=True)
class AnsSignsCode(KeptSigns):
    """Streams "p/n_ones" and "p/words" of plane p, as `masks.ans` writes bits; without a mask all weights are kept."""

    id: ClassVar[str] = "ans_signs"
    beside: ClassVar[tuple[str | None, ...]] = ("ans", "ans_rc")
    stream_names: ClassVar[tuple[str, ...]] = ("n_ones", "words")

    def write(self, kept: Bool[np.ndarray, " kept"]) -> Streams:
        return encode_bernoulli(kept)

    def read(self, streams: Streams, prefix: str, n: int) -> Bool[np.ndarray, " {n}"]:
        return decode_bernoulli(streams, n, prefix)
