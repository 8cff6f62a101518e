"""The signs of the kept weights and no others: one bit each, so that values cost exactly 1 - S bits a weight."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from jaxtyping import Bool

from xorjax.codec.code import CODES, KeptSigns
from xorjax.masks.base import Streams, bits_to_bytes, read_bits
from xorjax.masks.csr import WIDTHS as CSR_WIDTHS


@CODES.register
@dataclass(frozen=True)
class SignsCode(KeptSigns):
    """Stream "p/signs": the kept signs of plane p in row-major order, eight a byte, lowest bit first.

    Without a mask all weights are kept.
    """

    id: ClassVar[str] = "signs"
    beside: ClassVar[tuple[str | None, ...]] = (
        "bitmap",
        *(f"csr{width}" for width in CSR_WIDTHS),
        "golomb",
        "ans_rc",
    )
    stream_names: ClassVar[tuple[str, ...]] = ("signs",)

    def write(self, kept: Bool[np.ndarray, " kept"]) -> Streams:
        return {"signs": bits_to_bytes(kept)}

    def read(self, streams: Streams, prefix: str, n: int) -> Bool[np.ndarray, " {n}"]:
        return read_bits(streams, f"{prefix}signs", n)
