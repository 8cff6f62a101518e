"""Trainings that are killed, and whether what they resume to is the same."""

import jax
import numpy as np


class Killed(BaseException):
    pass


def kill_after(epoch):
    def on_epoch(row):
        if row["epoch"] == epoch:
            raise Killed

    return on_epoch


def same_arrays(one, other):
    return one.keys() == other.keys() and all(np.array_equal(one[key], other[key]) for key in one)


def assert_same(one, other):
    assert same_arrays(one.params, other.params)
    assert same_arrays(one.state, other.state)
    assert (one.best_epoch, one.validation_metric) == (other.best_epoch, other.validation_metric)
    assert jax.tree.structure(one.kept) == jax.tree.structure(other.kept)
    assert jax.tree.all(jax.tree.map(np.array_equal, one.kept, other.kept))
    assert one.history == other.history
