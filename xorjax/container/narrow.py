"""float32 in fewer bytes and without loss: integers times a power of two, or bfloat16; found from the values alone."""

from collections.abc import Iterator

import ml_dtypes
import numpy as np
from jaxtyping import Float32, Shaped

from xorjax.container.tensors import Raw

INTEGERS = tuple(np.dtype(kind) for kind in ("u1", "i1", "u2", "i2"))
BFLOAT16 = np.dtype(ml_dtypes.bfloat16)
EXPONENTS = range(-149, 128)
"""Of the powers of two that a float32 can be."""

_TILE = 1 << 16
"""Values that are looked at at once: most arrays show in the first that they have no shorter form."""


def narrow(array: Shaped[np.ndarray, "*shape"]) -> tuple[Shaped[np.ndarray, "*shape"], int | None]:
    """The array as a file holds it, and the exponent e of a float32 in another form: its values are stored * 2^e.

    With the largest e that there is: integers of 8 bits, unsigned or signed; otherwise bfloat16, where it is exact (e
    is 0); otherwise integers of 16 bits; otherwise the array itself, as one of any other dtype.
    """
    if array.dtype != np.float32 or array.size == 0:
        return array, None
    found = _form(array)
    return (array, None) if found is None else (_convert(array, *found), found[1])


def narrowed(array: np.ndarray | Raw) -> tuple[np.ndarray | Raw, int | None]:
    """As `narrow`; an array that nobody looks into is as it is."""
    return (array, None) if isinstance(array, Raw) else narrow(array)


def widen(stored: Shaped[np.ndarray, "*shape"], exponent: int) -> Float32[np.ndarray, "*shape"]:
    """The float32 that `narrow` was given.

    Raises:
        ValueError: `narrow` gives no such dtype or exponent, or a value is no float32.
    """
    if stored.dtype == BFLOAT16 and exponent == 0:
        # By bits: a NaN keeps its own.
        return (stored.view(np.uint16).astype(np.uint32) << 16).view(np.float32)
    if stored.dtype not in INTEGERS or exponent not in EXPONENTS:
        raise ValueError(f"{stored.dtype} times 2^{exponent} is no float32 in another form")
    with np.errstate(over="ignore"):
        wide = np.asarray(np.ldexp(stored.astype(np.float64), exponent), np.float32)
    if not np.isfinite(wide).all():
        raise ValueError(f"a value times 2^{exponent} is larger than any float32")
    return wide


def _form(array: Float32[np.ndarray, "*shape"]) -> tuple[np.dtype, int] | None:
    """The dtype and the exponent."""
    of_integers, bfloat16, exponent, least, most = True, True, EXPONENTS.stop, 0.0, 0.0
    for tile in _tiles(array):
        bits = tile.view(np.uint32)
        bfloat16 = bfloat16 and not (bits & 0xFFFF).any()
        # -0 is no integer, and neither is an infinity.
        of_integers = of_integers and bool(np.isfinite(tile).all() and (bits != 1 << 31).all())
        if of_integers:
            lowest = _lowest_bits(tile[tile != 0])
            exponent = min(exponent, int(lowest.min(initial=EXPONENTS.stop)))
            least, most = min(least, float(tile.min())), max(most, float(tile.max()))
            of_integers = max(-least, most) <= np.ldexp(2.0**16, exponent)
        if not (of_integers or bfloat16):
            return None
    if exponent == EXPONENTS.stop:  # all are zero
        exponent = 0
    low, high = np.ldexp([least, most], -exponent) if of_integers else (-np.inf, np.inf)
    fit = [dtype for dtype in INTEGERS if np.iinfo(dtype).min <= low and high <= np.iinfo(dtype).max]
    if bfloat16 and (not fit or fit[0].itemsize > 1):
        return BFLOAT16, 0
    return (fit[0], exponent) if fit else None


def _lowest_bits(values: Float32[np.ndarray, " n"]) -> Shaped[np.ndarray, " n"]:
    """The exponent of the lowest 1 of each value that is not 0."""
    fractions, exponents = np.frexp(values)
    integers = np.ldexp(np.abs(fractions), 24).astype(np.int32)
    return exponents - 25 + np.frexp((integers & -integers).astype(np.float32))[1]


def _convert(
    array: Float32[np.ndarray, "*shape"], dtype: np.dtype, exponent: int
) -> Shaped[np.ndarray, "*shape"]:
    stored = np.empty(array.size, dtype)
    for begin, tile in zip(range(0, array.size, _TILE), _tiles(array), strict=True):
        where = slice(begin, begin + len(tile))
        if dtype == BFLOAT16:
            stored.view(np.uint16)[where] = tile.view(np.uint32) >> 16
        else:
            stored[where] = np.ldexp(tile.astype(np.float64), -exponent)
    return stored.reshape(array.shape)


def _tiles(array: Float32[np.ndarray, "*shape"]) -> Iterator[Float32[np.ndarray, " _"]]:
    flat = np.ascontiguousarray(array).reshape(-1)
    for begin in range(0, flat.size, _TILE):
        yield flat[begin : begin + _TILE]
