"""Code words as choices: a weight for each of the 2^n_in vectors, soft at first and hard in the end.

A slice is the mean of all vectors, each with its softmax probability. The temperature falls while the network trains,
so that the mean becomes the likeliest vector (soft-to-hard vector quantization, Agustsson et al. 2017, arXiv
1704.00648; here the vectors are M's). A step moves the choice itself, where a search in the loop moves float weights.
"""

from dataclasses import dataclass, replace

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Float32

from xorjax.codec.trained import to_groups
from xorjax.masks.base import matrix_shape
from xorjax.quantize.words import WordLayer

GAIN = 100.0
"""The logits are the parameters times this: they must go further than weights in as many steps."""

LAST_TEMPERATURE = 0.03
"""Of 1 at first; it falls exponentially."""

HARD_FROM = 0.85
"""The share of the training after which the planes are those that are stored, for what is trained along to fit them."""

Logits = Float[Array, "groups outputs code_words"]


@dataclass(frozen=True)
class SoftLayer(WordLayer):
    """The parameter of a plane's code words: a logit for each slice and vector, divided by `GAIN`.

    `share` is that of the training that is over, as a step knows it.
    """

    share: Float[Array, ""] | None = None

    def at(self, share: Float[Array, ""]) -> "SoftLayer":
        """As `WordLayer.at`: means of vectors, then those that are stored, with the gradient of a mean."""
        return replace(self, share=share)

    def begin(
        self, weight: Float[np.ndarray, "*shape"], random: np.random.Generator
    ) -> Float32[np.ndarray, "..."]:
        """As `WordLayer.begin`: how well each vector fits, with a standard deviation of 1 in a slice."""
        met = to_groups(weight, self.code.n_out).astype(np.float32) @ self._vectors.T
        logits = met / np.maximum(met.std(axis=1, keepdims=True), np.finfo(np.float32).tiny)
        return (logits / GAIN).reshape(-1, matrix_shape(self.shape)[1], len(self._vectors))

    def plane(self, words: Logits) -> Float[Array, "*shape"]:
        n_inputs, n_outputs = matrix_shape(self.shape)
        best = jax.nn.one_hot(words.argmax(axis=-1), len(self._vectors), dtype=words.dtype)
        taken = best if self.share is None else self._taken(words, best, self.share)
        groups = jnp.einsum("gnc,co->gon", taken, self._vectors.astype(words.dtype), precision="highest")
        return groups.reshape(-1, n_outputs)[:n_inputs].reshape(self.shape)

    def _taken(self, words: Logits, best: Logits, share: Float[Array, ""]) -> Logits:
        """How much of each vector a slice is."""
        temperature = LAST_TEMPERATURE ** jnp.minimum(share / HARD_FROM, 1.0)
        soft = jax.nn.softmax(GAIN * words / temperature)
        return jnp.where(share < HARD_FROM, soft, best + (soft - jax.lax.stop_gradient(soft)))

    @property
    def _vectors(self) -> Float32[np.ndarray, "code_words n_out"]:
        return np.where(self.code.vectors, np.float32(1), np.float32(-1))
