"""The mask codecs of docs/format.md: streams and shape to the mask."""

from math import prod

import numpy as np
from stranger_fitted import FITTED
from stranger_patches import Bits, width


def bitmap(streams, shape):
    return np.unpackbits(streams["bits"], count=prod(shape), bitorder="little").reshape(shape) == 1


class Coder:
    def __init__(self, stream):
        self.words, self.state = np.frombuffer(stream.tobytes(), "<u4").tolist(), 0
        while self.words and self.state < 1 << 32:
            self.state = self.state << 32 | self.words.pop()

    def symbols(self, frequencies, n):
        ends, found = np.cumsum(frequencies).tolist(), np.zeros(n, np.int64)
        for i in range(n):
            r = self.state % (1 << 24)
            v = found[i] = next(v for v, end in enumerate(ends) if r < end)
            self.state = (self.state >> 24) * frequencies[v] + r - (ends[v] - frequencies[v])
            if self.state < 1 << 32 and self.words:
                self.state = self.state << 32 | self.words.pop()
        return found

    def end(self):
        assert (self.state, self.words) == (0, [])


def ans(streams, shape):
    n, n_ones = prod(shape), number(streams["n_ones"])
    if n_ones in (0, n):
        return np.full(shape, n_ones > 0)
    f1 = min(max((n_ones * 2**24 + n // 2) // n, 1), 2**24 - 1)
    coder = Coder(streams["words"])
    bits = coder.symbols([2**24 - f1, f1], n)
    coder.end()
    return bits.reshape(shape) == 1


def number(stream):
    return int.from_bytes(stream.tobytes(), "little")


def matrix_shape(shape):
    return prod(shape[:-1]), shape[-1] if shape else 1


def frequency(odds):
    table = (65536, 71468, 77936, 84990, 92682, 101070, 110218, 120194)
    rarer = max(2**40 // (65536 + (table[abs(odds) % 8] << abs(odds) // 8)), 1)
    return rarer if odds < 0 else 2**24 - rarer


def ans_rc(streams, shape):
    header, coder, axes = streams["header"].tolist(), Coder(streams["words"]), []
    for size in matrix_shape(shape):
        k = header.pop(0)
        levels, shares = [(v + 128) % 256 - 128 for v in header[:k]], [v + 1 for v in header[k : 2 * k]]
        header = header[2 * k :]
        axes.append((levels, np.zeros(size) if k == 1 else coder.symbols([65536 * s for s in shares], size)))
    mask = np.zeros(matrix_shape(shape), bool)
    (row_levels, row_classes), (column_levels, column_classes) = axes
    for i, row_level in enumerate(row_levels):
        for j, column_level in enumerate(column_levels):
            f1 = frequency(row_level + column_level)
            where = np.outer(row_classes == i, column_classes == j)
            mask[where] = coder.symbols([2**24 - f1, f1], int(where.sum()))
    coder.end()
    return mask.reshape(shape)


def csr(w):
    def decode(streams, shape):
        mask, at = np.zeros(prod(shape), bool), 0
        for v in Bits(streams["gaps"]).section([w] * number(streams["n_entries"])):
            at += v
            if v < 2**w - 1:
                mask[at] = True
                at += 1
        return mask.reshape(shape)

    return decode


def golomb(streams, shape):
    n_kept, m = number(streams["header"][:8]), number(streams["header"][8:])
    b, u = width(m), 1 if m == 1 else 2 ** width(m) - m
    last, mask, at = Bits(streams["last_bits"]), np.zeros(prod(shape), bool), 0
    quotients = Bits(streams["quotients"]).unary(n_kept) if n_kept else []
    for q, v in zip(quotients, Bits(streams["remainders"]).section([max(b - 1, 0)] * n_kept), strict=True):
        at += m * q + (v if v < u else 2 * v + last.field(1) - u)
        mask[at] = True
        at += 1
    return mask.reshape(shape)


MASKS = {"bitmap": bitmap, "ans": ans, "ans_rc": ans_rc, "golomb": golomb} | FITTED
MASKS |= {f"csr{w}": csr(w) for w in range(4, 9)}
