"""The language models: their sizes, and that what is said of a word rests on the words before it alone."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from language_models import N_WORDS, TinyLSTM, TinyTransformer, stronger, text

from xorjax.models.lstm import LSTMLanguage
from xorjax.models.registry import initialize, merge, state_of
from xorjax.models.transformer import TransformerLanguage


@pytest.mark.parametrize(("model", "n"), [(LSTMLanguage, 6_434_704), (TransformerLanguage, 6_520_592)])
def test_they_have_as_many_parameters_as_they_say(model, n):
    shapes = jax.eval_shape(lambda: initialize(model, 0, {"n_classes": 10_000})[1])
    assert sum(np.prod(shape.shape) for shape in shapes.values()) == n
    assert f"{n:,} parameters" in model.__doc__
    assert {f"{layer}/kernel" for layer in model.layers} == {
        path for path in shapes if path.endswith("kernel")
    }


@pytest.mark.parametrize("model", [TinyLSTM, TinyTransformer])
def test_later_words_do_not_change_what_is_said(model):
    network, params, state = initialize(model, 0, {"n_classes": N_WORDS})
    params, words = stronger(params), jnp.asarray(text(24).inputs.reshape(2, 12))
    others = words.at[:, 8:].set((words[:, 8:] + 1) % N_WORDS)
    run = jax.jit(lambda words: merge(network, params, state)(words))
    one, other = run(words), run(others)
    np.testing.assert_allclose(one[:, :8], other[:, :8], atol=1e-5)
    assert (np.abs(one[:, 8:] - other[:, 8:]).max(axis=(0, 2)) > 1e-4).all()


def test_memory_is_no_parameter_and_of_the_batch():
    network, params, state = initialize(TinyLSTM, 0, {"n_classes": N_WORDS})
    names = {"lstm/cell", "lstm/hidden"}
    assert state == {}
    assert not names & params.keys()
    assert {path: array.shape for path, array in network.memory(5).items()} == dict.fromkeys(names, (5, 6))
    module = merge(network, params, network.memory(5))
    module(jnp.zeros((5, 3), jnp.int32))
    assert {path: array.shape for path, array in state_of(network, module).items()} == dict.fromkeys(
        names, (5, 6)
    )
