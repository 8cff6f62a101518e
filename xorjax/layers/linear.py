"""A dense layer whose weights are code words, decoded in its forward pass."""

from jaxtyping import Array, Num

from xorjax.layers.layer import XorLayer
from xorjax.weights import matmul


class XorLinear(XorLayer):
    """`x @ W + bias`, W of shape (fan_in, fan_out)."""

    def __call__(self, x: Num[Array, "*batch fan_in"]) -> Array:
        return self.add_bias(matmul(x, self.weight[...]))
