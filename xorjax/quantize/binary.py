"""Binary coding inside the training step: a masked weight as scales times sign planes, `mask * sum_q scale_q * sign_q`.

The same least squares fit as `binarize`, in jax: see there for the sources.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Float32

from xorjax.codec.trained import TrainedCode
from xorjax.params import Masks, Params
from xorjax.quantize.binarize import ROUNDS, TOLERANCE, scale_axes
from xorjax.quantize.fixed_point import FLOAT_BITS, fixed_point
from xorjax.quantize.nearest import nearest_signs
from xorjax.quantize.ste import SIGNS


@dataclass(frozen=True)
class Binarizer:
    """How one layer's weights become bit planes and scales.

    The forward pass uses exactly what `encode` gives, but for rounding.

    Attributes:
        n_planes: bit planes.
        scale: what shares a scale.
        ste: the gradient of the sign.
        code: where it holds only some signs, the weights take the nearest of these in every forward pass.
        scale_bits: of a scale; below 32 they are in fixed point.
    """

    n_planes: int = 1
    scale: str = "tensor"
    ste: str = "clipped"
    code: TrainedCode | None = None
    scale_bits: int = FLOAT_BITS

    def weight(self, weight: Float[Array, "*shape"], mask: Bool[Array, "*shape"]) -> Float[Array, "*shape"]:
        """The forward weight; gradient straight-through in the signs, exact in the scales."""
        signs, scales = self._signs(weight, mask)
        return mask.astype(weight.dtype) * (scales * signs).sum(0)

    def encode(
        self, weight: Float[Array, "*shape"], mask: Bool[Array, "*shape"]
    ) -> tuple[Bool[np.ndarray, "planes *shape"], Float32[np.ndarray, "planes ..."]]:
        """Bit planes (True = +1, False wherever the mask is) and scales, broadcastable over the planes."""
        # In jit, as in the forward pass: near half a step of fixed point another order of sums rounds apart.
        signs, scales = jax.jit(self._signs)(weight, mask)
        return np.asarray(signs > 0) & np.asarray(mask), np.asarray(scales)

    def _signs(self, weight: jax.Array, mask: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Planes of +1 and -1, and scales."""
        if self.code is not None:
            return self._projected(weight, mask, self.code)
        fits = {1: self._one, 2: self._two}
        return fits.get(self.n_planes, self._more)(weight, mask)

    def _stored(self, scales: jax.Array) -> jax.Array:
        """Scales of a fit as a file holds them.

        Few weights may have a fit below 0, at which the sums are those of its magnitude with the other sign.
        """
        # Not `abs`, whose gradient at 0 is 0.
        return fixed_point(jnp.where(scales < 0, -scales, scales), self.scale_bits)

    def _projected(
        self, weight: jax.Array, mask: jax.Array, code: TrainedCode
    ) -> tuple[jax.Array, jax.Array]:
        """Greedily, a plane at a time: the nearest signs that the code holds, and their least squares scale.

        Where each input has a scale a slice has several, of which a weight counts by its own: by the mean magnitude, as
        the scale is known only with the signs.
        """
        kept = mask.astype(weight.dtype)
        signs, scales, left = [], [], weight
        for _ in range(self.n_planes):
            counts = self._mean(jnp.abs(left), kept) if self.scale == "row" else 1.0
            nearest = jax.lax.stop_gradient(nearest_signs(left * kept * counts, code))
            passed = SIGNS[self.ste](left)
            signs.append(nearest + (passed - jax.lax.stop_gradient(passed)))
            scales.append(self._mean(left * nearest, kept))
            left = left - jax.lax.stop_gradient(scales[-1] * nearest)
        # Below 0 is the scale of an input whose signs were chosen for others of its slices: in fixed point it is 0.
        return jnp.stack(signs), fixed_point(jnp.stack(scales), self.scale_bits)

    def _one(self, weight: jax.Array, mask: jax.Array) -> tuple[jax.Array, jax.Array]:
        """The signs, and the mean magnitude."""
        sign, kept = SIGNS[self.ste](weight), mask.astype(weight.dtype)
        # |weight|, written so that its gradient at 0 is the sign's, whatever the library takes for |x|'s.
        magnitude = weight * jax.lax.stop_gradient(sign)
        return jnp.stack([sign]), self._stored(jnp.stack([self._mean(magnitude, kept)]))

    def _mean(self, values: jax.Array, kept: jax.Array) -> jax.Array:
        axes = scale_axes(self.scale, values.ndim)
        return (values * kept).sum(axes, keepdims=True) / jnp.maximum(kept.sum(axes, keepdims=True), 1)

    def _two(self, weight: jax.Array, mask: jax.Array) -> tuple[jax.Array, jax.Array]:
        """As `_more`; the greater scale's plane is always the first.

        The sums of two scales are two magnitudes with a sign, and the least squares fit is the mean of the weights'
        magnitudes above the greater scale and of those below: a round is two sums, without matrices.
        """
        kept, constant = mask.astype(weight.dtype), jax.lax.stop_gradient(weight)
        sign = jnp.where(constant >= 0, jnp.ones_like(constant), -jnp.ones_like(constant))

        def is_above(scale: jax.Array) -> jax.Array:
            return jnp.where(constant >= 0, constant >= scale, constant < -scale)

        def fit(weight: jax.Array, above: jax.Array) -> jax.Array:
            # Of no weights the mean is 0: the solution of least norm, as the planes then agree.
            high = self._mean(weight * sign, above.astype(kept.dtype) * kept)
            low = self._mean(weight * sign, (~above).astype(kept.dtype) * kept)
            return jnp.stack([high + low, high - low]) / 2

        def go_on(rounds: tuple[jax.Array, jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array, jax.Array]:
            n, _, scales = rounds
            return n + 1, scales, fit(constant, is_above(scales[0]))

        greedy = self._mean(constant * sign, kept)
        second = self._mean(jnp.abs(constant * sign - greedy), kept)
        begin = jnp.stack([jnp.maximum(greedy, second), jnp.minimum(greedy, second)])
        _, before, _ = jax.lax.while_loop(_is_moving, go_on, (jnp.int32(0), begin, begin))
        # The last round's fit once more, for its gradient.
        scales = self._stored(fit(weight, is_above(before[0])))
        above = is_above(jax.lax.stop_gradient(scales[0]))
        return self._passed(weight, jnp.stack([sign, jnp.where(above, sign, -sign)]), scales), scales

    def _passed(self, weight: jax.Array, signs: jax.Array, scales: jax.Array) -> jax.Array:
        """The signs, with the gradient that the estimator gives at what the planes before leave over."""
        found, left = [], weight
        for sign, scale in zip(signs, jax.lax.stop_gradient(scales), strict=True):
            passed = SIGNS[self.ste](left)
            found.append(sign + (passed - jax.lax.stop_gradient(passed)))
            # What is taken off is a constant: each plane's gradient reaches the weight once.
            left = left - scale * sign
        return jnp.stack(found)

    def _more(self, weight: jax.Array, mask: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Greedily, then alternating: `binarize`."""
        kept, constant = mask.astype(weight.dtype), jax.lax.stop_gradient(weight)
        greedy, left = [], constant
        for _ in range(self.n_planes):
            greedy.append(self._mean(jnp.abs(left), kept))
            left = left - jnp.where(left >= 0, greedy[-1], -greedy[-1])

        def fit(rounds: tuple[jax.Array, jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array, jax.Array]:
            n, _, scales = rounds
            return n + 1, scales, self._fit(constant, _nearest(constant, scales), kept)

        scales = jnp.stack(greedy)
        _, before, _ = jax.lax.while_loop(_is_moving, fit, (jnp.int32(0), scales, scales))
        # The last round's fit once more, for its gradient.
        scales = self._stored(self._fit(weight, _nearest(constant, before), kept))
        signs = _nearest(constant, jax.lax.stop_gradient(scales))
        return self._passed(weight, signs, scales), scales

    def _fit(self, weight: jax.Array, signs: jax.Array, kept: jax.Array) -> jax.Array:
        """The least squares scales for the signs, of least norm where planes agree on every weight."""
        axes = tuple(axis + 1 for axis in scale_axes(self.scale, weight.ndim))
        signed = signs * kept[None]
        sums = (signed * weight[None]).sum(axes, keepdims=True)
        products = jnp.stack([(signed * sign[None]).sum(axes, keepdims=True) for sign in signs])
        inverse = jnp.linalg.pinv(jnp.moveaxis(products, (0, 1), (-2, -1)), hermitian=True)
        # Else a GPU multiplies with 10 bits of mantissa.
        fitted = jnp.matmul(inverse, jnp.moveaxis(sums, 0, -1)[..., None], precision="highest")
        return jnp.moveaxis(fitted[..., 0], -1, 0)


def _is_moving(rounds: tuple[jax.Array, jax.Array, jax.Array]) -> jax.Array:
    """Whether the last of n rounds moved the scales."""
    n, before, scales = rounds
    moved = jnp.abs(scales - before).max() > TOLERANCE * jnp.abs(before).max()
    return (n < ROUNDS) & ((n == 0) | moved)


def _nearest(
    values: Float[Array, "*shape"], scales: Float[Array, "planes *groups"]
) -> Float[Array, "planes *shape"]:
    """The signs whose sum of scales is nearest to each value; the larger sum of two equally near."""
    n_planes = len(scales)
    signs = 2.0 * (np.arange(1 << n_planes)[:, None] >> np.arange(n_planes) & 1) - 1
    levels = jnp.tensordot(jnp.asarray(signs, scales.dtype), scales, axes=1, precision="highest")
    order = jnp.argsort(levels, axis=0, stable=True)
    ascending = jnp.take_along_axis(levels, order, axis=0)
    middles = (ascending[1:] + ascending[:-1]) / 2
    codes = jax.lax.fori_loop(
        0,
        len(middles),
        lambda i, found: jnp.where(values >= middles[i], order[i + 1], found),
        jnp.broadcast_to(order[0], values.shape),
    )
    return jnp.stack([2.0 * (codes >> plane & 1).astype(values.dtype) - 1 for plane in range(n_planes)])


@dataclass(frozen=True)
class BinaryForm:
    """The forward weights of a quantized network: the layers of `binarizers` in binary code, all others as they are.

    Hashable, so that it can be a static argument of the jitted training step.
    """

    binarizers: tuple[tuple[str, Binarizer], ...]

    @classmethod
    def of(cls, binarizers: Mapping[str, Binarizer]) -> "BinaryForm":
        return cls(tuple(binarizers.items()))

    def start(self, params: Params, masks: Masks, seed: int) -> tuple[Params, Masks]:
        """What is trained: the weights themselves."""
        return params, masks

    def at(self, share: Float[Array, ""]) -> "BinaryForm":
        """The same in every training step."""
        return self

    def encode(
        self, params: Params, masks: Masks
    ) -> dict[str, tuple[Bool[np.ndarray, "planes *shape"], Float32[np.ndarray, "planes ..."]]]:
        """Bit planes and scales of each layer of `binarizers`."""
        coded = {}
        for path, binarizer in self.binarizers:
            mask = masks[path]
            assert mask is not None, path
            coded[path] = binarizer.encode(params[path], mask)
        return coded

    def __call__(self, params: Params, masks: Masks) -> Params:
        coded = {}
        for path, binarizer in self.binarizers:
            mask = masks[path]
            assert mask is not None, path
            coded[path] = binarizer.weight(params[path], mask)
        return params | coded
