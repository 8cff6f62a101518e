"""The model that a compressed file holds: the registry's, with coded weights in place of its kernels."""

from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp
from flax import nnx

from xorjax.container import CompressedLayer, CompressedModel
from xorjax.errors import UserError
from xorjax.models.registry import create_model, merge
from xorjax.params import Params


class FileModelError(UserError, ValueError):
    """A compressed file that does not hold the model that it is taken for."""


def coded_model(
    name: str, compressed: CompressedModel, sizes: Mapping[str, Any] | None = None, as_code: bool = False
) -> nnx.Module:
    """The registry's model `name` with the file's parameters and state, the compressed ones as `CodedWeight`s of its
    dtypes.

    It runs as it is where the model multiplies by `xorjax.weights.matmul` and `conv`, else with
    `xorjax.weights.form` of its state, inside jit. With `as_code` all weights hold their code words, none
    lists of what is kept.

    Raises:
        FileModelError: the file's parameters are not those of the model, by name, shape or dtype.
        ValueError: there is no such model.
    """
    network, params, state = create_model(name, 0, sizes)
    initial = params | state
    _check(name, {**compressed.params, **compressed.layers}, initial)
    held: dict[str, Any] = {path: jnp.asarray(value) for path, value in compressed.params.items()}
    weights = compressed.weights_as_code if as_code else compressed.weights
    held |= {path: weight.astype(initial[path].dtype) for path, weight in weights.items()}
    return merge(network, *network.split(held))


def _check(name: str, held: Mapping[str, Any], initial: Params) -> None:
    if held.keys() != initial.keys():
        differing = sorted(held.keys() ^ initial.keys())
        raise FileModelError(f"the compressed parameters are not those of {name}: {', '.join(differing)}")
    for path, value in held.items():
        shape, dtype = initial[path].shape, initial[path].dtype
        if tuple(value.shape) != shape:
            raise FileModelError(
                f"tensor {path!r} has shape {list(value.shape)}, expected {list(shape)} for {name}"
            )
        if not isinstance(value, CompressedLayer) and str(value.dtype) != str(dtype):
            raise FileModelError(f"tensor {path!r} has dtype {value.dtype}, expected {dtype} for {name}")
