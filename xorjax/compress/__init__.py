"""Any set of float weights to a compressed model: pruned by magnitude, binarized by least squares, encoded."""

from xorjax.compress.checkpoint import CheckpointError, open_checkpoint
from xorjax.compress.layer import encode_planes, relative_error
from xorjax.compress.model import compress, compress_checkpoint, match_checkpoint, weights_of
from xorjax.compress.spec import CompressSpec

__all__ = [
    "CheckpointError",
    "CompressSpec",
    "compress",
    "compress_checkpoint",
    "encode_planes",
    "match_checkpoint",
    "open_checkpoint",
    "relative_error",
    "weights_of",
]
