"""The patch format `enumerative` inside jit: rANS in a scan over the slices, combination indices in limbs.

Both need tables that follow from n_in and the numbers of care bits and patches that occur. They are arrays
beside the streams, so that they are no constants of the compiled program.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, UInt8, UInt32

from xorjax.codec.patches import CareSlices, rans
from xorjax.codec.patches.base import section_bytes
from xorjax.codec.patches.combination import MAX_CARE, column, index_width
from xorjax.codec.patches.count_model import MODELS, TOTAL_BITS, CountRow
from xorjax.codec.patches.enumerative import count_rows, escape_width
from xorjax.codec.plane import CodedPlane
from xorjax.decoding.patch_care import count_care, number_widths, order_in_slice, select
from xorjax.decoding.slices import CareWords, PatchWords, XorFormat
from xorjax.decoding.words import one_width, read_fields


def pack(
    counts: UInt8[np.ndarray, " bytes"], plane: CodedPlane, slices: CareSlices
) -> dict[str, UInt32[np.ndarray, "..."]]:
    """The tables, and the bit of the counts where the escaped ones begin."""
    rows = count_rows(int(counts[0]), slices)
    pairs = zip(slices.n_care.tolist(), plane.n_patches.tolist(), strict=True)
    n_escaped = sum(rows[k].symbol(d) == rows[k].escape for k, d in pairs)
    begin = 8 * (len(counts) - 1 - section_bytes(n_escaped * escape_width(slices.n_out)))
    return {
        "escapes": np.array([begin], dtype=np.uint32),
        **_count_tables(slices, int(counts[0])),
        **_index_tables(slices.n_care, plane.n_patches),
    }


def _count_tables(slices: CareSlices, model: int) -> dict[str, UInt32[np.ndarray, "..."]]:
    """Row k, the last for all above: the symbols' cumulative ends, the first count and the escape's number.

    Their sizes follow from the mask alone: they have room for the rows of either model.
    """
    of_models = [count_rows(i, slices) for i in range(len(MODELS))]
    n_symbols = max(2, *(len(row.ends) for rows in of_models for row in rows.values()))
    ends = np.full((_n_rows(slices.n_care) + 1, -(-n_symbols // 4) * 4), 1 << TOTAL_BITS, dtype=np.uint32)
    first, escape = np.zeros((2, len(ends)), dtype=np.uint32)
    # Row 0 is certain and moves no state.
    for k, row in {**of_models[model], 0: CountRow(0, (1 << TOTAL_BITS,) * 2)}.items():
        k = min(k, len(ends) - 1)
        ends[k, : len(row.ends)] = row.ends
        first[k], escape[k] = row.first, row.escape
    return {"ends": ends, "first": first, "escape": escape}


def _n_rows(n_care: np.ndarray) -> int:
    """A power of two above the largest number of care bits whose patches have an index."""
    return 1 << int(n_care[n_care <= MAX_CARE].max(initial=1)).bit_length()


def _index_tables(n_care: np.ndarray, n_patches: np.ndarray) -> dict[str, UInt32[np.ndarray, "..."]]:
    """`widths`[k, d] of an index, and `binomials`[d - 1, c] = C(c, d) in limbs of 32 bits, low limb first; those
    that pass the limbs, and so all indices, are all ones. `largest` is the largest d, and there is room for some more.
    """
    indexed = (n_care <= MAX_CARE) & (n_patches > 0)
    n_rows, largest_d = _n_rows(n_care), int(n_patches[indexed].max(initial=1))
    room = -(-largest_d // 8) * 8
    widths = np.zeros((n_rows, room + 1), dtype=np.uint32)
    for k, d in np.unique(np.stack([n_care[indexed], n_patches[indexed]]), axis=1).T.tolist():
        widths[k, d] = index_width(k, d)
    n_limbs = 1 << (max(1, -(-int(widths.max()) // 32)) - 1).bit_length()
    largest = (1 << 32 * n_limbs) - 1
    table = b"".join(
        min(column(d)[c] if c <= MAX_CARE else largest, largest).to_bytes(4 * n_limbs, "little")
        for d in range(1, room + 1)
        for c in range(n_rows)
    )
    binomials = np.frombuffer(table, "<u4").reshape(room, n_rows, n_limbs).astype(np.uint32)
    return {"widths": widths, "binomials": binomials, "largest": np.array([largest_d], dtype=np.uint32)}


def read_counts(words: PatchWords, format: XorFormat, care: CareWords) -> UInt32[Array, " n_slices"]:
    """Patches of each slice: symbol after symbol, all states at once."""
    n_states = rans.n_states(format.n_slices)
    row = jnp.minimum(count_care(care), len(words["ends"]) - 1)
    by_step = jnp.pad(row, (0, -format.n_slices % n_states)).reshape(-1, n_states)

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
    symbols = symbols.reshape(-1)[: format.n_slices]
    counts = words["first"][row] + symbols
    escaped = symbols == words["escape"][row]
    order = jnp.cumsum(escaped, dtype=jnp.uint32) - escaped.astype(jnp.uint32)
    width = escape_width(format.n_out)
    fields = read_fields(words["counts"], words["escapes"] + order * width, one_width(width))
    return jnp.where(escaped, fields, counts)


def read_positions(
    words: PatchWords,
    format: XorFormat,
    care: CareWords,
    counts: UInt32[Array, " n_slices"],
    slices: UInt32[Array, " n_patches"],
) -> UInt32[Array, " n_patches"]:
    """Each patch's position in its slice."""
    n_care = count_care(care)
    indexed, field_widths = n_care <= MAX_CARE, number_widths(n_care)
    widths = jnp.where(indexed, words["widths"][n_care, counts], counts * field_widths)
    begins = jnp.cumsum(widths, dtype=jnp.uint32) - widths
    order = order_in_slice(counts, slices)
    numbers = _unfold(words, begins, jnp.where(indexed, widths, 0), jnp.where(indexed, counts, 0))
    numbers = numbers[jnp.minimum(order, len(numbers) - 1), slices]
    if format.n_out > MAX_CARE:
        width = field_widths[slices]
        fields = read_fields(words["positions"], begins[slices] + order * width, width)
        numbers = jnp.where(indexed[slices], numbers, fields)
    return select(care, slices, numbers)


def _unfold(
    words: PatchWords,
    begins: UInt32[Array, " n_slices"],
    widths: UInt32[Array, " n_slices"],
    counts: UInt32[Array, " n_slices"],
) -> UInt32[Array, "room n_slices"]:
    """Row i: the i-th smallest number of each slice's set; anything where a set is smaller."""
    room, n_values, n_limbs = words["binomials"].shape
    index = tuple(
        read_fields(
            words["positions"],
            begins + 32 * limb,
            jnp.minimum(jnp.maximum(widths, 32 * limb) - 32 * limb, 32),
        )
        for limb in range(n_limbs)
    )

    def largest_number(i, carry):
        """c_d = the largest c with C(c, d) <= index, bit by bit, and what is left of the index."""
        index, numbers = carry
        d = words["largest"][0] - i
        values = words["binomials"][d - 1]
        number = jnp.zeros(len(begins), dtype=jnp.uint32)
        for bit in reversed(range((n_values - 1).bit_length())):
            tried = number + (1 << bit)
            value = values[jnp.minimum(tried, n_values - 1)]
            number = jnp.where((tried < n_values) & ~_below(index, value), tried, number)
        taken = jnp.where((d <= counts)[:, None], values[number], 0)
        return _minus(index, taken), numbers.at[d - 1].set(number)

    numbers = jnp.zeros((room, len(begins)), dtype=jnp.uint32)
    return jax.lax.fori_loop(jnp.uint32(0), words["largest"][0], largest_number, (index, numbers))[1]


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
