"""The jitted decoders of masks against the codecs' own, bit for bit."""

import jax
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from xorjax.decoding.masks import decode_mask, pack_mask
from xorjax.masks import EXACT_CODECS, EncodedMask, encode_mask, fit_mask
from xorjax.masks.blocks import MAX_BLOCK


def scores(shape, seed=0):
    return np.abs(np.random.default_rng(seed).standard_normal(shape)).astype(np.float32)


def check(encoded):
    mask = decode_mask(pack_mask(encoded))
    assert mask.dtype == bool
    assert mask.shape == encoded.shape
    np.testing.assert_array_equal(np.asarray(mask), encoded.mask)


@pytest.mark.parametrize("codec", sorted(EXACT_CODECS))
@pytest.mark.parametrize("shape", [(1,), (33,), (7, 9), (3, 3, 5, 7)])
def test_exact_codecs(codec, shape):
    check(encode_mask(scores(shape) > 1, codec))


@st.composite
def block_arguments(draw, codec, longest):
    shape = tuple(draw(st.lists(st.integers(1, 12), min_size=1, max_size=3)))
    rows, columns = int(np.prod(shape)) // shape[-1], shape[-1]
    n_in = draw(st.integers(1, longest))
    step = draw(st.integers(1, n_in))
    row_groups = draw(st.integers(1, min(rows, MAX_BLOCK)))
    groups = row_groups, draw(st.integers(1, min(columns, MAX_BLOCK // row_groups)))
    least = 1 if codec == "codebook" else n_in // (groups[0] * groups[1]) + 1
    threshold_bits = draw(st.integers(min(least, 12), 12))
    if least > 12:
        n_in = step = 1
    return codec, shape, n_in, step, groups, threshold_bits, draw(st.integers(0, 2**32))


def block_mask(codec, shape, n_in, step, groups, threshold_bits, seed):
    """A mask of random streams."""
    rows, columns = int(np.prod(shape)) // shape[-1], shape[-1]
    rng = np.random.default_rng(seed)

    def pack(values, width):
        bits = np.asarray(values)[:, None] >> np.arange(width) & 1
        return np.packbits(bits.astype(np.uint8), bitorder="little")

    streams = {}
    for name, n, n_groups in (("rows", rows, groups[0]), ("columns", columns, groups[1])):
        order = rng.permutation(n) // -(-n // n_groups)
        streams[name] = pack(order, (n_groups - 1).bit_length())
    n_blocks = -(-rows // groups[0]) * -(-columns // groups[1])
    header = np.array([n_in, step, *groups, threshold_bits, *rng.integers(0, 9, 2)], dtype="<u2")
    return EncodedMask(
        codec,
        shape,
        {
            "header": header.view(np.uint8),
            **streams,
            "thresholds": pack(rng.integers(0, 1 << threshold_bits, groups[0] * groups[1]), threshold_bits),
            "codes": pack(rng.integers(0, 2, (n_blocks - 1) * step + n_in), 1),
        },
    )


@settings(max_examples=15)  # each shape is compiled
@given(block_arguments("codebook", 16))
def test_codebook(arguments):
    check(block_mask(*arguments))


@settings(max_examples=15)
@given(block_arguments("xor", 64))
def test_xor(arguments):
    check(block_mask(*arguments))


@pytest.mark.slow
@settings(max_examples=300)
@given(st.one_of(block_arguments("codebook", 16), block_arguments("xor", 64)))
def test_300_block_masks(arguments):
    check(block_mask(*arguments))


@settings(max_examples=10)
@given(st.integers(1, 70), st.integers(1, 70), st.data())
@example(1, 1, None)
def test_lowrank(rows, columns, data):
    tile = (rows, columns)
    if data is not None:
        tile = data.draw(st.integers(-(-rows // 3), rows)), data.draw(st.integers(-(-columns // 3), columns))
    rank = min(4, *tile)
    rng = np.random.default_rng(rows)
    sizes = rank * rows * -(-columns // tile[1]), rank * columns * -(-rows // tile[0])
    streams = {
        "header": np.array([rank, *tile], dtype="<u4").view(np.uint8),
        "rows": np.packbits(rng.random(sizes[0]) < 0.3, bitorder="little"),
        "columns": np.packbits(rng.random(sizes[1]) < 0.3, bitorder="little"),
    }
    check(EncodedMask("lowrank", (rows, columns), streams))


@pytest.mark.parametrize("codec", ["lowrank", "codebook", "xor"])
def test_fitted_masks(codec):
    given = {} if codec == "lowrank" else {"n_in": 8, "step": 2}
    check(fit_mask(scores((60, 50)), 0.9, codec, **given))


def test_blocks_and_tiles_stay_packed():
    """What a forward pass holds is the streams' bits, not the mask's."""
    shape = (400, 300)
    for codec, chosen in (
        ("lowrank", {"rank": 5, "restarts": 1}),
        ("codebook", {"n_in": 6, "column_groups": 8}),
    ):
        encoded = fit_mask(scores(shape), 0.9, codec, **chosen)
        words = pack_mask(encoded).words
        names = ("rows", "columns") if codec == "lowrank" else ("codes",)
        packed = [getattr(words, name) for name in names]
        assert sum(8 * array.nbytes for array in packed) <= sum(encoded.nbits[name] for name in names) + 1000


@pytest.mark.parametrize("codec", ["lowrank", "codebook", "xor"])
def test_the_jitted_decoder_calls_nothing_outside(codec):
    given = {} if codec == "lowrank" else {"n_in": 8, "step": 2}
    packed = pack_mask(fit_mask(scores((40, 30)), 0.9, codec, **given))
    text = decode_mask.lower(packed).as_text()
    assert "callback" not in text
    assert "f32" not in text
    assert jax.tree.leaves(packed)
