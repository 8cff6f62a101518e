"""`codec.layout` inside jit: planes to slices and back, by reshapes, transpositions and rotations."""

import math

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Int64

from xorjax.codec.layout import rotations


def plane_to_slices(
    plane: Bool[Array, "*shape"], n_slices: int, n_out: int, layout: str, seed: int
) -> Bool[Array, "n_slices n_out"]:
    """What `layout.to_slices` returns."""
    flat = (plane.T if layout == "column_major" else plane).reshape(-1)
    padded = jnp.pad(flat, (0, n_slices * n_out - math.prod(plane.shape)))
    if layout in ("row_major", "column_major"):
        return padded.reshape(n_slices, n_out)
    rows = padded.reshape(n_out, n_slices)
    if layout == "shuffled":
        rows = _rotate(rows, rotations(n_slices, n_out, seed))
    return rows.T


def slices_to_plane(
    slices: Bool[Array, "n_slices n_out"], shape: tuple[int, ...], layout: str, seed: int
) -> Bool[Array, "*shape"]:
    """What `layout.from_slices` returns."""
    rows = slices.T if layout in ("interleaved", "shuffled") else slices
    if layout == "shuffled":
        rows = _rotate(rows, -rotations(slices.shape[0], slices.shape[1], seed))
    flat = rows.reshape(-1)[: math.prod(shape)]
    return flat.reshape(shape[::-1]).T if layout == "column_major" else flat.reshape(shape)


def _rotate(
    rows: Bool[Array, "n_out n_slices"], amounts: Int64[np.ndarray, " n_out"]
) -> Bool[Array, "n_out n_slices"]:
    # The indices are computed inside the gather's loop and never held: they would take 4 bytes a weight.
    n_out, n_slices = rows.shape
    begins = jnp.asarray((-amounts % n_slices).astype(np.int32))
    place = jnp.arange(n_slices, dtype=jnp.int32)[None, :] + begins[:, None]
    place = jnp.where(place >= n_slices, place - n_slices, place)
    return rows.at[jnp.arange(n_out)[:, None], place].get(mode="promise_in_bounds")
