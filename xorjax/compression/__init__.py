"""Any set of float weights to a compressed model: pruned by magnitude, binarized by least squares, encoded."""

from xorjax.compression.checkpoint import Checkpoint, Mapped, open_checkpoint
from xorjax.compression.cut import make_cut
from xorjax.compression.errors import CompressError
from xorjax.compression.layer import encode_planes, relative_error
from xorjax.compression.model import compress, compress_checkpoint, match_checkpoint, weights_of
from xorjax.compression.run import compress_shards
from xorjax.compression.spec import CompressSpec

__all__ = [
    "Checkpoint",
    "CompressError",
    "CompressSpec",
    "Mapped",
    "compress",
    "compress_checkpoint",
    "compress_shards",
    "encode_planes",
    "make_cut",
    "match_checkpoint",
    "open_checkpoint",
    "relative_error",
    "weights_of",
]
