"""Any set of float weights to a compressed model: pruned by magnitude, binarized by least squares, encoded."""

from xorjax.compress.checkpoint import Checkpoint, CheckpointError, Mapped, open_checkpoint
from xorjax.compress.cut import make_cut
from xorjax.compress.layer import encode_planes, relative_error
from xorjax.compress.model import compress, compress_checkpoint, match_checkpoint, weights_of
from xorjax.compress.run import compress_shards
from xorjax.compress.spec import CompressSpec

__all__ = [
    "Checkpoint",
    "CheckpointError",
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
