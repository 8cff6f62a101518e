"""The mask as a Boolean product of two binary matrices (arXiv 1905.05686), tile by tile.

mask[i, j] = OR over k of (Ip[i, k] AND Iz[k, j]): k (m + n) bits for a tile of m x n. The factors start as the
source's, a non-negative factorization of the scores cut at thresholds, and local search improves them: each
factor's rows, then its columns, are set to what is best given all others, at a price for each kept weight that
moves until the prune rate is met; then the factor that serves least is drawn anew, while that helps.

Decoding is exact everywhere. The search is repeatable on one machine, but the factorization's sums depend on
the order in which BLAS adds: another BLAS, or number of its threads, may find other factors.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32

from xorjax.errors import about
from xorjax.masks.base import (
    INDEX_BITS,
    MASK_CODECS,
    Streams,
    bits_to_bytes,
    check_limits,
    default_index_bits,
    matrix_shape,
    n_kept,
    read_bits,
    read_stream,
)
from xorjax.masks.factorize import Factors, FactorSearch, kept_score, least_of_largest, threshold_factors
from xorjax.settings import SEED, Range, setting

HEADER_BYTES = 12
_TILE = 1024
_FIRST_PRICE = 0.6


@dataclass(frozen=True)
class Tiling:
    """The settings of a low-rank mask: the stream `header`, three 32-bit numbers, least significant byte first.

    Attributes:
        rank: factors of each tile.
        tile_rows: of all tiles but the last in a column of them, `tile_columns` likewise.
    """

    rank: int
    tile_rows: int
    tile_columns: int

    def tiles(self, shape: tuple[int, ...]) -> Iterator[tuple[slice, slice]]:
        """The rows and columns of each tile, row by row of tiles."""
        rows, columns = matrix_shape(shape)
        for top in range(0, rows, self.tile_rows):
            for left in range(0, columns, self.tile_columns):
                yield (
                    slice(top, min(top + self.tile_rows, rows)),
                    slice(left, min(left + self.tile_columns, columns)),
                )

    def n_bits(self, shape: tuple[int, ...]) -> tuple[int, int]:
        """Bits of the streams `rows` and `columns`."""
        rows, columns = matrix_shape(shape)
        return (
            self.rank * rows * -(-columns // self.tile_columns),
            self.rank * columns * -(-rows // self.tile_rows),
        )

    def check(self, shape: tuple[int, ...]) -> None:
        """Raises ValueError where a setting is out of range for a mask of this shape."""
        rows, columns = matrix_shape(shape)
        rank = max(1, min(self.tile_rows, self.tile_columns))
        check_limits(self, {"tile_rows": rows, "tile_columns": columns, "rank": rank}, shape)


@dataclass(frozen=True)
class LowRankSettings:
    """How a low-rank mask is searched."""

    rank: int | None = setting(None, Range(1), "Factors of a tile; none: as many as index_bits pay for.")
    index_bits: float | None = setting(
        None, INDEX_BITS, "Bits a weight at most; none: a quarter of the entropy of the prune rate."
    )
    tile_rows: int | None = setting(None, Range(1), "Rows of a tile; none: 1024 at most.")
    tile_columns: int | None = setting(None, Range(1), "Columns of a tile; none: 1024 at most.")
    restarts: int = setting(2, Range(0), "Searches, the best of which is taken; 0: the source's thresholds.")
    redraws: int = setting(30, Range(0), "Factors of a tile that a search draws anew, at most.")
    seed: int = setting(0, SEED, "What the searches start from.")


class LowRank:
    """Streams `header`, `rows` and `columns`.

    `rows` holds, tile by tile, row by row of tiles, the m bits of Ip's first column, then of its second, and so on;
    `columns` the n bits of Iz's first row, and so on. Tiles follow without a gap; the last byte's tail is zero.
    """

    id = "lowrank"
    stream_names = ("header", "rows", "columns")

    settings = LowRankSettings

    def fit(
        self, scores: Float32[np.ndarray, "*shape"], prune_rate: float, settings: LowRankSettings
    ) -> Streams:
        return fit_low_rank(scores, prune_rate, settings)

    def decode(self, streams: Streams, shape: tuple[int, ...]) -> Bool[np.ndarray, "..."]:
        tiling, factors = read_factors(streams, shape)
        mask = np.empty(matrix_shape(shape), dtype=np.bool_)
        for tile, factor in zip(tiling.tiles(shape), factors, strict=True):
            mask[tile] = factor.cover() > 0
        return mask.reshape(shape)


MASK_CODECS.register(LowRank())


def fit_low_rank(
    scores: Float32[np.ndarray, "*shape"], prune_rate: float, settings: LowRankSettings
) -> Streams:
    """The streams of the mask; tiles that would be larger than the layer are as large as it is."""
    rank, seed, restarts = settings.rank, settings.seed, settings.restarts
    rows, columns = matrix_shape(scores.shape)
    tile_rows = min(settings.tile_rows or -(-rows // -(-rows // _TILE)), rows) if rows else 0
    tile_columns = (
        min(settings.tile_columns or -(-columns // -(-columns // _TILE)), columns) if columns else 0
    )
    if rank is None and rows and columns:
        index_bits = default_index_bits(prune_rate) if settings.index_bits is None else settings.index_bits
        per_rank = sum(Tiling(1, tile_rows, tile_columns).n_bits(scores.shape))
        rank = int((index_bits * rows * columns - 8 * HEADER_BYTES) // per_rank)
        rank = max(1, min(rank, tile_rows, tile_columns))
    tiling = Tiling(rank or 1, tile_rows, tile_columns)
    tiling.check(scores.shape)
    matrix = scores.reshape(rows, columns)
    tiles = [matrix[tile] for tile in tiling.tiles(scores.shape)]
    n_keep = n_kept(scores.size, prune_rate)
    if not restarts:
        return _write(tiling, threshold_factors(tiles, tiling.rank, n_keep, seed))
    price = _FIRST_PRICE * least_of_largest(tiles, n_keep)
    found = []
    for i in range(restarts):
        start = threshold_factors(tiles, tiling.rank, n_keep, seed + i, soft=True)
        search = FactorSearch(tiles, start, n_keep, price)
        found.append(search.run(settings.redraws))
    return _write(tiling, max(found, key=lambda factors: kept_score(tiles, factors)))


def read_factors(streams: Streams, shape: tuple[int, ...]) -> tuple[Tiling, list[Factors]]:
    """The settings and each tile's factors.

    Raises:
        ValueError: a stream is missing, has the wrong length, or holds what is out of range; it is named.
    """
    header = np.ascontiguousarray(read_stream(streams, "header", HEADER_BYTES)).view("<u4")
    tiling = Tiling(*(int(number) for number in header))
    with about("stream 'header'"):
        tiling.check(shape)
    names = ("rows", "columns")
    bits = [read_bits(streams, name, n) for name, n in zip(names, tiling.n_bits(shape), strict=True)]
    factors, begins = [], [0, 0]
    for tile in tiling.tiles(shape):
        sizes = [tiling.rank * (part.stop - part.start) for part in tile]
        ip, iz = (bits[i][begins[i] : begins[i] + sizes[i]].reshape(tiling.rank, -1) for i in (0, 1))
        factors.append(Factors(ip.T, iz))
        begins = [begin + size for begin, size in zip(begins, sizes, strict=True)]
    return tiling, factors


def _write(tiling: Tiling, factors: list[Factors]) -> Streams:
    header = np.array([tiling.rank, tiling.tile_rows, tiling.tile_columns], dtype="<u4")
    return {
        "header": header.view(np.uint8),
        "rows": bits_to_bytes(np.concatenate([each.rows.T.ravel() for each in factors])),
        "columns": bits_to_bytes(np.concatenate([each.columns.ravel() for each in factors])),
    }
