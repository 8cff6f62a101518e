"""Masks drawn in blocks by windows of one code stream: the format that `codebook` and `xor` share.

The matrix's rows are sorted into groups of equal size, and so are its columns. A block takes one weight of
every row group x column group, so that all blocks have one profile of densities, with a threshold for each of
their places. Block i is drawn by its window: the `n_in` bits of the code stream from bit `step * i` on. A
window gives a number for each place, by the codec's rule; a place is kept where its number plus its threshold
reaches 2**threshold_bits. With `step = n_in` blocks are independent; with less, windows overlap as in a
trellis code (Marcellin and Fischer, 1990), and blocks still decode each on its own.
"""

from dataclasses import dataclass
from math import prod

import numpy as np
from jaxtyping import Bool, Int32, Integer, Shaped, UInt8, UInt16

from xorjax.errors import about
from xorjax.gf2.pack import pack_fields, unpack_fields
from xorjax.masks.base import Streams, bits_to_bytes, check_limits, matrix_shape, read_bits, read_stream

MAX_BLOCK = 512
MAX_THRESHOLD_BITS = 12
HEADER_BYTES = 14
STREAM_NAMES = ("header", "rows", "columns", "thresholds", "codes")


@dataclass(frozen=True)
class BlockCode:
    """The settings of a mask that code words draw: the stream "header".

    Attributes:
        n_in: bits of a window.
        step: bits by which each window is ahead of the one before it.
        row_groups: groups of rows, `column_groups`: of columns; a block has one place for each pair.
        threshold_bits: bits of the numbers that decide a place.
        seed: what the numbers are drawn from.
    """

    n_in: int
    step: int
    row_groups: int
    column_groups: int
    threshold_bits: int
    seed: int

    @property
    def n_places(self) -> int:
        """Mask bits of a block."""
        return self.row_groups * self.column_groups

    def group_sizes(self, shape: tuple[int, ...]) -> tuple[int, int]:
        """Rows of a row group and columns of a column group, the padding of the last ones included."""
        rows, columns = matrix_shape(shape)
        return -(-rows // self.row_groups), -(-columns // self.column_groups)

    def n_blocks(self, shape: tuple[int, ...]) -> int:
        height, width = self.group_sizes(shape)
        return height * width

    def n_code_bits(self, shape: tuple[int, ...]) -> int:
        return (self.n_blocks(shape) - 1) * self.step + self.n_in

    def n_bytes(self, shape: tuple[int, ...]) -> dict[str, int]:
        """The length of every stream."""
        rows, columns = matrix_shape(shape)
        bits = {
            "rows": rows * _width(self.row_groups),
            "columns": columns * _width(self.column_groups),
            "thresholds": self.n_places * self.threshold_bits,
            "codes": self.n_code_bits(shape),
        }
        return {"header": HEADER_BYTES} | {name: -(-n // 8) for name, n in bits.items()}

    def bits_per_weight(self, shape: tuple[int, ...]) -> float:
        """Index bits of a mask of this shape."""
        return 8 * sum(self.n_bytes(shape).values()) / prod(shape)

    def check(self, shape: tuple[int, ...], max_n_in: int) -> None:
        """Raises ValueError where a setting is out of range for a mask of this shape."""
        rows, columns = matrix_shape(shape)
        limits = {
            "n_in": max_n_in,
            "step": self.n_in,
            "row_groups": min(rows, MAX_BLOCK),
            "column_groups": min(columns, MAX_BLOCK // max(1, min(self.row_groups, MAX_BLOCK))),
            "threshold_bits": MAX_THRESHOLD_BITS,
        }
        check_limits(self, limits, shape)
        if not 0 <= self.seed < 2**32:
            raise ValueError(f"seed is {self.seed}, expected 0 to {2**32 - 1}")


@dataclass(frozen=True, eq=False)
class BlockMask:
    """A mask that code words draw, as its streams hold it.

    Attributes:
        row_slots: where each row stands once the rows are sorted by group, groups padded to equal size.
        column_slots: the same of the columns.
        thresholds: for each place of a block the threshold less one.
        bits: the code stream.
    """

    code: BlockCode
    row_slots: Int32[np.ndarray, " rows"]
    column_slots: Int32[np.ndarray, " columns"]
    thresholds: Int32[np.ndarray, " places"]
    bits: UInt8[np.ndarray, " code_bits"]

    @property
    def windows(self) -> UInt8[np.ndarray, "blocks n_in"]:
        """The window of each block, one bit an entry; a view."""
        return np.lib.stride_tricks.sliding_window_view(self.bits, self.code.n_in)[:: self.code.step]

    def keep(self, numbers: UInt16[np.ndarray, "blocks places"]) -> Bool[np.ndarray, "blocks places"]:
        """The places whose number reaches, with its threshold, 2**threshold_bits."""
        return numbers + self.thresholds >= (1 << self.code.threshold_bits) - 1

    def place(
        self, kept: Bool[np.ndarray, "blocks places"], shape: tuple[int, ...]
    ) -> Bool[np.ndarray, "..."]:
        """The mask of the blocks' places, each back where its row and column stand."""
        height, width = self.code.group_sizes(shape)
        groups = self.code.row_groups, self.code.column_groups
        ordered = kept.reshape(height, width, *groups).transpose(2, 0, 3, 1)
        ordered = ordered.reshape(groups[0] * height, groups[1] * width)
        return ordered[self.row_slots[:, None], self.column_slots].reshape(shape)


def read_block_mask(streams: Streams, shape: tuple[int, ...], max_n_in: int) -> BlockMask:
    """The settings, groups, thresholds and code bits in the streams of a mask of this shape.

    Raises:
        ValueError: a stream is missing, has the wrong length, or holds what is out of range; it is named.
    """
    header = np.ascontiguousarray(read_stream(streams, "header", HEADER_BYTES))
    numbers = [int(number) for number in header[:10].view("<u2")]
    code = BlockCode(*numbers, seed=int(header[10:].view("<u4")[0]))
    with about("stream 'header'"):
        code.check(shape, max_n_in)
    rows, columns = matrix_shape(shape)
    n_bytes = code.n_bytes(shape)
    bits = read_bits(streams, "codes", code.n_code_bits(shape)).view(np.uint8)
    height, width = code.group_sizes(shape)
    read = {
        name: _read_fields(streams, name, n_bytes[name], bits_each, count)
        for name, bits_each, count in (
            ("rows", _width(code.row_groups), rows),
            ("columns", _width(code.column_groups), columns),
            ("thresholds", code.threshold_bits, code.n_places),
        )
    }
    return BlockMask(
        code,
        group_slots("rows", read["rows"], code.row_groups, height),
        group_slots("columns", read["columns"], code.column_groups, width),
        read["thresholds"],
        bits,
    )


def _read_fields(
    streams: Streams, name: str, n_bytes: int, width: int, count: int
) -> Int32[np.ndarray, " {count}"]:
    stream = read_stream(streams, name, n_bytes)
    fields = unpack_fields(stream, width, count)
    if not np.array_equal(pack_fields(fields, width), stream):
        raise ValueError(f"stream {name!r} has ones after its last field")
    return fields.astype(np.int32)


def group_slots(
    name: str, groups: Integer[np.ndarray, " n"], n_groups: int, size: int
) -> Int32[np.ndarray, " n"]:
    """Where each row, or column, stands once they are sorted by group, in order within each, `size` a group.

    Raises:
        ValueError: a group is unknown or has more than `size`; the message names the stream `name`.
    """
    counts = np.bincount(groups, minlength=n_groups)
    if len(counts) > n_groups or counts.max() > size:
        raise ValueError(f"stream {name!r} does not sort its {len(groups)} into {n_groups} groups of {size}")
    order = np.argsort(groups, kind="stable")
    begins = np.cumsum(counts) - counts
    slots = np.empty(len(groups), dtype=np.int32)
    slots[order] = np.arange(len(groups)) - begins[groups[order]] + size * groups[order]
    return slots


def arrange(
    matrix: Shaped[np.ndarray, "rows columns"],
    row_groups: Integer[np.ndarray, " rows"],
    column_groups: Integer[np.ndarray, " columns"],
    code: BlockCode,
) -> Shaped[np.ndarray, "blocks places"]:
    """The blocks of a matrix, padding zero: the inverse of `BlockMask.place`."""
    height, width = code.group_sizes(matrix.shape)
    row_slots = group_slots("rows", row_groups, code.row_groups, height)
    column_slots = group_slots("columns", column_groups, code.column_groups, width)
    ordered = np.zeros((code.row_groups * height, code.column_groups * width), dtype=matrix.dtype)
    ordered[row_slots[:, None], column_slots] = matrix
    ordered = ordered.reshape(code.row_groups, height, code.column_groups, width).transpose(1, 3, 0, 2)
    return ordered.reshape(height * width, code.n_places)


def write_block_mask(
    code: BlockCode,
    row_groups: Integer[np.ndarray, " rows"],
    column_groups: Integer[np.ndarray, " columns"],
    thresholds: Integer[np.ndarray, " places"],
    bits: UInt8[np.ndarray, " code_bits"],
) -> Streams:
    """The streams: `header` is five 16-bit numbers and the seed in 32 bits, the others are packed fields."""
    sizes = (code.n_in, code.step, code.row_groups, code.column_groups, code.threshold_bits)
    header = np.array(sizes, dtype="<u2").tobytes() + np.array([code.seed], dtype="<u4").tobytes()
    return {
        "header": np.frombuffer(header, dtype=np.uint8),
        "rows": pack_fields(row_groups, _width(code.row_groups)),
        "columns": pack_fields(column_groups, _width(code.column_groups)),
        "thresholds": pack_fields(thresholds, code.threshold_bits),
        "codes": bits_to_bytes(bits),
    }


def _width(n_groups: int) -> int:
    return (n_groups - 1).bit_length()
