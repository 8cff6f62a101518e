"""Parameters and masks: flat dicts keyed by path ("fc1/kernel"), the same for training, pruning and files."""

import jax

Params = dict[str, jax.Array]
Masks = dict[str, jax.Array | None]
"""Same keys as the parameters. Bool, True = kept; None = not prunable."""


def layer_name(path: str) -> str:
    """The layer that a parameter belongs to: its path without the last component."""
    return path.rpartition("/")[0]
