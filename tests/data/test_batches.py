"""Batches: an epoch's order is a function of (seed, epoch) alone, and nothing is lost but the ragged tail."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xorjax.data import Split, eval_batches, permutation, steps_per_epoch, train_batches

sizes = st.integers(1, 60)


def numbered(n: int) -> Split:
    return Split(np.arange(n, dtype=np.float32)[:, None], np.arange(n, dtype=np.int32))


@given(n=sizes, seed=st.integers(0, 2**32), epoch=st.integers(0, 1000))
def test_an_epoch_visits_every_example_once(n, seed, epoch):
    assert sorted(permutation(seed, epoch, n)) == list(range(n))


def test_the_order_is_fixed_for_ever():
    assert permutation(0, 0, 8).tolist() == [2, 4, 3, 6, 5, 0, 1, 7]
    assert permutation(0, 1, 8).tolist() != permutation(0, 0, 8).tolist()
    assert permutation(1, 0, 8).tolist() != permutation(0, 0, 8).tolist()


@given(n=sizes, batch_size=st.integers(1, 60), data=st.data())
def test_training_batches_continue_from_any_position(n, batch_size, data):
    if n < batch_size:
        with pytest.raises(ValueError, match=f"batch of {batch_size} .* {n} examples"):
            steps_per_epoch(n, batch_size)
        return
    split, steps = numbered(n), steps_per_epoch(n, batch_size)
    batches = list(train_batches(split, batch_size, seed=3, epoch=5))
    assert len(batches) == steps == n // batch_size
    visited = np.concatenate([batch.targets for batch in batches])
    assert len(set(visited.tolist())) == steps * batch_size
    first_step = data.draw(st.integers(0, steps))
    rest = list(train_batches(split, batch_size, seed=3, epoch=5, first_step=first_step))
    assert [batch.targets.tolist() for batch in rest] == [
        batch.targets.tolist() for batch in batches[first_step:]
    ]
    assert all((batch.inputs[:, 0] == batch.targets).all() and (batch.valid == 1).all() for batch in batches)


@given(n=sizes, batch_size=st.integers(1, 60))
def test_evaluation_sees_every_example_once_in_static_shapes(n, batch_size):
    batches = list(eval_batches(numbered(n), batch_size))
    assert {batch.inputs.shape for batch in batches} == {(batch_size, 1)}
    assert sum(batch.valid.sum() for batch in batches) == n
    seen = np.concatenate([batch.targets[batch.valid == 1] for batch in batches])
    assert seen.tolist() == list(range(n))
