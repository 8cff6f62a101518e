"""The residual networks for 32x32 images of He et al. (2016, arXiv 1512.03385, section 4.2), of 6 n + 2 layers.

A convolution of 16 channels, three groups of n blocks of two convolutions with 16, 32 and 64, and a linear layer on the
means. The first convolution of the second and the third group halves the resolution. Shortcuts have no parameters:
where the width grows, every second pixel is taken and channels of zeros are added ("option A").

The 3x3 convolutions of the groups hold all but 1,072 of the weights: 267,264 of ResNet-20, 460,800 of ResNet-32.
"""

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from xorjax.models.registry import MODELS
from xorjax.weights import conv, matmul

WIDTHS = (16, 32, 64)


def rectified(x: Array) -> Array:
    """ReLU, computed once: behind a barrier, since XLA on a CPU else sums up the shortcuts anew, from the stem on, for
    each gradient of a kernel. On a GPU this was not measured.
    """
    return jax.lax.optimization_barrier(nnx.relu(x))


class Conv3x3(nnx.Module):
    """A 3x3 convolution, padded and without bias, He-initialized; the kernel may be a coded weight."""

    def __init__(self, n_in: int, n_out: int, stride: int = 1, *, rngs: nnx.Rngs):
        shape, self.stride = (3, 3, n_in, n_out), stride
        self.kernel = nnx.Param(nnx.initializers.he_normal()(rngs.params(), shape, jnp.float32))

    def __call__(
        self, x: Float[Array, "batch height width n_in"]
    ) -> Float[Array, "batch rows columns n_out"]:
        return conv(x, self.kernel.get_value(), self.stride, padding=1)


class Head(nnx.Linear):
    """With a kernel that may be a coded weight, on the mean over the pixels."""

    def __call__(
        self, inputs: Float[Array, "batch height width channels"], out_sharding: object = None
    ) -> Array:
        assert self.bias is not None
        return matmul(inputs.mean(axis=(1, 2)), self.kernel.get_value()) + self.bias[...][None]


class Stem(nnx.Module):
    """What comes before the groups: pixels less their mean, over their deviation, and the first convolution."""

    def __init__(self, mean: tuple[float, ...], std: tuple[float, ...], *, rngs: nnx.Rngs):
        self.shift, self.scale = tuple(mean), tuple(std)
        self.conv = Conv3x3(len(mean), WIDTHS[0], rngs=rngs)
        self.norm = nnx.BatchNorm(WIDTHS[0], momentum=0.9, rngs=rngs)

    def __call__(self, x: Float[Array, "batch height width channels"]) -> Array:
        shift, scale = (jnp.asarray(of, x.dtype).reshape(1, 1, 1, -1) for of in (self.shift, self.scale))
        x = (x - shift) / scale
        return rectified(self.norm(self.conv(x)))


class Block(nnx.Module):
    """Two convolutions and a shortcut past them."""

    def __init__(self, n_in: int, n_out: int, stride: int, *, rngs: nnx.Rngs):
        self.stride, self.added = stride, n_out - n_in
        self.conv1 = Conv3x3(n_in, n_out, stride, rngs=rngs)
        self.norm1 = nnx.BatchNorm(n_out, momentum=0.9, rngs=rngs)
        self.conv2 = Conv3x3(n_out, n_out, rngs=rngs)
        self.norm2 = nnx.BatchNorm(n_out, momentum=0.9, rngs=rngs)

    def __call__(
        self, x: Float[Array, "batch height width n_in"]
    ) -> Float[Array, "batch rows columns n_out"]:
        y = rectified(self.norm1(self.conv1(x)))
        y = self.norm2(self.conv2(y))
        shortcut = x[:, :: self.stride, :: self.stride]
        return rectified(y + jnp.pad(shortcut, ((0, 0), (0, 0), (0, 0), (0, self.added))))


class Group(nnx.Module):
    """Blocks of one width, "block0" and so on."""

    def __init__(self, n_blocks: int, n_in: int, n_out: int, *, rngs: nnx.Rngs):
        self.names = tuple(f"block{i}" for i in range(n_blocks))
        for i, name in enumerate(self.names):
            first = i == 0
            block = Block(n_in if first else n_out, n_out, 2 if first and n_in != n_out else 1, rngs=rngs)
            setattr(self, name, block)

    def __call__(self, x: Array) -> Array:
        for name in self.names:
            x = getattr(self, name)(x)
        return x


def layers_of(n_blocks: int) -> tuple[str, ...]:
    """The names of the layers with n blocks a group."""
    blocks = [f"group{g}/block{i}/conv{c}" for g in (1, 2, 3) for i in range(n_blocks) for c in (1, 2)]
    return ("stem/conv", *blocks, "head")


class ResNet(nnx.Module):
    """Images of even sides in, logits out; `mean` and `std` are those of the data set's channels."""

    task = "images"
    n_blocks = 1
    blocks = ("stem", "group1", "group2", "group3", "head")
    multiplies_codes = True

    def __init__(
        self,
        *,
        rngs: nnx.Rngs,
        n_classes: int = 10,
        mean: tuple[float, ...] = (0.0, 0.0, 0.0),
        std: tuple[float, ...] = (1.0, 1.0, 1.0),
    ):
        one, two, three = WIDTHS
        self.stem = Stem(mean, std, rngs=rngs)
        self.group1 = Group(self.n_blocks, one, one, rngs=rngs)
        self.group2 = Group(self.n_blocks, one, two, rngs=rngs)
        self.group3 = Group(self.n_blocks, two, three, rngs=rngs)
        self.head = Head(three, n_classes, kernel_init=nnx.initializers.he_normal(), rngs=rngs)

    def __call__(self, x: Float[Array, "batch ..."], start: int = 0, stop: int | None = None) -> Array:
        """Run `blocks[start:stop]`: images (batch, height, width, channels) in, logits out when all are run."""
        for block in self.blocks[start:stop]:
            x = getattr(self, block)(x)
        return x


@MODELS.register
class ResNet8(ResNet):
    """One block a group: for tests and demonstrations."""

    id = "resnet8"
    layers = layers_of(1)


@MODELS.register
class ResNet20(ResNet):
    """Three blocks a group."""

    id = "resnet20"
    n_blocks = 3
    layers = layers_of(3)


@MODELS.register
class ResNet32(ResNet):
    """Five blocks a group."""

    id = "resnet32"
    n_blocks = 5
    layers = layers_of(5)
