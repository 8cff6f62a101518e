"""A convolution that holds code words in place of its kernel and decodes them in its forward pass."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Bool, Float, Float32

from xorjax.codec.xor import Encoded
from xorjax.layers.kernel import XorKernel


class XorConv(nnx.Module):
    """Cross-correlation, stride 1, unpadded, channels last, with an `XorKernel`; plus a bias."""

    def __init__(
        self,
        planes: Sequence[Encoded],
        mask: Bool[np.ndarray, "rows columns n_in n_out"],
        scales: Float32[np.ndarray, "planes ..."],
        bias: Float[Array, " n_out"] | Float[np.ndarray, " n_out"] | None = None,
    ):
        """Takes a compressed layer apart; `scales[q]` broadcasts over plane q.

        Raises:
            ValueError: as for `XorKernel`.
        """
        self.kernel = XorKernel(planes, mask, scales)
        self.bias = None if bias is None else nnx.Variable(jnp.asarray(bias))

    def __call__(
        self, x: Float[Array, "batch height width n_in"]
    ) -> Float[Array, "batch out_height out_width n_out"]:
        numbers = ("NHWC", "HWIO", "NHWC")
        product = jax.lax.conv_general_dilated(x, self.kernel(), (1, 1), "VALID", dimension_numbers=numbers)
        return product if self.bias is None else product + self.bias[...].reshape(1, 1, 1, -1)
