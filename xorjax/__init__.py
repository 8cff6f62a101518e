"""xorjax: XOR-gate weight encryption for sparse, quantized networks."""

from importlib.metadata import version

from xorjax.codec.xor import Encoded, encode
from xorjax.container import load, save
from xorjax.decode.lookup import decode
from xorjax.gf2.network import XorNetwork

__all__ = ["Encoded", "XorNetwork", "__version__", "decode", "encode", "load", "save"]

__version__ = version("xorjax")
