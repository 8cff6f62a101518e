"""What a decoder knows of slices, and `codec.slicing` inside jit: by reshapes, transpositions and rotations."""

import math
from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Int64, UInt32

from xorjax.codec.patches import PATCH_FORMATS
from xorjax.codec.slicing import rotations

PatchWords = dict[str, UInt32[Array, "..."]]
"""A plane's patches: the streams "counts", but for its first byte, and "positions", and what their format adds."""
CareWords = UInt32[Array, "n_slices care_words"]
"""The slices' care bits, packed."""


@dataclass(frozen=True)
class XorFormat:
    """What the words mean.

    Attributes:
        n_patches: room for so many in each plane; a plane has no more.
        patch_block: slices in a block of counts, for "blocked"; else 0.
        slicing_seed: for "shuffled"; else 0.
    """

    n_in: int
    n_out: int
    n_slices: int
    n_patches: int
    patch_format: str
    patch_block: int
    slicing: str
    slicing_seed: int

    @property
    def needs_mask(self) -> bool:
        """Whether the patches are read only with the mask."""
        return self.n_patches > 0 and PATCH_FORMATS[self.patch_format].needs_care


def plane_to_slices(
    plane: Bool[Array, "*shape"], n_slices: int, n_out: int, slicing: str, seed: int
) -> Bool[Array, "n_slices n_out"]:
    """What `slicing.to_slices` returns."""
    flat = (plane.T if slicing == "column_major" else plane).reshape(-1)
    padded = jnp.pad(flat, (0, n_slices * n_out - math.prod(plane.shape)))
    if slicing in ("row_major", "column_major"):
        return padded.reshape(n_slices, n_out)
    rows = padded.reshape(n_out, n_slices)
    if slicing == "shuffled":
        rows = _rotate(rows, rotations(n_slices, n_out, seed))
    return rows.T


def slices_to_plane(
    slices: Bool[Array, "n_slices n_out"], shape: tuple[int, ...], slicing: str, seed: int
) -> Bool[Array, "*shape"]:
    """What `slicing.from_slices` returns."""
    rows = slices.T if slicing in ("interleaved", "shuffled") else slices
    if slicing == "shuffled":
        rows = _rotate(rows, -rotations(slices.shape[0], slices.shape[1], seed))
    flat = rows.reshape(-1)[: math.prod(shape)]
    return flat.reshape(shape[::-1]).T if slicing == "column_major" else flat.reshape(shape)


def _rotate(
    rows: Bool[Array, "n_out n_slices"], amounts: Int64[np.ndarray, " n_out"]
) -> Bool[Array, "n_out n_slices"]:
    # The indices are computed inside the gather's loop and never held: they would take 4 bytes a weight.
    n_out, n_slices = rows.shape
    begins = jnp.asarray((-amounts % n_slices).astype(np.int32))
    place = jnp.arange(n_slices, dtype=jnp.int32)[None, :] + begins[:, None]
    place = jnp.where(place >= n_slices, place - n_slices, place)
    return rows.at[jnp.arange(n_out)[:, None], place].get(mode="promise_in_bounds")
