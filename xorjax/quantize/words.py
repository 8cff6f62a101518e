"""Layers whose code words are parameters of their own; `latent` and `soft` say which."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Float32

from xorjax.codec.trained import TrainedCode
from xorjax.params import Masks, Params
from xorjax.quantize.binarize import scale_axes
from xorjax.quantize.binary import BinaryForm
from xorjax.quantize.fixed_point import FLOAT_BITS, fixed_point


@dataclass(frozen=True)
class WordLayer(ABC):
    """How one layer is trained: in the weight's place a parameter for its code words, and one for scales."""

    shape: tuple[int, ...]
    n_planes: int
    scale: str
    code: TrainedCode
    scale_bits: int = FLOAT_BITS

    @abstractmethod
    def at(self, share: Float[Array, ""]) -> "WordLayer":
        """As it is in a training step, when that share of the training is over."""

    @abstractmethod
    def begin(
        self, weight: Float[np.ndarray, "*shape"], random: np.random.Generator
    ) -> Float32[np.ndarray, "..."]:
        """The parameter of one plane whose code words are the nearest to the weights."""

    @abstractmethod
    def plane(self, words: Float[Array, "..."]) -> Float[Array, "*shape"]:
        """In +1 and -1, but for what a training step makes of it."""

    def start(
        self, weight: Float[np.ndarray, "*shape"], seed: int
    ) -> tuple[Float32[np.ndarray, "planes ..."], Float32[np.ndarray, "planes ..."]]:
        """Both parameters at the code words nearest to the weights: plane by plane, to what those before leave over."""
        axes, words, scales, left = scale_axes(self.scale, len(self.shape)), [], [], weight
        for p in range(self.n_planes):
            words.append(self.begin(left, np.random.default_rng([seed, p])))
            signs = np.where(self.code.project(left), np.float32(1), np.float32(-1))
            scales.append((left * signs).mean(axes, keepdims=True))
            left = left - scales[-1] * signs
        return np.stack(words), np.stack(scales).astype(np.float32)

    def planes(self, words: Float[Array, "planes ..."]) -> Float[Array, "planes *shape"]:
        return jnp.stack([self.plane(of_plane) for of_plane in words])

    def scales(self, trained: Float[Array, "planes ..."]) -> Float[Array, "planes ..."]:
        """In `scale_bits`."""
        return fixed_point(trained, self.scale_bits)


@dataclass(frozen=True)
class WordForm:
    """The forward weights of a network with such layers: scales times the signs that their code words put out.

    `others` are quantized and not trained in code. Hashable, so that it can be a static argument of the jitted step.
    """

    layers: tuple[tuple[str, WordLayer], ...]
    others: BinaryForm

    def start(self, params: Params, masks: Masks, seed: int) -> tuple[Params, Masks]:
        """The parameters to train in place of `params`; these layers have no mask."""
        started = dict(params)
        for path, layer in self.layers:
            words, scales = layer.start(np.asarray(params[path]), seed)
            started |= {path: jnp.asarray(words), scales_of(path): jnp.asarray(scales)}
        return started, masks | {path: None for path, _ in self.layers}

    def at(self, share: Float[Array, ""]) -> "WordForm":
        """As it is in a training step, when that share of the training is over."""
        return replace(self, layers=tuple((path, layer.at(share)) for path, layer in self.layers))

    def __call__(self, params: Params, masks: Masks) -> Params:
        plain = {path: value for path, value in params.items() if path not in self._scales}
        formed = self.others(plain, masks)
        for path, layer in self.layers:
            formed[path] = (layer.scales(params[scales_of(path)]) * layer.planes(params[path])).sum(0)
        return formed

    def encode(self, params: Params, masks: Masks) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """Bit planes (True = +1) and scales of each layer."""
        return self.others.encode(params, masks) | {
            path: (
                np.asarray(layer.planes(params[path]) > 0),
                np.asarray(layer.scales(params[scales_of(path)])),
            )
            for path, layer in self.layers
        }

    @property
    def _scales(self) -> set[str]:
        return {scales_of(path) for path, _ in self.layers}


def scales_of(path: str) -> str:
    """The name of the parameter that holds the scales of the layer's planes."""
    return f"{path}.scales"
