"""What the bits of a compressed layer are spent on, under the names that counts, result rows and reports give it."""

from collections.abc import Iterable, Mapping
from typing import Any

BIT_STREAMS = ("code_bits", "patch_bits", "index_bits", "scale_bits")
BIT_NAMES = {stream: stream.removesuffix("_bits") for stream in BIT_STREAMS}
"""For tables and legends."""


def bits_over_layers(rows: Iterable[Mapping[str, Any]], *columns: str) -> float:
    """Bits per weight of several layers together: a layer counts by its weights.

    Args:
        rows: one a layer, with its `n_weights` and bits per weight; at least one weight in all.
        columns: which bits, summed; by default all of them, `bits_per_weight`.
    """
    of_rows = [
        (row["n_weights"], sum(row[column] for column in columns or ("bits_per_weight",))) for row in rows
    ]
    return sum(n * bits for n, bits in of_rows) / sum(n for n, _ in of_rows)
