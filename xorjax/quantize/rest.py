"""What is in no code, of few bits too: biases and the like in fixed point, while the layers beside them are trained."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from xorjax.params import Masks, Params, is_within
from xorjax.quantize.binary import BinaryForm
from xorjax.quantize.fixed_point import FLOAT_BITS, fixed_point
from xorjax.quantize.words import WordForm

CodedForm = BinaryForm | WordForm


@dataclass(frozen=True)
class RestForm:
    """The forward weights of `coded`, and the parameters of `paths` in fixed point with a sign."""

    coded: CodedForm
    paths: tuple[str, ...]
    bits: int

    def start(self, params: Params, masks: Masks, seed: int) -> tuple[Params, Masks]:
        return self.coded.start(params, masks, seed)

    def at(self, share: Float[Array, ""]) -> "RestForm":
        return replace(self, coded=self.coded.at(share))

    def __call__(self, params: Params, masks: Masks) -> Params:
        formed = self.coded(params, masks)
        return formed | {path: fixed_point(params[path], self.bits, signed=True) for path in self.paths}

    def encode(self, params: Params, masks: Masks) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        return self.coded.encode(params, masks)


def with_rest(
    coded: CodedForm, params: Params, layers: Mapping[str, object], frozen: Iterable[str], bits: int
) -> CodedForm | RestForm:
    """`coded`, and of few bits what is neither in `layers` nor of a frozen layer."""
    if bits == FLOAT_BITS:
        return coded
    own = tuple(path for path in params if path not in layers and not is_within(path, frozen))
    return RestForm(coded, tuple(path for path in own if params[path].dtype == jnp.float32), bits)
