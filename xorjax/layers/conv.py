"""A convolution whose kernel is code words, decoded in its forward pass."""

from collections.abc import Sequence
from typing import Any

from jaxtyping import Array, Num

from xorjax.layers.layer import XorLayer
from xorjax.weights import conv
from xorjax.weights.products import Padding


class XorConv(XorLayer):
    """Cross-correlation, channels last; kernel (*window, n_in / groups, n_out). The settings are those of `conv`."""

    def __init__(
        self,
        weight: Any,
        bias: Any = None,
        strides: int | Sequence[int] = 1,
        padding: Padding = "VALID",
        dilation: int | Sequence[int] = 1,
        groups: int = 1,
    ):
        super().__init__(weight, bias)
        self.settings = (strides, padding, dilation, groups)

    def __call__(self, x: Num[Array, "*batch_and_space n_in"]) -> Array:
        return self.add_bias(conv(x, self.weight[...], *self.settings))
