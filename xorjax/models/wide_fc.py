"""A small network whose weights are those of two fully connected layers, as AlexNet's are."""

from flax import nnx
from jaxtyping import Array, Float

from xorjax.models.conv import Conv
from xorjax.models.lenet import Linear, chain, max_pool
from xorjax.models.registry import MODELS


@MODELS.register
class WideFC(nnx.Module):
    """20C5-MP2-64C5-MP2-2048FC-1024FC-10 on 28x28x1 images: `fc1` is 1024x2048 and `fc2` 2048x1024, 4.2 M weights.

    They are 99 % of the network's, and AlexNet's FC5 and FC6 are 89 % of its.
    """

    id, task = "wide_fc", "images"
    layers: tuple[str, ...] = ("conv1", "conv2", "fc1", "fc2", "fc3")
    blocks = layers
    following = chain(layers)
    multiplies_codes = True

    def __init__(self, *, rngs: nnx.Rngs, n_classes: int = 10):
        he = nnx.initializers.he_normal()
        self.conv1 = Conv(1, 20, 5, rngs=rngs)
        self.conv2 = Conv(20, 64, 5, rngs=rngs)
        self.fc1 = Linear(16 * 64, 2048, kernel_init=he, rngs=rngs)
        self.fc2 = Linear(2048, 1024, kernel_init=he, rngs=rngs)
        self.fc3 = Linear(1024, n_classes, rngs=rngs)

    def __call__(self, x: Float[Array, "batch ..."], start: int = 0, stop: int | None = None) -> Array:
        """Run `blocks[start:stop]`: images (batch, 28, 28, 1) in, logits (batch, n_classes) out when all are run."""
        for block in self.blocks[start:stop]:
            match block:
                case "conv1":
                    x = nnx.relu(max_pool(self.conv1(x)))
                case "conv2":
                    x = nnx.relu(max_pool(self.conv2(x)))
                    x = x.reshape(x.shape[0], -1)
                case "fc1":
                    x = nnx.relu(self.fc1(x))
                case "fc2":
                    x = nnx.relu(self.fc2(x))
                case "fc3":
                    x = self.fc3(x)
        return x
