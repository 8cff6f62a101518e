import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from xorjax.gf2.pack import pack_bits, pack_codes, pack_fields, unpack_codes, unpack_fields


def test_pack_bits_puts_bit_i_in_word_i_over_32():
    bits = np.zeros(70, dtype=bool)
    bits[[0, 33, 69]] = True
    words = pack_bits(bits)
    assert words.dtype == np.uint32
    assert words.tolist() == [1, 2, 1 << 5]


@pytest.mark.parametrize("dtype", [np.uint32, np.uint64])
@given(hnp.arrays(np.bool_, hnp.array_shapes(min_dims=1, max_dims=2, min_side=0, max_side=140)))
def test_pack_bits_makes_one_long_number_of_each_row(dtype, bits):
    words = pack_bits(bits, dtype)
    width = 8 * dtype().nbytes
    assert words.dtype == dtype
    assert words.shape == (*bits.shape[:-1], -(-bits.shape[-1] // width))
    for row, packed in zip(np.atleast_2d(bits), np.atleast_2d(words), strict=True):
        number = sum(int(word) << (width * i) for i, word in enumerate(packed))
        assert number == sum(1 << int(i) for i in np.flatnonzero(row))


def test_pack_fields_writes_back_to_back_from_the_least_significant_bit():
    # 5 = 101, 3 = 011, 6 = 110: read from the first bit, 101 110 011.
    assert pack_fields(np.array([5, 3, 6]), 3).tolist() == [0b10011101, 0b1]


@given(st.data())
def test_fields_are_the_bits_of_one_long_number(data):
    width = data.draw(st.integers(0, 64))
    values = data.draw(st.lists(st.integers(0, (1 << width) - 1), max_size=40))
    stream = pack_fields(np.array(values, dtype=np.uint64), width)
    assert len(stream) == -(-width * len(values) // 8)
    number = sum(value << (width * i) for i, value in enumerate(values))
    assert int.from_bytes(stream.tobytes(), "little") == number
    assert unpack_fields(stream, width, len(values)).tolist() == values


def test_pack_fields_refuses_what_does_not_fit():
    with pytest.raises(ValueError, match="values 1 to 8 do not fit fields of 3 bits"):
        pack_fields(np.array([8, 1]), 3)
    with pytest.raises(ValueError, match="do not fit"):
        pack_fields(np.array([-1]), 64)
    with pytest.raises(ValueError, match="0 to 64 bits, not 65"):
        pack_fields(np.array([1]), 65)


def test_unpack_fields_refuses_a_short_stream():
    with pytest.raises(ValueError, match="2 bytes do not hold 3 fields of 6 bits"):
        unpack_fields(np.zeros(2, dtype=np.uint8), 6, 3)


@given(st.data())
def test_code_words_are_the_bits_of_one_long_number(data):
    width = data.draw(st.integers(0, 128))
    values = data.draw(st.lists(st.integers(0, (1 << width) - 1), max_size=40))
    words = max(1, -(-width // 64))
    codes = np.array([[value >> 64 * i & (2**64 - 1) for i in range(words)] for value in values], np.uint64)
    codes = codes.reshape(len(values), words)
    stream = pack_codes(codes, width)
    assert len(stream) == -(-width * len(values) // 8)
    number = sum(value << (width * i) for i, value in enumerate(values))
    assert int.from_bytes(stream.tobytes(), "little") == number
    again = unpack_codes(stream, width, len(values))
    assert again.dtype == np.uint64
    np.testing.assert_array_equal(again, codes)
    if words == 1:
        np.testing.assert_array_equal(stream, pack_fields(codes[:, 0], width))


def test_code_words_refuse_what_does_not_fit():
    codes = np.array([[0, 1 << 5]], dtype=np.uint64)
    with pytest.raises(ValueError, match="a code word does not fit a field of 69 bits"):
        pack_codes(codes, 69)
    assert len(pack_codes(codes, 70)) == 9
    with pytest.raises(ValueError, match="a field's width is 0 to 128 bits, not 129"):
        pack_codes(codes, 129)
    with pytest.raises(ValueError, match="a field's width is 0 to 64 bits, not 65"):
        pack_codes(codes[:, :1], 65)
    with pytest.raises(ValueError, match="2 bytes do not hold 3 fields of 6 bits"):
        unpack_codes(np.zeros(2, dtype=np.uint8), 6, 3)
