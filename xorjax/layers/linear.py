"""A dense layer that holds code words in place of its weights and decodes them in its forward pass."""

from collections.abc import Sequence

import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Bool, Float, Float32

from xorjax.codec.xor import Encoded
from xorjax.layers.kernel import XorKernel


class XorLinear(nnx.Module):
    """`x @ W + bias` with W an `XorKernel`: no float weight, and nothing trainable."""

    def __init__(
        self,
        planes: Sequence[Encoded],
        mask: Bool[np.ndarray, "fan_in fan_out"],
        scales: Float32[np.ndarray, "planes ..."],
        bias: Float[Array, " fan_out"] | Float[np.ndarray, " fan_out"] | None = None,
    ):
        """Takes a compressed layer apart; `scales[q]` broadcasts over plane q.

        Raises:
            ValueError: as for `XorKernel`.
        """
        self.kernel = XorKernel(planes, mask, scales)
        self.bias = None if bias is None else nnx.Variable(jnp.asarray(bias))

    def __call__(self, x: Float[Array, "batch fan_in"]) -> Float[Array, "batch fan_out"]:
        product = x @ self.kernel()
        return product if self.bias is None else product + self.bias[...][None, :]
