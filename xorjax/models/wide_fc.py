"""A small network whose weights are those of two fully connected layers, as AlexNet's are."""

from flax import nnx

from xorjax.models.conv import Conv
from xorjax.models.lenet import LeNet5, Linear, chain
from xorjax.models.registry import MODELS


@MODELS.register
class WideFC(LeNet5):
    """20C5-MP2-64C5-MP2-2048FC-1024FC-10 on 28x28x1 images: `fc1` is 1024x2048 and `fc2` 2048x1024, 4.2 M weights.

    They are 99 % of the network's, and AlexNet's FC5 and FC6 are 89 % of its.
    """

    id = "wide_fc"
    layers = ("conv1", "conv2", "fc1", "fc2", "fc3")
    blocks = layers
    following = chain(layers)

    def __init__(self, *, rngs: nnx.Rngs, n_classes: int = 10):
        he = nnx.initializers.he_normal()
        self.conv1 = Conv(1, 20, 5, rngs=rngs)
        self.conv2 = Conv(20, 64, 5, rngs=rngs)
        self.fc1 = Linear(16 * 64, 2048, kernel_init=he, rngs=rngs)
        self.fc2 = Linear(2048, 1024, kernel_init=he, rngs=rngs)
        self.fc3 = Linear(1024, n_classes, rngs=rngs)
