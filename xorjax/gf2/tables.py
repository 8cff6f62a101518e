"""Look-up tables of XORs: a code word cut into chunks, and for each chunk's value the XOR of what its bits select.

By linearity the XOR of the chunks' entries is the whole code word's output.
"""

import numpy as np
from jaxtyping import Shaped

CHUNK_BITS = 8
"""The most bits of a chunk."""


def even_chunk_bits(n_in: int) -> int:
    """Bits of a chunk where a code word is cut into the fewest chunks, as even as they can be."""
    return -(-n_in // -(-n_in // CHUNK_BITS))


def xor_tables(
    columns: Shaped[np.ndarray, "n_in ..."], chunk_bits: int
) -> Shaped[np.ndarray, "chunks entries ..."]:
    """Entry e of table c: the XOR of the columns chunk_bits c + j for which bit j of e is 1."""
    n_chunks = -(-len(columns) // chunk_bits)
    padded = np.zeros((n_chunks * chunk_bits, *columns.shape[1:]), columns.dtype)
    padded[: len(columns)] = columns
    tables = np.zeros((n_chunks, 1 << chunk_bits, *columns.shape[1:]), columns.dtype)
    for j, column in enumerate(padded.reshape(n_chunks, chunk_bits, *columns.shape[1:]).swapaxes(0, 1)):
        np.bitwise_xor(tables[:, : 1 << j], column[:, None], out=tables[:, 1 << j : 2 << j])
    return tables
