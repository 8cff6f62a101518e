"""AlexNet as its weights are about: torchvision's and Caffe's architecture, and their tensors as ours.

It is no model of the registry, since the suite has no data set of its size. `scripts/alexnet.py` evaluates it. Layers
have Caffe's names: `fc6` and `fc7` are what the paper calls FC5 and FC6.

Both frameworks hold a fully connected kernel as (out, in) and an image as (channels, rows, columns), in which order
`fc6` reads the last feature map; here kernels are (in, out), and channels come last.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from xorjax.models.registry import ModelError
from xorjax.weights import conv, matmul

CONVOLUTIONS = tuple(f"conv{i}" for i in range(1, 6))
FULLY_CONNECTED = ("fc6", "fc7", "fc8")
LAYERS = (*CONVOLUTIONS, *FULLY_CONNECTED)
SIDE = 6
"""Rows and columns of the last feature map."""
_KERNEL_SIZES = (11, 5, 3, 3, 3)
_PADDING = (0, 2, 1, 1, 1)


@dataclass(frozen=True)
class Family:
    """What torchvision's AlexNet and Caffe's (bvlc_alexnet) do not share.

    Attributes:
        image_side: rows and columns of an image.
        widths: channels of the convolutions.
        hidden: outputs of `fc6` and `fc7`.
        groups: of the convolutions.
        first_padding: of `conv1`.
        normalizes: whether responses are normalized after the first two convolutions.
        prefixes: of torch's names, layer by layer; without, names are Caffe's.
    """

    id: Literal["torchvision", "caffe"]
    image_side: int
    widths: tuple[int, int, int, int, int]
    hidden: int = 4096
    groups: tuple[int, int, int, int, int] = (1, 1, 1, 1, 1)
    first_padding: int = 0
    normalizes: bool = False
    prefixes: tuple[str, ...] = ()

    def shape(self, layer: str, n_classes: int) -> tuple[int, ...]:
        """The shape of a layer's weights as the framework has them."""
        i = LAYERS.index(layer)
        if layer in CONVOLUTIONS:
            n_in = (3, *self.widths)[i] // self.groups[i]
            return (self.widths[i], n_in, _KERNEL_SIZES[i], _KERNEL_SIZES[i])
        n_in = {"fc6": SIDE * SIDE * self.widths[-1]}.get(layer, self.hidden)
        return (n_classes if layer == "fc8" else self.hidden, n_in)


TORCHVISION = Family(
    "torchvision",
    224,
    (64, 192, 384, 256, 256),
    first_padding=2,
    prefixes=(*(f"features.{i}" for i in (0, 3, 6, 8, 10)), *(f"classifier.{i}" for i in (1, 4, 6))),
)
CAFFE = Family("caffe", 227, (96, 256, 384, 384, 256), groups=(1, 2, 1, 2, 2), normalizes=True)
FAMILIES = (TORCHVISION, CAFFE)


def logits(
    params: Mapping[str, Any], images: Float[Array, "batch side side 3"], family: Family
) -> Float[Array, "batch classes"]:
    """The forward pass of evaluation, which has no dropout; kernels may be coded weights."""
    x = images
    for i, layer in enumerate(CONVOLUTIONS):
        padding = family.first_padding if i == 0 else _PADDING[i]
        x = conv(x, params[f"{layer}/kernel"], 4 if i == 0 else 1, padding, groups=family.groups[i])
        x = jax.nn.relu(x + params[f"{layer}/bias"].reshape(1, 1, 1, -1))
        if i < 2 and family.normalizes:
            x = normalize_responses(x)
        if i in (0, 1, 4):
            x = jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, (1, 3, 3, 1), (1, 2, 2, 1), "VALID")
    x = x.reshape(x.shape[0], -1)
    for layer in FULLY_CONNECTED:
        x = matmul(x, params[f"{layer}/kernel"]) + params[f"{layer}/bias"].reshape(1, -1)
        x = x if layer == "fc8" else jax.nn.relu(x)
    return x


def normalize_responses(
    x: Float[Array, "batch rows columns channels"],
) -> Float[Array, "batch rows columns channels"]:
    """Each response over (1 + 1e-4 times the mean square of the five channels around it)^.75, zeros beyond the ends."""
    sums = jax.lax.reduce_window(
        x * x, 0.0, jax.lax.add, (1, 1, 1, 5), (1, 1, 1, 1), ((0, 0), (0, 0), (0, 0), (2, 2))
    )
    return x / (1.0 + (1e-4 / 5) * sums) ** 0.75


def find_family(names: Mapping[str, Any]) -> tuple[Family, dict[str, tuple[str, str]]]:
    """Whose names these are, and for each layer the tensors of its weights and of its bias.

    Caffe's blobs are `fc6` and 0 or 1, `weight`, `W`, `bias` or `b`, with or without one of / . _ - between them.

    Raises:
        ModelError: a tensor is missing; names it.
    """
    torch = {
        layer: (f"{prefix}.weight", f"{prefix}.bias")
        for layer, prefix in zip(LAYERS, TORCHVISION.prefixes, strict=True)
    }
    if any(name in names for pair in torch.values() for name in pair):
        family, places = TORCHVISION, torch
    else:
        family, found = CAFFE, {}
        for name in names:
            match = re.fullmatch(r"(conv[1-5]|fc[678])[/._-]?(0|1|w|b|weights?|bias(?:es)?)", name, re.I)
            if match is not None:
                found[match[1].lower(), match[2].lower()[0] in "0w"] = name
        places = {
            layer: (found.get((layer, True), f"{layer}/0"), found.get((layer, False), f"{layer}/1"))
            for layer in LAYERS
        }
    missing = [name for pair in places.values() for name in pair if name not in names]
    if missing:
        raise ModelError(
            f"tensor {missing[0]!r} is missing, expected AlexNet's by torchvision's names (features.0.weight, "
            f"classifier.1.weight) or Caffe's (conv1/0, fc6/0); there are {', '.join(sorted(names)[:8])}"
        )
    return family, places


def shaped(
    arrays: Mapping[str, Any], family: Family, places: Mapping[str, tuple[str, str]]
) -> dict[str, Any]:
    """The tensors that AlexNet has, by their own names, in their framework's shapes.

    Old blobs of Caffe have leading dimensions of 1, which go.

    Raises:
        ModelError: one has another shape; names it.
    """
    biases = arrays[places["fc8"][1]]
    n_classes, taken = biases.size, {}
    for layer, pair in places.items():
        weights = family.shape(layer, n_classes)
        for name, expected in zip(pair, (weights, weights[:1]), strict=True):
            shape = tuple(arrays[name].shape)
            if shape != expected and shape != (1,) * (4 - len(expected)) + expected:
                raise ModelError(
                    f"tensor {name!r} has shape {list(shape)}, expected {list(expected)} of {family.id}'s AlexNet"
                )
            taken[name] = arrays[name].reshape(expected)
    return taken


def params_of(
    arrays: Mapping[str, Any], family: Family, places: Mapping[str, tuple[str, str]]
) -> dict[str, Any]:
    """The parameters of `logits` from arrays as `shaped` gives them, NumPy's or JAX's, also inside jit."""
    params = {}
    for layer, (weights, bias) in places.items():
        kernel = arrays[weights]
        if layer in CONVOLUTIONS:
            kernel = kernel.transpose(2, 3, 1, 0)
        else:
            if layer == "fc6":
                by_place = kernel.reshape(kernel.shape[0], family.widths[-1], SIDE, SIDE)
                kernel = by_place.transpose(0, 2, 3, 1).reshape(kernel.shape)
            kernel = kernel.T
        params[f"{layer}/kernel"] = jnp.asarray(kernel, jnp.float32)
        params[f"{layer}/bias"] = jnp.asarray(arrays[bias], jnp.float32)
    return params
