"""The patch formats of docs/format.md: for each slice, the positions that are flipped."""

from math import comb

import numpy as np


class Bits:
    """A stream read from the front, a field at a time; integers of any width."""

    def __init__(self, stream):
        self.bits, self.at = np.unpackbits(stream, bitorder="little"), 0

    def field(self, width):
        self.at += width
        assert self.at <= len(self.bits)
        packed = np.packbits(self.bits[self.at - width : self.at], bitorder="little")
        return int.from_bytes(packed.tobytes(), "little")

    def section(self, widths):
        fields = [self.field(width) for width in widths]
        self.at = -(-self.at // 8) * 8
        return fields

    def unary(self, k):
        ends = self.at + np.flatnonzero(self.bits[self.at :])[:k]
        counts = np.diff(ends, prepend=self.at - 1) - 1
        self.at = -(-(int(ends[-1]) + 1) // 8) * 8
        return counts.tolist()


def width(n):
    """ceil(lg n)"""
    return (n - 1).bit_length()


def paper(counts, positions, care, n_in, entry):
    w, n_slices, n_out = counts.field(8), *care.shape
    widths = [w] * n_slices
    if entry["patch_format"] == "blocked":
        block = entry["patch_block"]
        blocks = counts.section([w] * -(-n_slices // block))
        widths = [blocks[s // block] for s in range(n_slices)]
    return [[positions.field(width(n_out)) for _ in range(d)] for d in counts.section(widths)]


def care(counts, positions, care, n_in, entry):
    k = counts.field(8)
    high = counts.unary(len(care))
    low = counts.section([k] * len(care))
    for inside, h, rest in zip(care, high, low, strict=True):
        where = np.flatnonzero(inside)
        yield [where[positions.field(width(len(where)))] for _ in range((h << k) + rest)]


def enumerative(counts, positions, care, n_in, entry):
    model, n_care = counts.field(8), care.sum(axis=1).tolist()
    rows = {k: row(model, n_in, k) for k in set(n_care)}
    states = [counts.field(32) for _ in range(1 + len(care) // 4096)]
    symbols = []
    for i, k in enumerate(n_care):
        x, (first, ends) = states[i % len(states)], rows[k]
        v = next(v for v, end in enumerate(ends) if x % 65536 < end)
        begin = ends[v - 1] if v else 0
        x = (ends[v] - begin) * (x // 65536) + x % 65536 - begin
        states[i % len(states)] = x if x >= 65536 else x << 16 | counts.field(16)
        symbols.append(first + v if v < len(ends) - 1 else None)
    assert set(states) == {65536}
    for inside, k, symbol in zip(care, n_care, symbols, strict=True):
        d = counts.field(width(care.shape[1] + 1)) if symbol is None else symbol
        if k > 256:
            numbers = [positions.field(width(k)) for _ in range(d)]
        else:
            index, numbers = positions.field(width(comb(k, d))), []
            for j in range(d, 0, -1):
                numbers.append(max(c for c in range(k) if comb(c, j) <= index))
                index -= comb(numbers[-1], j)
        yield np.flatnonzero(inside)[numbers]


def row(model, n_in, k):
    if k == 0 or k > 256:
        return 0, [65536, 65536][k > 256 :]
    chances = {0: 1 << 64}
    for done in range(k):
        new = {}
        for r, p in chances.items():
            q = p >> n_in - done + r
            new |= {s: new.get(s, 0) + more for s, more in ((r, p - q), (r + 1, q)) if more}
        chances = new
    above = [1 << 64]
    while above[-1] >= 1 << 48 and len(above) <= k:
        t, a = len(above) - 1, 0
        for r, p in chances.items():
            minimum = power((1 << 64) - ((1 << 64) >> r), sum(comb(k, i) for i in range(t + 1)))
            greedy = (1 << 64) - ((sum(comb(r, i) for i in range(t + 1)) << 64) >> r)
            a += p * [minimum, greedy][model] >> 64
        above.append(a)
    chance = [max(p - q, 0) for p, q in zip(above, [*above[1:], 0], strict=True)]
    likely = [t for t, p in enumerate(chance) if p >= 1 << 48]
    window = chance[likely[0] : likely[-1] + 1]
    sizes = [1 + (p * (65536 - len(window) - 1) >> 64) for p in window]
    return likely[0], [*np.cumsum(sizes).tolist(), 65536]


def power(b, e):
    result = 1 << 64
    while e and result:
        result, b, e = result * b >> 64 if e & 1 else result, b * b >> 64, e >> 1
    return result


PATCHES = {"paper": paper, "blocked": paper, "care": care, "enumerative": enumerative}
