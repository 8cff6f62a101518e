"""Models: flax nnx modules, one a file, in one registry."""

from xorjax.models.registry import MODELS, ModelError, Network, create_model, merge
from xorjax.params import Params, State

__all__ = ["MODELS", "ModelError", "Network", "Params", "State", "create_model", "merge"]
