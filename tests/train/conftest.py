"""A small task that a LeNet-300-100 without its first layer can learn: which of ten patterns a feature shows."""

import jax
import numpy as np
import pytest

from xorjax.config.schema import OptimConfig
from xorjax.data import Split
from xorjax.models import create_model
from xorjax.tasks.images import ImagesTask
from xorjax.train import Forward, Recipe

SIZE = {"train": 48, "validation": 20}


def examples(n, seed, noise=0.4):
    rng = np.random.default_rng(seed)
    patterns = np.random.default_rng(99).normal(size=(10, 300))
    labels = rng.integers(0, 10, n)
    return Split(
        (patterns[labels] + noise * rng.normal(size=(n, 300))).astype(np.float32), labels.astype(np.int32)
    )


def make_recipe():
    network, _, _ = create_model("lenet300", 0)
    optim = OptimConfig(epochs=4, batch_size=16, learning_rate=1e-3, warmup_epochs=0.5)
    return Recipe(Forward(ImagesTask(), network, start=1), optim, seed=0, frozen=frozenset({"fc1"}))


@pytest.fixture(scope="session")
def splits():
    """Features as the outputs of fc1 would be: 48 to train on, 20 to validate on."""
    return examples(SIZE["train"], 0), examples(SIZE["validation"], 1, noise=1.5)


@pytest.fixture(scope="session")
def params() -> dict[str, jax.Array]:
    return create_model("lenet300", 0)[1]


@pytest.fixture(scope="session")
def recipe():
    return make_recipe()


@pytest.fixture(scope="session")
def forward(recipe):
    return recipe.forward


@pytest.fixture
def masks(params):
    """Half of fc2 is pruned."""
    rng = np.random.default_rng(2)
    return dict.fromkeys(params) | {"fc2/kernel": jax.numpy.asarray(rng.random((300, 100)) < 0.5)}
