"""Baseline: relative-index sparse rows with 5-bit gaps, as in Deep Compression (Han et al., 2016).

The layer is one row-major sequence. Each entry is a field of 5 bits: 0 to 30 is that many pruned weights and
then a kept one; 31 is a filler, 31 pruned weights and no kept one, for gaps that do not fit. Pruned weights
after the last kept one have no entry. Deep Compression's filler is a weight of value zero; one-bit values
have no zero, so the field itself marks the filler, which costs 5 index bits and no value bit.
"""

from math import prod

import numpy as np
from jaxtyping import Bool

from xorjax.codec.base import kept_to_planes
from xorjax.gf2.pack import pack_fields, unpack_fields
from xorjax.masks.base import Streams, bits_to_bytes, count_to_bytes, read_bits, read_count, read_stream

WIDTH = 5
FILLER = 2**WIDTH - 1


class Csr5:
    """Streams `index/n_entries` (eight bytes), `index/gaps` and `code/0`, ...: one bit a kept weight."""

    id = "csr5"

    def encode(self, planes: Bool[np.ndarray, "planes *shape"], mask: Bool[np.ndarray, "*shape"]) -> Streams:
        zeros = np.diff(np.flatnonzero(mask), prepend=-1) - 1
        n_fillers = zeros // FILLER
        fields = np.full(len(zeros) + int(n_fillers.sum()), FILLER, dtype=np.uint8)
        fields[np.cumsum(n_fillers + 1) - 1] = zeros % FILLER
        return {
            "index/n_entries": count_to_bytes(len(fields)),
            "index/gaps": pack_fields(fields, WIDTH),
            **{f"code/{p}": bits_to_bytes(plane[mask]) for p, plane in enumerate(planes)},
        }

    def decode(
        self, streams: Streams, n_planes: int, shape: tuple[int, ...]
    ) -> tuple[Bool[np.ndarray, "planes ..."], Bool[np.ndarray, "..."]]:
        n = prod(shape)
        n_entries = read_count(streams, "index/n_entries", 2 * n)
        gaps = read_stream(streams, "index/gaps", -(-n_entries * WIDTH // 8))
        fields = unpack_fields(gaps, WIDTH, n_entries).astype(np.int64)
        is_kept = fields != FILLER
        positions = (np.cumsum(fields + is_kept) - 1)[is_kept]
        if len(positions) and positions[-1] >= n:
            raise ValueError(f"stream 'index/gaps' reaches weight {positions[-1]} of {n}")
        mask = np.zeros(n, dtype=np.bool_)
        mask[positions] = True
        mask = mask.reshape(shape)
        kept = [read_bits(streams, f"code/{p}", len(positions)) for p in range(n_planes)]
        return kept_to_planes(np.stack(kept), mask), mask
