"""A convolution that holds code words in place of its kernel and decodes them in its forward pass."""

import jax
from jaxtyping import Array, Float

from xorjax.layers.kernel import XorLayer


class XorConv(XorLayer):
    """Cross-correlation, stride 1, unpadded, channels last; kernel (rows, columns, n_in, n_out) decoded each call."""

    def __call__(
        self, x: Float[Array, "batch height width n_in"]
    ) -> Float[Array, "batch out_height out_width n_out"]:
        numbers = ("NHWC", "HWIO", "NHWC")
        product = jax.lax.conv_general_dilated(x, self.kernel(), (1, 1), "VALID", dimension_numbers=numbers)
        return product if self.bias is None else product + self.bias[...].reshape(1, 1, 1, -1)
