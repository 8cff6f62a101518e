"""The LeNets of the paper: a convolutional one (LeNet-5, Caffe's widths) and a fully connected one.

A model is a chain of named blocks, each a layer with its activation and pooling, so that any part of the
chain can be run on its own: a frozen prefix once for all, the rest at every step.
"""

from itertools import pairwise

import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from xorjax.models.conv import Conv
from xorjax.models.registry import MODELS
from xorjax.weights import matmul


def max_pool(x: Float[Array, "batch height width channels"]) -> Float[Array, "batch rows columns channels"]:
    """2x2 max pooling, stride 2, for even heights and widths.

    By reshape and max: the gradient of `reduce_window` is a select-and-scatter, which on CPU costs more than
    the convolutions.
    """
    batch, height, width, channels = x.shape
    return x.reshape(batch, height // 2, 2, width // 2, 2, channels).max(axis=(2, 4))


class Linear(nnx.Linear):
    """With a kernel that may be a coded weight."""

    def __call__(self, inputs: Float[Array, "*batch n_in"], out_sharding: object = None) -> Array:
        assert self.bias is not None
        y = matmul(inputs, self.kernel.get_value())
        return y + jnp.broadcast_to(self.bias[...], y.shape)


def chain(layers: tuple[str, ...]) -> dict[str, str]:
    """Each layer's kernel and the next one's."""
    return {f"{layer}/kernel": f"{after}/kernel" for layer, after in pairwise(layers)}


@MODELS.register
class LeNet5(nnx.Module):
    """20C5-MP2-50C5-MP2-500FC-10 on 28x28x1 images, convolutions unpadded: `fc1` is 800x500 (paper, section 5)."""

    id, task = "lenet5", "images"
    layers: tuple[str, ...] = ("conv1", "conv2", "fc1", "fc2")
    blocks = layers
    following = chain(layers)
    multiplies_codes = True
    widths: tuple[int, int, int] = (20, 50, 500)

    def __init__(self, *, rngs: nnx.Rngs, n_classes: int = 10):
        he, (of_conv1, of_conv2, of_fc1) = nnx.initializers.he_normal(), self.widths
        self.conv1 = Conv(1, of_conv1, 5, rngs=rngs)
        self.conv2 = Conv(of_conv1, of_conv2, 5, rngs=rngs)
        self.fc1 = Linear(16 * of_conv2, of_fc1, kernel_init=he, rngs=rngs)
        self.fc2 = Linear(of_fc1, n_classes, rngs=rngs)

    def __call__(self, x: Float[Array, "batch ..."], start: int = 0, stop: int | None = None) -> Array:
        """Run `blocks[start:stop]`: images (batch, 28, 28, 1) in, logits (batch, n_classes) out when all are run."""
        for block in self.blocks[start:stop]:
            x = getattr(self, block)(x)
            if block.startswith("conv"):
                x = max_pool(x)
            if block != self.blocks[-1]:
                x = nnx.relu(x)
            if block == "conv2":
                x = x.reshape(x.shape[0], -1)
        return x


@MODELS.register
class WideLeNet5(LeNet5):
    """32C5-MP2-64C5-MP2-512FC-10, otherwise as `LeNet5`: the widths of FleXOR (arXiv 2009.04126); `fc1` is 1024x512."""

    id = "lenet5_wide"
    widths = (32, 64, 512)


@MODELS.register
class LeNet300(nnx.Module):
    """300FC-100FC-10 on the flattened image (LeNet-300-100)."""

    id, task = "lenet300", "images"
    layers: tuple[str, ...] = ("fc1", "fc2", "fc3")
    blocks = layers
    following = chain(layers)
    multiplies_codes = True

    def __init__(self, *, rngs: nnx.Rngs, n_classes: int = 10):
        he = nnx.initializers.he_normal()
        self.fc1 = Linear(784, 300, kernel_init=he, rngs=rngs)
        self.fc2 = Linear(300, 100, kernel_init=he, rngs=rngs)
        self.fc3 = Linear(100, n_classes, rngs=rngs)

    def __call__(self, x: Float[Array, "batch ..."], start: int = 0, stop: int | None = None) -> Array:
        """Run `blocks[start:stop]`: images (batch, 28, 28, 1) in, logits (batch, n_classes) out when all are run."""
        for block in self.blocks[start:stop]:
            match block:
                case "fc1":
                    x = nnx.relu(self.fc1(x.reshape(x.shape[0], -1)))
                case "fc2":
                    x = nnx.relu(self.fc2(x))
                case "fc3":
                    x = self.fc3(x)
        return x
