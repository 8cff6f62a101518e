"""What products without decoding have in common: planes and scales around the product with one plane's signs."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Shaped

from xorjax.decoding.planes import PackedPlanes, decode_planes, kept

BLOCK = 16
"""Examples whose sums lie side by side: a row of them is what a look-up adds."""
UNROLLED = 8
"""Look-ups that are added to the sums at once, which are read and written as often."""

SignedProduct = Callable[[Float[Array, "batch inputs"], PackedPlanes, int], Float[Array, "batch outputs"]]
"""x times the signs of a plane, 0 where a weight is pruned, in `wide(x.dtype)`; of one example or more."""


def multiply(
    signed: SignedProduct,
    x: Shaped[Array, "*batch inputs"],
    planes: PackedPlanes,
    scales: Float[Array, "planes 1 _"],
) -> Float[Array, "*batch outputs"]:
    """`jnp.matmul(x, W)` but for the order of its sums, with derivatives with respect to x and scales.

    An output differs from the exact one by at most (K + q + 1) 2^-24 times the sum of |x| |scale| over inputs and
    planes, K the inputs and q the planes. Narrow floats are summed in float32 and the result is rounded; a GPU's
    look-ups round their partial sums too.
    """
    dtype = jnp.result_type(x, scales)
    flat = jnp.asarray(x, dtype).reshape(-1, x.shape[-1])
    by_plane = enumerate(scales.astype(wide(dtype)))
    y = jnp.stack([scale * _signed(flat, planes, signed, p) for p, scale in by_plane]).sum(0)
    return y.astype(dtype).reshape(*x.shape[:-1], planes.shape[1])


def wide(dtype: Any) -> Any:
    """What sums of this dtype are added in."""
    return dtype if jnp.dtype(dtype).itemsize > 4 else jnp.float32


@partial(jax.custom_jvp, nondiff_argnums=(2, 3))
def _signed(x: Float[Array, "batch inputs"], planes: PackedPlanes, signed: SignedProduct, p: int) -> Array:
    return signed(x, planes, p) if len(x) else jnp.zeros((0, planes.shape[1]), wide(x.dtype))


@_signed.defjvp
def _tangent(signed: SignedProduct, p: int, primals: tuple, tangents: tuple) -> tuple[Array, Array]:
    """The product is linear in x, and integers have no tangent."""
    (x, planes), (dx, _) = primals, tangents
    # A backward pass holds the words and decodes them where it needs the signs, which take much more memory.
    decoded = jax.checkpoint(partial(_decoded, p=p), prevent_cse=False)
    return _signed(x, planes, signed, p), decoded(dx, planes)


def _decoded(x: Float[Array, "batch inputs"], planes: PackedPlanes, p: int) -> Float[Array, "batch outputs"]:
    """As `_signed`, by the decoded signs."""
    mask, dtype = kept(planes), wide(x.dtype)
    signs = jnp.where(decode_planes(planes, mask)[p], jnp.ones((), dtype), -jnp.ones((), dtype))
    if mask is not None:
        signs = jnp.where(mask, signs, jnp.zeros((), dtype))
    return x.astype(dtype) @ signs
