"""Models: a closed registry of flax nnx modules made of named blocks."""

from xorjax.models.registry import MODELS, Params, create_model, get_model, input_shape, merge

__all__ = ["MODELS", "Params", "create_model", "get_model", "input_shape", "merge"]
