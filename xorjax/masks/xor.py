"""Each block of mask bits decoded by an XOR network: the hardware that decodes values decodes the index too.

A window of `n_in` bits gives threshold_bits x n_places output bits, a plane of them for each bit of the
numbers. The threshold decides as the carry out of an adder; a threshold of 1 makes it the AND of all planes,
of density 2**-threshold_bits. The network is drawn by `XorNetwork.random` from the seed in the header.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, UInt16

from xorjax.gf2.network import XorNetwork
from xorjax.gf2.tables import xor_tables
from xorjax.masks.base import MASK_CODECS, Streams
from xorjax.masks.blocks import STREAM_NAMES, BlockCode, read_block_mask
from xorjax.masks.search import BlockSettings, choose_code, fit_blocks
from xorjax.masks.words import MAX_EXHAUSTIVE, WordBeam, WordTable, as_bytes, numbers
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


@dataclass(frozen=True)
class XorMaskSettings(BlockSettings):
    """Those of the blocks, and of the search."""

    beam: int = setting(256, Range(1), "Paths that the search follows where n_in is more than 16.")


class XorMask:
    """Streams `header`, `rows`, `columns`, `thresholds` and `codes`; see `masks.blocks`."""

    id = "xor"
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
        table = numbers(as_bytes(np.arange(1 << code.n_in, dtype=np.uint64), code.n_in), tables)
        return fit_blocks(scores, prune_rate, code, WordTable(code, np.ascontiguousarray(table.T)))

    def decode(self, streams: Streams, shape: tuple[int, ...]) -> Bool[np.ndarray, "..."]:
        mask = read_block_mask(streams, shape, MAX_N_IN)
        windows = np.packbits(mask.windows, axis=1, bitorder="little")
        tables = number_tables(network(mask.code), mask.code.threshold_bits)
        return mask.place(mask.keep(numbers(windows, tables)), shape)


MASK_CODECS.register(XorMask())
