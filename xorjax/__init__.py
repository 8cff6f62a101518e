"""xorjax: XOR-gate weight encryption for sparse, quantized networks.

The names below are imported when first used: `xorjax --help` waits neither for jax nor for numba.
"""

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from xorjax.codec.ans_signs import AnsSignsCode
    from xorjax.codec.context_signs import ContextSignsCode
    from xorjax.codec.dense import DenseCode
    from xorjax.codec.encoded import Encoded, encode
    from xorjax.codec.signs import SignsCode
    from xorjax.codec.trained import TrainedCode
    from xorjax.codec.xor import XorCode
    from xorjax.compression import CompressSpec, compress
    from xorjax.container import load, save
    from xorjax.decoding.planes import decode
    from xorjax.gf2.network import XorNetwork
    from xorjax.layers import XorConv, XorLinear
    from xorjax.weights import CodedWeight, conv, form, matmul

__all__ = [
    "AnsSignsCode",
    "CodedWeight",
    "CompressSpec",
    "ContextSignsCode",
    "DenseCode",
    "Encoded",
    "SignsCode",
    "TrainedCode",
    "XorCode",
    "XorConv",
    "XorLinear",
    "XorNetwork",
    "__version__",
    "compress",
    "conv",
    "decode",
    "encode",
    "form",
    "load",
    "matmul",
    "save",
]

__version__ = version("xorjax")

_HOMES = {
    "AnsSignsCode": "xorjax.codec.ans_signs",
    "CodedWeight": "xorjax.weights",
    "CompressSpec": "xorjax.compression",
    "ContextSignsCode": "xorjax.codec.context_signs",
    "DenseCode": "xorjax.codec.dense",
    "Encoded": "xorjax.codec.encoded",
    "SignsCode": "xorjax.codec.signs",
    "TrainedCode": "xorjax.codec.trained",
    "XorCode": "xorjax.codec.xor",
    "XorConv": "xorjax.layers",
    "XorLinear": "xorjax.layers",
    "XorNetwork": "xorjax.gf2.network",
    "compress": "xorjax.compression",
    "conv": "xorjax.weights",
    "decode": "xorjax.decoding.planes",
    "encode": "xorjax.codec.encoded",
    "form": "xorjax.weights",
    "load": "xorjax.container",
    "matmul": "xorjax.weights",
    "save": "xorjax.container",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'xorjax' has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_HOMES[name]), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
