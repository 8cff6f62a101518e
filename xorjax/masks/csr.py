"""The mask as relative indices, as in Deep Compression (Han et al., 2016).

The mask is one row-major sequence. An entry is a field of w bits: 0 to 2^w - 2 is that many pruned weights and
then a kept one; 2^w - 1 is a filler, that many pruned weights and no kept one, for gaps that do not fit.
Pruned weights after the last kept one have no entry. Deep Compression's filler is a weight of value zero;
one-bit values have no zero, so the field itself marks the filler. Fillers are written, and so are counted.
"""

from dataclasses import dataclass
from math import prod

import numpy as np
from jaxtyping import Bool

from xorjax.gf2.pack import pack_fields, unpack_fields
from xorjax.masks.base import (
    MASK_CODECS,
    Streams,
    count_to_bytes,
    read_canonical,
    read_count,
    runs_of_zeros,
    set_after_runs,
)

WIDTHS = (4, 5, 6, 7, 8)


@dataclass(frozen=True)
class Csr:
    """Streams `n_entries`, eight bytes, and `gaps`: the entries, fillers included, in fields of `width` bits."""

    width: int
    stream_names = ("n_entries", "gaps")

    @property
    def id(self) -> str:
        return f"csr{self.width}"

    def encode(self, mask: Bool[np.ndarray, "*shape"]) -> Streams:
        filler = 2**self.width - 1
        runs = runs_of_zeros(mask)
        n_fillers = runs // filler
        fields = np.full(len(runs) + int(n_fillers.sum()), filler, dtype=np.uint8)
        fields[np.cumsum(n_fillers + 1) - 1] = runs % filler
        return {"n_entries": count_to_bytes(len(fields)), "gaps": pack_fields(fields, self.width)}

    def decode(self, streams: Streams, shape: tuple[int, ...]) -> Bool[np.ndarray, "..."]:
        # Every entry stands for at least one weight.
        n_entries = read_count(streams, "n_entries", prod(shape))
        gaps = read_canonical(streams, "gaps", n_entries * self.width)
        fields = unpack_fields(gaps, self.width, n_entries).astype(np.int64)
        is_kept = fields != 2**self.width - 1
        if n_entries and not is_kept[-1]:
            raise ValueError("stream 'gaps' ends in a filler")
        ends = np.cumsum(fields + is_kept)[is_kept]
        return set_after_runs("gaps", np.diff(ends, prepend=0) - 1, shape)


for _width in WIDTHS:
    MASK_CODECS.register(Csr(_width))
