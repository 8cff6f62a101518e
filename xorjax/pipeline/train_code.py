"""Stage 3 of a code that is trained: fine-tune the layers in it, its code words searched in every forward pass."""

from xorjax.codec.trained import TrainedCode
from xorjax.config.schema import Config
from xorjax.pipeline.build import Build
from xorjax.pipeline.quantize import MASK_READS, NEEDS, fine_tune
from xorjax.quantize.binary import Binarizer

READS = (*MASK_READS, "quantize", "code")


def train_code(build: Build) -> dict:
    """As `quantize.quantize`."""
    return fine_tune(build, _binarizer)


def _binarizer(own: Config) -> Binarizer:
    code = own.code
    assert isinstance(code, TrainedCode)
    return Binarizer(own.quantize.n_planes, own.quantize.scale, own.quantize.ste, code)
