"""How a bit plane is cut into slices.

`row_major`: slice s is bits s n_out .. s n_out + n_out - 1 of the plane flattened in row-major order, as in the
paper. A real mask is uneven - whole rows and columns keep few or many weights - and a slice inside a dense row
has more care bits than its code word can meet. The other slicings are there to even that out:

- `column_major`: the same of the flattened transpose: all axes reversed, so that the last is the slowest.
- `interleaved`: with l slices, slice s is every l-th bit from bit s on. l is the smallest number, at least the
  plane's size over n_out, that has no divisor in common with the last axis, since otherwise a slice would keep
  meeting the same columns.
- `shuffled`: with l = ceil(size / n_out), bit i of slice s is bit i l + (s - a_i) mod l, where a_i is the remainder
  modulo l of the i-th raw 64-bit output of PCG64(seed). So a slice draws a bit at random from each of n_out
  stretches of the plane, and a decoder needs n_out numbers, where a permutation would need one a weight.

All are one bijection of n_slices n_out places, and cost a decoder nothing but its addressing.
"""

import math

import numpy as np
from jaxtyping import Int64, Shaped

SLICINGS = ("row_major", "column_major", "interleaved", "shuffled")


def count_slices(shape: tuple[int, ...], n_out: int, slicing: str) -> int:
    """How many slices of `n_out` bits a plane of `shape` is cut into.

    Raises:
        ValueError: the plane is empty.
    """
    n_weights = math.prod(shape)
    if n_weights == 0:
        raise ValueError("a bit plane holds at least one weight")
    n_slices = -(-n_weights // n_out)
    if slicing == "interleaved":
        while math.gcd(n_slices, shape[-1] if shape else 1) > 1:
            n_slices += 1
    return n_slices


def rotations(n_slices: int, n_out: int, seed: int) -> Int64[np.ndarray, " n_out"]:
    """By how many slices `shuffled` moves each of the `n_out` bits of a slice."""
    raw = np.asarray(np.random.PCG64(seed).random_raw(n_out), dtype=np.uint64)
    return (raw % np.uint64(n_slices)).astype(np.int64)


def to_slices(
    plane: Shaped[np.ndarray, "..."], n_out: int, slicing: str, seed: int = 0
) -> Shaped[np.ndarray, "n_slices n_out"]:
    """The plane's slices; what passes its end is zero. `seed` is that of `shuffled`."""
    n_slices = count_slices(plane.shape, n_out, slicing)
    padded = np.zeros(n_slices * n_out, plane.dtype)
    padded[: plane.size] = (plane.T if slicing == "column_major" else plane).reshape(-1)
    if slicing in ("row_major", "column_major"):
        return padded.reshape(n_slices, n_out)
    columns = padded.reshape(n_out, n_slices)
    if slicing == "shuffled":
        columns = _rotate(columns, rotations(n_slices, n_out, seed))
    return np.ascontiguousarray(columns.T)


def from_slices(
    slices: Shaped[np.ndarray, "n_slices n_out"], shape: tuple[int, ...], slicing: str, seed: int = 0
) -> Shaped[np.ndarray, "..."]:
    """The plane that `to_slices` cut; the padding is dropped."""
    if slicing == "shuffled":
        n_slices, n_out = slices.shape
        slices = _rotate(slices.T, -rotations(n_slices, n_out, seed)).T
    across = slicing in ("interleaved", "shuffled")
    flat = (slices.T if across else slices).reshape(-1)[: math.prod(shape)]
    return flat.reshape(shape[::-1]).T if slicing == "column_major" else flat.reshape(shape)


def _rotate(
    rows: Shaped[np.ndarray, "n_out n_slices"], amounts: Int64[np.ndarray, " n_out"]
) -> Shaped[np.ndarray, "n_out n_slices"]:
    return np.stack([np.roll(row, amount) for row, amount in zip(rows, amounts, strict=True)])
