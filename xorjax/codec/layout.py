"""How a bit plane is cut into slices.

"row_major": slice s is bits s n_out .. s n_out + n_out - 1 of the flattened plane, as in the paper. "interleaved":
with l slices, slice s is every l-th bit from bit s on. A real mask is uneven - whole rows and columns keep few or
many weights - and a slice inside a dense row has more care bits than its code word can meet; interleaved slices
cross all rows and columns alike. l is then the smallest number, at least the plane's size over n_out, that has no
divisor in common with the last axis, since otherwise a slice would keep meeting the same columns.

Only reshapes and one transposition: either order costs a decoder nothing but its addressing.
"""

import math
from typing import TypeVar

import numpy as np
from jaxtyping import Bool, Int

LAYOUTS = ("row_major", "interleaved")

Plane = TypeVar("Plane")


def count_slices(shape: tuple[int, ...], n_out: int, layout: str) -> int:
    """How many slices of `n_out` bits a plane of `shape` is cut into.

    Raises:
        ValueError: the plane is empty.
    """
    n_weights = math.prod(shape)
    if n_weights == 0:
        raise ValueError("a bit plane holds at least one weight")
    n_slices = -(-n_weights // n_out)
    if layout == "interleaved":
        while math.gcd(n_slices, shape[-1] if shape else 1) > 1:
            n_slices += 1
    return n_slices


def to_slices(plane: Bool[np.ndarray, "..."], n_out: int, layout: str) -> Bool[np.ndarray, "n_slices n_out"]:
    """The plane's slices; what passes its end is False."""
    n_slices = count_slices(plane.shape, n_out, layout)
    padded = np.zeros(n_slices * n_out, bool)
    padded[: plane.size] = plane.reshape(-1)
    if layout == "interleaved":
        return np.ascontiguousarray(padded.reshape(n_out, n_slices).T)
    return padded.reshape(n_slices, n_out)


def from_slices(slices: Plane, shape: tuple[int, ...], layout: str) -> Plane:
    """The plane of [n_slices, n_out] bits, NumPy's or JAX's; the padding is dropped."""
    flat = (slices.T if layout == "interleaved" else slices).reshape(-1)  # pyright: ignore[reportAttributeAccessIssue]
    return flat[: math.prod(shape)].reshape(shape)


def bit_index(
    slices: Int[np.ndarray, " k"], positions: Int[np.ndarray, " k"], n_slices: int, n_out: int, layout: str
) -> Int[np.ndarray, " k"]:
    """Where in the flattened plane bit `positions` of `slices` lies; past its end for padding."""
    return positions * n_slices + slices if layout == "interleaved" else slices * n_out + positions
