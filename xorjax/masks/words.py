"""The words that windows of a code stream draw, and the search for the stream that keeps the most value.

All words of up to 16 bits are tried on every block; where windows overlap, the Viterbi algorithm finds the best stream.
Of longer words, the best paths are followed from the stream's beginning.
"""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float32, Int32, Integer, UInt8, UInt16, UInt64

from xorjax.masks.blocks import BlockCode

MAX_EXHAUSTIVE = 16
_CHUNK = 64
_UNREACHED = np.float32(-(2**23))


@runtime_checkable
class Words(Protocol):
    """The words that windows draw, and the search among them."""

    def best(
        self,
        values: Float32[np.ndarray, "blocks places"],
        thresholds: Int32[np.ndarray, " places"],
        start: UInt8[np.ndarray, " _"] | None,
    ) -> tuple[UInt8[np.ndarray, " code_bits"], Bool[np.ndarray, "blocks places"]]:
        """The code stream that keeps the most value, as well as the search can find it, and what it keeps.

        Values are integers. The stream begins with the bits `start` where given: the first window without
        its last `step` bits.
        """
        ...


@dataclass(frozen=True, eq=False)
class WordTable:
    """All words of at most 16 bits, each tried.

    Attributes:
        numbers: the number of each place in each word.
    """

    code: BlockCode
    numbers: UInt16[np.ndarray, "places words"]

    def best(
        self,
        values: Float32[np.ndarray, "blocks places"],
        thresholds: Int32[np.ndarray, " places"],
        start: UInt8[np.ndarray, " _"] | None,
    ) -> tuple[UInt8[np.ndarray, " code_bits"], Bool[np.ndarray, "blocks places"]]:
        n_in, step = self.code.n_in, self.code.step
        drawn = self.numbers + thresholds[:, None] >= (1 << self.code.threshold_bits) - 1
        if step == n_in:
            table = drawn.astype(np.float32)
            chunks = [values[i : i + _CHUNK] @ table for i in range(0, len(values), _CHUNK)]
            windows = np.concatenate([chunk.argmax(1) for chunk in chunks])
        else:
            windows = _viterbi(values, drawn, n_in, step, start)
        bits = (windows[:, None] >> np.arange(n_in) & 1).astype(np.uint8)
        stream = np.concatenate([bits[0], bits[1:, n_in - step :].ravel()])
        return stream, drawn.T[windows]


def _viterbi(
    values: Float32[np.ndarray, "blocks places"],
    drawn: Bool[np.ndarray, "places words"],
    n_in: int,
    step: int,
    start: UInt8[np.ndarray, " _"] | None,
) -> Integer[np.ndarray, " blocks"]:
    """The windows of the best path. A state is a window without its newest bits, which a branch adds."""
    n_states, fan = 1 << (n_in - step), 1 << step
    # A window's oldest bits, which the next state drops, lead: the choice among them is between whole rows.
    oldest_first = drawn.reshape(len(drawn), -1, fan).transpose(0, 2, 1)
    table = oldest_first.reshape(len(drawn), -1).astype(np.float32)
    metric = np.zeros(n_states, dtype=np.float32)
    if start is not None:
        metric[:] = _UNREACHED
        metric[start @ (1 << np.arange(n_in - step))] = 0
    back = np.empty((len(values), n_states), dtype=np.uint8)
    for begin in range(0, len(values), _CHUNK):
        gains = (values[begin : begin + _CHUNK] @ table).reshape(-1, fan, fan, n_states // fan)
        for i, gain in enumerate(gains, begin):
            paths = gain + metric.reshape(-1, fan).T[:, None]
            metric, back[i] = _best_row(paths.reshape(fan, n_states))
            metric = np.maximum(metric - metric.max(), _UNREACHED)
    windows = np.empty(len(values), dtype=np.int64)
    state = int(metric.argmax())
    for i in range(len(values) - 1, -1, -1):
        windows[i] = state << step | int(back[i, state])
        state = int(windows[i]) & (n_states - 1)
    return windows


def _best_row(
    paths: Float32[np.ndarray, "fan states"],
) -> tuple[Float32[np.ndarray, " states"], UInt8[np.ndarray, " states"]]:
    """The largest of each column and the row it is in, the first of equal ones."""
    best, row = paths[0], np.zeros(paths.shape[1], dtype=np.uint8)
    for i in range(1, len(paths)):
        better = paths[i] > best
        best = np.maximum(best, paths[i])
        row[better] = i
    return best, row


@dataclass(frozen=True, eq=False)
class WordBeam:
    """Words too long to be tried all: the stream is searched from its beginning, `beam` paths kept."""

    code: BlockCode
    tables: UInt16[np.ndarray, "n_bytes 256 places"]
    beam: int

    def best(
        self,
        values: Float32[np.ndarray, "blocks places"],
        thresholds: Int32[np.ndarray, " places"],
        start: UInt8[np.ndarray, " _"] | None,
    ) -> tuple[UInt8[np.ndarray, " code_bits"], Bool[np.ndarray, "blocks places"]]:
        n_in, step = self.code.n_in, self.code.step
        old = n_in - step
        if start is None:  # states from everywhere: a multiple of the golden ratio each
            states = np.arange(self.beam, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15) >> np.uint64(
                64 - old
            )
        else:
            states = (start.astype(np.uint64) << np.arange(old, dtype=np.uint64)).sum(keepdims=True)
        fresh = np.arange(1 << step, dtype=np.uint64) << np.uint64(old)
        metric = np.zeros(len(states), dtype=np.float32)
        windows, parents = [], []
        for value in values:
            tried = (states[:, None] | fresh).ravel()
            kept = self._drawn(tried, thresholds)
            reached = np.repeat(metric, 1 << step) + kept.astype(np.float32) @ value
            order = np.argsort(-reached, kind="stable")
            # Of paths in one state, the first in this order is the best.
            _, first = np.unique(tried[order] >> np.uint64(step), return_index=True)
            chosen = order[np.sort(first)[: self.beam]]
            windows.append(tried[chosen])
            parents.append(chosen >> step)
            states, metric = tried[chosen] >> np.uint64(step), reached[chosen] - reached[chosen[0]]
        path, at = np.empty(len(values), dtype=np.uint64), 0
        for i in range(len(values) - 1, -1, -1):
            path[i], at = windows[i][at], parents[i][at]
        bits = np.unpackbits(as_bytes(path, n_in), axis=1, count=n_in, bitorder="little")
        return np.concatenate([bits[0], bits[1:, old:].ravel()]), self._drawn(path, thresholds)

    def _drawn(self, windows, thresholds) -> Bool[np.ndarray, "n places"]:
        drawn = numbers(as_bytes(windows, self.code.n_in), self.tables)
        return drawn + thresholds >= (1 << self.code.threshold_bits) - 1


def numbers(
    windows: UInt8[np.ndarray, "n n_bytes"], tables: UInt16[np.ndarray, "n_bytes 256 places"]
) -> UInt16[np.ndarray, "n places"]:
    """The number of each place for each window, a window packed in bytes."""
    drawn = tables[0][windows[:, 0]]
    for byte, table in zip(windows.T[1:], tables[1:], strict=True):
        drawn ^= table[byte]
    return drawn


def as_bytes(windows: UInt64[np.ndarray, " n"], n_in: int) -> UInt8[np.ndarray, "n n_bytes"]:
    return windows.astype("<u8")[:, None].view(np.uint8)[:, : -(-n_in // 8)]
