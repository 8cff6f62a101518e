"""A model that predicts from a compressed file's content: its compressed layers decode in the forward pass."""

import jax.numpy as jnp
from flax import nnx

from xorjax.container import CompressedModel
from xorjax.layers.conv import XorConv
from xorjax.layers.linear import XorLinear
from xorjax.models.registry import create_model, merge
from xorjax.params import layer_name


def decoding_model(name: str, compressed: CompressedModel) -> nnx.Module:
    """The registry's model `name` with each compressed kernel's layer replaced by one that decodes it.

    Raises:
        ValueError: the file's parameters are not those of the model.
    """
    graphdef, initial = create_model(name, 0)
    held = compressed.params.keys() | compressed.layers.keys()
    if held != initial.keys():
        differing = sorted(held ^ initial.keys())
        raise ValueError(f"the compressed parameters are not those of {name}: {', '.join(differing)}")
    # The compressed kernels stay as initialized until their layers are replaced.
    params = {path: jnp.asarray(compressed.params.get(path, value)) for path, value in initial.items()}
    model = merge(graphdef, params)
    for path, layer in compressed.layers.items():
        *parents, attribute = layer_name(path).split("/")
        parent = model
        for part in parents:
            parent = getattr(parent, part)
        bias = compressed.params.get(f"{layer_name(path)}/bias")
        decoding = XorConv if len(layer.shape) == 4 else XorLinear
        setattr(parent, attribute, decoding(layer.planes, layer.mask, layer.scales, bias))
    return model
