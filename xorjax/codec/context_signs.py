"""The signs of the kept weights, entropy-coded under what their rows, columns and neighbours have shown before.

Signs of trained layers are not evenly mixed. A row or a column has its own share of pluses, dense ones another than
sparse ones, and weights that lie a certain distance apart, those of neighbouring pixels, agree. The odds of a sign are
the sum of what its contexts contribute, and each contribution is learned while signs are coded: logistic regression by
steps of gradient descent that shrink as a context is seen. The file holds the distances and no other side information.
The arithmetic is that of integers, so that every machine decodes the same signs; docs/format.md spells it out.

A kernel of any rank is the matrix of shape (prod(shape[:-1]), shape[-1]).
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import ClassVar, no_type_check

import numpy as np
from constriction import stream as coders  # pyright: ignore[reportAttributeAccessIssue]
from jaxtyping import Bool, Int8, Int64

from xorjax.codec.code import CODES, Code, EncodedPlanes, Mask, Planes, Tell, check_planes, check_streams
from xorjax.gf2.pack import pack_fields, unpack_fields
from xorjax.masks.ans import PRECISION, read_words, words_of
from xorjax.masks.ans_rc import frequency
from xorjax.masks.base import Streams, matrix_shape, read_stream

LAG_BITS = 24
MOST_LAGS = 8
_SURE = 64
"""Odds end at 2^8 : 1, so that one surprise costs a byte."""
_SHARES = np.array([frequency(odds) for odds in range(-_SURE, _SURE + 1)])
_LOOK = 1 << 20
_EVIDENT = 6.0


@CODES.register
@dataclass(frozen=True)
class ContextSignsCode(Code):
    """Streams "p/lags" and "p/words" of plane p: distances at which signs agree, and a coder's 32-bit words."""

    id: ClassVar[str] = "context_signs"
    beside: ClassVar[tuple[str | None, ...]] = ("ans_rc",)
    stream_names: ClassVar[tuple[str, ...]] = ("lags", "words")

    def encode(self, planes: Planes, mask: Mask | None, tell: Tell = lambda done: None) -> EncodedPlanes:
        check_planes(planes, mask)
        layer = Layer.of(planes.shape[1:], mask)
        streams = {
            f"{p}/{name}": stream
            for p, plane in enumerate(planes.reshape(len(planes), -1))
            for name, stream in _encode(layer, plane).items()
        }
        return EncodedPlanes(self, planes.shape[1:], len(planes), streams)

    def decode(self, encoded: EncodedPlanes, mask: Mask | None) -> Planes:
        check_streams(encoded, self.stream_names)
        layer = Layer.of(encoded.shape, mask)
        planes = [_decode(layer, encoded.streams, f"{p}/") for p in range(encoded.n_planes)]
        return np.stack(planes).reshape(len(planes), *encoded.shape)


@dataclass(frozen=True, eq=False)
class Layer:
    """Where the kept weights of a layer lie.

    Attributes:
        shape: rows and columns.
        places: of the kept weights, ascending.
        row_class: how many binary digits the number of kept weights of each row has.
        column_class: likewise.
    """

    shape: tuple[int, int]
    places: Int64[np.ndarray, " kept"]
    row_class: Int64[np.ndarray, " rows"]
    column_class: Int64[np.ndarray, " columns"]

    @classmethod
    def of(cls, shape: tuple[int, ...], mask: Mask | None) -> "Layer":
        kept = np.ones(shape, np.bool_) if mask is None else mask
        matrix = kept.reshape(matrix_shape(shape))
        # frexp's exponent of a whole number is how many digits it has.
        classes = (np.frexp(matrix.sum(axis))[1].astype(np.int64) for axis in (1, 0))
        return cls(matrix_shape(shape), np.flatnonzero(matrix), *classes)

    def signs(self, plane: Bool[np.ndarray, " weights"]) -> Int8[np.ndarray, " weights"]:
        """1 and -1 where a weight is kept, elsewhere 0."""
        signs = np.zeros(plane.size, np.int8)
        signs[self.places] = np.where(plane[self.places], 1, -1)
        return signs

    def shares(
        self, signs: Int8[np.ndarray, " weights"], lags: Int64[np.ndarray, " lags"]
    ) -> Int64[np.ndarray, " kept"]:
        """Of 2**24, what each sign had of being plus, before it was seen."""
        shares = np.zeros(len(self.places), np.int64)
        _compiled()(signs, shares, np.zeros(0, np.uint64), *self._rest(lags))
        return shares

    def decode(
        self, words: np.ndarray, lags: Int64[np.ndarray, " lags"]
    ) -> tuple[Int8[np.ndarray, " weights"], bool]:
        """The signs, and whether the words ended with them."""
        signs = np.zeros(self.shape[0] * self.shape[1], np.int8)
        ended = _compiled()(signs, np.zeros(0, np.int64), words.astype(np.uint64), *self._rest(lags))
        return signs, bool(ended)

    def _rest(self, lags: Int64[np.ndarray, " lags"]) -> tuple:
        return self.places, self.shape[1], self.row_class, self.column_class, lags, _SHARES


def _encode(layer: Layer, plane: Bool[np.ndarray, " weights"]) -> Streams:
    signs = layer.signs(plane)
    lags = find_lags(signs.reshape(layer.shape))
    shares = layer.shares(signs, lags)
    coder = coders.stack.AnsCoder()
    if len(shares):
        # Exactly these frequencies, for the reason that `masks.ans.model` gives.
        weights = np.stack([(1 << PRECISION) - shares, shares], axis=1) - 1.0
        bits = (signs[layer.places] > 0).astype(np.int32)
        coder.encode_reverse(bits, coders.model.Categorical(perfect=False), weights)
    return {"lags": pack_fields(lags, LAG_BITS), "words": words_of(coder)}


def _decode(layer: Layer, streams: Streams, prefix: str) -> Bool[np.ndarray, " weights"]:
    lags, name = _read_lags(streams, f"{prefix}lags"), f"{prefix}words"
    signs, ended = layer.decode(read_words(streams, name), lags)
    if not ended:
        raise ValueError(f"stream {name!r} does not end with its {len(layer.places)} signs")
    return signs > 0


def _read_lags(streams: Streams, name: str) -> Int64[np.ndarray, " lags"]:
    stream = read_stream(streams, name)
    n, rest = divmod(8 * len(stream), LAG_BITS)
    if rest or n > MOST_LAGS:
        raise ValueError(f"stream {name!r} has {len(stream)} bytes, expected 3 for each of 0 to {MOST_LAGS}")
    lags = unpack_fields(stream, LAG_BITS, n).astype(np.int64)
    if (np.diff(lags, prepend=0) <= 0).any():
        raise ValueError(f"stream {name!r} has the distances {lags.tolist()}, which must ascend from 1")
    return lags


def find_lags(signs: Int8[np.ndarray, "rows columns"]) -> Int64[np.ndarray, " lags"]:
    """Distances in row-major order at which signs agree beyond what their rows and columns explain, ascending.

    They are those of the highest scores, of `_EVIDENT` standard deviations or more: such a distance saves more bits
    than the 24 that it costs, and chance seldom has one. The first million weights are looked at.
    """
    part = signs[: max(1, _LOOK // signs.shape[1]), :_LOOK].astype(np.float64)
    kept = (part != 0).astype(np.float64)
    part -= kept * (part.sum() / max(kept.sum(), 1))
    of_row, of_column = (part.sum(a, keepdims=True) / (kept.sum(a, keepdims=True) + 8) for a in (1, 0))
    part -= kept * (of_row + of_column)
    agreements, pairs = _sums_of_products(part), _sums_of_products(kept)
    scores = agreements / np.sqrt(np.maximum(pairs, 0) + 1)
    scores[0] = 0
    best = np.argsort(-scores, kind="stable")[:MOST_LAGS]
    return np.sort(best[scores[best] >= _EVIDENT])


def _sums_of_products(values: np.ndarray) -> np.ndarray:
    """Over all pairs at each distance."""
    size = 1 << (2 * values.size - 1).bit_length()
    spectrum = np.fft.rfft(values.ravel(), size)
    return np.fft.irfft(np.abs(spectrum) ** 2, size)[: values.size]


@cache
def _compiled() -> Callable:
    # Imported when used: numba takes a second, which other codes need not wait for.
    from xorjax.gf2.compiled import compile_alone

    return compile_alone(walk)


@no_type_check
def walk(signs, shares, words, places, columns, row_class, column_class, lags, table) -> bool:
    """Along the kept weights: `shares` are written where there are any, from `signs`; else `words` become `signs`.

    Plain Python and NumPy that numba compiles; uncompiled it is the reference.

    Returns:
        Whether the words ended with the signs.
    """
    rows, writes, sure = len(row_class), len(shares) > 0, len(table) // 2
    first_column, first_pair = 1 + rows, 1 + rows + columns
    first_lag = first_pair + 64 * 64
    adds, seen = np.zeros(first_lag + len(lags), np.int64), np.zeros(first_lag + len(lags), np.int64)
    context, sense = np.zeros(4 + len(lags), np.int64), np.ones(4 + len(lags), np.int64)
    by_24, by_32, small, full = np.uint64(24), np.uint64(32), np.uint64(1 << 32), np.uint64(1 << 24)
    low = full - np.uint64(1)
    state, left = np.uint64(0), len(words)
    while left and state < small:
        left -= 1
        state = (state << by_32) | words[left]
    for k in range(len(places)):
        place = places[k]
        row, column = place // columns, place % columns
        context[1] = 1 + row
        context[2] = first_column + column
        context[3] = first_pair + 64 * row_class[row] + column_class[column]
        n = 4
        for number in range(len(lags)):
            if place >= lags[number] and signs[place - lags[number]] != 0:
                context[n], sense[n] = first_lag + number, signs[place - lags[number]]
                n += 1
        total = 0
        for c in range(n):
            total += sense[c] * adds[context[c]]
        share = table[sure + min(max((total + (1 << 17)) >> 18, -sure), sure)]
        if writes:
            shares[k] = share
        else:
            plus, rest = np.uint64(share), state & low
            if rest >= full - plus:
                state = (state >> by_24) * plus + (rest - (full - plus))
                signs[place] = 1
            else:
                state = (state >> by_24) * (full - plus) + rest
                signs[place] = -1
            if left and state < small:
                left -= 1
                state = (state << by_32) | words[left]
        miss = (1 << 24) - share if signs[place] > 0 else -share
        for c in range(n):
            adds[context[c]] += sense[c] * (miss // (16 + min(seen[context[c]], 1023)))
            seen[context[c]] += 1
    return state == 0 and left == 0
