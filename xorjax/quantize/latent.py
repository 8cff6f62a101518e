"""Code words as parameters: each bit the sign of a float, with a gradient through the XOR network (FleXOR).

Forward, output o of a slice is in {-1, +1} the XOR y_o = (-1)^(n-1) prod_j sign(x_j) over the n bits j that enter it.
Backward, each sign counts as a steep tanh, dy_o / dx_i = S (1 - tanh^2(S x_i)) (-1)^(n-1) prod_{j != i} sign(x_j),
which is y_o sign(x_i) S (1 - tanh^2(S x_i)) (arXiv 2009.04126, as a public reproduction quotes it).
"""

from dataclasses import dataclass, replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Float32, Int32

from xorjax.codec.trained import TrainedCode
from xorjax.gf2.vectors import draw_rows
from xorjax.masks.base import matrix_shape
from xorjax.params import Masks, Params
from xorjax.quantize.binarize import scale_axes
from xorjax.quantize.binary import BinaryForm
from xorjax.quantize.fixed_point import FLOAT_BITS, fixed_point

SPREAD = 1e-3
"""The standard deviation of the floats at the start."""

Latents = Float[Array, "n_in groups outputs"]


def code_words(latents: Latents) -> Int32[Array, "groups outputs"]:
    """Bit j is 1 where latent j is 0 or more."""
    bits = (latents >= 0).astype(jnp.int32)
    return (bits << jnp.arange(len(latents), dtype=jnp.int32)[:, None, None]).sum(0)


@partial(jax.custom_vjp, nondiff_argnums=(1, 2, 3))
def signs(
    latents: Latents, shape: tuple[int, ...], code: TrainedCode, steepness: float
) -> Float[Array, "*shape"]:
    """The plane of `shape`, in +1 and -1, whose code words these are."""
    n_inputs, n_outputs = matrix_shape(shape)
    vectors = jnp.where(code.vectors, jnp.ones((), latents.dtype), -jnp.ones((), latents.dtype))
    groups = jnp.moveaxis(vectors[code_words(latents)], -1, 1)
    return groups.reshape(-1, n_outputs)[:n_inputs].reshape(shape)


def _forward(latents: Latents, shape: tuple[int, ...], code: TrainedCode, steepness: float):
    plane = signs(latents, shape, code, steepness)
    return plane, (latents, plane)


def _backward(shape: tuple[int, ...], code: TrainedCode, steepness: float, kept, g: Array) -> tuple[Latents]:
    latents, plane = kept
    n_inputs, n_outputs = matrix_shape(shape)
    padded = jnp.pad(
        (g * plane).reshape(n_inputs, n_outputs), ((0, latents.shape[1] * code.n_out - n_inputs), (0, 0))
    )
    matrix = jnp.asarray(draw_rows(code.n_in, code.n_out, code.seed, code.taps), g.dtype)
    met = jnp.einsum("gon,oi->ign", padded.reshape(-1, code.n_out, n_outputs), matrix, precision="highest")
    sign = jnp.where(latents >= 0, jnp.ones((), g.dtype), -jnp.ones((), g.dtype))
    return (met * sign * steepness * (1 - jnp.tanh(steepness * latents) ** 2),)


signs.defvjp(_forward, _backward)


@dataclass(frozen=True)
class LatentLayer:
    """How one layer is trained: in the weight's place a parameter for the bits of code words, and one for scales.

    The steepness doubles after each of the shares `doubles` of the training.
    """

    shape: tuple[int, ...]
    n_planes: int
    scale: str
    code: TrainedCode
    steepness: float
    scale_bits: int = FLOAT_BITS
    doubles: tuple[float, ...] = ()

    def at(self, share: float) -> "LatentLayer":
        """As it is when that share of the training is over."""
        n_doubled = sum(share >= double for double in self.doubles)
        return replace(self, steepness=self.steepness * 2**n_doubled, doubles=())

    def start(
        self, weight: Float[np.ndarray, "*shape"], seed: int
    ) -> tuple[Float32[np.ndarray, "planes n_in groups outputs"], Float32[np.ndarray, "planes ..."]]:
        """Bits and scales of the code words nearest to the weights: plane by plane, to what those before leave over.

        The bits are small floats, so that near 0 all of them still move.
        """
        axes, latents, scales, left = scale_axes(self.scale, len(self.shape)), [], [], weight
        for p in range(self.n_planes):
            codes, _ = self.code.nearest(left)
            bits = codes.reshape(-1, matrix_shape(self.shape)[1])[None]
            bits = bits >> np.arange(self.code.n_in, dtype=codes.dtype)[:, None, None] & 1
            sizes = np.abs(np.random.default_rng([seed, p]).standard_normal(bits.shape)) * SPREAD
            latents.append(np.where(bits == 1, sizes, -sizes).astype(np.float32))
            signs = np.where(self.code.project(left), np.float32(1), np.float32(-1))
            scales.append((left * signs).mean(axes, keepdims=True))
            left = left - scales[-1] * signs
        return np.stack(latents), np.stack(scales).astype(np.float32)

    def signs(self, latents: Float[Array, "planes n_in groups outputs"]) -> Float[Array, "planes *shape"]:
        return jnp.stack([signs(plane, self.shape, self.code, self.steepness) for plane in latents])

    def scales(self, trained: Float[Array, "planes ..."]) -> Float[Array, "planes ..."]:
        """In `scale_bits`."""
        return fixed_point(trained, self.scale_bits)


@dataclass(frozen=True)
class LatentForm:
    """The forward weights of a network with layers in code: scales times the signs that their code words put out.

    `others` are quantized and not trained in code. Hashable, so that it can be a static argument of the jitted step.
    """

    layers: tuple[tuple[str, LatentLayer], ...]
    others: BinaryForm

    def start(self, params: Params, masks: Masks, seed: int) -> tuple[Params, Masks]:
        """The parameters to train in place of `params`; these layers have no mask."""
        started = dict(params)
        for path, layer in self.layers:
            latents, scales = layer.start(np.asarray(params[path]), seed)
            started |= {path: jnp.asarray(latents), scales_of(path): jnp.asarray(scales)}
        return started, masks | {path: None for path, _ in self.layers}

    def at(self, share: float) -> "LatentForm":
        """As it is when that share of the training is over: its gradients may change, its weights do not."""
        return replace(self, layers=tuple((path, layer.at(share)) for path, layer in self.layers))

    def __call__(self, params: Params, masks: Masks) -> Params:
        plain = {path: value for path, value in params.items() if path not in self._scales}
        formed = self.others(plain, masks)
        for path, layer in self.layers:
            formed[path] = (layer.scales(params[scales_of(path)]) * layer.signs(params[path])).sum(0)
        return formed

    def encode(self, params: Params, masks: Masks) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """Bit planes (True = +1) and scales of each layer."""
        return self.others.encode(params, masks) | {
            path: (
                np.asarray(layer.signs(params[path]) > 0),
                np.asarray(layer.scales(params[scales_of(path)])),
            )
            for path, layer in self.layers
        }

    @property
    def _scales(self) -> set[str]:
        return {scales_of(path) for path, _ in self.layers}


def scales_of(path: str) -> str:
    """The name of the parameter that holds the scales of the layer's planes."""
    return f"{path}.scales"
