"""The mask as Golomb-coded run lengths (Golomb, 1966): the best code of whole bits for one density.

A run is the pruned weights before a kept one, in row-major order; those after the last kept one are not
written. With the parameter m and b = ceil(lg m), a run is m q + r. The quotient q is unary, q zeros and a one. The
remainder r is truncated binary: r < u = 2^b - m takes b - 1 bits, and r >= u is written as r + u in b bits, whose
last bit, the lowest, is kept apart. So the three parts lie in streams of their own, and each is read at once.
"""

from math import prod

import numpy as np
from jaxtyping import Bool, Int64

from xorjax.gf2.pack import pack_fields, unpack_fields
from xorjax.masks.base import (
    MASK_CODECS,
    Streams,
    bits_to_bytes,
    count_to_bytes,
    read_canonical,
    read_stream,
    runs_of_zeros,
    set_after_runs,
)


class Golomb:
    """Streams `header`, `quotients`, `remainders` and `last_bits`.

    `header` is the number of kept weights and m, eight bytes each; `quotients` the unary codes; `remainders` a
    field of max(b - 1, 0) bits for each run, the remainder but for its last bit; `last_bits` the last bit of
    every remainder that has b bits.
    """

    id = "golomb"
    stream_names = ("header", "quotients", "remainders", "last_bits")

    def encode(self, mask: Bool[np.ndarray, "*shape"]) -> Streams:
        runs = runs_of_zeros(mask)
        parameter = best_parameter(runs)
        width, n_short = _remainders(parameter)
        quotients, rest = runs // parameter, runs % parameter
        unary = np.zeros(int(quotients.sum()) + len(runs), dtype=np.bool_)
        unary[np.cumsum(quotients + 1) - 1] = True
        is_long = rest >= n_short
        return {
            "header": np.concatenate([count_to_bytes(len(runs)), count_to_bytes(parameter)]),
            "quotients": bits_to_bytes(unary),
            "remainders": pack_fields(np.where(is_long, (rest + n_short) >> 1, rest), width),
            "last_bits": bits_to_bytes(((rest + n_short) & 1 == 1)[is_long]),
        }

    def decode(self, streams: Streams, shape: tuple[int, ...]) -> Bool[np.ndarray, "..."]:
        n = prod(shape)
        header = read_stream(streams, "header", 16).tobytes()
        n_kept, parameter = (int.from_bytes(part, "little") for part in (header[:8], header[8:]))
        if n_kept > n or not 1 <= parameter <= max(n, 1):
            raise ValueError(
                f"stream 'header' has {n_kept} kept weights and the parameter {parameter} for {n}"
            )
        width, n_short = _remainders(parameter)
        # A zero stands for m weights and a one for a weight, so more bytes than this are refused unread.
        if len(read_stream(streams, "quotients")) > -(-n // 8):
            raise ValueError(f"stream 'quotients' has {len(streams['quotients'])} bytes for {n} weights")
        unary = np.unpackbits(streams["quotients"], bitorder="little")
        ends = np.flatnonzero(unary)
        read_canonical(streams, "quotients", int(ends[-1]) + 1 if len(ends) else 0)
        if len(ends) != n_kept:
            raise ValueError(f"stream 'quotients' has {len(ends)} ones, not {n_kept}")
        quotients = np.diff(ends, prepend=-1) - 1
        # Before anything is multiplied: the sum must not pass what 64 bits hold.
        if int(quotients.sum()) * parameter > n:
            raise ValueError(f"stream 'quotients' reaches past weight {n}")
        rest = unpack_fields(read_canonical(streams, "remainders", n_kept * width), width, n_kept)
        rest = rest.astype(np.int64)
        is_long = rest >= n_short
        last = read_canonical(streams, "last_bits", int(is_long.sum()))
        rest[is_long] = 2 * rest[is_long] - n_short + np.unpackbits(last, bitorder="little")[: is_long.sum()]
        return set_after_runs("remainders", quotients * parameter + rest, shape)


MASK_CODECS.register(Golomb())


def best_parameter(runs: Int64[np.ndarray, " kept"]) -> int:
    """The parameter that makes the streams shortest: of all up to 4096, then of steps of 2 %."""
    if not len(runs):
        return 1
    lengths, counts = np.unique(runs, return_counts=True)
    largest = int(lengths[-1]) + 1  # a larger one only lengthens the remainders
    steps = np.geomspace(1, largest, 2 + int(np.log(largest) / np.log(1.02))).round().astype(np.int64)
    parameters = np.union1d(np.arange(1, min(largest, 4096) + 1), steps)

    def n_bits(parameter: int) -> int:
        width, n_short = _remainders(parameter)
        return int(counts @ (lengths // parameter + 1 + width + (lengths % parameter >= n_short)))

    return min(parameters.tolist(), key=n_bits)


def _remainders(parameter: int) -> tuple[int, int]:
    """The bits that every remainder has, and how many remainders have no bit more."""
    width = max((parameter - 1).bit_length() - 1, 0)
    return width, (2 << width) - parameter if parameter > 1 else 1
