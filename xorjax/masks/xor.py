"""Each block of mask bits decoded by an XOR network: the hardware that decodes values decodes the index too.

A window of `n_in` bits gives threshold_bits x n_places output bits, a plane of them for each bit of the
numbers. The threshold decides as the carry out of an adder; a threshold of 1 makes it the AND of all planes,
of density 2**-threshold_bits. The network is drawn by `XorNetwork.random` from the seed in the header.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Int32, UInt8, UInt16, UInt64

from xorjax.gf2.network import XorNetwork
from xorjax.gf2.tables import xor_tables
from xorjax.masks.base import MASK_CODECS, Streams
from xorjax.masks.blocks import STREAM_NAMES, BlockCode, read_block_mask
from xorjax.masks.search import MAX_EXHAUSTIVE, BlockSettings, WordTable, choose_code, fit_blocks
from xorjax.settings import Range, setting

MAX_N_IN = 64


def network(code: BlockCode) -> XorNetwork:
    """The network of a mask's header. Output i of plane p, the numbers' bits from the most significant, is
    row n_places * p + i.

    Raises:
        ValueError: there are no more outputs than inputs.
    """
    n_out = code.threshold_bits * code.n_places
    if n_out <= code.n_in:
        raise ValueError(
            f"stream 'header': {code.threshold_bits} threshold_bits for {code.n_places} places are not more than "
            f"n_in={code.n_in}"
        )
    return XorNetwork.random(code.n_in, n_out, code.seed)


def number_tables(net: XorNetwork, threshold_bits: int) -> UInt16[np.ndarray, "chunks 256 places"]:
    """Entry e of table c: the numbers that bits 8 c to 8 c + 7 of a window add, by XOR, where they are e."""
    planes = net.matrix.reshape(threshold_bits, -1, net.n_in).astype(np.uint16)
    weights = (1 << np.arange(threshold_bits)[::-1]).astype(np.uint16)
    return xor_tables((planes * weights[:, None, None]).sum(axis=0, dtype=np.uint16).T, 8)


def numbers(
    windows: UInt8[np.ndarray, "n n_bytes"], tables: UInt16[np.ndarray, "n_bytes 256 places"]
) -> UInt16[np.ndarray, "n places"]:
    """The number of each place for each window, a window packed in bytes."""
    drawn = tables[0][windows[:, 0]]
    for byte, table in zip(windows.T[1:], tables[1:], strict=True):
        drawn ^= table[byte]
    return drawn


def _as_bytes(windows: UInt64[np.ndarray, " n"], n_in: int) -> UInt8[np.ndarray, "n n_bytes"]:
    return windows.astype("<u8")[:, None].view(np.uint8)[:, : -(-n_in // 8)]


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
        bits = np.unpackbits(_as_bytes(path, n_in), axis=1, count=n_in, bitorder="little")
        return np.concatenate([bits[0], bits[1:, old:].ravel()]), self._drawn(path, thresholds)

    def _drawn(self, windows, thresholds) -> Bool[np.ndarray, "n places"]:
        drawn = numbers(_as_bytes(windows, self.code.n_in), self.tables)
        return drawn + thresholds >= (1 << self.code.threshold_bits) - 1


@dataclass(frozen=True)
class XorMaskSettings(BlockSettings):
    """Those of the blocks, and of the search."""

    beam: int = setting(256, Range(1), "Paths that the search follows where n_in is more than 16.")


class XorMask:
    """Streams `header`, `rows`, `columns`, `thresholds` and `codes`; see `masks.blocks`."""

    id = "xor"
    exact = False
    stream_names = STREAM_NAMES

    settings = XorMaskSettings

    def fit(
        self, scores: Float32[np.ndarray, "*shape"], prune_rate: float, settings: XorMaskSettings
    ) -> Streams:
        """With `n_in` up to 16 the search is exact at its price; above, `beam` paths are followed."""
        code = choose_code(scores.shape, prune_rate, settings)
        code.check(scores.shape, MAX_N_IN)
        tables = number_tables(network(code), code.threshold_bits)
        if code.n_in > MAX_EXHAUSTIVE:
            return fit_blocks(scores, prune_rate, code, WordBeam(code, tables, settings.beam))
        table = numbers(_as_bytes(np.arange(1 << code.n_in, dtype=np.uint64), code.n_in), tables)
        return fit_blocks(scores, prune_rate, code, WordTable(code, np.ascontiguousarray(table.T)))

    def decode(self, streams: Streams, shape: tuple[int, ...]) -> Bool[np.ndarray, "..."]:
        mask = read_block_mask(streams, shape, MAX_N_IN)
        windows = np.packbits(mask.windows, axis=1, bitorder="little")
        tables = number_tables(network(mask.code), mask.code.threshold_bits)
        return mask.place(mask.keep(numbers(windows, tables)), shape)


MASK_CODECS.register(XorMask())
