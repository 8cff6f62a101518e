"""A small transformer over words, of about the LSTM's size: normalized before each part, embedding and softmax one.

Each word sees so many words before it, be they of its window or of those before: their keys and values are remembered.
So what is predicted does not depend on how a text is cut into windows, and every word is computed once.
"""

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Bool, Float, Int

from xorjax.models.registry import MODELS, Memory

REACH = 64
"""A word sees itself and the words before it, so many together."""


class Attention(nnx.Module):
    """Causal, over the last `REACH` words; what is learned of positions is a bias for each distance and head."""

    def __init__(self, width: int, heads: int, *, rngs: nnx.Rngs):
        self.heads = heads
        self.qkv = nnx.Linear(width, 3 * width, rngs=rngs)
        self.out = nnx.Linear(width, width, rngs=rngs)
        self.distance = nnx.Param(jnp.zeros((heads, REACH), jnp.float32))
        self.keys = Memory(jnp.zeros((1, REACH, width), jnp.float32))
        self.values = Memory(jnp.zeros((1, REACH, width), jnp.float32))

    def __call__(
        self, x: Float[Array, "batch length width"], seen: Bool[Array, "batch reach_and_length"]
    ) -> Float[Array, "batch length width"]:
        batch, length, width = x.shape
        query, key, value = jnp.split(self.qkv(x), 3, axis=2)
        key, value = _after(self.keys, key), _after(self.values, value)
        query, key, value = (
            part.reshape(batch, -1, self.heads, width // self.heads) for part in (query, key, value)
        )
        scores = jnp.einsum("bqhd,bkhd->bhqk", query, key) * (width // self.heads) ** -0.5
        distance = REACH + jnp.arange(length)[:, None] - jnp.arange(REACH + length)[None]
        visible = ((distance >= 0) & (distance < REACH))[None, None] & seen[:, None, None]
        scores += self.distance[...][:, distance.clip(0, REACH - 1)][None]
        weights = jax.nn.softmax(jnp.where(visible, scores, -jnp.inf))
        return self.out(jnp.einsum("bhqk,bkhd->bqhd", weights, value).reshape(x.shape))


def _after(
    memory: Memory, new: Float[Array, "batch length ..."]
) -> Float[Array, "batch reach_and_length ..."]:
    """What is remembered and then the new, of which the last `REACH` are remembered."""
    old = memory[...]
    both = jnp.concatenate([jnp.broadcast_to(old, (len(new), *old.shape[1:])), new], axis=1)
    memory.set_value(jax.lax.stop_gradient(both[:, -REACH:]))
    return both


class Block(nnx.Module):
    """Attention, then two layers with four times the width between, each added to what it was given."""

    def __init__(self, width: int, heads: int, dropout: float, *, rngs: nnx.Rngs):
        self.norm1, self.norm2 = nnx.LayerNorm(width, rngs=rngs), nnx.LayerNorm(width, rngs=rngs)
        self.attention = Attention(width, heads, rngs=rngs)
        self.up = nnx.Linear(width, 4 * width, rngs=rngs)
        self.down = nnx.Linear(4 * width, width, rngs=rngs)
        self.dropout = nnx.Dropout(dropout, rngs=rngs)

    def __call__(
        self, x: Float[Array, "batch length width"], seen: Bool[Array, "batch reach_and_length"]
    ) -> Float[Array, "batch length width"]:
        x = x + self.dropout(self.attention(self.norm1(x), seen))
        return x + self.dropout(self.down(self.dropout(jax.nn.gelu(self.up(self.norm2(x))))))


class Words(nnx.Module):
    """A row of the kernel for each word, as it goes in and comes out."""

    def __init__(self, n_words: int, width: int, *, rngs: nnx.Rngs):
        # Rows of length 1: what goes in is multiplied to have variance 1, and a logit has it too.
        kernel = jax.random.normal(rngs.params(), (n_words, width), jnp.float32) * width**-0.5
        self.kernel = nnx.Param(kernel)
        self.bias = nnx.Param(jnp.zeros(n_words, jnp.float32))

    def __call__(self, words: Int[Array, "batch length"]) -> Float[Array, "batch length width"]:
        kernel = self.kernel[...]
        return kernel[words] * kernel.shape[1] ** 0.5

    def logits(self, x: Float[Array, "batch length width"]) -> Float[Array, "batch length words"]:
        return x @ self.kernel[...].T + self.bias[...].reshape(1, 1, -1)


@MODELS.register
class TransformerLanguage(nnx.Module):
    """5 blocks 256 wide, 4 heads: 6,520,592 parameters for the 10,000 words of the Penn Treebank."""

    id, task = "transformer", "language"
    width, heads, n_blocks, dropout_rate = 256, 4, 5, 0.3
    layers = (
        "embed",
        *(
            f"block{i}/{layer}"
            for i in range(5)
            for layer in ("attention/qkv", "attention/out", "up", "down")
        ),
    )

    def __init__(self, *, rngs: nnx.Rngs, n_classes: int):
        self.embed = Words(n_classes, self.width, rngs=rngs)
        for i in range(self.n_blocks):
            setattr(self, f"block{i}", Block(self.width, self.heads, self.dropout_rate, rngs=rngs))
        self.norm = nnx.LayerNorm(self.width, rngs=rngs)
        self.dropout = nnx.Dropout(self.dropout_rate, rngs=rngs)
        self.seen = Memory(jnp.zeros((1, REACH), jnp.float32))

    def __call__(self, x: Int[Array, "batch length"]) -> Float[Array, "batch length words"]:
        seen = _after(self.seen, jnp.ones(x.shape, jnp.float32)) > 0
        y = self.dropout(self.embed(x))
        for i in range(self.n_blocks):
            y = getattr(self, f"block{i}")(y, seen)
        return self.embed.logits(self.dropout(self.norm(y)))
