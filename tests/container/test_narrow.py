"""float32 in another form: each value comes back to the bit, and the form is the shortest that a slow search finds."""

from fractions import Fraction

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xorjax.container import narrow as module
from xorjax.container.narrow import EXPONENTS, narrow, widen

RANGES = {"uint8": (0, 255), "int8": (-128, 127), "uint16": (0, 65535), "int16": (-32768, 32767)}


def slowly(array):
    """Every form, tried in exact arithmetic, in the order of preference: dtype and exponent."""
    bfloat16 = all(bits & 0xFFFF == 0 for bits in array.view(np.uint32).ravel().tolist())
    plain = all(np.isfinite(v) and not (v == 0 and np.signbit(v)) for v in array.ravel())
    values = [Fraction(v) for v in array.ravel().tolist()] if plain else []
    whole = [e for e in EXPONENTS if all((v / Fraction(2) ** e).denominator == 1 for v in values)]
    exponent = max(whole) if any(values) and plain else 0
    integers = [v / Fraction(2) ** exponent for v in values]
    fit = [
        name
        for name, (low, high) in RANGES.items()
        if plain and low <= min(integers) and max(integers) <= high
    ]
    if fit and fit[0] in ("uint8", "int8"):
        return fit[0], exponent
    if bfloat16:
        return "bfloat16", 0
    return (fit[0], exponent) if fit else ("float32", None)


def fixed(pair):
    exponent, integers = pair
    with np.errstate(all="ignore"):
        return np.ldexp(np.array(integers, np.float64), exponent).astype(np.float32)


floats = st.lists(st.floats(width=32), min_size=1, max_size=5).map(
    lambda values: np.array(values, np.float32)
)
integers = st.sampled_from([(0, 255), (-128, 127), (-129, 3), (0, 65535), (-32768, 32767), (0, 2**24)])
in_fixed_point = st.tuples(
    st.integers(-152, 128),
    integers.flatmap(lambda ends: st.lists(st.integers(*ends), min_size=1, max_size=5)),
).map(fixed)
in_bfloat16 = floats.map(lambda array: (array.view(np.uint32) & 0xFFFF0000).view(np.float32))
bits = st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=5).map(
    lambda values: np.array(values, np.uint32).view(np.float32)
)


@given(array=floats | in_fixed_point | in_bfloat16 | bits)
def test_every_bit_comes_back_from_the_shortest_form(array):
    stored, exponent = narrow(array)
    assert (stored.dtype.name, exponent) == slowly(array)
    back = stored if exponent is None else widen(stored, exponent)
    assert back.dtype == np.float32
    assert back.tobytes() == array.tobytes()


@given(array=in_fixed_point | in_bfloat16, tile=st.integers(1, 4))
def test_tiles_change_nothing(array, tile):
    stored, exponent = narrow(array)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_TILE", tile)
        again, same = narrow(array)
    assert (stored.dtype, stored.tobytes(), exponent) == (again.dtype, again.tobytes(), same)


@pytest.mark.parametrize("shape", [(), (1,), (2, 3), (3, 1, 2)])
def test_the_shape_is_kept(shape):
    array = np.full(shape, 0.75, np.float32)
    stored, exponent = narrow(array)
    assert (stored.shape, stored.dtype, exponent) == (shape, np.uint8, -2)
    assert widen(stored, -2).shape == shape


@pytest.mark.parametrize("dtype", ["f8", "f2", "i4", "?", ml_dtypes.bfloat16])
def test_another_dtype_and_no_values_are_as_they_are(dtype):
    for array in (np.ones(3, dtype), np.zeros((0, 2), np.float32)):
        assert narrow(array) == (array, None) or narrow(array)[0] is array


@pytest.mark.parametrize(
    ("stored", "exponent", "match"),
    [
        (np.uint8([1]), 128, r"uint8 times 2\^128 is no float32"),
        (np.uint8([1]), -150, r"uint8 times 2\^-150"),
        (np.uint32([1]), 0, "uint32 times"),
        (np.float32([1]), 0, "float32 times"),
        (np.ones(1, ml_dtypes.bfloat16), 1, "bfloat16 times"),
        (np.uint8([2]), 127, r"a value times 2\^127 is larger than any"),
    ],
)
def test_what_no_writer_gives_is_refused(stored, exponent, match):
    with pytest.raises(ValueError, match=match):
        widen(stored, exponent)
