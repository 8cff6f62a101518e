"""Language models small enough for slow references, and a text to run them on."""

from functools import partial

import numpy as np

from xorjax.data import Split
from xorjax.models.lstm import LSTMLanguage
from xorjax.models.transformer import REACH, TransformerLanguage

N_WORDS = 23


class TinyLSTM(LSTMLanguage):
    width, dropout_rate = 6, 0.0


class TinyTransformer(TransformerLanguage):
    width, heads, n_blocks, dropout_rate = 8, 2, 2, 0.0
    layers = ("embed", "block0/up", "block1/attention/qkv")


def text(n, seed=0):
    """Words each of which says much of the next."""
    random = np.random.default_rng(seed)
    words = np.cumsum(random.integers(1, 3, n + 1)) % N_WORDS
    return Split(words[:-1].astype(np.int32), words[1:].astype(np.int32))


def stronger(params, factor=4.0):
    """Larger kernels, so that what is read shows in what is said, and no bias of 0 or scale of 1."""
    rng = np.random.default_rng(1)
    return {
        path: factor * value
        if path.endswith("kernel")
        else value + rng.uniform(-0.3, 0.3, value.shape).astype(np.float32)
        for path, value in params.items()
    }


def log_softmax(logits):
    logits = logits - logits.max()
    return logits - np.log(np.exp(logits).sum())


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def lstm_logits(params, words):
    """Word by word in float64, from nothing remembered."""
    arrays = {path: np.asarray(value, np.float64) for path, value in params.items()}
    width = arrays["embed/kernel"].shape[1]
    cell = hidden = np.zeros(width)
    for word in words:
        both = np.concatenate([arrays["embed/kernel"][word], hidden])
        write, keep, show, candidate = np.split(both @ arrays["lstm/kernel"] + arrays["lstm/bias"], 4)
        cell = sigmoid(keep) * cell + sigmoid(write) * np.tanh(candidate)
        hidden = sigmoid(show) * np.tanh(cell)
        yield hidden @ arrays["softmax/kernel"] + arrays["softmax/bias"]


def normed(x, arrays, layer):
    x = (x - x.mean()) / np.sqrt(x.var() + 1e-6)
    return x * arrays[f"{layer}/scale"] + arrays[f"{layer}/bias"]


def linear(x, arrays, layer):
    return x @ arrays[f"{layer}/kernel"] + arrays[f"{layer}/bias"]


def gelu(x):
    return 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))


def transformer_logits(params, words, heads, n_blocks, reach):
    """Word by word in float64; each block's keys and values of all words before are kept in lists."""
    arrays = {path: np.asarray(value, np.float64) for path, value in params.items()}
    kernel = arrays["embed/kernel"]
    kept = [([], []) for _ in range(n_blocks)]
    for word in words:
        x = kernel[word] * np.sqrt(kernel.shape[1])
        for i, (keys, values) in enumerate(kept):
            query, key, value = np.split(
                linear(normed(x, arrays, f"block{i}/norm1"), arrays, f"block{i}/attention/qkv"), 3
            )
            keys.append(key)
            values.append(value)
            parts = []
            for head, own in enumerate(np.split(np.arange(len(x)), heads)):
                scores = np.array(
                    [
                        query[own] @ key[own] / np.sqrt(len(own))
                        + arrays[f"block{i}/attention/distance"][head, distance]
                        for distance, key in enumerate(keys[: -reach - 1 : -1])
                    ]
                )
                weights = np.exp(log_softmax(scores))
                parts.append(
                    sum(w * value[own] for w, value in zip(weights, values[: -reach - 1 : -1], strict=True))
                )
            x = x + linear(np.concatenate(parts), arrays, f"block{i}/attention/out")
            y = gelu(linear(normed(x, arrays, f"block{i}/norm2"), arrays, f"block{i}/up"))
            x = x + linear(y, arrays, f"block{i}/down")
        yield normed(x, arrays, "norm") @ kernel.T + arrays["embed/bias"]


LOGITS = {
    TinyLSTM: lstm_logits,
    TinyTransformer: partial(transformer_logits, heads=2, n_blocks=2, reach=REACH),
}
"""What each model says after each word of a text, by definition."""
