"""Layers whose weights are code words, decoded in the forward pass: `XorLinear`, `XorConv` and what they share."""

from collections.abc import Sequence

import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Float, Num

from xorjax.weights import CodedWeight, conv, matmul
from xorjax.weights.products import Padding, check_weight

Bias = Float[Array, " fan_out"] | Float[np.ndarray, " fan_out"] | Sequence[float] | None


class XorLayer(nnx.Module):
    """A coded weight and a bias (fan_out,) or None: no float weight, and nothing trainable.

    Raises:
        TypeError: the weight is neither a coded one nor an array.
        ValueError: the bias is not one number for each index of the weight's last axis.
    """

    def __init__(self, weight: CodedWeight, bias: Bias = None):
        check_weight(weight)
        if bias is not None and np.shape(bias) != weight.shape[-1:]:
            raise ValueError(
                f"a bias of shape {np.shape(bias)} beside a weight of shape {weight.shape}, expected "
                f"{weight.shape[-1:]}: the last axis of a weight is its outputs"
            )
        self.weight = nnx.Variable(weight)
        self.bias = None if bias is None else nnx.Variable(jnp.asarray(bias))

    def add_bias(self, y: Float[Array, "*batch fan_out"]) -> Array:
        return y if self.bias is None else y + jnp.broadcast_to(self.bias[...], y.shape)


class XorLinear(XorLayer):
    """`x @ W + bias`, W of shape (fan_in, fan_out)."""

    def __call__(self, x: Num[Array, "*batch fan_in"]) -> Array:
        return self.add_bias(matmul(x, self.weight[...]))


class XorConv(XorLayer):
    """Cross-correlation, channels last; kernel (*window, n_in / groups, n_out). The settings are those of `conv`."""

    def __init__(
        self,
        weight: CodedWeight,
        bias: Bias = None,
        strides: int | Sequence[int] = 1,
        padding: Padding = "VALID",
        dilation: int | Sequence[int] = 1,
        groups: int = 1,
    ):
        super().__init__(weight, bias)
        self.settings = (strides, padding, dilation, groups)

    def __call__(self, x: Num[Array, "*batch_and_space n_in"]) -> Array:
        return self.add_bias(conv(x, self.weight[...], *self.settings))
