"""A language model of one LSTM layer, of the size that the paper reports: embedding, LSTM, softmax."""

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float, Int

from xorjax.models.registry import MODELS, Memory


def uniform(rngs: nnx.Rngs, *shape: int) -> nnx.Param:
    """In +-.1, as language models usually begin (Zaremba et al. 2014)."""
    return nnx.Param(jax.random.uniform(rngs.params(), shape, jnp.float32, -0.1, 0.1))


class Embedding(nnx.Module):
    """A row of the kernel for each word."""

    def __init__(self, n_words: int, width: int, *, rngs: nnx.Rngs):
        self.kernel = uniform(rngs, n_words, width)

    def __call__(self, words: Int[Array, "*batch"]) -> Float[Array, "*batch width"]:
        return self.kernel[...][words]


class Output(nnx.Module):
    """A logit for each word."""

    def __init__(self, width: int, n_words: int, *, rngs: nnx.Rngs):
        self.kernel = uniform(rngs, width, n_words)
        self.bias = nnx.Param(jnp.zeros(n_words, jnp.float32))

    def __call__(self, x: Float[Array, "batch length width"]) -> Float[Array, "batch length words"]:
        # One product of two matrices: XLA on a CPU is slower at one with more axes.
        logits = x.reshape(-1, x.shape[-1]) @ self.kernel[...] + self.bias[...][None]
        return logits.reshape(*x.shape[:-1], -1)


class LSTM(nnx.Module):
    """Goes on from where the batch before ended.

    The kernel (n_in + width, 4 width) has the rows of the inputs above those of its own outputs; its columns are the
    gates of input, forgetting and output, and the candidates.
    """

    def __init__(self, n_in: int, width: int, *, rngs: nnx.Rngs):
        self.n_in, self.width = n_in, width
        self.kernel = uniform(rngs, n_in + width, 4 * width)
        # At the start little is forgotten.
        self.bias = nnx.Param(jnp.zeros(4 * width, jnp.float32).at[width : 2 * width].set(1.0))
        self.cell = Memory(jnp.zeros((1, width), jnp.float32))
        self.hidden = Memory(jnp.zeros((1, width), jnp.float32))

    def __call__(self, x: Float[Array, "length batch n_in"]) -> Float[Array, "length batch width"]:
        kernel, begin = self.kernel[...], (x.shape[1], self.width)
        # The products with the inputs of all steps are one.
        given = x @ kernel[: self.n_in] + self.bias[...].reshape(1, 1, -1)

        def step(carry: tuple[Array, Array], of_step: Array) -> tuple[tuple[Array, Array], Array]:
            cell, hidden = carry
            gates, candidate = jnp.split(of_step + hidden @ kernel[self.n_in :], [3 * self.width], axis=1)
            write, keep, show = jnp.split(jax.nn.sigmoid(gates), 3, axis=1)
            cell = keep * cell + write * jnp.tanh(candidate)
            hidden = show * jnp.tanh(cell)
            return (cell, hidden), hidden

        carry = (jnp.broadcast_to(self.cell[...], begin), jnp.broadcast_to(self.hidden[...], begin))
        (cell, hidden), y = jax.lax.scan(step, carry, given)
        self.cell.set_value(cell)
        self.hidden.set_value(hidden)
        return y


@MODELS.register
class LSTMLanguage(nnx.Module):
    """Embedding, LSTM and softmax, each 288 wide: 6,434,704 parameters for the 10,000 words of the Penn Treebank."""

    id, task = "lstm", "language"
    layers = ("embed", "lstm", "softmax")
    width, dropout_rate = 288, 0.5

    def __init__(self, *, rngs: nnx.Rngs, n_classes: int):
        self.embed = Embedding(n_classes, self.width, rngs=rngs)
        self.lstm = LSTM(self.width, self.width, rngs=rngs)
        self.softmax = Output(self.width, n_classes, rngs=rngs)
        self.dropout = nnx.Dropout(self.dropout_rate, rngs=rngs)

    def __call__(self, x: Int[Array, "batch length"]) -> Float[Array, "batch length words"]:
        hidden = self.lstm(self.dropout(self.embed(x.T)))
        return self.softmax(self.dropout(hidden).swapaxes(0, 1))
