"""Stage 3 of a code that is trained: fine-tune the layers in it, as `quantize.words` says.

`search` keeps float weights, and in every forward pass each slice takes the code word that is nearest to them; `latent`
trains the bits of the code words themselves; `soft` a weight for each vector that a slice may be.
"""

from collections.abc import Mapping

from xorjax.codec.trained import TrainedCode
from xorjax.config.schema import Config, QuantizeConfig
from xorjax.params import Params
from xorjax.pipeline.build import Build
from xorjax.pipeline.quantize import NEEDS, fine_tune
from xorjax.pipeline.training import MASK_READS
from xorjax.quantize.binary import Binarizer, BinaryForm
from xorjax.quantize.latent import LatentLayer
from xorjax.quantize.soft import SoftLayer
from xorjax.quantize.words import WordForm, WordLayer

__all__ = ["NEEDS", "READS", "train_code"]

READS = (*MASK_READS, "quantize", "code")


def train_code(build: Build) -> dict:
    """As `quantize.quantize`."""
    return fine_tune(build, _searched if build.config.quantize.words == "search" else _learned)


def _searched(layers: Mapping[str, Config], params: Params) -> BinaryForm:
    return BinaryForm.of({path: _binarizer(own) for path, own in layers.items()})


def _learned(layers: Mapping[str, Config], params: Params) -> WordForm:
    words, others = {}, {}
    for path, own in layers.items():
        if isinstance(own.code, TrainedCode):
            words[path] = _words(params[path].shape, own.code, own.quantize)
        else:
            others[path] = _binarizer(own)
    return WordForm(tuple(words.items()), BinaryForm.of(others))


def _words(shape: tuple[int, ...], code: TrainedCode, how: QuantizeConfig) -> WordLayer:
    common = (shape, how.n_planes, how.scale, code, how.scale_bits)
    if how.words == "soft":
        return SoftLayer(*common)
    return LatentLayer(*common, how.steepness, how.steepness_doubles)


def _binarizer(own: Config) -> Binarizer:
    code, how = own.code if isinstance(own.code, TrainedCode) else None, own.quantize
    return Binarizer(how.n_planes, how.scale, how.ste, code, how.scale_bits)
