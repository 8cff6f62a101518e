"""The fewest bits: a slice's patches as one combination index, counts in rANS under a model of their chances."""

from bisect import bisect_right

import numpy as np

from xorjax.codec.patches import rans
from xorjax.codec.patches.base import (
    Bytes,
    CareSlices,
    Counts,
    Positions,
    header,
    section_bytes,
    to_counts,
)
from xorjax.codec.patches.combination import MAX_CARE, from_index, index_width, to_index
from xorjax.codec.patches.count_model import MODELS, CountRow, count_row
from xorjax.codec.patches.expected import ExpectedSlices, lg_choose
from xorjax.gf2.pack import pack_fields, unpack_fields


class Enumerative:
    """The size floor of the family: d patches among K care bits cost ceil(lg C(K, d)) bits, and a count its
    information given K.

    Byte 0 of the counts is the number of the model in `count_model.MODELS`, the one that gives fewer bytes, the
    first if equal. Then one rANS symbol a slice (see `rans`), then the counts of the escaped slices in fields of
    ceil(lg(n_out + 1)) bits. The positions stream has an index for each slice (see `combination`), in as many bits as
    C(K, d) needs; a slice with K > 256 has its patches' numbers instead, in fields of ceil(lg K) bits.

    Gives up: fixed rate, random access, and most of the parallel decoding: counts come one after another, 1/4096
    of the slices at a time, and an index is unfolded patch by patch.
    """

    id = "enumerative"
    needs_care = True

    def pack_counts(self, n_patches: Counts, slices: CareSlices) -> Bytes:
        streams = [_pack_counts(i, n_patches, slices) for i in range(len(MODELS))]
        return min(streams, key=len)

    def unpack_counts(self, stream: Bytes, slices: CareSlices) -> Counts:
        if len(stream) == 0 or stream[0] >= len(MODELS):
            raise ValueError(f"it does not begin with the number of a model, 0 to {len(MODELS) - 1}")
        rows = count_rows(int(stream[0]), slices)
        of_slice = [rows[k] for k in slices.n_care.tolist()]
        symbols: list[int] = []

        def find(i: int, slot: int) -> tuple[int, int]:
            symbols.append(bisect_right(of_slice[i].ends, slot))
            return of_slice[i].interval(symbols[i])

        taken = rans.decode(stream[1:], slices.n_slices, find)
        counts = np.array([row.first + s for row, s in zip(of_slice, symbols, strict=True)], dtype=np.int64)
        escaped = np.array([s == row.escape for row, s in zip(of_slice, symbols, strict=True)])
        n_escaped = int(escaped.sum())
        counts[escaped] = unpack_fields(stream[1 + taken :], escape_width(slices.n_out), n_escaped)
        return to_counts(counts)

    def pack_positions(self, n_patches: Counts, positions: Positions, slices: CareSlices) -> Bytes:
        numbers = slices.numbers(n_patches, positions).tolist()
        packed, value, bits, at = bytearray(), 0, 0, 0
        for k, d in zip(slices.n_care.tolist(), n_patches.tolist(), strict=True):
            of_slice = numbers[at : at + d]
            at += d
            fields = (
                [(to_index(of_slice), index_width(k, d))]
                if k <= MAX_CARE
                else [(number, field_width(k)) for number in of_slice]
            )
            for field, width in fields:
                value |= field << bits
                bits += width
                packed += (value & (1 << bits // 8 * 8) - 1).to_bytes(bits // 8, "little")
                value, bits = value >> bits // 8 * 8, bits % 8
        packed += value.to_bytes(section_bytes(bits), "little")
        return np.frombuffer(bytes(packed), dtype=np.uint8)

    def unpack_positions(self, stream: Bytes, n_patches: Counts, slices: CareSlices) -> Positions:
        data, at = stream.tobytes(), 0
        numbers: list[int] = []

        def take(width: int) -> int:
            nonlocal at
            begin, at = at, at + width
            if at > 8 * len(data):
                raise ValueError(f"{len(data)} bytes do not hold the patches of all slices")
            field = int.from_bytes(data[begin // 8 : section_bytes(at)], "little")
            return field >> begin % 8 & (1 << width) - 1

        for k, d in zip(slices.n_care.tolist(), n_patches.tolist(), strict=True):
            if d and k <= MAX_CARE:
                numbers += from_index(take(index_width(k, d)), k, d)
            else:
                numbers += [take(field_width(k)) for _ in range(d)]
        return slices.positions(n_patches, np.array(numbers, dtype=np.int32))

    def expected_bits(self, slices: ExpectedSlices) -> float:
        bits = 8.0 + 32 * rans.n_states(round(slices.total))
        for k, n, chances in zip(slices.n_care.tolist(), slices.n_slices, slices.chances, strict=True):
            counts = np.arange(len(chances))
            if k > MAX_CARE:
                bits += n * (escape_width(slices.n_out) + field_width(k) * float(chances @ counts))
                continue
            likely = np.flatnonzero(chances[: k + 1] > 0)
            p = chances[likely]
            entropy = -float(p @ np.log2(p))
            bits += n * (entropy + float(p @ np.ceil(lg_choose(k)[likely] - 1e-9)))
        return float(bits)


def count_rows(model: int, slices: CareSlices) -> dict[int, CountRow]:
    """The rows of the numbers of care bits that occur."""
    return {k: count_row(MODELS[model], slices.n_in, k) for k in np.unique(slices.n_care).tolist()}


def escape_width(n_out: int) -> int:
    """Bits of an escaped count: ceil(lg(n_out + 1))."""
    return n_out.bit_length()


def field_width(k: int) -> int:
    """Bits of a number below k: ceil(lg k)."""
    return (k - 1).bit_length()


def _pack_counts(model: int, n_patches: Counts, slices: CareSlices) -> Bytes:
    rows = count_rows(model, slices)
    pairs = list(zip(slices.n_care.tolist(), n_patches.tolist(), strict=True))
    coded = rans.encode([rows[k].interval(rows[k].symbol(d)) for k, d in pairs])
    escaped = np.array([d for k, d in pairs if rows[k].symbol(d) == rows[k].escape], dtype=np.int64)
    return np.concatenate([header(model), coded, pack_fields(escaped, escape_width(slices.n_out))])
