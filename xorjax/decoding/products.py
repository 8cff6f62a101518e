"""What products without decoding have in common: planes and scales around the product with one plane's signs."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
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
    """`jnp.matmul(x, W)` but for the order of its sums, with gradients with respect to x and scales.

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


@partial(jax.custom_vjp, nondiff_argnums=(2, 3))
def _signed(x: Float[Array, "batch inputs"], planes: PackedPlanes, signed: SignedProduct, p: int) -> Array:
    return signed(x, planes, p) if len(x) else jnp.zeros((0, planes.shape[1]), wide(x.dtype))


def _forward(x: Array, planes: PackedPlanes, signed: SignedProduct, p: int) -> tuple[Array, tuple]:
    # An empty array has the dtype, which is no array itself.
    return _signed(x, planes, signed, p), (planes, x[:0])


def _backward(signed: SignedProduct, p: int, held: tuple, g: Array) -> tuple[Array, PackedPlanes]:
    planes, like = held
    mask = kept(planes)
    signs = jnp.where(decode_planes(planes, mask)[p], jnp.ones((), g.dtype), -jnp.ones((), g.dtype))
    if mask is not None:
        signs = jnp.where(mask, signs, jnp.zeros((), g.dtype))
    # Integers have no gradient.
    return (g @ signs.T).astype(like.dtype), jax.tree.map(
        lambda leaf: np.zeros(leaf.shape, jax.dtypes.float0), planes
    )


_signed.defvjp(_forward, _backward)
