"""The price at which the masks that windows of a code stream draw meet the prune rate.

A kept weight costs a price, which moves until the prune rate is met; `masks.words` finds the best stream at a price.
Scores are integers of so few bits that every sum is exact in float32: the outcome does not depend on the order in
which BLAS adds.
"""

from dataclasses import dataclass, replace
from math import gcd, log

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int32, Integer, UInt8

from xorjax.masks.base import INDEX_BITS, Streams, default_index_bits, matrix_shape, n_kept
from xorjax.masks.blocks import MAX_BLOCK, BlockCode, arrange, write_block_mask
from xorjax.masks.words import MAX_EXHAUSTIVE, Words
from xorjax.settings import SEED, Range, setting

_SEGMENT = 1024
_LOOKAHEAD = 64
_ROUNDS = 6
_SAMPLE = 2048
_MAX_PRICES = 20
_CAP = 8.0  # scores above this many times the least of the largest count as that
_FOLLOW = 0.5  # price, in the same unit, for each part by which too few or too many are left to keep
_SLACK = 1e-4  # of all weights, by which the count may miss


@dataclass(frozen=True)
class BlockSettings:
    """How the mask of a layer is cut into blocks, and the words that stand for them."""

    n_in: int = setting(12, Range(1), "Bits of the window of codes that a block is drawn by.")
    step: int = setting(3, Range(1), "Bits by which windows follow each other; n_in: they do not overlap.")
    row_groups: int = setting(4, Range(1), "Groups of rows, by density; all rows where there are fewer.")
    column_groups: int | None = setting(
        None, Range(1), "Groups of columns; none: the fewest that index_bits pay for."
    )
    index_bits: float | None = setting(
        None, INDEX_BITS, "Bits a weight at most; none: a quarter of the entropy of the prune rate."
    )
    threshold_bits: int = setting(8, Range(1), "Bits of a place's threshold.")
    seed: int = setting(0, SEED, "What the words are drawn from.")


def choose_code(shape: tuple[int, ...], prune_rate: float, settings: BlockSettings) -> BlockCode:
    """The code of a mask of this shape; where none is as cheap as `index_bits`, the cheapest.

    Raises:
        ValueError: windows overlap by less than half, or are independent and too long to try all.
    """
    n_in, step, threshold_bits, seed = settings.n_in, settings.step, settings.threshold_bits, settings.seed
    if not (step == n_in <= MAX_EXHAUSTIVE or 1 <= step <= min(8, n_in // 2)):
        raise ValueError(
            f"step is {step} for n_in {n_in}, expected 1 to {min(8, n_in // 2)}, or n_in itself up to "
            f"{MAX_EXHAUSTIVE}"
        )
    rows, columns = matrix_shape(shape)
    if not (rows and columns):
        raise ValueError(f"a mask of shape {shape} has no weights")
    row_groups = min(settings.row_groups, rows)
    if settings.column_groups is not None:
        return BlockCode(n_in, step, row_groups, settings.column_groups, threshold_bits, seed)
    index_bits = default_index_bits(prune_rate) if settings.index_bits is None else settings.index_bits
    codes = [
        BlockCode(n_in, step, row_groups, groups, threshold_bits, seed)
        for groups in range(1, max(1, min(columns, MAX_BLOCK // row_groups)) + 1)
    ]
    affordable = [code for code in codes if code.bits_per_weight(shape) <= index_bits]
    return affordable[0] if affordable else min(codes, key=lambda code: code.bits_per_weight(shape))


def fit_blocks(
    scores: Float32[np.ndarray, "*shape"], prune_rate: float, code: BlockCode, words: Words
) -> Streams:
    """The streams of the mask that keeps the most score at the prune rate.

    Rows and columns are grouped by how many of the largest scores they hold. Thresholds follow the densities
    that the search leaves at each place (Blahut, 1972): words are then drawn at the densities they serve.
    """
    matrix = scores.reshape(matrix_shape(scores.shape)).astype(np.float64)
    n_keep = n_kept(scores.size, prune_rate)
    target = n_keep / scores.size
    top = np.zeros(scores.size, dtype=bool)
    top[np.argsort(-matrix.ravel(), kind="stable")[:n_keep]] = True
    top = top.reshape(matrix.shape)
    unit = float(matrix[top].min()) or float(matrix.max()) or 1.0
    row_groups = _sort_into_groups(top.sum(axis=1), code.row_groups)
    column_groups = _sort_into_groups(top.sum(axis=0), code.column_groups)

    def blocks_of(array: np.ndarray) -> np.ndarray:
        return arrange(array, row_groups, column_groups, code)

    care = blocks_of(np.ones(matrix.shape, dtype=bool))
    blocks = _Blocks.of(blocks_of(np.minimum(matrix, _CAP * unit)), care, unit, code)
    density = (blocks_of(top).sum(axis=0) + target) / (care.sum(axis=0) + 1)
    sample = blocks.sample()
    price, reach = blocks.unit // 2, 4 * blocks.unit
    for _ in range(_ROUNDS):
        n_sample = target * float(sample.care.sum())
        found = sample.meet(words, _thresholds(density, code), n_sample, price, reach, 0.01 * n_sample)
        used = (found.kept & sample.care).sum(axis=0) / np.maximum(sample.care.sum(axis=0), 1)
        density = used * (target / max(used.mean(), 1e-9))
        price, reach = found.price, blocks.unit
    thresholds = _thresholds(density, code)
    bits = blocks.encode(words, thresholds, n_keep, price)
    return write_block_mask(code, row_groups, column_groups, thresholds, bits)


def _sort_into_groups(counts: Integer[np.ndarray, " n"], n_groups: int) -> Int32[np.ndarray, " n"]:
    """Groups of equal size, the largest counts in group 0; the last takes what is left."""
    groups = np.empty(len(counts), dtype=np.int32)
    groups[np.argsort(-counts, kind="stable")] = np.arange(len(counts)) // -(-len(counts) // n_groups)
    return groups


def _thresholds(density: Float64[np.ndarray, " places"], code: BlockCode) -> Int32[np.ndarray, " places"]:
    one = 1 << code.threshold_bits
    return np.clip(np.rint(density * one), 1, one).astype(np.int32) - 1


@dataclass(frozen=True, eq=False)
class _Found:
    price: int
    count: int
    bits: UInt8[np.ndarray, " code_bits"]
    kept: Bool[np.ndarray, "blocks places"]


@dataclass(frozen=True, eq=False)
class _Blocks:
    """Scores as integers, in blocks. `care` is False on padding; `unit` is the least score of the largest."""

    code: BlockCode
    scores: Int32[np.ndarray, "blocks places"]
    care: Bool[np.ndarray, "blocks places"]
    unit: int

    @classmethod
    def of(cls, scores, care, unit: float, code: BlockCode) -> "_Blocks":
        # Paths differ by the values of the blocks that one bit enters; sums of those stay within 2**22.
        largest = (1 << 22) // (-(-code.n_in // code.step) + 1)
        scale = largest / (float(scores.sum(axis=1).max()) + 2 * unit * code.n_places)
        unit = max(1, int(unit * scale))
        # Equal scores would all be kept at one price and none at the next: a small part of the unit, spread
        # evenly by multiples of the golden ratio, tells them apart.
        spread = (np.arange(scores.size, dtype=np.uint64) * 0x9E3779B1 & 0xFFFFFFFF) * (unit // 64) >> 32
        integers = np.rint(scores * scale).astype(np.int32) + spread.reshape(scores.shape).astype(np.int32)
        return cls(code, integers, care, unit)

    def part(self, index) -> "_Blocks":
        return _Blocks(self.code, self.scores[index], self.care[index], self.unit)

    def sample(self) -> "_Blocks":
        """Blocks from everywhere, in an order that mixes rows and columns."""
        n = len(self.scores)
        if n <= _SAMPLE:
            return self
        stride = int(0.618 * n)
        while gcd(stride, n) > 1:
            stride += 1
        return self.part(np.arange(_SAMPLE) * stride % n)

    def find(self, words: Words, thresholds, prices: Integer[np.ndarray, "#blocks"], start=None) -> _Found:
        values = ((self.scores - prices[:, None]) * self.care).astype(np.float32)
        bits, kept = words.best(values, thresholds, start)
        return _Found(int(prices[-1]), int((kept & self.care).sum()), bits, kept)

    def meet(
        self, words: Words, thresholds, n_keep: float, price: int, reach: int, slack: float, start=None
    ) -> _Found:
        """What is found at the price, within `reach` of the given one, that keeps nearest to `n_keep`."""
        bounds = max(price - reach, -2 * self.unit), min(price + reach, 2 * self.unit)
        above = below = None  # what keeps too much, at the highest price so far, and what keeps too little
        nearest = found = self.find(words, thresholds, np.array([price]), start)
        for i in range(_MAX_PRICES):
            if abs(found.count - n_keep) <= slack:
                return found
            above, below = (found, below) if found.count > n_keep else (above, found)
            if above and below:
                if below.price - above.price <= 1:
                    break
                part = (log(above.count) - log(max(n_keep, 1))) / (
                    log(above.count) - log(max(below.count, 1))
                )
                part = 0.5 if i % 3 == 2 else min(max(part, 0.05), 0.95)
                price = above.price + round(part * (below.price - above.price))
                price = min(max(price, above.price + 1), below.price - 1)
            else:
                step = round(_FOLLOW * self.unit * log(max(found.count, 1) / max(n_keep, 1)))
                price += step or (1 if found.count > n_keep else -1)
                price = min(max(price, bounds[0]), bounds[1])
                if price == found.price:
                    break
            found = self.find(words, thresholds, np.array([price]), start)
            nearest = self._nearer(nearest, found, n_keep)
        if above and below:
            nearest = self._split(words, thresholds, n_keep, nearest, slack, start)
        return nearest

    def _split(self, words: Words, thresholds, n_keep: float, nearest: _Found, slack: float, start) -> _Found:
        """Where no price meets the count: the first blocks pay less than the price, the others more."""
        gap, low, high = max(1, self.unit // 8), 1, len(self.scores) - 1
        while low <= high and abs(nearest.count - n_keep) > slack:
            middle = (low + high) // 2
            cheap = np.arange(len(self.scores)) < middle
            found = self.find(words, thresholds, nearest.price + gap - 2 * gap * cheap, start)
            low, high = (low, middle - 1) if found.count > n_keep else (middle + 1, high)
            nearest = self._nearer(nearest, replace(found, price=nearest.price), n_keep)
        return nearest

    @staticmethod
    def _nearer(one: _Found, other: _Found, n_keep: float) -> _Found:
        return min(one, other, key=lambda each: abs(each.count - n_keep))

    def encode(self, words: Words, thresholds, n_keep: int, price: int) -> UInt8[np.ndarray, " code_bits"]:
        """The whole stream, segment by segment: the price follows the count, and the last segment meets it."""
        n, step, base = len(self.scores), self.code.step, price
        density, left, care_left = n_keep / self.care.sum(), n_keep, int(self.care.sum())
        start, stream, begin = None, [], 0
        while n - begin > 2 * _SEGMENT:
            segment = self.part(slice(begin, begin + _SEGMENT + _LOOKAHEAD))
            found = segment.find(words, thresholds, np.array([price]), start)
            stream.append(found.bits[: _SEGMENT * step])
            start = found.bits[_SEGMENT * step :][: self.code.n_in - step]
            care = self.care[begin : begin + _SEGMENT]
            left -= int((found.kept[:_SEGMENT] & care).sum())
            care_left -= int(care.sum())
            begin += _SEGMENT
            price = base + int(_FOLLOW * self.unit * (1 - max(left, 0) / (density * care_left)))
            price = max(-2 * self.unit, min(price, 2 * self.unit))
        last = self.part(slice(begin, None))
        slack = max(0.5, _SLACK * float(self.care.sum()))
        found = last.meet(words, thresholds, float(left), price, 4 * self.unit, slack, start)
        return np.concatenate([*stream, found.bits])
