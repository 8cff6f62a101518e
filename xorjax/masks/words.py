"""The words that windows of a code stream draw, and the search for the stream that keeps the most value.

All words of up to 16 bits are tried on every block; where windows overlap, the Viterbi algorithm finds the best stream.
Of longer words, the best paths are followed from the stream's beginning.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Protocol, no_type_check, runtime_checkable

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
    follow = _compiled()
    for begin in range(0, len(values), _CHUNK):
        gains = (values[begin : begin + _CHUNK] @ table).reshape(-1, fan, fan, n_states // fan)
        follow(gains, metric, back[begin : begin + _CHUNK], _UNREACHED)
    windows = np.empty(len(values), dtype=np.int64)
    state = int(metric.argmax())
    for i in range(len(values) - 1, -1, -1):
        windows[i] = state << step | int(back[i, state])
        state = int(windows[i]) & (n_states - 1)
    return windows


@cache
def _compiled() -> Callable:
    # numba takes long to import, and what only decodes does without.
    from xorjax.gf2.compiled import compile_alone

    return compile_alone(_follow)


@no_type_check
def _follow(gains, metric, back, unreached):
    """One block after another: the best path to each state, and the branch that it comes by, the first of equal ones.

    `gains` (blocks, oldest bits, newest bits, rest) are the words' values; `metric` (states) is changed, `back`
    (blocks, states) filled.
    """
    _, fan, _, n_rest = gains.shape
    before = np.empty((fan, n_rest), np.float32)
    for i in range(len(gains)):
        for rest in range(n_rest):
            for old in range(fan):
                before[old, rest] = metric[rest * fan + old]
        for new in range(fan):
            # Loops over `rest` within: the compiler makes vectors of them.
            best, branch = (
                metric[new * n_rest : (new + 1) * n_rest],
                back[i, new * n_rest : (new + 1) * n_rest],
            )
            for rest in range(n_rest):
                best[rest], branch[rest] = gains[i, 0, new, rest] + before[0, rest], 0
            for old in range(1, fan):
                for rest in range(n_rest):
                    path = gains[i, old, new, rest] + before[old, rest]
                    if path > best[rest]:
                        best[rest], branch[rest] = path, old
        largest = metric.max()
        for state in range(len(metric)):
            metric[state] = max(metric[state] - largest, unreached)


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
