"""The mask at the entropy of a density for each row times one for each column.

Trained masks are uneven: what an input or an output is worth shows in its row's or column's density. Every
row and every column has a level, an integer; where levels a and b meet, a weight is kept with odds
2^((a + b) / 8). Levels are few, the classes of the header, so a row costs about two bits, and the encoder
chooses them to make the whole shortest. The mask then falls into blocks of one density, one for each pair of
classes. A decoder needs integers only, so every machine decodes the same mask. `docs/format.md` spells it out.

A kernel of any rank is the matrix of shape (prod(shape[:-1]), shape[-1]).
"""

from collections.abc import Iterator
from math import prod
from typing import Any

import numpy as np
from constriction import stream as coders  # pyright: ignore[reportAttributeAccessIssue]
from jaxtyping import Bool, Float64, Int64, UInt8

from xorjax.masks.ans import PRECISION, model, read_coder, words_of
from xorjax.masks.base import MASK_CODECS, Streams, matrix_shape, read_stream
from xorjax.masks.densities import density_logits

OCTAVE = 8  # levels to a doubling of the odds
_TOTAL = 256  # the shares of an axis' classes sum to this
_POWERS = (65536, 71468, 77936, 84990, 92682, 101070, 110218, 120194)  # 2^16 * 2^(k / 8), rounded
_LOWEST, _HIGHEST = -128, 127
_ROUNDS = 8
_SHORT = 16  # a row of fewer weights cannot pay for a level of its own

_Axis = tuple[np.ndarray, np.ndarray]  # the levels of an axis' classes, and the class of each row or column


class AnsRc:
    """Streams `header`, the classes of rows and of columns, and `words`, one coder's 32-bit words.

    `header` has for the rows, then for the columns: the number k of classes, k levels ascending (signed), and
    k shares less one; the shares sum to 256, and a class's frequency is its share of 2**24. Both streams are
    empty for a mask without weights.
    """

    id = "ans_rc"
    stream_names = ("header", "words")

    def encode(self, mask: Bool[np.ndarray, "*shape"]) -> Streams:
        if not mask.size:
            return {name: np.zeros(0, dtype=np.uint8) for name in self.stream_names}
        matrix = mask.reshape(matrix_shape(mask.shape))
        axes = [np.unique(levels, return_inverse=True) for levels in fit_levels(matrix)]
        shares = [_shares(np.bincount(classes)) for _, classes in axes]
        coder = coders.stack.AnsCoder()
        # A stack: what is decoded last is encoded first.
        for odds, block in reversed(list(_blocks(*axes))):
            coder.encode_reverse(matrix[block].ravel().astype(np.int32), _cell_model(odds))
        for (levels, classes), share in reversed(list(zip(axes, shares, strict=True))):
            if len(levels) > 1:
                coder.encode_reverse(classes.astype(np.int32), _class_model(share))
        header = [_axis_header(levels, share) for (levels, _), share in zip(axes, shares, strict=True)]
        return {"header": np.concatenate(header), "words": words_of(coder)}

    def decode(self, streams: Streams, shape: tuple[int, ...]) -> Bool[np.ndarray, "..."]:
        header, coder = read_stream(streams, "header"), read_coder(streams, "words")
        if not prod(shape):
            if len(header) or not coder.is_empty():
                raise ValueError("stream 'header' or 'words' is not empty, but the mask is")
            return np.zeros(shape, dtype=np.bool_)
        axes = []
        for size, (levels, share) in zip(matrix_shape(shape), _read_header(header), strict=True):
            classes = np.zeros(size, dtype=np.int64)
            if len(levels) > 1:
                classes[:] = coder.decode(_class_model(share), size)
            axes.append((levels, classes))
        matrix = np.zeros(matrix_shape(shape), dtype=np.bool_)
        for odds, block in _blocks(*axes):
            cells = len(block[0]), block[1].size
            matrix[block] = coder.decode(_cell_model(odds), prod(cells)).reshape(cells)
        if not coder.is_empty():
            raise ValueError(f"stream 'words' does not end with a mask of shape {shape}")
        return matrix.reshape(shape)


MASK_CODECS.register(AnsRc())


def frequency(odds: int) -> int:
    """A kept weight's share of 2**24 at the odds 2^(odds / 8), in integers; never 0 and never all."""
    power = _POWERS[abs(odds) % OCTAVE] << abs(odds) // OCTAVE
    rarer = max((1 << PRECISION + 16) // (65536 + power), 1)
    return rarer if odds < 0 else (1 << PRECISION) - rarer


def fit_levels(
    matrix: Bool[np.ndarray, "rows columns"],
) -> tuple[Int64[np.ndarray, " rows"], Int64[np.ndarray, " columns"]]:
    """The levels of rows and columns that make the streams shortest, as far as descent finds them.

    Entropy-constrained quantization (Chou, Lookabaugh and Gray, 1989): rows and columns in turn take the level
    that costs the fewest bits, those of the weights and those of naming the level, which is the cheaper the
    more others have it. The levels may be a quarter of an octave apart to two, and start equal or at the likeliest
    densities (the better where whole rows or columns are nearly empty); the best is kept, and one class for
    everything where that is no longer.
    """
    fits = [_one_class(matrix)]
    if max(matrix.shape) >= _SHORT:
        fits += [_descend(matrix, step, None) for step in (2, 4, 8)]
    if min(matrix.shape) >= _SHORT:
        likeliest = _likeliest(matrix)
        fits += [_descend(matrix, step, likeliest) for step in (4, 16)]
    _, rows, columns = min(fits, key=lambda fit: fit[0])
    return rows, columns


def _one_class(matrix: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
    ones = int(matrix.sum())
    odds = int(np.argmin(ones * _BITS[1] + (matrix.size - ones) * _BITS[0])) + 2 * _LOWEST
    row = min(max(odds, _LOWEST), _HIGHEST)
    n_bits = ones * _BITS[1][odds - 2 * _LOWEST] + (matrix.size - ones) * _BITS[0][odds - 2 * _LOWEST]
    return float(n_bits) + 2 * 24, np.full(len(matrix), row), np.full(matrix.shape[1], odds - row)


def _likeliest(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The row x column model's logits in eighths of an octave, both axes around one mean."""
    a, b = (logits * (OCTAVE / np.log(2)) for logits in density_logits(matrix))
    shift = (b.mean() - a.mean()) / 2
    return a + shift, b - shift


def _descend(
    matrix: np.ndarray, step: int, start: tuple[np.ndarray, np.ndarray] | None
) -> tuple[float, np.ndarray, np.ndarray]:
    """The bits, and the levels, multiples of `step`; from 0 or from the nearest to `start`."""
    choices = np.arange(_LOWEST, _HIGHEST + 1, step)
    if start is None:
        levels = [np.zeros(size, dtype=np.int64) for size in matrix.shape]
    else:
        levels = [
            np.clip(np.rint(axis / step).astype(np.int64) * step, choices[0], choices[-1]) for axis in start
        ]
    name_bits = [np.zeros(len(choices)), np.zeros(len(choices))]
    n_bits, header_bits = 0.0, [24.0, 24.0]
    for turn in range(2 * _ROUNDS):
        axis = turn % 2
        if matrix.shape[1 - axis] < _SHORT:
            continue
        lines = matrix if axis == 0 else matrix.T
        chosen, n_bits = _choose(lines, levels[1 - axis], choices, name_bits[axis])
        levels[axis] = choices[chosen]
        counts = np.bincount(chosen, minlength=len(choices))
        # At first a level may be taken that nothing has but its neighbours.
        weights = counts if turn > 3 else np.convolve(counts, [0.25, 0.5, 0.25], "same") + 0.3
        # A class costs two bytes of header, which those in it share.
        name_bits[axis] = -np.log2(np.maximum(weights, 1e-9) / weights.sum()) + 16 / np.maximum(counts, 1)
        used = counts[counts > 0]
        header_bits[axis] = float(8 + 16 * len(used) - used @ np.log2(used / used.sum()))
    return n_bits + sum(header_bits), levels[0], levels[1]


def _choose(
    matrix: Bool[np.ndarray, "rows columns"],
    of_column: Int64[np.ndarray, " columns"],
    choices: Int64[np.ndarray, " choices"],
    name_bits: Float64[np.ndarray, " choices"],
) -> tuple[Int64[np.ndarray, " rows"], float]:
    """The choice of level that is best for each row, the columns' levels given, and what the weights then cost."""
    levels, classes = np.unique(of_column, return_inverse=True)
    of_class = np.equal.outer(classes, np.arange(len(levels))).astype(np.float32)
    pruned, kept = _BITS[:, np.add.outer(levels, choices) - 2 * _LOWEST]
    all_pruned = np.bincount(classes) @ pruned
    chosen, n_bits = np.zeros(len(matrix), dtype=np.int64), 0.0
    # By chunks: a layer may have a million rows.
    chunk = max((1 << 22) // max(matrix.shape[1], len(choices)), 1)
    for start in range(0, len(matrix), chunk):
        rows = slice(start, start + chunk)
        ones = (matrix[rows].astype(np.float32) @ of_class).astype(np.float64)
        bits = ones @ (kept - pruned) + all_pruned
        chosen[rows] = (bits + name_bits).argmin(axis=1)
        n_bits += float(np.take_along_axis(bits, chosen[rows, None], axis=1).sum())
    return chosen, n_bits


def _bits_of_odds() -> Float64[np.ndarray, "2 odds"]:
    ones = np.array([frequency(odds) for odds in range(2 * _LOWEST, 2 * _HIGHEST + 1)])
    return PRECISION - np.log2(np.stack([(1 << PRECISION) - ones, ones]))


_BITS = _bits_of_odds()  # what a pruned and a kept weight cost at each odds


def _blocks(rows: _Axis, columns: _Axis) -> Iterator[tuple[int, tuple[np.ndarray, np.ndarray]]]:
    """The odds and the index of each block that has weights, row classes first."""
    members = [
        [np.flatnonzero(classes == k) for k in range(len(levels))] for levels, classes in (rows, columns)
    ]
    for row_level, of_rows in zip(rows[0].tolist(), members[0], strict=True):
        for column_level, of_columns in zip(columns[0].tolist(), members[1], strict=True):
            if len(of_rows) and len(of_columns):
                yield row_level + column_level, (of_rows[:, None], of_columns[None, :])


def _shares(counts: Int64[np.ndarray, " classes"]) -> Int64[np.ndarray, " classes"]:
    """Integers of 1 or more, their sum 256, as near to proportional as rounding leaves them."""
    shares = np.maximum(np.rint(counts * (_TOTAL / counts.sum())).astype(np.int64), 1)
    while shares.sum() != _TOTAL:
        shares[shares.argmax()] += np.sign(_TOTAL - shares.sum())
    return shares


def _cell_model(odds: int) -> Any:
    return model((1 << PRECISION) - frequency(odds), frequency(odds))


def _class_model(shares: np.ndarray) -> Any:
    return model(*((1 << PRECISION) // _TOTAL * shares).tolist())


def _axis_header(levels: np.ndarray, shares: np.ndarray) -> UInt8[np.ndarray, " bytes"]:
    k = np.array([len(levels)], dtype=np.uint8)
    return np.concatenate([k, levels.astype(np.int8).view(np.uint8), (shares - 1).astype(np.uint8)])


def _read_header(header: UInt8[np.ndarray, " bytes"]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """The levels and the shares of the row classes, then of the column classes."""
    for axis in ("row", "column"):
        k = int(header[0]) if len(header) else 0
        part, header = header[1 : 1 + 2 * k], header[1 + 2 * k :]
        if not k or len(part) != 2 * k:
            raise ValueError(f"stream 'header' is too short for the classes of {axis}s")
        levels, shares = part[:k].view(np.int8).astype(np.int64), part[k:].astype(np.int64) + 1
        if shares.sum() != _TOTAL or (np.diff(levels) <= 0).any():
            raise ValueError(f"stream 'header' has {axis} levels {levels} with shares {shares}")
        yield levels, shares
    if len(header):
        raise ValueError(f"stream 'header' has {len(header)} bytes after its classes")
