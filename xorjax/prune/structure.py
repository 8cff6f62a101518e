"""Pruning that makes the mask cheap to store: a bias towards rows and columns that keep many weights already.

A mask of independent bits costs its entropy. One whose rows and columns differ much in density costs less under a
model with a density for each row and column (the mask codec `ans_rc`), and nothing where whole rows or columns are
empty. So the logits of that model, fitted to the mask at hand, are added to the logarithm of each weight's score, and
mask and model are found in turn.
"""

import numpy as np
from jaxtyping import Bool, Float

from xorjax.masks.densities import density_logits

ROUNDS = 3
"""Times that the model is fitted and the mask chosen again."""


def density_bias(mask: Bool[np.ndarray, "*shape"]) -> Float[np.ndarray, "*shape"]:
    """a_i + b_j at each weight; of a kernel with more than two axes the last is the column, the others the row."""
    a, b = density_logits(mask.reshape(-1, mask.shape[-1]))
    return (a[:, None] + b).reshape(mask.shape)
