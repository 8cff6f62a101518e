"""What the layers share: a coded weight and a bias."""

from typing import Any, TypeVar

import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Float

from xorjax.container import CompressedLayer
from xorjax.weights import CodedWeight

Layer = TypeVar("Layer", bound="XorLayer")


class XorLayer(nnx.Module):
    """A coded weight and a bias (fan_out,) or None: no float weight, and nothing trainable."""

    def __init__(
        self,
        weight: CodedWeight,
        bias: Float[Array, " fan_out"] | Float[np.ndarray, " fan_out"] | None = None,
    ):
        self.weight = nnx.Variable(weight)
        self.bias = None if bias is None else nnx.Variable(jnp.asarray(bias))

    @classmethod
    def from_layer(
        cls: type[Layer],
        layer: CompressedLayer,
        bias: Float[Array, " fan_out"] | Float[np.ndarray, " fan_out"] | None = None,
        **settings: Any,
    ) -> Layer:
        """The layer of a compressed one, as `xorjax.load` gives it; settings are those of the class."""
        return cls(CodedWeight.of(layer.values, layer.index, layer.scales), bias, **settings)

    def add_bias(self, y: Float[Array, "*batch fan_out"]) -> Array:
        return y if self.bias is None else y + jnp.broadcast_to(self.bias[...], y.shape)
