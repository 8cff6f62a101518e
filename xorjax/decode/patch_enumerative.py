"""The patch format `enumerative` inside jit: rANS in a scan over the slices, combination indices in limbs.

Both need tables that follow from n_in and the numbers of care bits and patches that occur. They are arrays
beside the streams, so that they are no constants of the compiled program.
"""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, UInt32

from xorjax.codec.patches import rans
from xorjax.codec.patches.combination import MAX_CARE, column, index_width
from xorjax.codec.patches.count_model import TOTAL_BITS, CountRow
from xorjax.codec.patches.enumerative import count_rows, escape_width
from xorjax.codec.xor import Encoded
from xorjax.decode.patch_care import count_care, number_widths, order_in_slice, select
from xorjax.decode.words import as_words, read_fields


@dataclass(frozen=True)
class EnumerativeLayout:
    """What the words mean.

    Attributes:
        n_escaped: slices whose count is an escape.
        escapes_begin: the bit of the counts where their fields begin.
        escape_width: bits of such a field.
        has_fields: whether a slice has more than `MAX_CARE` care bits, and so fields in place of an index.
    """

    n_slices: int
    n_patches: int
    n_escaped: int
    escapes_begin: int
    escape_width: int
    has_fields: bool


def pack(encoded: Encoded) -> tuple[dict[str, UInt32[Array, "..."]], EnumerativeLayout]:
    """The streams as words, and the tables."""
    slices, counts = encoded.care_slices, encoded.streams["patch_counts"]
    rows = count_rows(int(counts[0]), slices)
    pairs = zip(slices.n_care.tolist(), encoded.n_patches.tolist(), strict=True)
    n_escaped = sum(rows[k].symbol(d) == rows[k].escape for k, d in pairs)
    width = escape_width(encoded.net.n_out)
    escapes_begin = 8 * (len(counts) - 1 - -(-n_escaped * width // 8))
    words = {
        "counts": as_words(counts[1:]),
        "positions": as_words(encoded.streams["patch_positions"]),
        **_count_tables(rows),
        **_index_tables(slices.n_care, encoded.n_patches),
    }
    has_fields = bool((slices.n_care > MAX_CARE).any())
    return words, EnumerativeLayout(
        len(encoded.codes), len(encoded.patch_positions), n_escaped, escapes_begin, width, has_fields
    )


def _count_tables(rows: dict[int, CountRow]) -> dict[str, UInt32[Array, "..."]]:
    """Row k, `MAX_CARE` + 1 for all above: the symbols' cumulative ends, the first count and the escape's number."""
    by_row = {min(k, MAX_CARE + 1): row for k, row in rows.items()}
    by_row[0] = CountRow(0, (1 << TOTAL_BITS,) * 2)
    n_symbols = max(len(row.ends) for row in by_row.values())
    ends = np.full((max(by_row) + 1, n_symbols), 1 << TOTAL_BITS, dtype=np.uint32)
    first, escape = np.zeros((2, len(ends)), dtype=np.uint32)
    for k, row in by_row.items():
        ends[k, : len(row.ends)] = row.ends
        first[k], escape[k] = row.first, row.escape
    return {"ends": jnp.asarray(ends), "first": jnp.asarray(first), "escape": jnp.asarray(escape)}


def _index_tables(n_care: np.ndarray, n_patches: np.ndarray) -> dict[str, UInt32[Array, "..."]]:
    """`widths`[k, d] of an index, and `binomials`[d - 1, c] = C(c, d) in limbs of 32 bits, low limb first; those
    that pass the limbs, and so all indices, are all ones."""
    indexed = (n_care <= MAX_CARE) & (n_patches > 0)
    largest_k, largest_d = int(n_care[indexed].max(initial=1)), int(n_patches[indexed].max(initial=1))
    widths = np.zeros((largest_k + 1, largest_d + 1), dtype=np.uint32)
    for k, d in np.unique(np.stack([n_care[indexed], n_patches[indexed]]), axis=1).T.tolist():
        widths[k, d] = index_width(k, d)
    n_limbs = max(1, -(-int(widths.max()) // 32))
    largest = (1 << 32 * n_limbs) - 1
    table = b"".join(
        min(column(d)[c], largest).to_bytes(4 * n_limbs, "little")
        for d in range(1, largest_d + 1)
        for c in range(largest_k + 1)
    )
    binomials = np.frombuffer(table, "<u4").reshape(largest_d, largest_k + 1, n_limbs)
    return {"widths": jnp.asarray(widths), "binomials": jnp.asarray(binomials.astype(np.uint32))}


def read_counts(
    words: dict[str, UInt32[Array, "..."]],
    layout: EnumerativeLayout,
    care: UInt32[Array, "n_slices care_words"],
) -> UInt32[Array, " n_slices"]:
    """Patches of each slice: symbol after symbol, all states at once."""
    n_states = rans.n_states(layout.n_slices)
    row = jnp.minimum(count_care(care), len(words["ends"]) - 1)
    # Row 0 is certain and moves no state.
    by_step = jnp.pad(row, (0, -layout.n_slices % n_states)).reshape(-1, n_states)

    def step(carry, row):
        states, taken = carry
        slot = states & 0xFFFF
        ends = words["ends"][row]
        symbol = (ends <= slot[:, None]).sum(axis=1, dtype=jnp.uint32)
        begin = jnp.where(symbol == 0, 0, ends[jnp.arange(n_states), symbol - 1])
        frequency = ends[jnp.arange(n_states), symbol] - begin
        states = frequency * (states >> 16) + slot - begin
        low = states < 1 << 16
        place = taken + jnp.cumsum(low, dtype=jnp.uint32) - low.astype(jnp.uint32)
        word = (words["counts"][place >> 1] >> ((place & 1) << 4)) & 0xFFFF
        return (jnp.where(low, (states << 16) | word, states), taken + low.sum(dtype=jnp.uint32)), symbol

    begin = (words["counts"][:n_states], jnp.uint32(2 * n_states))
    _, symbols = jax.lax.scan(step, begin, by_step)
    symbols = symbols.reshape(-1)[: layout.n_slices]
    counts = words["first"][row] + symbols
    if layout.n_escaped == 0:
        return counts
    escaped = symbols == words["escape"][row]
    order = jnp.cumsum(escaped, dtype=jnp.uint32) - escaped.astype(jnp.uint32)
    offsets = layout.escapes_begin + order * layout.escape_width
    width = jnp.full(1, layout.escape_width, dtype=jnp.uint32)
    return jnp.where(escaped, read_fields(words["counts"], offsets, width), counts)


def read_positions(
    words: dict[str, UInt32[Array, "..."]],
    layout: EnumerativeLayout,
    care: UInt32[Array, "n_slices care_words"],
    counts: UInt32[Array, " n_slices"],
    slices: UInt32[Array, " n_patches"],
) -> UInt32[Array, " n_patches"]:
    """Each patch's position in its slice."""
    n_care = count_care(care)
    widths = words["widths"][n_care, counts]
    indexed = n_care <= MAX_CARE
    if layout.has_fields:
        field_widths = number_widths(n_care)
        widths = jnp.where(indexed, widths, counts * field_widths)
    begins = jnp.cumsum(widths, dtype=jnp.uint32) - widths
    order = order_in_slice(counts, slices)
    numbers = _unfold(words, begins, jnp.where(indexed, widths, 0), jnp.where(indexed, counts, 0))
    numbers = numbers[jnp.minimum(order, len(numbers) - 1), slices]
    if layout.has_fields:
        width = field_widths[slices]
        fields = read_fields(words["positions"], begins[slices] + order * width, width)
        numbers = jnp.where(indexed[slices], numbers, fields)
    return select(care, slices, numbers)


def _unfold(
    words: dict[str, UInt32[Array, "..."]],
    begins: UInt32[Array, " n_slices"],
    widths: UInt32[Array, " n_slices"],
    counts: UInt32[Array, " n_slices"],
) -> UInt32[Array, "largest_d n_slices"]:
    """Row i: the i-th smallest number of each slice's set; anything where a set is smaller."""
    largest_d, n_values, n_limbs = words["binomials"].shape
    index = tuple(
        read_fields(
            words["positions"],
            begins + 32 * limb,
            jnp.minimum(jnp.maximum(widths, 32 * limb) - 32 * limb, 32),
        )
        for limb in range(n_limbs)
    )

    def largest_number(index, d_and_values):
        """c_d = the largest c with C(c, d) <= index, bit by bit, and what is left of the index."""
        d, values = d_and_values
        number = jnp.zeros(len(begins), dtype=jnp.uint32)
        for bit in reversed(range((n_values - 1).bit_length())):
            tried = number + (1 << bit)
            value = values[jnp.minimum(tried, n_values - 1)]
            number = jnp.where((tried < n_values) & ~_below(index, value), tried, number)
        taken = jnp.where((d <= counts)[:, None], values[number], 0)
        return _minus(index, taken), number

    d = jnp.arange(1, largest_d + 1, dtype=jnp.uint32)
    return jax.lax.scan(largest_number, index, (d, words["binomials"]), reverse=True)[1]


def _below(a: tuple[UInt32[Array, " k"], ...], b: UInt32[Array, "k limbs"]):
    """Whether a < b, limb by limb from the low one."""
    below = jnp.zeros(b.shape[0], dtype=bool)
    for limb, word in enumerate(a):
        below = (word < b[:, limb]) | ((word == b[:, limb]) & below)
    return below


def _minus(a: tuple[UInt32[Array, " k"], ...], b: UInt32[Array, "k limbs"]):
    """a - b, where b is not above a."""
    borrow = jnp.zeros(b.shape[0], dtype=jnp.uint32)
    result = []
    for limb, word in enumerate(a):
        result.append(word - b[:, limb] - borrow)
        borrow = ((word < b[:, limb]) | ((word == b[:, limb]) & (borrow == 1))).astype(jnp.uint32)
    return tuple(result)
