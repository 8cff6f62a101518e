import pytest
from flax import nnx

from xorjax.models.registry import ModelError, initialize


class Mistaken(nnx.Module):
    """Names a layer that it does not have."""

    layers = ("body", "headd")

    def __init__(self, *, rngs: nnx.Rngs):
        self.body, self.head = nnx.Linear(3, 4, rngs=rngs), nnx.Linear(4, 2, rngs=rngs)


def test_a_layer_that_is_not_there_is_named():
    with pytest.raises(
        ModelError, match=r"Mistaken\.layers names 'headd', which has no kernel; body, head have"
    ):
        initialize(Mistaken, 0)
