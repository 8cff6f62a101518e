"""Binary coding: a masked weight as scales times sign planes, `mask * sum_q scale_q * sign_q`."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from xorjax.config.schema import QuantizeConfig
from xorjax.params import Masks, Params
from xorjax.quantize.ste import SIGNS

SCALES = ("tensor", "channel", "row")


@dataclass(frozen=True)
class BinaryCode:
    """The forward weights of a quantized network: masked layers in binary code, all others as they are.

    Plane q holds the signs of what planes 0 .. q-1 leave over, its scale the mean magnitude of that: the
    least squares fit for one plane, the greedy one for more (Guo et al. 2017). Hashable, so that it can be a
    static argument of the jitted training step.
    """

    n_planes: int = 1
    scale: str = "tensor"
    ste: str = "clipped"

    @classmethod
    def from_config(cls, config: QuantizeConfig) -> "BinaryCode":
        return cls(config.n_planes, config.scale, config.ste)

    def __call__(self, params: Params, masks: Masks) -> Params:
        return {
            path: value if (mask := masks[path]) is None else self.weight(value, mask)
            for path, value in params.items()
        }

    def weight(self, weight: Float[Array, "*shape"], mask: Bool[Array, "*shape"]) -> Float[Array, "*shape"]:
        """The forward weight of one layer; gradient straight-through in the signs, exact in the scales."""
        signs, scales = self._code(weight, mask)
        return mask.astype(weight.dtype) * (scales * signs).sum(0)

    def encode(
        self, weight: Float[Array, "*shape"], mask: Bool[Array, "*shape"]
    ) -> tuple[Bool[Array, "planes *shape"], Float[Array, "planes ..."]]:
        """Bit planes (True = +1) and scales: one a plane and group, broadcastable over the planes."""
        signs, scales = self._code(weight, mask)
        return signs > 0, scales

    def _code(self, weight: jax.Array, mask: jax.Array) -> tuple[jax.Array, jax.Array]:
        sign = SIGNS[self.ste]
        axes = scale_axes(self.scale, weight.ndim)
        kept = mask.astype(weight.dtype)
        count = jnp.maximum(kept.sum(axes, keepdims=True), 1)
        signs, scales, left = [], [], weight
        for _ in range(self.n_planes):
            signs.append(sign(left))
            # |left|, written so that its gradient at 0 is the sign's, whatever the library takes for |x|'s.
            magnitude = left * jax.lax.stop_gradient(signs[-1])
            scales.append((magnitude * kept).sum(axes, keepdims=True) / count)
            # What is taken off is a constant: each plane's gradient reaches the weight once.
            left = left - jax.lax.stop_gradient(scales[-1] * signs[-1])
        return jnp.stack(signs), jnp.stack(scales)


def scale_axes(scale: str, ndim: int) -> tuple[int, ...]:
    """The axes that share a scale: all ("tensor"), all but the last ("channel") or but the first ("row")."""
    if scale == "tensor":
        return tuple(range(ndim))
    return tuple(range(ndim - 1)) if scale == "channel" else tuple(range(1, ndim))
