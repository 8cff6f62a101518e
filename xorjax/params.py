"""Parameters, state and masks: flat dicts keyed by path ("fc1/kernel"), the same for training, pruning and files."""

from collections.abc import Iterable

import jax

Params = dict[str, jax.Array]
"""What is trained. A value may be any pytree that a model multiplies with, such as a coded weight."""
State = dict[str, jax.Array]
"""What a model keeps beside its parameters, such as running statistics; no path is that of a parameter."""
Masks = dict[str, jax.Array | None]
"""Same keys as the parameters. Bool, True = kept; None = not prunable."""


def layer_name(path: str) -> str:
    """The layer that a parameter belongs to: its path without the last component."""
    return path.rpartition("/")[0]


def is_within(path: str, layers: Iterable[str]) -> bool:
    """Whether `path` belongs to one of the layers, or to a layer in one of them."""
    return any(path.startswith(f"{layer}/") for layer in layers)
