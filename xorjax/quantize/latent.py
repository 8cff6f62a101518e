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
from xorjax.quantize.words import WordLayer

SPREAD = 1e-3
"""The standard deviation of the floats at the start."""

Latents = Float[Array, "n_in groups outputs"]


def code_words(latents: Latents) -> Int32[Array, "groups outputs"]:
    """Bit j is 1 where latent j is 0 or more."""
    bits = (latents >= 0).astype(jnp.int32)
    return (bits << jnp.arange(len(latents), dtype=jnp.int32)[:, None, None]).sum(0)


@partial(jax.custom_vjp, nondiff_argnums=(2, 3))
def signs(
    latents: Latents, steepness: float | Float[Array, ""], shape: tuple[int, ...], code: TrainedCode
) -> Float[Array, "*shape"]:
    """The plane of `shape`, in +1 and -1, whose code words these are."""
    n_inputs, n_outputs = matrix_shape(shape)
    vectors = jnp.where(code.vectors, jnp.ones((), latents.dtype), -jnp.ones((), latents.dtype))
    groups = jnp.moveaxis(vectors[code_words(latents)], -1, 1)
    return groups.reshape(-1, n_outputs)[:n_inputs].reshape(shape)


def _forward(
    latents: Latents, steepness: float | Float[Array, ""], shape: tuple[int, ...], code: TrainedCode
):
    plane = signs(latents, steepness, shape, code)
    return plane, (latents, steepness, plane)


def _backward(shape: tuple[int, ...], code: TrainedCode, kept, g: Array) -> tuple[Latents, None]:
    latents, steepness, plane = kept
    n_inputs, n_outputs = matrix_shape(shape)
    padded = jnp.pad(
        (g * plane).reshape(n_inputs, n_outputs), ((0, latents.shape[1] * code.n_out - n_inputs), (0, 0))
    )
    matrix = jnp.asarray(draw_rows(code.n_in, code.n_out, code.seed, code.taps), g.dtype)
    met = jnp.einsum("gon,oi->ign", padded.reshape(-1, code.n_out, n_outputs), matrix, precision="highest")
    sign = jnp.where(latents >= 0, jnp.ones((), g.dtype), -jnp.ones((), g.dtype))
    return met * sign * steepness * (1 - jnp.tanh(steepness * latents) ** 2), None


signs.defvjp(_forward, _backward)


@dataclass(frozen=True)
class LatentLayer(WordLayer):
    """The parameter of a plane's code words: a float for each bit.

    The steepness doubles after each of the shares `doubles` of the training.
    """

    steepness: float | Float[Array, ""] = 5.0
    doubles: tuple[float, ...] = ()

    def at(self, share: Float[Array, ""]) -> "LatentLayer":
        """As `WordLayer.at`: its gradients may change, its planes do not."""
        if not self.doubles:
            return self
        n_doubled = jnp.sum(share >= jnp.asarray(self.doubles))
        return replace(self, steepness=self.steepness * 2.0**n_doubled, doubles=())

    def begin(
        self, weight: Float[np.ndarray, "*shape"], random: np.random.Generator
    ) -> Float32[np.ndarray, "..."]:
        """As `WordLayer.begin`: small floats, so that near 0 all of them still move."""
        codes, _ = self.code.nearest(weight)
        bits = codes.reshape(-1, matrix_shape(self.shape)[1])[None]
        bits = bits >> np.arange(self.code.n_in, dtype=codes.dtype)[:, None, None] & 1
        sizes = np.abs(random.standard_normal(bits.shape)) * SPREAD
        return np.where(bits == 1, sizes, -sizes).astype(np.float32)

    def plane(self, words: Latents) -> Float[Array, "*shape"]:
        return signs(words, self.steepness, self.shape, self.code)
