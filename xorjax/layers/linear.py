"""A dense layer that holds code words in place of its weights and decodes them in its forward pass."""

from jaxtyping import Array, Float

from xorjax.layers.kernel import XorLayer


class XorLinear(XorLayer):
    """`x @ W + bias`, W of shape (fan_in, fan_out) decoded at each call."""

    def __call__(self, x: Float[Array, "batch fan_in"]) -> Float[Array, "batch fan_out"]:
        product = x @ self.kernel()
        return product if self.bias is None else product + self.bias[...][None, :]
