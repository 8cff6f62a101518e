"""Products of activations with weights, be they arrays or coded."""

from collections.abc import Sequence
from math import prod

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Num

from xorjax.weights.coded import CodedWeight, form

Weight = CodedWeight | Float[Array, "..."] | Float[np.ndarray, "..."]
Padding = str | int | Sequence[int] | Sequence[tuple[int, int]]


def check_weight(w: Weight) -> None:
    """Raises TypeError: it is neither a coded weight nor an array, but a layer of a file, say."""
    if not hasattr(w, "dtype"):
        raise TypeError(
            f"the weight is a {type(w).__name__}, expected a coded weight, such as load(path).weights[name], or an "
            "array"
        )


def matmul(x: Num[Array, "..."] | Num[np.ndarray, "..."], w: Weight) -> Array:
    """`jnp.matmul(x, w)`.

    Raises:
        TypeError: as `check_weight`.
    """
    check_weight(w)
    return w.__rmatmul__(x) if isinstance(w, CodedWeight) else jnp.matmul(x, w)


def conv(
    x: Num[Array, "..."] | Num[np.ndarray, "..."],
    w: Weight,
    strides: int | Sequence[int] = 1,
    padding: Padding = "VALID",
    dilation: int | Sequence[int] = 1,
    groups: int = 1,
) -> Array:
    """Cross-correlation, channels last.

    Args:
        x: (*batch, *space, n_in); batch may be any number of axes, none too.
        w: (*window, n_in / groups, n_out).
        strides: one for all axes of space, or one each.
        padding: "VALID", "SAME", or the zeros at both ends of an axis: for all axes, for each, or as (before, after).
        dilation: distance between neighbours of the window, as strides.
        groups: into how many the channels are divided.

    Raises:
        TypeError: as `check_weight`.
        ValueError: x has too few dimensions for the window, or the channels do not go together.
        TypePromotionError: under strict promotion, x and w are of different dtypes.
    """
    check_weight(w)
    kernel, n_space = form(w), w.ndim - 2
    if n_space < 1 or x.ndim < n_space + 1:
        raise ValueError(f"x of shape {x.shape} does not fit a convolution with a kernel of shape {w.shape}")
    if x.shape[-1] != groups * w.shape[-2]:
        told = f"x of shape {x.shape} has {x.shape[-1]} channels, on its last axis, and a kernel of shape {w.shape}"
        told += f" in {groups} group{'s' * (groups != 1)} takes {groups * w.shape[-2]}"
        if x.shape[-1] == groups * w.shape[1]:
            told += (
                "; one of (out, in, *window), as torch has them, is jnp.moveaxis(form(w), (0, 1), (-1, -2))"
            )
        raise ValueError(told)
    batch = x.shape[: x.ndim - n_space - 1]
    dtype = jnp.result_type(x, kernel)
    y = jax.lax.conv_general_dilated(
        jnp.asarray(x, dtype).reshape(prod(batch), *x.shape[len(batch) :]),
        jnp.asarray(kernel, dtype),
        _each(strides, n_space),
        padding if isinstance(padding, str) else [_ends(each) for each in _each(padding, n_space)],
        rhs_dilation=_each(dilation, n_space),
        dimension_numbers=_dimensions(n_space),
        feature_group_count=groups,
    )
    return y.reshape(*batch, *y.shape[1:])


def _each(value, n: int) -> tuple:
    return (value,) * n if isinstance(value, int) else tuple(value)


def _ends(value: int | tuple[int, int]) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else (value[0], value[1])


def _dimensions(n_space: int) -> jax.lax.ConvDimensionNumbers:
    """Batch and channels of x, then its axes of space; outputs and inputs of the kernel, then its window."""
    of_x = (0, n_space + 1, *range(1, n_space + 1))
    return jax.lax.ConvDimensionNumbers(of_x, (n_space + 1, n_space, *range(n_space)), of_x)
