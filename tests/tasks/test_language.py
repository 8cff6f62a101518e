"""The next word: windows hold each word once, and perplexity is that of a loop over the whole text in float64."""

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from language_models import (
    LOGITS,
    N_WORDS,
    TinyLSTM,
    TinyTransformer,
    log_softmax,
    stronger,
    text,
)

from xorjax.data import Split
from xorjax.data.config import DataConfig
from xorjax.models.registry import initialize, merge
from xorjax.models.transformer import REACH
from xorjax.tasks.language import NONE, STREAMS, TIE, LanguageTask, windows
from xorjax.tasks.task import TASKS, Task
from xorjax.train import Forward, evaluate, predict, score

TASK = LanguageTask(length=5)


def test_it_is_registered_and_complete(request):
    assert TASKS["language"] is LanguageTask
    assert isinstance(TASK, Task)
    assert LanguageTask.datasets["ptb"] == {
        "n_train": 929_589,
        "n_validation": 73_760,
        "n_test": 82_430,
        "n_classes": 10_000,
    }
    data = TASK.load(DataConfig("brown", str(request.config.rootpath / "data")))
    sizes = LanguageTask.datasets["brown"]
    assert [split.size for split in (data.train, data.validation, data.test)] == [
        sizes[name] for name in ("n_train", "n_validation", "n_test")
    ]


@given(n=st.integers(1, 400), length=st.integers(1, 12))
def test_windows_hold_each_word_once_and_go_on_in_their_stream(n, length):
    given_text = Split(np.arange(n, dtype=np.int32), np.arange(1, n + 1, dtype=np.int32))
    split = windows(given_text, length)
    assert split.size == n
    inputs, targets = (
        part.reshape(-1, STREAMS, length).swapaxes(0, 1).reshape(STREAMS, -1) for part in split
    )
    assert np.sort(targets[targets != NONE]).tolist() == list(range(1, n + 1))
    counted = targets != NONE
    assert (inputs[counted] + 1 == targets[counted]).all()
    # What is not counted comes last in its stream.
    assert (np.diff(counted.astype(int), axis=1) <= 0).all()
    assert (np.diff(targets, axis=1)[counted[:, 1:]] == 1).all()
    batches = list(LanguageTask(length=length).eval_batches(split, 7))
    assert {batch.inputs.shape for batch in batches} == {(STREAMS, length)}
    assert sum(float(batch.valid.sum()) for batch in batches) * length == pytest.approx(n, rel=1e-5)


@given(
    n=st.integers(60, 300),
    seed=st.integers(0, 2**32 - 1),
    epoch=st.integers(0, 5),
    first_step=st.integers(0, 3),
)
def test_training_streams_go_on_and_continue_from_any_position(n, seed, epoch, first_step):
    given_text = Split(np.arange(n, dtype=np.int32), np.arange(1, n + 1, dtype=np.int32))
    whole = list(TASK.train_batches(given_text, 3, seed, epoch))
    rest = list(TASK.train_batches(given_text, 3, seed, epoch, first_step))
    assert len(whole) == TASK.steps_per_epoch(given_text, 3) == n // 15
    assert len(rest) == max(0, len(whole) - first_step)
    for one, other in zip(whole[first_step:], rest, strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))
    inputs = np.concatenate([batch.inputs for batch in whole], axis=1)
    targets = np.concatenate([batch.targets for batch in whole], axis=1)
    assert (targets == inputs + 1).all()
    assert ((np.diff(inputs, axis=1) % n) == 1).all()
    assert len(np.unique(inputs)) == inputs.size


def test_epochs_begin_elsewhere():
    starts = {int(next(TASK.train_batches(text(300), 3, 0, epoch)).inputs[0, 0]) for epoch in range(8)}
    assert len(starts) > 2


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_the_loss_is_the_mean_cross_entropy_of_the_words_there_are(smoothing):
    random = np.random.default_rng(0)
    logits = random.normal(size=(3, 5, N_WORDS))
    targets = random.integers(0, N_WORDS, (3, 5))
    targets[1, 3:], targets[2] = NONE, NONE
    expected = []
    for of_window, own in zip(logits, targets, strict=True):
        losses = [
            -((1 - smoothing) * log_softmax(of_word)[word] + smoothing * log_softmax(of_word).mean())
            for of_word, word in zip(of_window, own, strict=True)
            if word != NONE
        ]
        expected.append(np.mean(losses) if losses else 0.0)
    found = TASK.losses(jnp.asarray(logits, jnp.float32), jnp.asarray(targets, jnp.int32), smoothing)
    np.testing.assert_allclose(found, expected, rtol=1e-5)


@pytest.mark.parametrize(
    ("model", "n", "length"),
    [(TinyLSTM, 1, 5), (TinyLSTM, 333, 7), (TinyTransformer, STREAMS * (REACH + 9), 40)],
)
def test_perplexity_is_that_of_a_loop_over_the_whole_text(model, n, length):
    network, params, state = initialize(model, 0, {"n_classes": N_WORDS})
    params, whole = stronger(params), text(n)
    per_stream = -(-n // STREAMS)
    likelihoods = [
        log_softmax(logits)[target]
        for first in range(0, n, per_stream)
        for logits, target in zip(
            LOGITS[model](params, whole.inputs[first : first + per_stream]),
            whole.targets[first : first + per_stream],
            strict=True,
        )
    ]
    assert len(likelihoods) == n
    expected = np.exp(-np.mean(likelihoods))
    task, split = LanguageTask(length=length), windows(whole, length)
    loss, metric = evaluate(Forward(task, network), params, state, dict.fromkeys(params), split)
    assert metric == pytest.approx(expected, rel=1e-4)
    assert np.exp(loss) == pytest.approx(expected, rel=1e-4)
    outputs = predict(task, merge(network, params, state), split)
    assert outputs.shape == (len(split.targets), length, 3)
    assert score(task, outputs, split) == pytest.approx(expected, rel=1e-4)


def test_what_is_kept_of_the_outputs():
    logits = np.zeros((1, 5, N_WORDS), np.float32)
    logits[0, :, 4], logits[0, :, 7] = 3.0, [1, 2, 3 - TIE / 2, 3 + TIE / 2, 4]
    kept = np.asarray(TASK.digest(jnp.asarray(logits), jnp.full((1, 5), 4, jnp.int32)))
    assert kept[0, :, 1].tolist() == [4, 4, 4, 7, 7]
    np.testing.assert_allclose(kept[0, :, 2], [2, 1, TIE / 2, TIE / 2, 1], atol=1e-6)
    np.testing.assert_allclose(kept[0, :, 0], [log_softmax(of_word)[4] for of_word in logits[0]], rtol=1e-5)
    assert TASK.count_differing(kept, kept) == 0
    assert TASK.count_differing(kept, kept[:, ::-1]) == 4
    # Words that are as likely may change places.
    assert TASK.count_differing(kept, kept[:, [0, 1, 3, 2, 4]]) == 0
