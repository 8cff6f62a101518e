"""A model that predicts from a compressed file's content: its compressed layers decode in the forward pass."""

import jax.numpy as jnp
from flax import nnx

from xorjax.container import CompressedModel
from xorjax.layers.conv import XorConv
from xorjax.layers.linear import XorLinear
from xorjax.models.registry import create_model, merge
from xorjax.params import Params, layer_name


def decoding_model(name: str, compressed: CompressedModel) -> nnx.Module:
    """The registry's model `name` with each compressed kernel's layer replaced by one that decodes it.

    Raises:
        ValueError: the model is unknown, or the file's parameters are not those of the model, by name or shape.
    """
    network, *arrays = create_model(name, 0)
    initial: Params = {**arrays[0], **arrays[1]}
    _check(name, compressed, initial)
    # The compressed kernels stay as initialized until their layers are replaced.
    params = {path: jnp.asarray(compressed.params.get(path, value)) for path, value in initial.items()}
    model = merge(network, params)
    for path, layer in compressed.layers.items():
        *parents, attribute = layer_name(path).split("/")
        parent = model
        for part in parents:
            parent = getattr(parent, part)
        bias = compressed.params.get(f"{layer_name(path)}/bias")
        decoding = XorConv if len(layer.shape) == 4 else XorLinear
        setattr(parent, attribute, decoding.from_layer(layer, bias))
    return model


def _check(name: str, compressed: CompressedModel, initial: Params) -> None:
    held = {**compressed.params, **compressed.layers}
    if held.keys() != initial.keys():
        differing = sorted(held.keys() ^ initial.keys())
        raise ValueError(f"the compressed parameters are not those of {name}: {', '.join(differing)}")
    for path, value in held.items():
        if tuple(value.shape) != initial[path].shape:
            shapes = f"{list(value.shape)}, expected {list(initial[path].shape)}"
            raise ValueError(f"tensor {path!r} has shape {shapes} for {name}")
        if path in compressed.layers and not path.endswith("/kernel"):
            raise ValueError(f"tensor {path!r} is compressed, but only kernels decode in a forward pass")
        if path in compressed.params and compressed.params[path].dtype != initial[path].dtype:
            raise ValueError(
                f"tensor {path!r} has dtype {compressed.params[path].dtype}, expected {initial[path].dtype}"
            )
